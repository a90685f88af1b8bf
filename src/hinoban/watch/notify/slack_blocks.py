"""An incident's message in Slack's words: escaped, and cut to what Slack takes (facts/monitoring.md §5.2). Pure.

One field too long and Slack refuses the whole message, so every text is cut here; beyond the documented limits the whole stays below
10,000 characters, as messages of 13,200 have been refused.
"""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from hinoban.base.text import one_line
from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message
from hinoban.watch.incident_states import QUIET
from hinoban.watch.model import Incident
from hinoban.watch.notify.daily_words import daily_labels, daily_title
from hinoban.watch.notify.labels import label_words
from hinoban.watch.notify.message import alert
from hinoban.watch.notify.wording import SEPARATOR

TITLE_MOST, SECTION_MOST, CONTEXT_MOST, TEXT_MOST = 600, 2900, 1500, 3000
LABEL_MOST = 1200
SHORT_MOST = 500
LOG_MOST = 2000
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}

Links = Sequence[tuple[str, str]]


def payload(message: Message, zone: ZoneInfo, *, links: Links = (), mention: str = "", repeat: str = "") -> dict[str, Any]:
    """`text` (what a notification shows) and `blocks` of a whole message; a quiet one has its title only. `mention` wakes whom it names."""
    told = alert(message.incident, message.change, zone)
    title = f"{icon_of(message)} *{fit(told.title, TITLE_MOST)}*"
    if mention:
        title += f"   {mention}"
    return _payload(title, told.title, told.labels, message, links, repeat)


def current(incident: Incident, zone: ZoneInfo, *, log: Sequence[str] = (), links: Links = ()) -> dict[str, Any]:
    """What the first message of an incident is made to say later: its state now, with the cause that it was opened for."""
    over = incident.state == "resolved"
    now = Message(incident, "resolved" if over else "changed", tuple(log))
    # Of one that is told alone the state stands at the end of its title; of a group, that it is over, is another title.
    title = alert(incident, now.change if incident.group is not None and incident.group.shown is not None else "resolved", zone).title
    return _payload(f"{icon_of(now)} *{fit(title, TITLE_MOST)}*", title, alert(incident, "changed", zone).labels, now, links, "")


def reply(message: Message, zone: ZoneInfo, *, repeat: str = "") -> dict[str, Any]:
    """What a later change says in the thread: the title, and what was done; the rest stands in the first message, which is updated."""
    told = alert(message.incident, message.change, zone)
    said = dict(told.labels)
    shown = ("Done",) if message.change == "resolved" else ("Lost", "Trying", "Cause", "Done", "Next")
    icon = ":white_check_mark:" if message.change == "resolved" else icon_of(message)
    lines = [
        f"{icon} {fit(told.title, TITLE_MOST)}",
        *(f"*{label_words(label)}*  {fit(said[label], LABEL_MOST)}" for label in shown if label in said),
    ]
    return {"text": "\n".join(lines + ([f"_{repeat}_"] if repeat else []))}


def daily_blocks(daily: Daily, zone: ZoneInfo, *, repeat: str = "") -> dict[str, Any]:
    """The daily report: its line, and its labels below."""
    title, labels = daily_title(daily, zone), daily_labels(daily, zone)
    return _laid_out(fit(title, SECTION_MOST), title, labels, (), "", repeat)


def icon_of(message: Message) -> str:
    """Red: lost or wrong. Orange: to be looked at. Green: over. The words say it too: a colour alone says nothing to some."""
    if message.change == "resolved":
        return ":large_green_circle:"
    if message.change == "quiet":
        return ":white_check_mark:"
    if message.incident.state in QUIET:
        return ":eyes:" if message.incident.state == "acknowledged" else ":zzz:"
    severity = alert(message.incident, message.change).severity
    return {"critical": ":red_circle:", "warning": ":large_orange_circle:"}.get(severity, ":information_source:")


def fit(text: str, most: int) -> str:
    """`text` escaped, at most `most` characters long; a cut falls between characters as they are seen, and is marked."""
    parts, length = [], 0
    for character in text:
        part = _ESCAPED.get(character, character)
        length += len(part)
        parts.append(part)
        if length > most:
            break
    else:
        return "".join(parts)
    while parts and length > most - 1:
        length -= len(parts.pop())
    return "".join(parts) + "…"


def _payload(title: str, plain: str, labels: Sequence[tuple[str, str]], message: Message, links: Links, repeat: str) -> dict[str, Any]:
    context = "" if message.change == "quiet" else _context(message.incident, links)
    return _laid_out(title, plain, labels, message.log, context, repeat)


def _laid_out(
    title: str, plain: str, labels: Sequence[tuple[str, str]], lines_of_log: Sequence[str], context: str, repeat: str
) -> dict[str, Any]:
    blocks = [_section(title)]
    lines = [_labelled(label, text) for label, text in labels]
    together = "\n".join(lines)
    # One section where it fits, as it reads better; else one a label, so that no label is lost.
    blocks += [_section(text) for text in ([together] if len(together) <= SECTION_MOST else lines) if text]
    if log := _log(lines_of_log):
        blocks.append(_section(log))
    if context:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": context}]})
    if repeat:
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": f"_{repeat}_"}]})
    # Escaped too: Slack reads this as mrkdwn where it shows no blocks.
    text = _cut_lines([fit(plain, TITLE_MOST), *(f"{label_words(label)}: {fit(text, SHORT_MOST)}" for label, text in labels)], TEXT_MOST)
    return {"text": text, "blocks": blocks}


def _labelled(label: str, text: str) -> str:
    # AWS's own words stand as code: nothing in them is markup, and a backtick would end it.
    words = f"`{fit(text.replace('`', 'ˋ'), LABEL_MOST)}`" if label == "Said" else fit(text, LABEL_MOST)
    return f"*{label_words(label)}*  {words}"


def _cut_lines(lines: Sequence[str], most: int) -> str:
    """As many whole lines as there is room for: a line cut in the middle might end within an entity or within code."""
    kept, length = [], 0
    for line in lines:
        length += len(line) + 1
        if length > most:
            break
        kept.append(line)
    return "\n".join(kept)


def _log(lines: Sequence[str]) -> str:
    """The last lines that fit, as preformatted text."""
    kept: list[str] = []
    length = 0
    for line in reversed(lines):
        shown = fit(one_line(line).replace("```", "ˋˋˋ"), SHORT_MOST)
        length += len(shown) + 1
        if length > LOG_MOST:
            break
        kept.append(shown)
    return "```\n" + "\n".join(reversed(kept)) + "\n```" if kept else ""


def _context(incident: Incident, links: Links) -> str:
    finding = incident.finding
    cluster = f"cluster {finding.cluster}" if finding.cluster else ""
    words = fit(SEPARATOR.join(part for part in (finding.account, finding.region, cluster, incident.id) if part), SHORT_MOST)
    for text, url in links:
        more = f"   <{_url(url)}|{fit(text, 80).replace('|', '/')}>"
        if len(words) + len(more) > CONTEXT_MOST:
            break
        words += more
    return words


def _url(url: str) -> str:
    return "".join({**_ESCAPED, "|": "%7C"}.get(character, character) for character in url)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}

"""An incident's message, or the daily report, as plain text, for mails, topics and whatever Apprise knows. Pure."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.daily_words import daily_labels, daily_title
from hinoban.watch.notify.labels import padded
from hinoban.watch.notify.message import alert
from hinoban.watch.notify.wording import SEPARATOR, day_time


def subject(message: Message, zone: ZoneInfo, most: int) -> str:
    """The title on one line, of at most `most` characters."""
    return _cut(alert(message.incident, message.change, zone).title, most)


def body(message: Message, zone: ZoneInfo, *, links: Sequence[tuple[str, str]] = (), repeat: str = "") -> str:
    """Title, labels, log, where and when, links; `repeat` comes first, so that it is read before somebody acts twice."""
    told, finding = alert(message.incident, message.change, zone), message.incident.finding
    lines = [*([repeat, ""] if repeat else []), told.title, *(f"{padded(label)}{text}" for label, text in told.labels)]
    if message.log:
        lines += ["", "Log (last lines)", *(f"  {line}" for line in message.log)]
    cluster = f"cluster {finding.cluster}" if finding.cluster else ""
    where = SEPARATOR.join(part for part in (finding.account, finding.region, cluster) if part)
    lines += ["", f"{padded('Where')}{where}", f"{padded('When')}{day_time(told.at, zone)}"]
    lines += [f"{padded('More')}hinoban why {message.incident.id}", *(f"{text}: {url}" for text, url in links)]
    return "\n".join(lines) + "\n"


def daily_subject(daily: Daily, zone: ZoneInfo, most: int) -> str:
    """The report's one line, of at most `most` characters."""
    return _cut(daily_title(daily, zone), most)


def daily_body(daily: Daily, zone: ZoneInfo, *, repeat: str = "") -> str:
    """The report's line, its labels, where the rest is."""
    lines = [*([repeat, ""] if repeat else []), daily_title(daily, zone)]
    lines += [f"{padded(label)}{text}" for label, text in daily_labels(daily, zone)]
    lines += ["", f"{padded('When')}{day_time(daily.at, zone)}", f"{padded('More')}hinoban schedules --since 24h"]
    return "\n".join(lines) + "\n"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"

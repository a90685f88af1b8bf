"""The post-mortem of an incident as Markdown, with what is known of it; what is not is printed as unknown, for people to fill in. Pure."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import msgspec

from hinoban.base.text import one_line
from hinoban.base.units import format_duration, iso_minutes
from hinoban.watch.explain.language import spoken
from hinoban.watch.model import Incident
from hinoban.watch.notify.background import Background, caller_words
from hinoban.watch.notify.grouped import counts
from hinoban.watch.notify.message import alert
from hinoban.watch.notify.wording import SEPARATOR, attempt_columns, definition_name, due_words, short_task, state_of, verdict_of

HEADINGS = {
    "en": ("Occurred", "Detected", "Recovered", "Impact", "Cause", "Stopgap", "Permanent fix"),
    "ja": ("発生", "検知", "復旧", "影響", "原因", "暫定対応", "恒久対応"),
}
_JA = {
    "unknown": "不明",
    "not yet": "未復旧",
    "after it happened": "(発生から)",
    "after it was detected": "(検知から)",
    "by the detector": "検知器",
    "told first": "最初の通知",
    "not yet arrived": "まだ届いていない",
    "nobody was told": "通知なし",
    "where": "場所",
    "launched by": "起動元",
    "what else depended on it": "波及先",
    "said by AWS": "AWS の応答(原文)",
    "changed": "変更点",
    "usual": "通常",
    "last log lines, secrets masked": "ログ末尾(秘密情報は伏せ字)",
    "nothing was done": "対応なし",
    "attempts": "試行",
    "messages": "通知",
    "suggested": "提案",
    "lasting measure, owner, date": "恒久対策・担当・期限",
    "opened": "発生",
    "changed (message)": "変化",
    "escalated": "エスカレーション",
    "resolved": "復旧",
    "quiet": "自然復旧",
    "sent": "送信済み",
    "queued": "送信待ち",
    "dead": "送信失敗",
    "muted": "ミュート中",
    "reported": "ミュート後に報告",
}
MEMBERS_MOST = 100


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """One message as the outbox knows it; `state` is sent, queued, dead, muted or reported, `change` what happened, or who has taken it."""

    at: float
    channel: str
    state: str
    change: str


def markdown(
    incident: Incident,
    everyone: Sequence[Incident],
    *,
    zone: ZoneInfo,
    told: Sequence[Told],
    log: Sequence[str],
    background: Background,
) -> str:
    """The document. `incident` is what a message would show (of a group, groups.face_of), `everyone` are all that it speaks for, itself
    included; `log` is masked already."""
    bodies = (
        _occurred(everyone, zone, background),
        _detected(everyone, zone, told),
        _recovered(incident, everyone, zone),
        _impact(incident, everyone, zone),
        _cause(incident, log, background),
        _stopgap(everyone, zone, told, background),
        [f"- {_w('suggested')}: {_text(incident.finding.explanation.next)}", f"- [ ] {_w('lasting measure, owner, date')}: "],
    )
    title = alert(incident, "changed" if incident.state != "resolved" else "resolved", zone).title
    parts = [f"# {_text(title)}"]
    for heading, lines in zip(HEADINGS[spoken()], bodies, strict=True):
        parts.append(f"## {heading}")
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _occurred(everyone: Sequence[Incident], zone: ZoneInfo, background: Background) -> list[str]:
    first = min(everyone, key=lambda one: (one.finding.at, one.id))
    finding = first.finding
    at = min(finding.facts.get("due_at") or finding.at, finding.at)
    place = [finding.account, finding.region, f"cluster {finding.cluster}" if finding.cluster else ""]
    due = due_words(finding, zone)
    starter = finding.started_by or caller_words(background.caller) or _w("unknown")
    return [
        f"- {_moment(at, zone)}" + (f" ({due})" if due else ""),
        f"- {_w('where')}: {SEPARATOR.join(part for part in place if part)}",
        f"- {_w('launched by')}: {_text(starter)}",
    ]


def _detected(everyone: Sequence[Incident], zone: ZoneInfo, told: Sequence[Told]) -> list[str]:
    first = min(everyone, key=lambda one: (one.opened_at, one.id))
    late = format_duration(first.opened_at - first.finding.at)
    lines = [f"- {_moment(first.opened_at, zone)}, {_w('by the detector')} `{first.finding.detector}`, {late} {_w('after it happened')}"]
    if not told:
        return [*lines, f"- {_w('nobody was told')}"]
    arrived = [one for one in told if one.state == "sent"]
    if not arrived:
        return [*lines, f"- {_w('told first')}: {_w('not yet arrived')}"]
    moment = _moment(min(one.at for one in arrived), zone)
    named = ", ".join(dict.fromkeys(one.channel for one in arrived if _moment(one.at, zone) == moment))
    return [*lines, f"- {_w('told first')}: {moment} ({named})"]


def _recovered(incident: Incident, everyone: Sequence[Incident], zone: ZoneInfo) -> list[str]:
    if incident.state != "resolved" or incident.resolved_at is None:
        return [f"- {_w('not yet')}"]
    took = format_duration(incident.resolved_at - min(one.opened_at for one in everyone))
    ways = dict.fromkeys(_text(one.done[-1]) for one in everyone if one.done)
    return [f"- {_moment(incident.resolved_at, zone)}, {took} {_w('after it was detected')}", *(f"- {way}" for way in list(ways)[:5])]


def _impact(incident: Incident, everyone: Sequence[Incident], zone: ZoneInfo) -> list[str]:
    shown = incident.group.shown if incident.group is not None else None
    lines = [f"- {counts(shown)}"] if shown is not None else []
    for one in everyone[:MEMBERS_MOST]:
        task = f"task {short_task(one.finding.task_arn)}" if one.finding.task_arn else ""
        name = definition_name(one.finding.family, one.finding.revision)
        parts = (name, task, due_words(one.finding, zone), verdict_of(one), state_of(one), one.id)
        lines.append(f"- {_text(SEPARATOR.join(part for part in parts if part))}")
    if len(everyone) > MEMBERS_MOST:
        lines.append(f"- … +{len(everyone) - MEMBERS_MOST}")
    return [*lines, f"- {_w('what else depended on it')}: {_w('unknown')}"]


def _cause(incident: Incident, log: Sequence[str], background: Background) -> list[str]:
    explanation = incident.finding.explanation
    lines = [_text(explanation.cause), "", f"- {_w('said by AWS')}:" + ("" if explanation.said else f" {_w('unknown')}")]
    lines += [f"  > {_text(one)}" for one in explanation.said]
    lines.append(f"- {_w('changed')}: {_text(background.changed or _w('unknown'))}")
    if background.usual:
        lines.append(f"- {_w('usual')}: {_text(background.usual)}")
    if not log:
        return [*lines, f"- {_w('last log lines, secrets masked')}: {_w('unknown')}"]
    # Longer than any run of backticks within, so that no line of a log ends the block.
    fence = "`" * max(3, 1 + max((len(run) for line in log for run in _runs(line)), default=0))
    return [*lines, f"- {_w('last log lines, secrets masked')}:", "", fence, *(one_line(line) for line in log), fence]


def _stopgap(everyone: Sequence[Incident], zone: ZoneInfo, told: Sequence[Told], background: Background) -> list[str]:
    done = dict.fromkeys(_text(sentence) for one in everyone for sentence in one.done)
    lines = [f"- {sentence}" for sentence in list(done)[:20]] or [f"- {_w('nothing was done')}"]
    tries = [(one, attempt) for one in everyone[:MEMBERS_MOST] for attempt in one.attempts]
    if tries:
        lines += ["", f"{_w('attempts')}:", ""]
        for one, attempt in sorted(tries, key=lambda pair: (pair[1].at, pair[0].id, pair[1].number)):
            words = attempt_columns(attempt, SEPARATOR.join(one.finding.explanation.said), background, zone)[1:]
            text = SEPARATOR.join(word for word in (definition_name(one.finding.family, one.finding.revision), *words) if word)
            lines.append(f"- {_moment(attempt.at, zone)} {_text(text)}")
    lines += ["", f"{_w('messages')}:", ""]
    for message in told:
        change = _w("changed (message)") if message.change == "changed" and spoken() == "ja" else _w(message.change)
        lines.append(f"- {_moment(message.at, zone)} {message.channel}: {change} ({_w(message.state)})")
    return lines if told else [*lines, f"- {_w('nobody was told')}"]


def _w(words: str) -> str:
    return _JA.get(words, words) if spoken() == "ja" else words


def _moment(at: float, zone: ZoneInfo) -> str:
    return iso_minutes(round(at), zone.key)


def _text(words: str) -> str:
    """On one line, and with nothing that Markdown or HTML would take for markup of a block or a tag."""
    return one_line(words).replace("<", "&lt;").replace("|", "\\|")


def _runs(line: str) -> list[str]:
    return [run for run in "".join(character if character == "`" else " " for character in line).split() if run]

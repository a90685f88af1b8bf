"""How incidents of one cause are told together: `2 batches did not run, 21 recovered by retry (no Fargate capacity, due 00:00 JST)`. Pure."""

from typing import Any
from zoneinfo import ZoneInfo

from hinoban.watch.explain.language import spoken
from hinoban.watch.group_row import Shown
from hinoban.watch.incidents import Change
from hinoban.watch.kinds import DID_NOT_RUN
from hinoban.watch.model import Incident
from hinoban.watch.notify.wording import SEPARATOR, day_time, short_cause

NAMES_SHOWN = 3
_MADE_UP = ("made up for by a later run", "後の実行で復旧")


def title(shown: Shown, incident: Incident, change: Change, zone: ZoneInfo) -> str:
    """What became of them, and their cause; at the end, that it is over."""
    return _over(shown, zone) if change == "resolved" else f"{counts(shown)} ({_cause(shown, incident, zone)})"


def counts(shown: Shown) -> str:
    """`2 batches did not run, 1 EXIT 3, 4 being retried, 21 recovered by retry`."""
    ja = spoken() == "ja"
    parts: list[str] = []
    for verdict, number in shown.phrases:
        parts.append(_lost_ja(shown, verdict, number) if ja else f"{number} {_verb(shown, verdict)}")
    others = (
        (shown.trying, "being retried", "再試行中"),
        (shown.recovered, "recovered by retry", "再試行で復旧"),
        (shown.ran, *_MADE_UP),
        (shown.ended, "over", "終了"),
    )
    parts += [f"{number}件は{words_ja}" if ja else f"{number} {words}" for number, words, words_ja in others if number]
    if ja:
        return f"{_noun_ja(shown)}{'、'.join(parts)}"
    first, _, rest = parts[0].partition(" ")
    return ", ".join((f"{first} {noun(shown.scheduled, int(first))} {rest}", *parts[1:]))


def made_up_words() -> str:
    """What is said of a failure for which a run that nobody of ours launched stands."""
    return _MADE_UP[spoken() == "ja"]


def labels(
    shown: Shown, incident: Incident, change: Change, of_face: tuple[tuple[str, str], ...], zone: ZoneInfo
) -> tuple[tuple[str, str], ...]:
    """Who they are, why they are quiet no more, and the words of the incident that speaks for them."""
    words = dict(of_face)
    if change == "resolved":
        return ("Done", " ".join((f"{counts(shown)}.", *shown.ends))), ("Next", words.get("Next", ""))
    if then := next_for_all(incident):
        words["Next"] = then
    which = "Lost" if shown.lost else "Trying" if shown.trying else "Tasks"
    words["Done"] = incident.group.freed if incident.group is not None else ""
    return (which, _who(shown, zone)), *((label, words.get(label, "")) for label in ("Said", "Cause", "Done", "Next"))


def next_for_all(incident: Incident) -> str:
    """What brings back all that are lost; empty where that is one, or must be mended first."""
    shown = incident.group.shown if incident.group is not None else None
    if shown is None or shown.lost < 2 or incident.finding.detector not in DID_NOT_RUN or not incident.finding.explanation.retryable:
        return ""
    if spoken() == "ja":
        return f"未実行の{shown.lost}件をまとめて再実行: hinoban retry {incident.id} (実行中のものは起動しない)"
    return f"Run the {shown.lost} that are lost: hinoban retry {incident.id} (starts nothing that runs already)"


def noun(scheduled: bool, number: int) -> str:
    """`batch` of scheduled runs, else `task`."""
    if scheduled:
        return "batch" if number == 1 else "batches"
    return "task" if number == 1 else "tasks"


def group_json(incident: Incident) -> dict[str, Any] | None:
    """What a message for programs says of the group; None of an incident that is told alone."""
    shown = incident.group.shown if incident.group is not None else None
    if shown is None:
        return None
    return {
        "size": shown.total,
        "lost": shown.lost,
        "retrying": shown.trying,
        "recovered": shown.recovered,
        "made_up": shown.ran,
        "ended": shown.ended,
        "names": [name for name, _ in shown.names],
    }


def _verb(shown: Shown, verdict: str) -> str:
    return verdict or ("did not run" if shown.scheduled else "did not start")


def _lost_ja(shown: Shown, verdict: str, number: int) -> str:
    return f"{number}件が{verdict or ('未実行' if shown.scheduled else '未起動')}"


def _noun_ja(shown: Shown) -> str:
    return "バッチ" if shown.scheduled else "タスク"


def _cause(shown: Shown, incident: Incident, zone: ZoneInfo) -> str:
    code = incident.finding.explanation.code
    due = "" if shown.due_at is None else minute(shown.due_at, zone)
    ja = spoken() == "ja"
    parts = [
        shown.names[0][0] if len(shown.names) == 1 else "",
        "" if code.startswith("exit") or code == "out_of_memory" else short_cause(code),
        "" if not due else f"{due} 起動分" if ja else f"due {due}",
    ]
    return ("、" if ja else ", ").join(part for part in parts if part)


def _who(shown: Shown, zone: ZoneInfo) -> str:
    listed = [name if number == 1 else f"{name} ×{number}" for name, number in shown.names[:NAMES_SHOWN]]
    more = (shown.lost or shown.trying or shown.total) - sum(number for _, number in shown.names[:NAMES_SHOWN])
    ja = spoken() == "ja"
    text = SEPARATOR.join(listed) + ("" if not more else f" ほか{more}件" if ja else f" and {more} more")
    least, most = shown.attempts
    if most < 2:
        return text
    gave_up = "" if shown.gave_up_at is None else minute(shown.gave_up_at, zone)
    if ja:
        tries = f"{'各' if least == most else '最大'}{most}回試行" + (f"、{gave_up} に断念" if gave_up else "")
    else:
        tries = (f"{most} attempts each" if least == most else f"up to {most} attempts") + (f", gave up {gave_up}" if gave_up else "")
    return f"{text}  ({tries})"


def _over(shown: Shown, zone: ZoneInfo) -> str:
    at = "" if shown.ended_at is None else minute(shown.ended_at, zone)
    well, ja = shown.recovered + shown.ran, spoken() == "ja"
    if shown.ended:
        if ja:
            return f"終了: {shown.total}件中{well}件は正常に実行、{shown.ended}件はその他 (最後は {at})"
        return f"Over: {well} of {shown.total} ran well, {shown.ended} did not, the last was over at {at}"
    last = shown.since_told
    beyond = shown.total - last
    if ja:
        whole = f" (同じ原因で全{shown.total}件)" if beyond else ""
        return f"復旧: {last}件とも {at} までに実行{whole}"
    who = {1: "the last one", 2: "both"}.get(last, f"all {last}")
    same = shown.ended_from is not None and minute(shown.ended_from, zone) == at
    return f"Recovered: {who} ran {'at' if same else 'by'} {at}" + (f" ({shown.total} in all, one cause)" if beyond else "")


def minute(moment: float, zone: ZoneInfo) -> str:
    """`00:20 JST`."""
    return " ".join(day_time(moment, zone).split()[-2:])

"""What an answer must say where nobody watched: which results AWS has forgotten, and how long it keeps the others. PURE."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from hinoban.base.clock import HOURS
from hinoban.base.units import local, parse_iso
from hinoban.watch.schedules.slot import Slot

FORGOTTEN = "ended over 1 h ago, result unknown (a watch would have kept it)"
"""AWS forgets a stopped task after an hour (facts/ecs.md §7): one that was launched and is not described any more has ended."""
UNSEEN = "unseen"
"""Due, but without cloudtrail:LookupEvents nobody can tell whether it was launched."""


def ended_unseen(answer: dict[str, Any], slots: Sequence[Slot], described: Container[str], now: float, *, sure: bool) -> dict[str, Any]:
    """The answer with the runs that AWS has forgotten told as such. `described` are the tasks that it still knows; `sure`: whether launches
    could be seen at all."""
    words = {(one.key, one.at): text for one in slots if (text := _instead(one, described, now, sure)) is not None}
    runs = Counter(answer["runs"])
    for one in slots:
        if (text := words.get((one.key, one.at))) is not None:
            runs[one.state] -= 1
            runs[text] += 1
    listed = [_renamed(one, words) for one in answer["list"]]
    return answer | {"runs": {outcome: count for outcome, count in runs.items() if count > 0}, "list": listed}


def kept_until(answer: dict[str, Any], ended: Mapping[str, float], now: float, tz: str) -> dict[str, Any]:
    """The answer in which a failed run says how long AWS keeps its reason; `ended` tells by incident when its task ended."""
    lost = []
    for row in answer["lost"]:
        at = ended.get(row["incident"] or "")
        if at is not None and now < at + 1 * HOURS:
            until = local(at + 1 * HOURS, ZoneInfo(tz)).strftime("%H:%M")
            row = row | {"what": f"{row['what']}; AWS keeps the reason until about {until}"}
        lost.append(row)
    return answer | {"lost": lost}


def _instead(slot: Slot, described: Container[str], now: float, sure: bool) -> str | None:
    if slot.state == "launched" and slot.at < now - 1 * HOURS and not any(arn in described for arn in slot.tasks):
        return FORGOTTEN
    return UNSEEN if slot.state == "waiting" and not sure and slot.due_by <= now else None


def _renamed(one: dict[str, Any], words: Mapping[tuple[str, float], str]) -> dict[str, Any]:
    if one["last"] is None:
        return one
    text = words.get((f"{one['arn']}#{one['target']}", parse_iso(one["last"]["slot"])))
    return one if text is None else one | {"last": one["last"] | {"outcome": text}}

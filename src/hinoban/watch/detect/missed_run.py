"""Detector missed_run: a schedule's slot at which nothing was launched, or of which nobody can say (facts/eventbridge.md §7, §8).

Asked by time, five minutes and the flexible window after the slot, or at once where the engine itself says that it did not fire.
"""

from zoneinfo import ZoneInfo

import msgspec

from hinoban.base.units import iso_seconds, with_local_moments
from hinoban.watch.detect.slots import DID_NOT_RUN, about_slot, run_it
from hinoban.watch.explain.language import either
from hinoban.watch.model import Explanation, Finding
from hinoban.watch.schedules.slot import Slot


def missed_run(slot: Slot, now: float, zone: str, *, until: Slot | None = None, count: int = 1, shown: str = "") -> Finding:
    """A finding for a slot that was missed, or that stayed without evidence; `until` and `count` where a run of slots was missed as one.

    `shown` is the moment until which evidence was waited for, for people. Only a slot of which it is certain that nothing was
    launched may be made up for by Hinoban itself.
    """
    certain = slot.fired == "NO"
    last = until if count > 1 else None
    kind, kind_ja = ("rule", "ルール") if slot.kind == "rule" else ("schedule", "スケジュール")
    if certain:
        reason = with_local_moments(slot.reason, ZoneInfo(zone))
        what = f"None of its {count} runs fired" if last is not None else "It did not fire"
        what_ja = f"{count} 回すべて起動されなかった" if last is not None else "起動されなかった"
        cause = either(f"{what}: {reason or 'the reason is not known'}.", f"{what_ja}: {reason or '理由は不明'}。")
    elif last is not None:
        cause = either(
            f"Nothing was seen of {count} runs in a row: no RunTask of them by {shown}. Not certain: their records may have been lost.",
            f"続けて {count} 回、{shown} までに RunTask が確認できない。確証なし: 記録が失われた可能性がある。",
        )
    elif slot.fired == "ok":
        cause = either(
            f"The {kind} fired, but no RunTask of it was seen by {shown}.",
            f"{kind_ja}は起動したが、{shown} までに RunTask が確認できない。",
        )
    else:
        cause = either(
            f"Nothing shows that the {kind} fired: no RunTask of it was seen by {shown}. Not certain: its record may have been lost.",
            f"{kind_ja}が起動した形跡がない: {shown} までに RunTask が確認できない。確証なし: 記録が失われた可能性がある。",
        )
    first = run_it(slot.name, slot.at, zone)
    if not certain:
        look = f"hinoban history --family {slot.family} --since 24h"
        following = either(f"Look for it: {look}      else: {first}", f"実行を探す: {look}      なければ: {first}")
    elif last is not None:
        following = either("Run the last one", "最後の 1 回を実行") + f": {run_it(slot.name, last.at, zone)}"
    else:
        following = either("Run it now, if that is not too late for it", "まだ間に合うなら今実行") + f": {first}"
    explanation = Explanation(code="missed_run" if certain else "no_evidence", cause=cause, next=following, said=(), retryable=certain)
    facts = {"count": count, "last_due_at": last.at} if last is not None else {}
    finding = about_slot(slot, DID_NOT_RUN, explanation, at=slot.at, facts=facts)
    # Slots that were lost together are another matter than the first of them, which may be made up for alone.
    return msgspec.structs.replace(finding, subject=f"slots:{slot.key}:{iso_seconds(slot.at)}") if last is not None else finding

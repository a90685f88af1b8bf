"""Detector schedule_changed: a schedule that was disabled, deleted or retargeted, told once. Pure."""

from collections.abc import Callable

from hinoban.base.units import iso_seconds
from hinoban.watch.detect.slots import about_schedule
from hinoban.watch.model import Doing, Explanation, Finding
from hinoban.watch.schedules.model import Change, Schedule

_VERDICTS = {"disabled": "DISABLED", "deleted": "DELETED", "retargeted": "RETARGETED", "rescheduled": "RESCHEDULED", "enabled": "ENABLED"}
STOPS_RUNS = ("disabled", "deleted")


def subject_of(key: str, at: float) -> str:
    """What names the incident of a change."""
    return f"changed:{key}:{iso_seconds(at)}"


def schedule_changed(
    schedule: Schedule, change: Change, doing: Doing | None, next_at: float | None, now: float, when: Callable[[float], str]
) -> Finding | None:
    """A finding; None for a schedule that was enabled again, which is no matter."""
    what = change.what[0]
    if change.what == ("enabled",):
        return None
    at = doing.at if doing is not None else now
    by = f"{when(at)}, by {doing.caller.rpartition('/')[2]}" if doing is not None else f"before {when(now)}, unknown by whom"
    lost = f" The run due {when(next_at)} will not happen." if what in STOPS_RUNS and next_at is not None else ""
    back = {
        ("rule", "disabled"): f"Enable it again: aws events enable-rule --name {schedule.name}",
        ("schedule", "disabled"): f"Enable it again: aws scheduler get-schedule --group-name {schedule.group} --name {schedule.name}   "
        "then update-schedule with --state ENABLED",
    }.get((schedule.kind, what), "Nothing, if it was meant. See what is due: hinoban schedules --next 5")
    explanation = Explanation(
        code=f"schedule_{what}",
        cause=f"{change.sentence[:1].upper()}{change.sentence[1:]} ({by}).{lost}",
        next=back,
        said=(),
        retryable=False,
    )
    hops = {"enabled": "NO", "fired": "–", "RunTask": "–", "task": "–", "exit": "–"} if what in STOPS_RUNS else None
    facts = {"change": list(change.what), "by": doing.caller if doing else None, "next_due_at": next_at, "hops": hops}
    known = {name: value for name, value in facts.items() if value is not None}
    # A rule is disabled as a whole, whatever the number of its targets.
    subject = subject_of(schedule.key if what == "retargeted" else schedule.arn, at)
    return about_schedule(schedule, "schedule_changed", subject, _VERDICTS[what], explanation, at=at, facts=known)

"""Detector dead_schedule: a schedule whose next run cannot start, found before it is due. Pure."""

from collections.abc import Callable, Sequence

import msgspec

from hinoban.watch.detect.slots import about_schedule
from hinoban.watch.model import Doing, Explanation, Finding
from hinoban.watch.schedules.model import Dead, Schedule

VERDICT = "CANNOT RUN"


def subject_of(key: str) -> str:
    """What names the incident of a dead schedule."""
    return f"dead:{key}"


def dead_schedule(
    schedule: Schedule, dead: Sequence[Dead], doing: Doing | None, next_at: float | None, now: float, when: Callable[[float], str]
) -> Finding | None:
    """A finding where `dead` names what is missing; `doing` is who took it away, as far as that is known."""
    if not dead:
        return None
    by = f", {_DONE.get(doing.name, 'done')} {when(doing.at)} by {_short(doing.caller)}" if doing is not None else ""
    why = "; ".join(one.why for one in dead)
    # `pinned to daily-close:17, which is INACTIVE` is said of the target, everything else of itself.
    reason = (
        f"Its target is {why}" if dead[0].thing == "definition" and why.startswith("pinned") else why[:1].upper() + why[1:]
    ) + f"{by}."
    lost = f" The run due {when(next_at)} will be lost." if next_at is not None else ""
    said = tuple(f"RunTask will answer {one.said.removeprefix('RunTask ')}" for one in dead if one.said)
    explanation = Explanation(code="dead_schedule", cause=f"{reason}{lost}", next=dead[0].repair, said=said, retryable=False)
    facts = {"missing": [one.why for one in dead], "dead": reason, "repair": dead[0].repair, "next_due_at": next_at}
    known = {name: value for name, value in facts.items() if value is not None}
    return about_schedule(schedule, "dead_schedule", subject_of(schedule.key), VERDICT, explanation, at=now, facts=known)


def lost(finding: Finding, dead: Finding, kind: str, command: str, next_words: str) -> Finding:
    """A run that was refused for what `dead` names: the same matter, now with a lost run. `command` makes up for the run."""
    service = "rule" if kind == "rule" else "schedule"
    cause = f"The {service} fired; ECS refused. {dead.facts['dead']}"
    following = f"1. {dead.facts['repair']}   2. {command}{next_words}"
    explanation = msgspec.structs.replace(finding.explanation, cause=cause, next=following, retryable=False)
    return msgspec.structs.replace(
        finding,
        subject=dead.subject,
        explanation=explanation,
        facts={**finding.facts, "dead": dead.facts["dead"], "repair": dead.facts["repair"]},
    )


_DONE = {"DeregisterTaskDefinition": "deregistered", "DeleteCluster": "deleted", "PutTargets": "set", "UpdateSchedule": "set"}


def _short(caller: str) -> str:
    return caller.rpartition("/")[2]

"""Which slot a launch or a task is of, where no journal joins them: startedBy, family, cluster and time (facts/eventbridge.md §6.2). PURE.

startedBy is cut to 36 characters, so that two names may look alike; a refused call may lack its parameters (facts/ecs.md §6.7 outcome 3),
and is then known by the role that called. What several schedules may have launched is told of all of them, never guessed in silence.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from hinoban.base.clock import MINUTES, SECONDS
from hinoban.base.units import parse_iso
from hinoban.watch.model import Launch, TaskChange
from hinoban.watch.schedules.expected import GRACE, is_rate, slots_near
from hinoban.watch.schedules.model import Kind, Schedule

_CUT = 36  # characters of startedBy
_EARLY = 1 * SECONDS
"""CloudTrail's eventTime has whole seconds: a run may seem to come before its slot."""
_EARLY_RATE = 1 * MINUTES
"""A phase that was learned from late runs is late itself."""
_TICK = 0.001
_SERVICES: Mapping[str, Kind] = {"events.amazonaws.com": "rule", "scheduler.amazonaws.com": "schedule"}


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a launch or task. None is unknown; `kind` and `role` (its name) are of a caller whose parameters are unknown."""

    region: str
    at: float
    started_by: str | None = None
    family: str | None = None
    cluster: str | None = None
    kind: Kind | None = None
    role: str | None = None


def run_of_launch(launch: Launch) -> Run:
    """The facts of a RunTask call."""
    if launch.request is not None:
        return Run(region=launch.region, at=launch.at, started_by=launch.started_by, family=launch.family, cluster=launch.cluster)
    # arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
    parts = (launch.caller_arn or "").split("/")
    role = parts[1] if len(parts) == 3 and parts[0].endswith(":assumed-role") else None
    return Run(region=launch.region, at=launch.at, kind=_SERVICES.get(launch.invoked_by or ""), role=role)


def run_of_task(change: TaskChange) -> Run:
    """The facts of a task: it was launched when it was created."""
    detail = change.detail
    created = detail.get("createdAt")
    return Run(
        region=change.region,
        at=parse_iso(created) if isinstance(created, str) else change.at,
        started_by=detail.get("startedBy"),
        family=change.family,
        cluster=str(detail.get("clusterArn") or "").rpartition("/")[2],
    )


class Index:
    """Schedules by what their runs show of them. `phases` holds what was learned of rate() schedules by key, and may grow."""

    def __init__(self, schedules: Iterable[Schedule], phases: Mapping[str, float]) -> None:
        self._phases = phases
        self._named: dict[tuple[str, str, str, str], list[Schedule]] = {}
        self._roles: dict[tuple[str, Kind, str], list[Schedule]] = {}
        for schedule in sorted(schedules, key=lambda one: one.key):
            self._named.setdefault((schedule.region, schedule.cluster, schedule.family, schedule.started_by[:_CUT]), []).append(schedule)
            if schedule.role:
                self._roles.setdefault((schedule.region, schedule.kind, schedule.role.rpartition("/")[2]), []).append(schedule)

    def slots_of(self, run: Run) -> list[tuple[str, float]]:
        """(key, slot) of every schedule that may have launched it, the nearest first: the slot at or before the run, within window and grace."""
        found = [(schedule.key, slot) for schedule in self.candidates(run) if (slot := self._slot(schedule, run.at)) is not None]
        return sorted(found, key=lambda one: (abs(run.at - one[1]), one[0]))

    def candidates(self, run: Run) -> Sequence[Schedule]:
        """The schedules that look like it, whatever its moment."""
        if run.started_by is not None and run.family is not None and run.cluster is not None:
            return self._named.get((run.region, run.cluster, run.family, run.started_by[:_CUT]), ())
        if run.started_by is None and run.kind is not None and run.role is not None:
            return self._roles.get((run.region, run.kind, run.role), ())
        return ()

    def _slot(self, schedule: Schedule, at: float) -> float | None:
        reach = schedule.window_seconds + GRACE
        early = _EARLY_RATE if is_rate(schedule) else _EARLY
        near = slots_near(schedule, at - reach - _TICK, at + early, phase=self._phases.get(schedule.key))
        before = [slot for slot in near if slot <= at]
        return before[-1] if before else near[0] if near else None

"""Which slot a launch or a task runs for, with what it adds to the slot written.

The engine's slot lines name their RunTask's clientToken. On AWS nothing names the slot: startedBy, family, cluster and moment do, if need be
ambiguously (schedules/match.py); of what several slots may have launched, each gets as much as it asked for before any gets more.
"""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection

from hinoban.base.clock import DAYS, HOURS
from hinoban.watch.history.book import Book, Known
from hinoban.watch.model import Finding, Launch, TaskChange
from hinoban.watch.schedules import expected
from hinoban.watch.schedules import slot as slots
from hinoban.watch.schedules.match import Index, Run, run_of_launch, run_of_task
from hinoban.watch.schedules.model import Schedule
from hinoban.watch.schedules.slot import Slot

_BY_SCHEDULE = ("events-rule/", "chronos-schedule/")
_EXACT = 0.01
"""The engine's lines tell slots to the millisecond."""
_RUNS = 5
"""So many runs that do not fit a rate()'s phase are remembered: two that agree decide."""


class Joins:
    """Part of the timetable; `phase` is its word on a rate()'s."""

    def __init__(self, book: Book, phase: Callable[[Known], float | None]) -> None:
        self._book = book
        self._phase = phase
        self._index: Index | None = None
        self._indexed = 0

    def launch(self, connection: Connection, launch: Launch) -> Slot | None:
        """The slot that a launch was for. One whose call was refused may be launched by a later call of the same service."""
        run = run_of_launch(launch)
        named = self._book.of_token(connection, launch.token) if launch.token else None
        several = self._several(connection, run, learn=named is None)
        slot = named or self._best(several, launch.task_arns, launch.launch_id)
        if slot is None:
            return None
        if slot.launch_id not in (None, launch.launch_id) and slot.runtask != "NO":
            # What was refused is told of no run that is there; a second launch of one slot is nobody's.
            return slot if not launch.task_arns and slot.tasks else None
        slot = self._gathered(connection, slot, several, launch)
        if not slot.family:
            slot = msgspec.structs.replace(slot, family=launch.family)
        refused = launch.count if launch.error_code is not None else launch.refused
        slot = slots.launched(slot, launch.launch_id, launch.task_arns, refused)
        self._book.put_slots(connection, [slot])
        return slot

    def task(self, connection: Connection, change: TaskChange, standing: str, ours: str | None) -> Slot | None:
        """The slot that a task runs for; `standing` is how the task stands, `ours` the incident that a retry of ours belongs to."""
        slot = self._book.of_task(connection, change.task_arn)
        if slot is None and ours is not None:
            slot = next(iter(self._book.of_incident(connection, ours)), None)
        if slot is None and (change.detail.get("startedBy") or "").startswith(_BY_SCHEDULE):
            slot = self._best(self._several(connection, run_of_task(change), learn=True), (change.task_arn,), None)
        if slot is None:
            return None
        slot = slots.with_task(slot, change.task_arn, standing)
        self._book.put_slots(connection, [slot])
        return slot

    def learn(self, connection: Connection, known: Known, slot: float) -> None:
        """The engine's word on a slot of a rate(): its phase, if it is another. Before the first that is known none was owed."""
        if expected.in_phase(known.schedule, known.phase, slot, within=_EXACT):
            return
        until = known.expected_until if known.phase is not None else max(known.expected_until, slot)
        self._book.put_schedule(connection, msgspec.structs.replace(known, phase=slot, runs=(), expected_until=until))
        self._rephase(connection, known.schedule, slot)

    def _best(self, several: Sequence[Slot], arns: Sequence[str], launch_id: str | None) -> Slot | None:
        """The one that has this launch or task already, else one that lacks any, else the nearest."""

        def rank(slot: Slot) -> int:
            if any(arn in slot.tasks for arn in arns) or (launch_id is not None and slot.launch_id == launch_id):
                return 0
            room = len(slot.tasks) < slot.count
            return 1 if room and slot.launch_id is None else 2 if room else 3

        return min(several, key=rank, default=None)

    def _several(self, connection: Connection, run: Run, *, learn: bool) -> list[Slot]:
        """The slots that a run may be of, the nearest first."""
        if learn:
            self._learn_of(connection, run)
        known = self._book.schedules(connection)
        found = self._indexing(connection).slots_of(run)
        names = tuple(known[key].schedule.name for key, _ in found) if len(found) > 1 else ()
        return [
            msgspec.structs.replace(self._book.slot(connection, key, at) or slots.due(known[key].schedule, at), ambiguous=names)
            for key, at in found
        ]

    def _gathered(self, connection: Connection, slot: Slot, several: Sequence[Slot], launch: Launch) -> Slot:
        """The slot with its tasks, those too that came before their launch's record and were taken for another's."""
        for arn in launch.task_arns:
            for other in (one for one in (self._book.of_task(connection, arn), *several) if one is not None):
                if (other.key, other.at) != (slot.key, slot.at) and arn in other.tasks:
                    slot = msgspec.structs.replace(slot, tasks={**slot.tasks, arn: other.tasks[arn]})
                    self._book.put_slots(connection, [slots.without_task(other, arn)])
        return slot

    def _indexing(self, connection: Connection) -> Index:
        known = self._book.schedules(connection)
        if self._index is None or self._indexed != self._book.changes:
            phases = {key: phase for key, one in known.items() if (phase := self._phase(one)) is not None}
            self._index = Index([one.schedule for one in known.values()], phases)
            self._indexed = self._book.changes
        return self._index

    def _learn_of(self, connection: Connection, run: Run) -> None:
        """A rate()'s phase from a run of it, where no other schedule may have launched it."""
        alike = self._indexing(connection).candidates(run)
        if len(alike) != 1 or not expected.is_rate(alike[0]):
            return
        known = self._book.schedules(connection)[alike[0].key]
        before = self._phase(known)
        if before is not None and expected.in_phase(known.schedule, before, run.at):
            return
        runs = (*(known.runs or ((before,) if before is not None else ())), run.at)[-_RUNS:]
        phase = expected.phase(known.schedule, runs)
        if phase is None:
            phase = before
        until = known.expected_until if phase == before else max(known.expected_until, run.at)
        self._book.put_schedule(connection, msgspec.structs.replace(known, runs=runs, phase=phase, expected_until=until))
        if phase != before and phase is not None:
            self._rephase(connection, known.schedule, phase)

    def _rephase(self, connection: Connection, schedule: Schedule, phase: float) -> None:
        """A rate's slots that were expected by an older phase are owed no more."""
        good = set(expected.slots_near(schedule, phase - 1 * HOURS, phase + 1 * DAYS, phase=phase))
        for one in list(self._book.open_slots(connection).values()):
            if one.key == schedule.key and one.state == "waiting" and one.fired == "unknown" and one.at not in good:
                self._book.drop_slot(connection, one)


def standing(change: TaskChange, finding: Finding | None, well: bool) -> str:
    """How a task stands, for its slot."""
    if not change.finished:
        return "running" if change.detail.get("lastStatus") == "RUNNING" else "launched"
    return "exit 0" if well else finding.verdict.lower() if finding is not None else "stopped"

"""Follows tasks that are on their way, to running or to their end: told when they stay on it for too long, over when they go on.

Runs inside the pipeline's transaction. What is stuck, detect/stuck says.
"""

from collections.abc import Callable
from typing import Protocol

from sqlalchemy import Connection

from hinoban.base.clock import SECONDS
from hinoban.watch import incidents
from hinoban.watch.deadlines import Deadlines, Name
from hinoban.watch.detect.stuck import moved_on, stuck, stuck_at
from hinoban.watch.history import queries
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.model import Incident, TaskChange
from hinoban.watch.schedules.slot import Slot
from hinoban.watch.task_tags import TaskTags, with_tags
from hinoban.watch.timetable import Timetable

LATE_NEWS = 30 * SECONDS
"""News may come long after it happened, and what came of it right behind."""


class Puts(Protocol):
    """How the pipeline writes the incident of a task's finding."""

    def __call__(self, connection: Connection, step: incidents.Step, slot: Slot | None, now: float) -> None: ...


class TaskIncidents:
    """Which incident is a task's: its own, or that of the scheduled run that it is."""

    def __init__(self, ledger: Ledger, timetable: Timetable) -> None:
        self._ledger = ledger
        self._timetable = timetable

    def slot(self, connection: Connection, change: TaskChange) -> Slot | None:
        """The open slot that it runs for."""
        return self._timetable.book.of_task(connection, change.task_arn)

    def open(self, connection: Connection, change: TaskChange, slot: Slot | None) -> Incident | None:
        """Its open incident."""
        held = self._ledger.open_incidents(connection)
        if not held:
            return None
        named = held.get(incidents.incident_id(f"task:{change.task_arn}"))
        return named if named is not None or slot is None else held.get(incidents.incident_id(slot.subject))

    def any(self, connection: Connection, change: TaskChange, slot: Slot | None) -> Incident | None:
        """Its incident, in whatever state."""
        if (known := self.open(connection, change, slot)) is not None:
            return known
        return self._ledger.incident(connection, incidents.incident_id(slot.subject if slot is not None else f"task:{change.task_arn}"))


class StuckTasks:
    """Part of TimeLimits, whose deadlines it shares; `tags` tells what is known of a task's tags, `start_limit` is in seconds."""

    def __init__(
        self,
        ledger: Ledger,
        timetable: Timetable,
        deadlines: Deadlines,
        of_tasks: TaskIncidents,
        tags: Callable[[str], TaskTags],
        start_limit: float,
        put: Puts,
    ) -> None:
        self._ledger = ledger
        self._timetable = timetable
        self._deadlines = deadlines
        self._of_tasks = of_tasks
        self._tags = tags
        self._start_limit = start_limit
        self._put = put
        self._told: set[str] = set()
        """ARNs of tasks with an open incident for that."""
        self._stop_timeouts: dict[str, float] = {}

    def restore(self, connection: Connection) -> None:
        """Take up what was told before the watch ended."""
        held = self._ledger.open_incidents(connection).values()
        self._told = {one.finding.task_arn for one in held if one.finding.detector == "stuck" and one.finding.task_arn}

    def due_at(self, change: TaskChange, now: float) -> float | None:
        """When to ask about a task if nothing more is heard of it; after news that came late, not before more could have come."""
        at = stuck_at(change, self._start_limit, self._stop_timeouts.get(_definition(change)))
        return None if at is None else max(at, now + LATE_NEWS)

    def stop_timeout(self, definition: str, seconds: float) -> None:
        """The longest stopTimeout of a definition's containers."""
        self._stop_timeouts[definition] = seconds

    def judge(self, connection: Connection, name: Name, now: float) -> None:
        """A task's moment has come."""
        change = queries.newest_change(connection, name)
        if change is None or change.finished:
            return
        timeout = self._stop_timeouts.get(_definition(change))
        finding = stuck(change, now, self._start_limit, timeout)
        if finding is None:
            self._deadlines.put(name, {"stuck": self.due_at(change, now)})
            return
        if finding.facts["way"] == "stopping" and timeout is None and change.detail.get("launchType") != "FARGATE":
            # How long its containers may take to end, only their definition tells (facts/ecs.md §1.6).
            self._deadlines.again(name, "definition", now)
            return
        slot = self._of_tasks.slot(connection, change)
        known = self._of_tasks.any(connection, change, slot)
        if known is not None and known.state != "resolved":
            return  # it is told already that something is wrong with it
        finding = with_tags(finding, self._tags(change.task_arn).tags)
        if slot is not None:
            finding, _ = self._timetable.about(connection, finding, slot, now)
        step = incidents.again(known, finding, now) if known is not None else incidents.opened(finding, now, held_until=None)
        self._put(connection, step, slot, now)
        self._told.add(change.task_arn)

    def go_on(self, connection: Connection, change: TaskChange, slot: Slot | None, now: float) -> None:
        """News of a task: the end of its being stuck, if it was."""
        if change.task_arn not in self._told:
            return
        known = self._of_tasks.open(connection, change, slot)
        if known is None or known.finding.detector != "stuck":
            self._told.discard(change.task_arn)
        elif (words := moved_on(known.finding, change)) is not None:
            self._told.discard(change.task_arn)
            self._put(connection, incidents.resolved(known, known.verdict, words, now), slot, now)

    def let_go(self, arn: str) -> None:
        """The task has ended."""
        self._told.discard(arn)


def _definition(change: TaskChange) -> str:
    return str(change.detail.get("taskDefinitionArn"))

"""When open tasks reach their limits: a heap over what rows and policies say, rebuilt at every start. No decision of its own."""

import heapq
from typing import Literal

from hinoban.base.units import parse_iso
from hinoban.watch.model import TaskChange, task_id_of
from hinoban.watch.policies import Limits

Name = tuple[str, str, str]
Kind = Literal["warn", "stop", "end"]


def task_name(change: TaskChange) -> Name:
    """What names a task in our tables: id, region, account."""
    return task_id_of(change.task_arn), change.region, change.account


def name_of(task_arn: str) -> Name:
    """The same by the task's ARN alone."""
    parts = task_arn.split(":")
    return task_id_of(task_arn), parts[3], parts[4]


def start_of(change: TaskChange) -> float:
    """When the task began to run; before that, when it was asked for."""
    text = change.detail.get("startedAt") or change.detail.get("createdAt")
    return parse_iso(text) if text else change.at


class Deadlines:
    """The moments at which a task is overdue (`warn`), must be stopped for that (`stop`), or for another reason (`end`)."""

    def __init__(self) -> None:
        self._due: dict[tuple[Name, Kind], float] = {}
        self._heap: list[tuple[float, Name, Kind]] = []

    def watch(self, name: Name, start: float, limits: Limits) -> None:
        """Set (or move) a task's deadlines."""
        self._set(name, "warn", None if limits.max_runtime is None else start + limits.max_runtime)
        self._set(name, "stop", None if limits.stop_after is None else start + limits.stop_after)

    def again(self, name: Name, kind: Kind, at: float) -> None:
        """Ask once more at `at`: it could not be done now."""
        self._set(name, kind, at)

    def drop(self, name: Name) -> None:
        """The task has ended."""
        self._due.pop((name, "warn"), None)
        self._due.pop((name, "stop"), None)
        self._due.pop((name, "end"), None)

    def due(self, kind: Kind, now: float) -> list[Name]:
        """The tasks whose `kind` of deadline has come; each is told once."""
        reached: list[Name] = []
        kept: list[tuple[float, Name, Kind]] = []
        while self._heap and self._heap[0][0] <= now:
            entry = heapq.heappop(self._heap)
            at, name, what = entry
            if self._due.get((name, what)) != at:
                continue
            if what != kind:
                kept.append(entry)
                continue
            del self._due[(name, what)]
            reached.append(name)
        for entry in kept:
            heapq.heappush(self._heap, entry)
        return reached

    def next(self) -> float | None:
        """The earliest moment at which something is due."""
        while self._heap and self._due.get((self._heap[0][1], self._heap[0][2])) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _set(self, name: Name, kind: Kind, at: float | None) -> None:
        if at is None:
            self._due.pop((name, kind), None)
            return
        if self._due.get((name, kind)) == at:
            return
        self._due[(name, kind)] = at
        heapq.heappush(self._heap, (at, name, kind))
        if len(self._heap) > 1000 and len(self._heap) > 2 * len(self._due):
            # Tasks that ended early leave entries behind: swept here, so that memory follows the tasks that are open.
            self._heap = [(moment, task, what) for (task, what), moment in self._due.items()]
            heapq.heapify(self._heap)

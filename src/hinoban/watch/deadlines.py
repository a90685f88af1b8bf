"""When something is due of open tasks by time alone: a heap for each kind, rebuilt from rows and policies at every start. No decision of its own."""

import heapq
from collections import defaultdict
from collections.abc import Mapping
from typing import Literal

from hinoban.watch.explain.exits import moment_of
from hinoban.watch.model import TaskChange, task_id_of

Name = tuple[str, str, str]
Kind = Literal["warn", "stop", "end", "lease", "tags", "stuck", "definition"]
"""It is overdue, or to be told so again · it is stopped for that · it is stopped for another reason · its lease ends · its tags are to be
read · it is stuck · its definition is to be read."""


def task_name(change: TaskChange) -> Name:
    """What names a task in our tables: id, region, account."""
    return task_id_of(change.task_arn), change.region, change.account


def name_of(task_arn: str) -> Name:
    """The same by the task's ARN alone."""
    parts = task_arn.split(":")
    return task_id_of(task_arn), parts[3], parts[4]


def start_of(change: TaskChange) -> float:
    """When the task began to run; before that, when it was asked for."""
    return moment_of(change.detail, "startedAt") or moment_of(change.detail, "createdAt") or change.at


class Deadlines:
    """A task has one deadline of each kind at the most."""

    def __init__(self) -> None:
        self._due: defaultdict[Kind, dict[Name, float]] = defaultdict(dict)
        self._heaps: defaultdict[Kind, list[tuple[float, Name]]] = defaultdict(list)

    def put(self, name: Name, moments: Mapping[Kind, float | None]) -> None:
        """Set (or move) a task's deadlines of these kinds; None takes one away."""
        for kind, at in moments.items():
            self._set(name, kind, at)

    def again(self, name: Name, kind: Kind, at: float) -> None:
        """Ask once more at `at`: it could not be done now."""
        self._set(name, kind, at)

    def drop(self, name: Name) -> None:
        """The task has ended."""
        for due in self._due.values():
            due.pop(name, None)

    def due(self, kind: Kind, now: float) -> list[Name]:
        """The tasks whose `kind` of deadline has come; each is told once."""
        reached: list[Name] = []
        heap, due = self._heaps[kind], self._due[kind]
        while heap and heap[0][0] <= now:
            at, name = heapq.heappop(heap)
            if due.get(name) == at:
                del due[name]
                reached.append(name)
        return reached

    def next(self, *kinds: Kind) -> float | None:
        """The earliest moment at which something of these kinds is due."""
        moments = []
        for kind in kinds:
            heap, due = self._heaps[kind], self._due[kind]
            while heap and due.get(heap[0][1]) != heap[0][0]:
                heapq.heappop(heap)
            moments += [heap[0][0]] if heap else []
        return min(moments, default=None)

    def _set(self, name: Name, kind: Kind, at: float | None) -> None:
        due = self._due[kind]
        if at is None:
            due.pop(name, None)
            return
        if due.get(name) == at:
            return
        due[name] = at
        heap = self._heaps[kind]
        heapq.heappush(heap, (at, name))
        if len(heap) > 1000 and len(heap) > 2 * len(due):
            # Tasks that ended early leave entries behind: swept here, so that memory follows the tasks that are open.
            heap[:] = [(moment, task) for task, moment in due.items()]
            heapq.heapify(heap)

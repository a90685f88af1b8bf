"""What the detectors with a memory remember: one row per (detector, key), read when it is fed or due and written in the same transaction. A
state that equals a new one has no row. What they are fed with, and what they conclude, detect/memory says.
"""

import heapq
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select

from hinoban.watch.detect.memory import MEMORIES, fed_by
from hinoban.watch.detect.services import Told
from hinoban.watch.history.schema import memories
from hinoban.watch.model import Detector, TaskChange

_KEPT = 10_000
_Place = tuple[Any, str]
_DELETE = delete(memories).where(memories.c.name == bindparam("its_name"), memories.c.key == bindparam("its_key"))


class Memories:
    """States of keys seen lately, and when each is to be asked. After a failed transaction make another.

    `crashes_allowed` says after how many ends the service of a task is in a crash loop.
    """

    def __init__(self, crashes_allowed: Callable[[TaskChange], int]) -> None:
        self._crashes_allowed = crashes_allowed
        self._states: dict[_Place, Any] = {}
        self._changed: set[_Place] = set()
        self._rows: set[_Place] = set()
        self._due: dict[_Place, float] = {}
        self._heap: list[tuple[float, _Place]] = []

    def restore(self, connection: Connection) -> None:
        """Take up what has a row, and what waits for a moment; states are read when they are needed."""
        for name, key, at in connection.execute(select(memories.c.name, memories.c.key, memories.c.due_at)):
            if name in MEMORIES:
                self._rows.add((name, key))
                if at is not None:
                    self._wait((name, key), at)

    def feed(self, connection: Connection, observation: Any) -> list[Told]:
        """What those conclude that this says something to."""
        told: list[Told] = []
        for place in fed_by(observation):
            before = self._state(connection, place)
            more = {"after": self._crashes_allowed(observation)} if place[0] == "crash_loop" and isinstance(observation, TaskChange) else {}
            after, found = MEMORIES[place[0]].seen(before, observation, **more)
            self._keep(place, before, after)
            told += found
        return told

    def step(self, connection: Connection, now: float) -> list[Told]:
        """What those conclude whose moment has come."""
        told: list[Told] = []
        while self._heap and self._heap[0][0] <= now:
            at, place = heapq.heappop(self._heap)
            if self._due.get(place) != at:
                continue
            del self._due[place]
            before = self._state(connection, place)
            after, found = MEMORIES[place[0]].asked(before, now)
            self._keep(place, before, after)
            told += found
        return told

    def keys(self, detector: Detector) -> list[str]:
        """The keys of which a detector remembers something."""
        return [key for name, key in self._rows if name == detector]

    def each(self, connection: Connection, detector: Detector, change: Callable[[Any], Any]) -> None:
        """Put another state in the place of each of a detector's."""
        for place in [one for one in self._rows if one[0] == detector]:
            before = self._state(connection, place)
            self._keep(place, before, change(before))

    def state(self, connection: Connection, name: str, key: str) -> Any:
        """What a detector remembers of a key."""
        return self._state(connection, (name, key))

    def next(self) -> float | None:
        """The earliest moment at which one is to be asked."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def flush(self, connection: Connection) -> None:
        """Write what has changed: two statements, however much it is."""
        if not self._changed:
            return
        connection.execute(_DELETE, [{"its_name": name, "its_key": key} for name, key in self._changed])
        rows = []
        for place in self._changed:
            name, key = place
            state = self._states[place]
            if state == MEMORIES[name].state():
                self._rows.discard(place)
                del self._states[place]
            else:
                self._rows.add(place)
                rows.append({"name": name, "key": key, "due_at": self._due.get(place), "value": msgspec.json.encode(state)})
        if rows:
            connection.execute(insert(memories), rows)
        self._changed.clear()
        if len(self._states) > _KEPT:
            self._states.clear()

    def _state(self, connection: Connection, place: _Place) -> Any:
        name, key = place
        if (known := self._states.get(place)) is not None:
            return known
        if place not in self._rows:
            return MEMORIES[name].state()
        value = connection.execute(select(memories.c.value).where(memories.c.name == name, memories.c.key == key)).scalar_one()
        return msgspec.json.decode(value, type=MEMORIES[name].state)

    def _keep(self, place: _Place, before: Any, after: Any) -> None:
        due = MEMORIES[place[0]].due(after)
        if due is not None:
            self._wait(place, due)
        else:
            self._due.pop(place, None)
        if after != before:
            self._states[place] = after
            self._changed.add(place)

    def _wait(self, place: _Place, at: float) -> None:
        if self._due.get(place) != at:
            self._due[place] = at
            heapq.heappush(self._heap, (at, place))

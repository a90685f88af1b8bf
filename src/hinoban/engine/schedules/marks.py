"""How far each schedule and scheduled rule is decided, by its ARN: rows on disk, and a heap of what is due.

A mark says when to look at its owner next, so that a start costs reading the rows and a step costs what is due.
"""

import heapq

import msgspec

from hinoban.engine.schedules.model import Mark
from hinoban.store.database import Database, Table

MIGRATION = """
CREATE TABLE schedule_marks (arn TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE schedule_heartbeat (id TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
MARKS = Table("schedule_marks", "arn")
HEARTBEAT = Table("schedule_heartbeat", "id")

_ENGINE = ("engine",)
_SLACK = 100


class Marks:
    """The marks of everything that is enabled."""

    def __init__(self, database: Database) -> None:
        self._database = database
        decode = msgspec.json.Decoder(Mark).decode
        self._marks: dict[str, Mark] = {arn: decode(value) for arn, value in database.rows(MARKS)}
        self._order()
        self.last_beat: float | None = next((msgspec.json.decode(value, type=float) for _, value in database.rows(HEARTBEAT)), None)

    def __contains__(self, arn: object) -> bool:
        return arn in self._marks

    def get(self, arn: str) -> Mark | None:
        return self._marks.get(arn)

    def put(self, arn: str, mark: Mark) -> None:
        """Set a mark in this turn's transaction."""
        self._marks[arn] = mark
        self._database.put(MARKS, (arn,), mark)
        if mark.due is not None:
            heapq.heappush(self._heap, (mark.due, arn))
            if len(self._heap) > 2 * len(self._marks) + _SLACK:
                # Old moments of marks that were put anew: they would stay until they are due.
                self._order()

    def drop(self, arn: str) -> None:
        """Forget a mark, if it is there."""
        if self._marks.pop(arn, None) is not None:
            self._database.put(MARKS, (arn,), None)

    def next_due(self) -> float | None:
        """When something is due next."""
        while self._heap:
            due, arn = self._heap[0]
            mark = self._marks.get(arn)
            if mark is not None and mark.due == due:
                return due
            heapq.heappop(self._heap)
        return None

    def take(self, now: float) -> str | None:
        """The ARN of the one that has been due for longest; None where nothing is due. Its mark is then put anew, or dropped."""
        due = self.next_due()
        if due is None or due > now:
            return None
        return heapq.heappop(self._heap)[1]

    def _order(self) -> None:
        self._heap = [(mark.due, arn) for arn, mark in self._marks.items() if mark.due is not None]
        heapq.heapify(self._heap)

    def beat(self, now: float) -> None:
        """Write down that this engine lives now."""
        self._database.put(HEARTBEAT, _ENGINE, now)

    def clear(self) -> None:
        for arn in list(self._marks):
            self.drop(arn)
        self._heap.clear()

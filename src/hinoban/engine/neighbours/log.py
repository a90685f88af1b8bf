"""The write log's table: sealed writes by number, of which this room knows only how many there are and how large.

Bounded: a log that is full takes no more writes (the caller is told what to do) but those that take queue messages away.
"""

from collections.abc import Iterator

from hinoban.base.units import parse_size
from hinoban.engine.neighbours.wire import Entry
from hinoban.store.database import Database

# AUTOINCREMENT: a number never comes twice, so that no id is drawn twice.
MIGRATION = """
CREATE TABLE neighbour_writes (number INTEGER PRIMARY KEY AUTOINCREMENT, sealed BLOB NOT NULL);
"""
MOST_WRITES = 50_000
MOST_BYTES = parse_size("1GiB")
_PAGE = 500
_INSERT = "INSERT INTO neighbour_writes (number, sealed) VALUES (?, ?)"
_DELETE = "DELETE FROM neighbour_writes WHERE number = ?"


class WriteLog:
    """What is kept of the neighbours' writes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.writes, self.bytes = database.query("SELECT COUNT(*), COALESCE(SUM(LENGTH(sealed)), 0) FROM neighbour_writes")[0]

    @property
    def room(self) -> bool:
        """Whether another write may be made."""
        return bool(self.writes < MOST_WRITES and self.bytes < MOST_BYTES)

    def last(self) -> int:
        """The highest number that was ever kept."""
        found = self._database.query("SELECT seq FROM sqlite_sequence WHERE name = 'neighbour_writes'")
        return int(found[0][0]) if found else 0

    def pages(self) -> Iterator[list[Entry]]:
        """The whole log in its order, some at a time."""
        after = 0
        while True:
            rows = self._database.query(
                "SELECT number, CAST(sealed AS BLOB) FROM neighbour_writes WHERE number > ? ORDER BY number LIMIT ?", (after, _PAGE)
            )
            if not rows:
                return
            yield [Entry(number, sealed) for number, sealed in rows]
            after = rows[-1][0]

    def keep(self, write: Entry | None, drop: list[int]) -> None:
        """Append a write and forget others, in this turn's transaction."""
        if write is not None:
            self._database.append(_INSERT, (write.number, write.sealed))
            self.writes += 1
            self.bytes += len(write.sealed)
        for number in drop:
            size = self._database.query("SELECT LENGTH(sealed) FROM neighbour_writes WHERE number = ?", (number,))
            self._database.append(_DELETE, (number,))
            self.writes -= 1
            self.bytes -= size[0][0] if size else 0

    def clear(self) -> None:
        """Forget all of them; their numbers stay used."""
        self._database.append("DELETE FROM neighbour_writes WHERE number >= ?", (0,))
        self.writes = self.bytes = 0

"""The numbered record of every change and its event: written in the transaction of the change, read as the feed.

A line is an EventBridge envelope (facts/eventbridge.md §2): "ECS Task State Change" for what happened, "AWS API Call via
CloudTrail" for every write and every error of the API. Numbers have no gaps and are never used twice within one feed id.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from hinoban.base.clock import DAYS, Clock
from hinoban.base.ids import Ids
from hinoban.store.database import Database

MIGRATION = """
CREATE TABLE journal (seq INTEGER PRIMARY KEY, at REAL NOT NULL, event BLOB NOT NULL);
CREATE INDEX journal_at ON journal (at);
CREATE TABLE feed (id TEXT NOT NULL, last INTEGER NOT NULL);
"""
# `name` is the operation of a CloudTrail record, null for every other line: LookupEvents finds records by it.
TRAIL_MIGRATION = """
ALTER TABLE journal ADD COLUMN name TEXT;
UPDATE journal SET name = json_extract(CAST(event AS TEXT), '$.detail.eventName')
    WHERE json_extract(CAST(event AS TEXT), '$."detail-type"') = 'AWS API Call via CloudTrail';
CREATE INDEX journal_name ON journal (name) WHERE name IS NOT NULL;
"""

_INSERT = "INSERT INTO journal (seq, at, event, name) VALUES (?, ?, ?, ?)"
_SET_LAST = "UPDATE feed SET last = MAX(last, ?)"
_RECENT = 4096
_TRIM_EVERY = 3600.0
_encode = msgspec.json.Encoder().encode


class FeedGone(Exception):
    """The cursor is older than what is kept, or newer than what was ever written: the reader must catch up by Describe calls."""

    def __init__(self, oldest: int, newest: int) -> None:
        super().__init__(f"the feed holds {oldest} to {newest}")
        self.oldest = oldest
        self.newest = newest


class Journal:
    """Appends events and serves them from a cursor; keeps `keep` seconds of them."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, *, keep: float = 7 * DAYS) -> None:
        self._database = database
        self._clock = clock
        self._keep = keep
        known = database.query("SELECT id, last FROM feed")
        if not known:
            known = [(ids.uuid(), 0)]
            database.append("INSERT INTO feed (id, last) VALUES (?, ?)", known[0])
            database.commit()
        self.feed_id: str = known[0][0]
        # The row in `feed` outlives trimming, the journal itself the last commit: the larger of both is the truth.
        newest = database.query("SELECT MAX(seq) FROM journal")[0][0] or 0
        self._written: int = max(known[0][1], newest)
        self.newest: int = self._written
        last = database.query("SELECT at FROM journal ORDER BY seq DESC LIMIT 1")
        self.lived_until: float | None = last[0][0] if last else None
        """When an earlier life wrote its last line; None without one."""
        self._oldest: int = (database.query("SELECT MIN(seq) FROM journal")[0][0]) or self.newest + 1
        self._recent: deque[tuple[int, bytes]] = deque(maxlen=_RECENT)
        self._fresh: list[tuple[int, bytes]] = []
        self._grown = asyncio.Event()
        self._next_trim = 0.0
        self._closing = False
        self._hearers: list[Callable[[dict[str, Any]], None]] = []

    def listen(self, hear: Callable[[dict[str, Any]], None]) -> None:
        """Hand every envelope written from now on to `hear`, in the turn in which it is written: what follows is one transaction with it."""
        self._hearers.append(hear)

    @property
    def written(self) -> int:
        """The number of the last line written, committed or not."""
        return self._written

    def write(self, envelope: dict[str, Any], name: str | None = None) -> None:
        """Append one event to the transaction of this turn; readers see it once that is committed. `name`: a CloudTrail record's operation."""
        self._written += 1
        encoded = _encode(envelope)
        self._database.append(_INSERT, (self._written, self._clock.now(), encoded, name))
        if not self._fresh:
            self._database.after_commit(self._publish)
        self._fresh.append((self._written, encoded))
        for hear in self._hearers:
            hear(envelope)

    def _publish(self) -> None:
        self._recent.extend(self._fresh)
        self.newest = self._fresh[-1][0]
        self._fresh = []
        self._grown.set()

    def read(self, after: int, limit: int) -> list[bytes]:
        """The lines behind `after`, `limit` at the most, each `{"seq": n, "event": {...}}` and a newline; FeedGone if they are lost."""
        if after > self.newest or after + 1 < self._oldest:
            raise FeedGone(self._oldest, self.newest)
        if after == self.newest:
            return []
        if self._recent and self._recent[0][0] <= after + 1:
            start = after + 1 - self._recent[0][0]
            found = [self._recent[index] for index in range(start, min(start + limit, len(self._recent)))]
        else:
            found = self._database.query("SELECT seq, event FROM journal WHERE seq > ? ORDER BY seq LIMIT ?", (after, limit))
        return [b'{"seq":%d,"event":%b}\n' % (seq, event) for seq, event in found]

    async def wait_beyond(self, after: int) -> None:
        """Return once something newer than `after` is committed, or the journal closes."""
        while self.newest <= after and not self._closing:
            self._grown.clear()
            await self._grown.wait()

    def close(self) -> None:
        """Let those who wait for more go: nothing comes any more."""
        self._closing = True
        self._grown.set()

    def trim(self, now: float) -> float:
        """Drop what is older than `keep`; answers when to come again."""
        if now >= self._next_trim:
            self._next_trim = now + min(_TRIM_EVERY, max(self._keep / 10, 1.0))
            gone = self._database.query("SELECT MAX(seq) FROM journal WHERE at < ?", (now - self._keep,))[0][0]
            if gone is not None:
                self._database.append("DELETE FROM journal WHERE seq <= ?", (gone,))
                self._database.append(_SET_LAST, (self._written,))
                self._oldest = gone + 1
                while self._recent and self._recent[0][0] <= gone:
                    self._recent.popleft()
        return self._next_trim

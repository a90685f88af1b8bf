"""Archives and their events, and the replays of them: what is kept of a bus, for how long, and how far each replay has come.

Events are rows only; archives and replays are in memory, too (facts/eventbridge.md §9).
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from hinoban.aws.call import Params
from hinoban.aws.event_patterns import PatternIndex, compile_text
from hinoban.base.clock import DAYS, HOURS, Clock
from hinoban.base.units import parse_iso
from hinoban.engine.events.model import Archive, Replay
from hinoban.store.database import Database, Table

MIGRATION = """
CREATE TABLE event_archives (region TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (region, name)) WITHOUT ROWID;
CREATE TABLE event_replays (region TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (region, name)) WITHOUT ROWID;
CREATE TABLE archived_events (seq INTEGER PRIMARY KEY, region TEXT NOT NULL, archive TEXT NOT NULL, at REAL NOT NULL, kept_at REAL NOT NULL,
  event BLOB NOT NULL);
CREATE INDEX archived_events_at ON archived_events (region, archive, at, seq);
"""
ARCHIVES = Table("event_archives", "region", "name")
REPLAYS = Table("event_replays", "region", "name")

# Differs from AWS: an archive is bounded there by its retention only. The oldest go first.
MOST_EVENTS = 100_000
_REPLAYS_KEPT = 90 * DAYS
_TRIM_EVERY = 1 * HOURS

_KEEP = "INSERT INTO archived_events (seq, region, archive, at, kept_at, event) VALUES (?, ?, ?, ?, ?, ?)"
_OF = "FROM archived_events WHERE region = ? AND archive = ?"
_DROP_ALL = f"DELETE {_OF}"
_EXPIRED = f"SELECT seq, event {_OF} AND kept_at < ?"
_OLDEST = f"SELECT seq, event {_OF} ORDER BY at, seq LIMIT ?"
_SIZE = f"SELECT COUNT(*), COALESCE(SUM(LENGTH(event)), 0) {_OF}"
_BETWEEN = """SELECT at, seq, event FROM archived_events
  WHERE region = ? AND archive = ? AND (at, seq) > (?, ?) AND at < ? ORDER BY at, seq LIMIT ?"""
_encode = msgspec.json.Encoder().encode


class Archives:
    """The archives and replays of every region."""

    def __init__(self, database: Database, clock: Clock, *, most_events: int = MOST_EVENTS) -> None:
        self._database = database
        self._clock = clock
        self._most = most_events
        self._archives: dict[tuple[str, str], Archive] = {}
        self._replays: dict[tuple[str, str], Replay] = {}
        self._patterns: dict[tuple[str, str], PatternIndex[str]] = {}
        self._sizes: dict[tuple[str, str], tuple[int, int]] = {}
        self._next_trim = 0.0
        self._wake: Callable[[], None] = _nobody
        self.archives: Mapping[tuple[str, str], Archive] = MappingProxyType(self._archives)
        self.replays: Mapping[tuple[str, str], Replay] = MappingProxyType(self._replays)
        for _, _, value in database.rows(ARCHIVES):
            self._remember(msgspec.json.decode(value, type=Archive))
        for _, _, value in database.rows(REPLAYS):
            replay = msgspec.json.decode(value, type=Replay)
            self._replays[replay.key] = replay
        for key in self._archives:
            count, size = database.query(_SIZE, key)[0]
            self._sizes[key] = (count, size)
        self._seq: int = database.query("SELECT MAX(seq) FROM archived_events")[0][0] or 0

    def on_full(self, wake: Callable[[], None]) -> None:
        """Call `wake` when an archive is a tenth beyond its bound: `trim` is wanted before its time."""
        self._wake = wake

    def put_archive(self, archive: Archive) -> None:
        """Keep this archive in place of the one of its name, whose pattern was compiled without complaint; what it holds stays."""
        self._forget_pattern(archive.key)
        self._remember(archive)
        self._database.put(ARCHIVES, archive.key, archive)

    def delete_archive(self, key: tuple[str, str]) -> None:
        """Forget an archive and what it holds."""
        self._forget_pattern(key)
        del self._archives[key]
        self._sizes.pop(key, None)
        self._database.put(ARCHIVES, key, None)
        self._database.append(_DROP_ALL, key)

    def put_replay(self, replay: Replay) -> None:
        """Keep this replay in place of the one of its name."""
        self._replays[replay.key] = replay
        self._database.put(REPLAYS, replay.key, replay)

    def _remember(self, archive: Archive) -> None:
        self._archives[archive.key] = archive
        index = self._patterns.setdefault((archive.region, archive.bus), PatternIndex())
        index.add(archive.name, compile_text(archive.pattern or _EVERYTHING))

    def _forget_pattern(self, key: tuple[str, str]) -> None:
        if (before := self._archives.get(key)) is not None:
            place = (before.region, before.bus)
            self._patterns[place].remove(before.name)
            if not len(self._patterns[place]):
                del self._patterns[place]

    def keep(self, region: str, bus: str, event: Params) -> None:
        """Put an event into the archives of its bus that want it; one that comes from a replay is in one already."""
        index = self._patterns.get((region, bus))
        if index is None or "replay-name" in event:
            return
        now = self._clock.now()
        for name in index.matches(event):
            self._seq += 1
            encoded = _encode(event)
            self._database.append(_KEEP, (self._seq, region, name, _occurred(event, now), now, encoded))
            count, size = self._sizes.get((region, name), (0, 0))
            self._sizes[(region, name)] = (count + 1, size + len(encoded))
            if count + 1 >= self._most + self._most // 10:
                self._next_trim = 0.0
                self._wake()

    def size(self, key: tuple[str, str]) -> tuple[int, int]:
        """How many events an archive holds, and their bytes."""
        return self._sizes.get(key, (0, 0))

    def after(self, replay: Replay, limit: int) -> list[tuple[float, int, bytes]]:
        """The next events of a replay that are on disk: when they occurred, their numbers, themselves; `end` itself is not in it."""
        # An event's time has no fraction: one of the second in which the replay begins is in it.
        at = math.floor(replay.start) if replay.at is None else replay.at
        return self._database.query(_BETWEEN, (replay.region, replay.archive, at, replay.seq, replay.end, limit))

    def trim(self, now: float) -> float | None:
        """Drop what is older than its archive's retention or beyond its bound, and old replays; answers when to come again."""
        if not self._archives and not self._replays:
            return None
        if now >= self._next_trim:
            self._next_trim = now + _TRIM_EVERY
            for archive in self._archives.values():
                self._trim(archive, now)
            for replay in list(self._replays.values()):
                if replay.ended_at is not None and replay.ended_at + _REPLAYS_KEPT <= now:
                    del self._replays[replay.key]
                    self._database.put(REPLAYS, replay.key, None)
        return self._next_trim

    def _trim(self, archive: Archive, now: float) -> None:
        if archive.retention_days:
            self._drop(archive.key, _EXPIRED, now - archive.retention_days * DAYS)
        beyond = self.size(archive.key)[0] - self._most
        if beyond > 0:
            self._drop(archive.key, _OLDEST, beyond)

    def _drop(self, key: tuple[str, str], chosen: str, argument: float) -> None:
        # What is measured is what is dropped: nothing may come in between.
        self._database.commit()
        count, size = self._database.query(f"SELECT COUNT(*), COALESCE(SUM(LENGTH(event)), 0) FROM ({chosen})", (*key, argument))[0]
        if count:
            self._database.append(f"DELETE FROM archived_events WHERE seq IN (SELECT seq FROM ({chosen}))", (*key, argument))
            before = self.size(key)
            self._sizes[key] = (before[0] - count, before[1] - size)

    def clear(self) -> None:
        """Forget every archive and replay."""
        for key in list(self._archives):
            self.delete_archive(key)
        for key in self._replays:
            self._database.put(REPLAYS, key, None)
        self._replays.clear()


_EVERYTHING = '{"source": [{"exists": true}]}'


def _nobody() -> None:
    """Nobody trims yet."""


def _occurred(event: Params, now: float) -> float:
    """An event's own time, by which a replay picks it."""
    try:
        return parse_iso(event["time"])
    except (KeyError, TypeError, ValueError):
        return now

"""What exists: log groups and streams in memory and in engine.db, their events in files; every store has a bound.

Streams are opened when first asked for and closed again when many others were used since. Deletions of files follow the commit of the
row's deletion; directories that no row names (a crash in between) are removed at start.
"""

import hashlib
import heapq
import os
import shutil
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hinoban.base.clock import Clock
from hinoban.engine.logs.segments import SEGMENT_BYTES, Appenders, StreamFiles
from hinoban.store.database import Database, Table

MIGRATION = """
CREATE TABLE log_groups (region TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (region, name)) WITHOUT ROWID;
CREATE TABLE log_streams (region TEXT NOT NULL, log_group TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
  PRIMARY KEY (region, log_group, name)) WITHOUT ROWID;
"""
GROUPS = Table("log_groups", "region", "name")
STREAMS = Table("log_streams", "region", "log_group", "name")

MIB = 1024 * 1024
MAX_LOADED_STREAMS = 512
LATE_MS = 5_000


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much is kept: bytes of one stream, of all streams, of one segment file; how many streams (each task brings its own)."""

    stream_bytes: int = 64 * MIB
    total_bytes: int = 2048 * MIB
    streams: int = 100_000
    segment_bytes: int = SEGMENT_BYTES


class Group(msgspec.Struct, omit_defaults=True):
    """A log group's own fields; `created` in milliseconds."""

    created: int
    log_class: str = "STANDARD"
    kms_key_id: str | None = None
    deletion_protection: bool = False
    tags: dict[str, str] = {}


class Stream(msgspec.Struct):
    """A log stream's own fields; `directory` is the name of its directory of segments."""

    created: int
    directory: str


class State:
    """Groups, streams and their files."""

    def __init__(self, database: Database, directory: Path, clock: Clock, limits: Limits) -> None:
        self._database = database
        self._directory = directory
        self._clock = clock
        self._limits = limits
        self._appenders = Appenders()
        self._loaded: OrderedDict[str, StreamFiles] = OrderedDict()
        self._groups: dict[str, dict[str, Group]] = {}
        self._streams: dict[tuple[str, str], dict[str, Stream]] = {}
        self._total = 0
        self._count = 0
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._read_rows()

    def now_ms(self) -> int:
        return round(self._clock.now() * 1000)

    def groups(self, region: str) -> dict[str, Group]:
        """The region's groups by name."""
        return self._groups.get(region, {})

    def streams(self, region: str, group: str) -> dict[str, Stream]:
        """The group's streams by name."""
        return self._streams.get((region, group), {})

    def create_group(self, region: str, name: str, group: Group) -> None:
        self._groups.setdefault(region, {})[name] = group
        self._database.put(GROUPS, (region, name), group)

    def create_stream(self, region: str, group: str, name: str) -> Stream:
        """A new, empty stream. Its directory's name is new too: the files of a deleted stream of the same name may not be gone yet."""
        digest = hashlib.sha256("\0".join((region, group, name)).encode("utf-8", "surrogatepass")).hexdigest()[:24]
        number = 0
        while os.path.exists(f"{self._directory}/{digest}-{number}"):
            number += 1
        stream = Stream(self.now_ms(), f"{digest}-{number}")
        self._streams.setdefault((region, group), {})[name] = stream
        self._database.put(STREAMS, (region, group, name), stream)
        self._count += 1
        if self._count > self._limits.streams:
            self._drop_streams()
        return stream

    def every_group(self) -> list[tuple[str, str]]:
        """(region, name) of every group."""
        return [(region, name) for region, groups in self._groups.items() for name in groups]

    def delete_group(self, region: str, name: str) -> None:
        """Forget the group, its streams and their events."""
        del self._groups[region][name]
        self._database.put(GROUPS, (region, name), None)
        self._delete_streams([(region, name, stream) for stream in self.streams(region, name)])
        self._streams.pop((region, name), None)

    def _delete_streams(self, names: Sequence[tuple[str, str, str]]) -> None:
        doomed = []
        for region, group, name in names:
            stream = self._streams[(region, group)].pop(name)
            self._database.put(STREAMS, (region, group, name), None)
            files = self._loaded.pop(stream.directory, None) or self._load(stream)
            files.close()
            self._total -= files.size
            self._count -= 1
            # A stream never written to has no directory: its name may be in use again when the commit is done.
            if (path := self._directory / stream.directory).exists():
                doomed.append(path)
        self._database.after_commit(lambda: _remove(doomed))

    def _drop_streams(self) -> None:
        """Forget a hundredth of the streams: of the oldest, those written to longest ago (one that is silent may belong to a task yet)."""
        share = max(1, self._limits.streams // 100)
        every = ((place, name, stream) for place, streams in self._streams.items() for name, stream in streams.items())
        oldest = heapq.nsmallest(2 * share, every, key=lambda one: one[2].created)
        oldest.sort(key=lambda one: _written(self._directory / one[2].directory))
        self._delete_streams([(*place, name) for place, name, _ in oldest[:share]])

    def files(self, stream: Stream) -> StreamFiles:
        """The stream's segments, opened if need be."""
        files = self._loaded.get(stream.directory)
        if files is not None:
            self._loaded.move_to_end(stream.directory)
            return files
        files = self._loaded[stream.directory] = self._load(stream)
        if len(self._loaded) > MAX_LOADED_STREAMS:
            self._loaded.popitem(last=False)[1].close()
        return files

    def append(self, stream: Stream, lines: Sequence[tuple[int, str]], cursor: int | None) -> None:
        """Write a batch; `cursor` None leaves the stream's cursor as it is. Then make room where a bound is passed."""
        files = self.files(stream)
        self._total += files.append(lines, self.now_ms(), files.cursor if cursor is None else cursor)
        while files.size > self._limits.stream_bytes and len(files.segments) > 1:
            self._total -= files.drop_oldest()
        if self._total > self._limits.total_bytes:
            self._make_room()

    def stored_bytes(self, region: str, group: str) -> int:
        """Bytes on disk of the group's streams."""
        return sum(_size(self._directory / stream.directory) for stream in self.streams(region, group).values())

    def close(self) -> None:
        self._appenders.close_all()
        self._loaded.clear()

    def _load(self, stream: Stream) -> StreamFiles:
        return StreamFiles(self._directory / stream.directory, self._appenders, segment_bytes=self._limits.segment_bytes)

    def _read_rows(self) -> None:
        for region, name, value in self._database.rows(GROUPS):
            self._groups.setdefault(region, {})[name] = msgspec.json.decode(value, type=Group)
        known = set()
        for region, group, name, value in self._database.rows(STREAMS):
            stream = self._streams.setdefault((region, group), {})[name] = msgspec.json.decode(value, type=Stream)
            known.add(stream.directory)
        self._count = len(known)
        orphans = [path for path in self._directory.iterdir() if path.name not in known]
        _remove(orphans)
        self._total = sum(_size(path) for path in self._directory.iterdir())

    def _make_room(self) -> None:
        """Drop the segments written to longest ago, of whatever stream, until a tenth is free."""
        by_directory = {stream.directory: stream for streams in self._streams.values() for stream in streams.values()}
        dated = sorted((path.stat().st_mtime, path) for directory in by_directory for path in (self._directory / directory).glob("*.log"))
        for _, path in dated:
            if self._total <= self._limits.total_bytes * 9 // 10:
                return
            files = self.files(by_directory[path.parent.name])
            # A segment holding nothing but the marker of an earlier time frees nothing.
            if files.segments and files.span() is not None:
                self._total -= files.drop_oldest()


def _size(directory: Path) -> int:
    try:
        with os.scandir(directory) as entries:
            return sum(entry.stat().st_size for entry in entries if entry.name.endswith(".log"))
    except FileNotFoundError:
        return 0


def _written(directory: Path) -> float:
    """When a stream was last written to, in seconds; 0 where it never was."""
    return max((path.stat().st_mtime for path in directory.glob("*.log")), default=0.0)


def _remove(directories: Sequence[Path]) -> None:
    for path in directories:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def tidy(lines: Sequence[tuple[int, str]], newest: int) -> list[tuple[int, str]]:
    """The lines with moments that never go back by a few seconds.

    A container's two outputs reach us with clocks that interleave: a reader following by token would miss a line dated before one it
    has read. A real step back (more than `LATE_MS`) is kept as it is.
    """
    result = []
    for moment, text in lines:
        newest = newest if newest - LATE_MS <= moment < newest else moment
        result.append((newest, text))
    return result

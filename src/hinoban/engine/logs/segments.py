"""One stream's events on disk: append-only segment files named by their first record's number, oldest dropped when room is short.

Appends are one unbuffered `write` each, so they survive a kill of the process. A sparse index (a `Block` per stretch) is rebuilt
from the newest segment on opening; a segment that is full has its index beside it. Reading loads single blocks, never a whole file.
"""

import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import msgspec

from hinoban.engine.logs.records import CONTINUED, Block, Record, decode_block, decode_line, encode_batch, encode_marker

SEGMENT_BYTES = 4 * 1024 * 1024
MAX_OPEN_FILES = 64

_decode_index = msgspec.json.Decoder(list[Block]).decode


class Appenders:
    """The files open for appending, few at a time: the one unused longest is closed first."""

    def __init__(self, limit: int = MAX_OPEN_FILES) -> None:
        self._limit = limit
        self._open: OrderedDict[Path, int] = OrderedDict()

    def write(self, path: Path, data: bytes) -> None:
        """Append `data` to `path`; OSError where the disk refuses (what was half written is cut off again)."""
        descriptor = self._open.get(path)
        if descriptor is None:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._open[path] = descriptor
            if len(self._open) > self._limit:
                os.close(self._open.popitem(last=False)[1])
        else:
            self._open.move_to_end(path)
        before = os.fstat(descriptor).st_size
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
        except OSError:
            os.ftruncate(descriptor, before)
            raise

    def close(self, path: Path) -> None:
        if (descriptor := self._open.pop(path, None)) is not None:
            os.close(descriptor)

    def close_all(self) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()


class Segment:
    """One file: where its blocks are and how long it is."""

    def __init__(self, path: Path, first_seq: int) -> None:
        self.path = path
        self.first_seq = first_seq
        self.size = 0
        self.blocks: list[Block] = []

    @property
    def next_seq(self) -> int:
        return self.blocks[-1].first_seq + self.blocks[-1].count if self.blocks else self.first_seq

    @property
    def index_path(self) -> Path:
        return self.path.with_suffix(".index")

    def note(self, size: int, timestamp: int, ingestion: int) -> None:
        """Take a line that stands at the end of the file into the index."""
        if not self.blocks or self.blocks[-1].full():
            self.blocks.append(Block(self.size, 0, self.next_seq, 0, timestamp, timestamp, ingestion))
        self.blocks[-1].add(size, timestamp, ingestion)
        self.size += size

    def load(self, block: Block) -> list[Record]:
        with self.path.open("rb") as file:
            file.seek(block.offset)
            return decode_block(file.read(block.size), block)


class StreamFiles:
    """The segments of one stream, oldest first. `cursor` is the last one written, `last_ingestion` and `newest` (timestamp) only grow."""

    def __init__(self, directory: Path, appenders: Appenders, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = directory
        self.cursor = 0
        self.last_ingestion = 0
        self.newest = 0
        self.segments: list[Segment] = []
        self._appenders = appenders
        self._segment_bytes = segment_bytes
        for name in sorted(_segment_names(directory), reverse=True):
            self._open(directory / name, sealed=bool(self.segments))

    @property
    def size(self) -> int:
        return sum(segment.size for segment in self.segments)

    @property
    def next_seq(self) -> int:
        return self.segments[-1].next_seq if self.segments else 0

    def span(self) -> tuple[int, int] | None:
        """The oldest and the newest timestamp, None where there is no event."""
        blocks = [block for segment in self.segments for block in segment.blocks if block.newest]
        if not blocks:
            return None
        return min(block.oldest for block in blocks), max(block.newest for block in blocks)

    def append(self, lines: Sequence[tuple[int, str]], ingestion: int, cursor: int) -> int:
        """Write a batch that is read back whole or not at all; returns its bytes."""
        ingestion = max(ingestion, self.last_ingestion)
        encoded = encode_batch(lines, ingestion, cursor)
        data = b"".join(encoded)
        segment = self._segment_for(len(data))
        self._appenders.write(segment.path, data)
        for line, (timestamp, _) in zip(encoded, lines, strict=True):
            segment.note(len(line), timestamp, ingestion)
        self.cursor = cursor
        self.last_ingestion = ingestion
        self.newest = max(self.newest, *(timestamp for timestamp, _ in lines))
        return len(data)

    def drop_oldest(self) -> int:
        """Delete the oldest segment; returns the bytes it freed. The last one leaves a marker behind that keeps the cursor and the count."""
        oldest = self.segments.pop(0)
        next_seq = oldest.next_seq
        freed = oldest.size
        if not self.segments:
            marker = encode_marker(self.last_ingestion, self.cursor)
            segment = Segment(self._path(next_seq), next_seq)
            self._appenders.write(segment.path, marker)
            segment.note(len(marker), 0, self.last_ingestion)
            self.segments.append(segment)
            freed -= segment.size
        self._appenders.close(oldest.path)
        oldest.path.unlink(missing_ok=True)
        oldest.index_path.unlink(missing_ok=True)
        return freed

    def close(self) -> None:
        for segment in self.segments:
            self._appenders.close(segment.path)

    def _segment_for(self, size: int) -> Segment:
        if self.segments and self.segments[-1].size + size <= self._segment_bytes:
            return self.segments[-1]
        if self.segments:
            full = self.segments[-1]
            self._appenders.close(full.path)
            full.index_path.write_bytes(msgspec.json.encode(full.blocks))
        else:
            self.directory.mkdir(exist_ok=True, mode=0o700)
        segment = Segment(self._path(self.next_seq), self.next_seq)
        self.segments.append(segment)
        return segment

    def _path(self, first_seq: int) -> Path:
        return self.directory / f"{first_seq:020d}.log"

    def _open(self, path: Path, *, sealed: bool) -> None:
        segment = Segment(path, int(path.stem))
        if not (sealed and self._read_index(segment)):
            cursor = self._scan(segment)
            if not sealed:
                self.cursor = cursor
        if segment.blocks:
            self.segments.insert(0, segment)
            self.last_ingestion = max(self.last_ingestion, *(block.last_ingestion for block in segment.blocks))
            self.newest = max(self.newest, *(block.newest for block in segment.blocks))
        else:
            path.unlink()

    def _read_index(self, segment: Segment) -> bool:
        """Whether the index beside a full segment could be used; a doubtful one is not."""
        try:
            blocks = _decode_index(segment.index_path.read_bytes())
        except (OSError, msgspec.DecodeError):
            return False
        size = segment.path.stat().st_size
        if not blocks or blocks[-1].offset + blocks[-1].size != size:
            return False
        segment.blocks = blocks
        segment.size = size
        return True

    def _scan(self, segment: Segment) -> int:
        """Rebuild the index, and cut off what a crash left behind the last whole batch; returns the last cursor."""
        reached = 0
        batch: list[tuple[int, int, int]] = []
        with segment.path.open("rb") as file:
            for line in file:
                parts = decode_line(line) if line.endswith(b"\n") else None
                if parts is None:
                    break
                timestamp, ingestion, cursor, _ = parts
                batch.append((len(line), timestamp, ingestion))
                if cursor != CONTINUED:
                    for entry in batch:
                        segment.note(*entry)
                    batch.clear()
                    reached = cursor
        if segment.path.stat().st_size != segment.size:
            os.truncate(segment.path, segment.size)
        return reached


def _segment_names(directory: Path) -> list[str]:
    try:
        return [name for name in os.listdir(directory) if name.endswith(".log")]
    except FileNotFoundError:
        return []

"""How one log event is written: a JSON line `[timestamp ms, ingestion ms, cursor, message]`; knows no files.

Lines are written in batches. All but a batch's last line carry the cursor `CONTINUED`, the last one the cursor reached with it:
a batch whose last line is missing was torn by a crash and is cut off as a whole, so nothing is doubled or lost when its writer
goes on behind the last cursor. A message of null is a marker: it carries the cursor where the events were dropped for room.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

CONTINUED = -1
BLOCK_RECORDS = 256
BLOCK_BYTES = 64 * 1024

Line = tuple[int, int, int, str | None]

_encode = msgspec.json.Encoder().encode
_decode: Callable[[bytes], Line] = msgspec.json.Decoder(Line).decode


class Record(NamedTuple):
    """One log event of one stream; `seq` numbers the stream's records from 0 for good."""

    timestamp: int
    ingestion: int
    seq: int
    message: str


class Block(msgspec.Struct, array_like=True):
    """A stretch of a segment, at most `BLOCK_RECORDS` lines or about `BLOCK_BYTES`: the sparse index holds one for each."""

    offset: int
    size: int
    first_seq: int
    count: int
    oldest: int
    newest: int
    last_ingestion: int

    def add(self, size: int, timestamp: int, ingestion: int) -> None:
        """Take one more line of `size` bytes in."""
        self.size += size
        self.count += 1
        self.oldest = min(self.oldest, timestamp)
        self.newest = max(self.newest, timestamp)
        self.last_ingestion = max(self.last_ingestion, ingestion)

    def full(self) -> bool:
        # A marker (timestamp 0) stands alone, so that no event's block seems to begin at 0.
        return self.count >= BLOCK_RECORDS or self.size >= BLOCK_BYTES or self.newest == 0


def encode_batch(lines: Sequence[tuple[int, str]], ingestion: int, cursor: int) -> list[bytes]:
    """The lines of one batch, each ending in a line feed."""
    last = len(lines) - 1
    return [_line(moment, ingestion, cursor if index == last else CONTINUED, text) for index, (moment, text) in enumerate(lines)]


def encode_marker(ingestion: int, cursor: int) -> bytes:
    """A line that says nothing but the cursor."""
    return _encode((0, ingestion, cursor, None)) + b"\n"


def decode_line(line: bytes) -> Line | None:
    """The line's four parts, None where it is not one of ours (a torn line)."""
    try:
        return _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def decode_block(data: bytes, block: Block) -> list[Record]:
    """The block's events in the order they were written."""
    records = []
    for seq, line in enumerate(data.splitlines(), start=block.first_seq):
        timestamp, ingestion, _, message = _decode(line)
        if message is not None:
            records.append(Record(timestamp, ingestion, seq, message))
    return records


def _line(moment: int, ingestion: int, cursor: int, text: str) -> bytes:
    try:
        return _encode((moment, ingestion, cursor, text)) + b"\n"
    except UnicodeEncodeError:
        # A lone surrogate cannot be written as UTF-8; the rest of the line is still worth having.
        return _encode((moment, ingestion, cursor, text.encode("utf-8", "replace").decode())) + b"\n"

"""The contract of everything that brings events. docs/checklists/source.md says how to add one."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from hinoban.watch.history.ledger import Cursor
from hinoban.watch.schedules.model import Problem


class Line(msgspec.Struct, frozen=True):
    """One line of the feed: its number and the envelope's own bytes."""

    seq: int
    event: msgspec.Raw


_line = msgspec.json.Decoder(Line).decode


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What a source brought: raw envelopes and the cursor behind them, to be stored in the same transaction.

    `listed` is set after a backfill: the ARNs of every task that AWS still knows (of those regions). `silent` marks what ended before a
    source was attached for the first time: it fills the history, and nothing is told or done about it. `observed` is what was an envelope
    once, of a history that is replayed.
    """

    events: Sequence[bytes]
    cursor: Cursor
    listed: frozenset[str] | None = None
    silent: bool = False
    observed: Sequence[tuple[bytes, Any]] = ()


class Source(Protocol):
    """Brings events behind a cursor; safe to ask again with the same cursor."""

    @property
    def name(self) -> str:
        """The cursor's key; it holds account and region where the source is of one."""
        ...

    @property
    def problems(self) -> Mapping[str, Problem]:
        """What cannot be read now, by the right that it needs; the rest is."""
        ...

    async def poll(self, cursor: Cursor | None) -> Batch:
        """Wait (not for ever) for what stands behind `cursor`, and bring it. Raises HinobanError where nobody answers."""
        ...

    async def committed(self) -> None:
        """The last batch and its cursor are remembered: what was kept for it elsewhere may go. Never raises for a bad connection."""
        ...


def batch_of_lines(lines: Sequence[bytes], feed: str, after: int, newest: int, polled_at: float, gap_at: float | None = None) -> Batch:
    """The lines of one feed answer as a batch."""
    events: list[bytes] = []
    seq = after
    for line in lines:
        if line.strip():
            one = _line(line)
            seq = max(seq, one.seq)
            events.append(bytes(one.event))
    return Batch(events=events, cursor=Cursor(feed, seq, max(newest, seq), polled_at, gap_at))

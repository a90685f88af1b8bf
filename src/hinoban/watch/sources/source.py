"""The contract of everything that brings events. docs/checklists/source.md says how to add one."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from hinoban.base.clock import SECONDS
from hinoban.base.units import parse_iso
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.normalise import TASK_EVENT
from hinoban.watch.places import Place
from hinoban.watch.schedules.model import Problem


class Line(msgspec.Struct, frozen=True):
    """One line of the feed: its number and the envelope's own bytes."""

    seq: int
    event: msgspec.Raw


_line = msgspec.json.Decoder(Line).decode


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What a source brought: raw envelopes and the cursor behind them, to be stored in the same transaction.

    `listed` is set after a backfill: the ARNs of every task that AWS still knows (of those regions). `silent` marks what ended before a
    source was attached for the first time: it fills the history, and nothing is told or done about it; `filling` says that more of that
    is still looked for. `late`: CloudTrail's event history was read up to so many seconds ago, where that is too long. `observed` is what
    was an envelope once, of a history that is replayed.
    """

    events: Sequence[bytes]
    cursor: Cursor
    listed: frozenset[str] | None = None
    silent: bool = False
    late: float = 0.0
    filling: bool = False
    observed: Sequence[tuple[bytes, Any]] = ()


class _Detail(msgspec.Struct, frozen=True, rename="camel"):
    last_status: str = ""


class _Head(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    id: str
    time: str
    detail_type: str = ""
    detail: _Detail = _Detail()


_head = msgspec.json.Decoder(_Head).decode


def id_of(event: bytes) -> str:
    """The envelope's id; msgspec.DecodeError where it is none."""
    return _head(event).id


def before(moment: float, attached_at: float) -> bool:
    """Whether it was so before a source was attached. Events and records tell whole seconds: what is of the same second came later."""
    return moment + 1 * SECONDS <= attached_at


def was_over(event: bytes, attached_at: float) -> bool:
    """Whether it was over before a source was attached: anything but the news of a task that goes on."""
    try:
        head = _head(event)
        goes_on = head.detail_type == TASK_EVENT and head.detail.last_status != "STOPPED"
        return not goes_on and before(parse_iso(head.time), attached_at)
    except (msgspec.DecodeError, ValueError):
        return False


def moment_of_last(events: Sequence[bytes]) -> float | None:
    """When the last of these envelopes happened; None where there is none, or it does not say."""
    try:
        return parse_iso(_head(events[-1]).time) if events else None
    except (msgspec.DecodeError, ValueError):
        return None


class Source(Protocol):
    """Brings events behind a cursor; safe to ask again with the same cursor."""

    @property
    def name(self) -> str:
        """The cursor's key; it holds account and region where the source is of one."""
        ...

    @property
    def of(self) -> Place:
        """Whose events it brings: while it is behind, nothing is launched or stopped there."""
        ...

    @property
    def pushed(self) -> bool:
        """Whether somebody else sends the events, so that they may just end (detector silence)."""
        ...

    @property
    def problems(self) -> Mapping[str, Problem]:
        """What could not be read lately, by the right that the read needs; a source that can only fail as a whole has none."""
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

"""How each channel's messages stand: what waits, since when, what was given up, when one last arrived. Reads the outbox."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from hinoban.watch.history.schema import outbox


class ChannelCounts(msgspec.Struct, frozen=True, kw_only=True):
    """One channel. `gave_up_at`: when its last message was given up; None where a later one arrived, or none was."""

    channel: str
    queued: int = 0
    oldest_queued_at: float | None = None
    sent: int = 0
    dead: int = 0
    last_sent_at: float | None = None
    gave_up_at: float | None = None
    last_error: str | None = None
    """Of the message that waits, or was given up last."""


def channel_counts(connection: Connection, channels: Sequence[str]) -> list[ChannelCounts]:
    """For each of `channels`, in their order; what of the messages is still remembered."""
    grouped = select(outbox.c.channel, outbox.c.state, func.count(), func.min(outbox.c.id), func.max(outbox.c.id))
    found = {(row[0], row[1]): tuple(row[2:]) for row in connection.execute(grouped.group_by(outbox.c.channel, outbox.c.state))}
    wanted = [one[1] for (_, state), one in found.items() if state == "queued"]
    wanted += [one[2] for (_, state), one in found.items() if state in ("sent", "dead")]
    columns = select(outbox.c.id, outbox.c.created_at, outbox.c.due_at, outbox.c.last_error).where(outbox.c.id.in_(wanted))
    rows = {row.id: row for row in connection.execute(columns)}
    return [_counts(name, found, rows) for name in channels]


def _counts(name: str, found: Mapping[tuple[str, str], Sequence[int]], rows: Mapping[int, Any]) -> ChannelCounts:
    queued, sent, dead = (found.get((name, state)) for state in ("queued", "sent", "dead"))
    given_up = rows[dead[2]] if dead is not None and (sent is None or dead[2] > sent[2]) else None
    waiting = rows[queued[1]] if queued else None
    failed = waiting or given_up
    return ChannelCounts(
        channel=name,
        queued=queued[0] if queued else 0,
        oldest_queued_at=waiting.created_at if waiting is not None else None,
        sent=sent[0] if sent else 0,
        dead=dead[0] if dead else 0,
        last_sent_at=rows[sent[2]].due_at if sent else None,
        gave_up_at=given_up.due_at if given_up is not None else None,
        last_error=failed.last_error if failed is not None else None,
    )

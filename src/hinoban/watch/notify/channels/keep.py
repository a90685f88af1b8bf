"""What a channel remembers over restarts: a small store of texts by channel and key, and on it "told once, or marked as a repeat"."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec
from sqlalchemy import Engine, Table

from hinoban.watch.history.marks import mark, put_mark
from hinoban.watch.notify.channels.channel import DeliveryFailed

REPEAT = "Sent again: the answer to an earlier try was lost, so you may have it twice."
_LAST, _TAKEN = "last delivery", "taken by"
_texts = msgspec.json.Decoder(list[str]).decode


class Keep(Protocol):
    """Texts by channel and key. What was put is there after a crash."""

    def get(self, channel: str, key: str) -> str | None:
        """The text put last; None where there is none."""
        ...

    def put(self, channel: str, key: str, value: str) -> None:
        """Put it in place of what was there."""
        ...


class MemoryKeep:
    """Remembers until the process ends: for tests and one-off runs."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str], str] = {}

    def get(self, channel: str, key: str) -> str | None:
        return self._texts.get((channel, key))

    def put(self, channel: str, key: str, value: str) -> None:
        self._texts[channel, key] = value


class StoredKeep:
    """Remembers in a table with the columns `channel`, `key` (together its key) and `value`, each put in a transaction of its own."""

    def __init__(self, engine: Engine, table: Table) -> None:
        self._engine = engine
        self._table = table

    def get(self, channel: str, key: str) -> str | None:
        with self._engine.connect() as connection:
            return mark(connection, channel, key, self._table)

    def put(self, channel: str, key: str, value: str) -> None:
        with self._engine.begin() as connection:
            put_mark(connection, channel, key, value, self._table)


async def once(keep: Keep, channel: str, delivery_id: str, send: Callable[[bool], Awaitable[None]]) -> None:
    """Call `send(repeat)`, unless this delivery is known to have arrived. `repeat`: an earlier try may have arrived.

    A channel's messages come one at a time and in order, so one remembered delivery is enough. A crash between the other side's answer
    and our note of it leaves the try in doubt, as a lost answer does.
    """
    before = keep.get(channel, _LAST)
    if before == f"arrived {delivery_id}":
        return
    repeat = before == f"tried {delivery_id}"
    keep.put(channel, _LAST, f"tried {delivery_id}")
    try:
        await send(repeat)
    except DeliveryFailed as failure:
        if not repeat and not failure.in_doubt:
            keep.put(channel, _LAST, "")
        raise
    keep.put(channel, _LAST, f"arrived {delivery_id}")


class Takers:
    """Who of several receivers has a delivery already: a try after a partial failure goes to the others only."""

    def __init__(self, keep: Keep, channel: str) -> None:
        self._keep = keep
        self._channel = channel

    def left(self, delivery_id: str, receivers: Sequence[str]) -> list[str]:
        """The receivers that have not taken it."""
        taken = self._taken(delivery_id)
        return [one for one in receivers if one not in taken]

    def took(self, delivery_id: str, receivers: Sequence[str]) -> None:
        """These have it now."""
        taken = [delivery_id, *self._taken(delivery_id), *receivers]
        self._keep.put(self._channel, _TAKEN, msgspec.json.encode(taken).decode())

    def _taken(self, delivery_id: str) -> list[str]:
        named = _texts(self._keep.get(self._channel, _TAKEN) or "[]")
        return named[1:] if named[:1] == [delivery_id] else []

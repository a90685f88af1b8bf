"""What a source brought and nobody could read: kept with the reason, so that the rest goes on and a person can look. One row each."""

import msgspec
from sqlalchemy import Engine, delete, insert, select

from hinoban.base.clock import DAYS
from hinoban.watch.history.schema import notes

KEEP = 30 * DAYS
_SUBJECT = "aside/"


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """One message set aside; `body` is what came, as text."""

    source: str
    message_id: str
    at: float
    reason: str
    body: str


_decode = msgspec.json.Decoder(Aside).decode


class AsideBook:
    """Rows of messages set aside, each written in its own transaction: it must stand before the message is deleted elsewhere."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, one: Aside) -> None:
        """Keep it; a message that comes again replaces its row. What is older than a month goes."""
        row_id = f"{_SUBJECT}{one.source}/{one.message_id}"
        row = {"id": row_id, "at": one.at, "subject": _SUBJECT + one.source, "value": msgspec.json.encode(one)}
        with self._engine.begin() as connection:
            connection.execute(delete(notes).where(notes.c.id == row_id))
            connection.execute(delete(notes).where(notes.c.subject.like(f"{_SUBJECT}%"), notes.c.at < one.at - KEEP))
            connection.execute(insert(notes), [row])

    def listed(self, limit: int = 100) -> list[Aside]:
        """What was set aside, the latest first."""
        found = select(notes.c.value).where(notes.c.subject.like(f"{_SUBJECT}%")).order_by(notes.c.at.desc(), notes.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [_decode(value) for value in connection.execute(found).scalars()]

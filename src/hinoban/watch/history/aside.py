"""What a source brought and nobody could read: kept with the reason, so that the rest goes on and a person can look. One row each."""

import msgspec
from sqlalchemy import Connection, Engine, delete, func, insert, select

from hinoban.base.clock import DAYS
from hinoban.base.ids import derived_id
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
_ALL = notes.c.subject.between(_SUBJECT, _SUBJECT + "\uffff")


def event_aside(source: str, raw: bytes, reason: str, at: float) -> Aside:
    """An event that could not be taken; the same one has the same row whenever it comes."""
    body = raw.decode(errors="replace")
    return Aside(source=source, message_id=derived_id("evt", body), at=at, reason=reason, body=body)


def put_aside(connection: Connection, one: Aside) -> None:
    """Keep it; a message that comes again replaces its row. What is older than a month goes."""
    row_id = f"{_SUBJECT}{one.source}/{one.message_id}"
    row = {"id": row_id, "at": one.at, "subject": _SUBJECT + one.source, "value": msgspec.json.encode(one)}
    connection.execute(delete(notes).where(notes.c.id == row_id))
    connection.execute(delete(notes).where(_ALL, notes.c.at < one.at - KEEP))
    connection.execute(insert(notes), [row])


def asides(connection: Connection, limit: int = 100) -> list[Aside]:
    """What was set aside, the latest first."""
    found = select(notes.c.value).where(_ALL).order_by(notes.c.at.desc(), notes.c.id).limit(limit)
    return [_decode(value) for value in connection.execute(found).scalars()]


def count_asides(connection: Connection) -> int:
    """How many messages of the last month are set aside."""
    return connection.execute(select(func.count()).select_from(notes).where(_ALL)).scalar_one()


class AsideBook:
    """Rows of messages set aside, each written in its own transaction: it must stand before the message is deleted elsewhere."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, one: Aside) -> None:
        """See put_aside."""
        with self._engine.begin() as connection:
            put_aside(connection, one)

    def take_back(self, source: str, message_id: str) -> None:
        """It could be remembered after all."""
        with self._engine.begin() as connection:
            connection.execute(delete(notes).where(notes.c.id == f"{_SUBJECT}{source}/{message_id}"))

    def holds(self, source: str, message_id: str) -> bool:
        """Whether it is set aside."""
        with self._engine.connect() as connection:
            return connection.execute(select(notes.c.id).where(notes.c.id == f"{_SUBJECT}{source}/{message_id}")).first() is not None

    def listed(self, limit: int = 100) -> list[Aside]:
        """See asides."""
        with self._engine.connect() as connection:
            return asides(connection, limit)

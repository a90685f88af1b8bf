"""Incidents, retries, messages to send, cursors: the rows that say what the watch has to do. Of incidents see incident_rows.py, of
what is told of them telling.py.

Everything runs inside the caller's transaction; after a failed one call `forget`.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, insert, select, update

from hinoban.watch.group_row import Escalated
from hinoban.watch.history.daily import Daily
from hinoban.watch.history.incident_rows import LOG_TRIES, IncidentRows
from hinoban.watch.history.schema import cursors, launches, outbox, retries
from hinoban.watch.history.telling import Decision, Message, Telling, mute_place, post
from hinoban.watch.incidents import Change, Step
from hinoban.watch.model import Incident, Launch
from hinoban.watch.retry_row import Retry

_launch = msgspec.json.Decoder(Launch).decode
_retry = msgspec.json.Decoder(Retry).decode
_encode = msgspec.json.Encoder().encode
__all__ = ["LOG_TRIES", "Cursor", "Decision", "Ledger", "Message", "mute_place"]


class Cursor(msgspec.Struct, frozen=True):
    """How far a source was read, and how far it reached when it was last asked."""

    feed: str
    seq: int
    newest: int
    polled_at: float
    gap_at: float | None = None


_message = msgspec.json.Decoder(Message).decode
_daily = msgspec.json.Decoder(Daily).decode


def told_of(value: bytes) -> Message | Daily:
    """What an outbox row tells: a report names its kind first, an incident's message has none."""
    return _daily(value) if value.startswith(b'{"kind":') else _message(value)


class Ledger:
    """Reads and writes the rows of what is to be done; `channels` are the names of those who may be told."""

    def __init__(self, channels: Sequence[str]) -> None:
        self.rows = IncidentRows()
        self.telling = Telling(self.rows, channels)
        self.changes = 0
        """Grows with every write that gives others something to do."""

    def forget(self) -> None:
        """Drop what memory holds."""
        self.rows.forget()
        self.telling.forget()

    def flush(self, connection: Connection) -> None:
        """What is told at the end of a transaction."""
        self.changes += self.telling.flush(connection)

    def open_of_family(self, connection: Connection, family: str) -> list[Incident]:
        """The family's incidents that are not resolved."""
        return self.rows.of_family(connection, family)

    def open_incidents(self, connection: Connection) -> dict[str, Incident]:
        """Those not resolved, by id."""
        return self.rows.open(connection)

    def incident(self, connection: Connection, incident_id: str) -> Incident | None:
        """The incident of this id, in whatever state."""
        return self.rows.get(connection, incident_id)

    def put(self, connection: Connection, step: Step, now: float) -> None:
        """Write the incident's new value and queue what is told of it."""
        self.changes += 1
        self.telling.put(connection, self.incident(connection, step.incident.id), step.incident, step.tell, now)
        if step.incident.state == "resolved":
            for retry in self.retries_of(connection, step.incident.id):
                if retry.state == "waiting":
                    self.put_retry(connection, msgspec.structs.replace(retry, state="stood down"))

    def alerted(self, connection: Connection) -> list[Incident]:
        """What people were told of, that is open, and that nobody has: one for each group."""
        return self.telling.alerted(connection)

    def escalate(self, connection: Connection, incident: Incident, step: Escalated, channels: Collection[str], now: float) -> float | None:
        """Tell further people of one of those; where a mute hides it, the moment at which that ends."""
        hidden_until = self.telling.escalate(connection, incident, step, channels, now)
        self.changes += hidden_until is None
        return hidden_until

    def unmute(self, connection: Connection, hidden: Mapping[str, Change], now: float) -> None:
        """A mute has ended that hid these changes, by the incidents' ids."""
        self.changes += 1
        self.telling.unmute(connection, hidden, now)

    def hold(self, connection: Connection, lead: Incident, by: str, until: float | None, now: float, *, snoozed: bool) -> None:
        """A person has acknowledged or snoozed a group as a whole."""
        self.changes += 1
        self.telling.hold(connection, lead, by, until, now, snoozed=snoozed)

    def members(self, connection: Connection, lead_id: str) -> list[Incident]:
        """Those that this incident speaks for."""
        return self.rows.members(connection, lead_id)

    def report(self, connection: Connection, daily: Daily, channels: Collection[str], now: float) -> None:
        """Queue a report for those of `channels` that there are."""
        self.changes += 1
        post(connection, [(name, "queued") for name in self.telling.channels if name in channels], _encode(daily), now)

    def mutes(self, connection: Connection) -> list[str]:
        """The names of the mutes that have hidden something and not yet reported it."""
        found = select(outbox.c.channel).where(outbox.c.state == "muted").distinct()
        return sorted(place.removeprefix(mute_place("")) for place in connection.execute(found).scalars())

    def hidden(self, connection: Connection, mute: str) -> list[Message]:
        """What this mute has hidden, in order."""
        found = select(outbox.c.value).where(outbox.c.state == "muted", outbox.c.channel == mute_place(mute)).order_by(outbox.c.id)
        return [_message(value) for value in connection.execute(found).scalars()]

    def reported(self, connection: Connection, mute: str) -> None:
        """What this mute hid has been told."""
        these = (outbox.c.state == "muted") & (outbox.c.channel == mute_place(mute))
        connection.execute(update(outbox).where(these).values(state="reported"))

    def launch_of(self, connection: Connection, family: str, task_arn: str, after: float) -> Launch | None:
        """The launch that brought this task, among those of the family since `after`."""
        found = select(launches.c.value).where(launches.c.family == family, launches.c.at >= after).order_by(launches.c.at).limit(1000)
        return next((launch for launch in map(_launch, connection.execute(found).scalars()) if task_arn in launch.task_arns), None)

    def put_retry(self, connection: Connection, retry: Retry) -> None:
        """Write an attempt's row."""
        self.changes += 1
        key = (retries.c.incident_id == retry.incident_id) & (retries.c.number == retry.number)
        row = {"state": retry.state, "due_at": retry.due_at, "value": _encode(retry)}
        if not connection.execute(update(retries).where(key).values(**row)).rowcount:
            connection.execute(insert(retries).values(incident_id=retry.incident_id, number=retry.number, **row))

    def retries_to_do(self, connection: Connection) -> list[Retry]:
        """Attempts that wait or whose call's outcome is not known, the earliest first."""
        found = select(retries.c.value).where(retries.c.state.in_(("waiting", "launching"))).order_by(retries.c.due_at)
        return [_retry(value) for value in connection.execute(found).scalars()]

    def retries_of(self, connection: Connection, incident_id: str) -> list[Retry]:
        """Every attempt of an incident, in order."""
        found = select(retries.c.value).where(retries.c.incident_id == incident_id).order_by(retries.c.number)
        return [_retry(value) for value in connection.execute(found).scalars()]

    def launched_since(self, connection: Connection, since: float) -> list[Retry]:
        """Attempts that were launched after a moment, or whose answer is not known."""
        these = retries.c.state.in_(("launched", "launching")) & (retries.c.due_at > since)
        return [_retry(value) for value in connection.execute(select(retries.c.value).where(these)).scalars()]

    def cursor(self, connection: Connection, source: str) -> Cursor | None:
        """Where the source was left; None where it was never read."""
        row = connection.execute(select(cursors).where(cursors.c.source == source)).mappings().first()
        return Cursor(row["feed"], row["seq"], row["newest"], row["polled_at"], row["gap_at"]) if row else None

    def put_cursor(self, connection: Connection, source: str, cursor: Cursor) -> None:
        """Write where the source was left."""
        values = msgspec.structs.asdict(cursor)
        if not connection.execute(update(cursors).where(cursors.c.source == source).values(**values)).rowcount:
            connection.execute(insert(cursors).values(source=source, **values))

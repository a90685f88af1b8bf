"""Incidents, retries, messages to send, cursors: the rows that say what the watch has to do. Open incidents are also kept in memory.

Everything runs inside the caller's transaction; after a failed one call `forget`.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from hinoban.watch.history.daily import Daily
from hinoban.watch.history.schema import cursors, incidents, launches, outbox, retries
from hinoban.watch.incidents import Change, Step
from hinoban.watch.model import Incident, Launch
from hinoban.watch.retry_row import Retry

_incident = msgspec.json.Decoder(Incident).decode
_launch = msgspec.json.Decoder(Launch).decode
_retry = msgspec.json.Decoder(Retry).decode
_encode = msgspec.json.Encoder().encode
LOG_TRIES = 5


class Cursor(msgspec.Struct, frozen=True):
    """How far a source was read, and how far it reached when it was last asked."""

    feed: str
    seq: int
    newest: int
    polled_at: float
    gap_at: float | None = None


class Message(msgspec.Struct, frozen=True):
    """What an outbox row is about: the incident as it was then, and what happened to it.

    `log`: the last lines of the failed task as they may be shown, put in when the message leaves.
    """

    incident: Incident
    change: Change
    log: tuple[str, ...] = ()


_message = msgspec.json.Decoder(Message).decode
_daily = msgspec.json.Decoder(Daily).decode


def told_of(value: bytes) -> Message | Daily:
    """What an outbox row tells: a report names its kind first, an incident's message has none."""
    return _daily(value) if value.startswith(b'{"kind":') else _message(value)


def mute_place(name: str) -> str:
    """Where in the outbox a mute keeps what it hides; no channel may be called so."""
    return f"mute {name}"


class Decision(msgspec.Struct, frozen=True):
    """Who is told: channels by name; `mute`: what hides it from the others until it ends."""

    channels: tuple[str, ...]
    mute: str | None = None


class Ledger:
    """Reads and writes the rows of what is to be done; `channels` are the names that a message is queued for, unless `decide` says fewer."""

    def __init__(self, channels: Sequence[str]) -> None:
        self._channels = tuple(channels)
        self.decide: Callable[[Incident, Change, float], Decision] = lambda incident, change, now: Decision(self._channels)
        self._open: dict[str, Incident] | None = None
        self._by_family: dict[str, set[str]] = {}
        self._absent: set[str] = set()
        self.changes = 0
        """Grows with every write that gives others something to do."""

    def forget(self) -> None:
        """Drop what memory holds."""
        self._open = None
        self._by_family = {}
        self._absent = set()

    def open_of_family(self, connection: Connection, family: str) -> list[Incident]:
        """The family's incidents that are not resolved."""
        known = self.open_incidents(connection)
        return [known[one] for one in sorted(self._by_family.get(family, ()))]

    def open_incidents(self, connection: Connection) -> dict[str, Incident]:
        """Those not resolved, by id."""
        if self._open is None:
            rows = connection.execute(select(incidents.c.value).where(incidents.c.state != "resolved")).scalars()
            self._open = {incident.id: incident for incident in map(_incident, rows)}
            for incident in self._open.values():
                self._by_family.setdefault(incident.finding.family, set()).add(incident.id)
        return self._open

    def incident(self, connection: Connection, incident_id: str) -> Incident | None:
        """The incident of this id, in whatever state."""
        if (found := self.open_incidents(connection).get(incident_id)) is not None:
            return found
        if incident_id in self._absent:
            return None
        value = connection.execute(select(incidents.c.value).where(incidents.c.id == incident_id)).scalar()
        if value is None:
            # Another watch's retries name incidents that we never have: asked for once, not at each of their events.
            if len(self._absent) > 10_000:
                self._absent.clear()
            self._absent.add(incident_id)
            return None
        return _incident(value)

    def put(self, connection: Connection, step: Step, now: float) -> None:
        """Write the incident's new value and queue what is told of it."""
        self.changes += 1
        before, incident = self.incident(connection, step.incident.id), step.incident
        if step.tell is not None:
            incident = self._queue(connection, before, incident, step.tell, now)
        elif before is not None:
            incident = msgspec.structs.replace(incident, told_to=before.told_to)
        row: dict[str, Any] = {
            "subject": incident.subject,
            "state": incident.state,
            "verdict": incident.verdict,
            "family": incident.finding.family,
            "opened_at": incident.opened_at,
            "changed_at": incident.changed_at,
            "value": _encode(incident),
        }
        if before is None or before.finding.detector != incident.finding.detector or before.finding.task_arn != incident.finding.task_arn:
            row["log_wanted"] = LOG_TRIES if incident.finding.detector in ("failed_exit", "out_of_memory") else 0
        if before is None:
            connection.execute(insert(incidents).values(id=incident.id, **row))
            self._absent.discard(incident.id)
        else:
            connection.execute(update(incidents).where(incidents.c.id == incident.id).values(**row))
        known = self.open_incidents(connection)
        if incident.state == "resolved":
            known.pop(incident.id, None)
            self._by_family.get(incident.finding.family, set()).discard(incident.id)
            for retry in self.retries_of(connection, incident.id):
                if retry.state == "waiting":
                    self.put_retry(connection, msgspec.structs.replace(retry, state="stood down"))
        else:
            known[incident.id] = incident
            self._by_family.setdefault(incident.finding.family, set()).add(incident.id)

    def _queue(self, connection: Connection, before: Incident | None, incident: Incident, change: Change, now: float) -> Incident:
        """Queue what is told, and for the mute what it hides; the incident with who has been told of it."""
        earlier = (*(before.told_to if before is not None else ()), *incident.told_to)
        decision = self.decide(msgspec.structs.replace(incident, told_to=tuple(dict.fromkeys(earlier))), change, now)
        told = [name for name in self._channels if name in decision.channels]
        incident = msgspec.structs.replace(incident, told_to=tuple(dict.fromkeys((*earlier, *told))))
        places = [(name, "queued") for name in told]
        if decision.mute is not None:
            places.append((mute_place(decision.mute), "muted"))
        _post(connection, places, _encode(Message(incident, change)), now)
        return incident

    def report(self, connection: Connection, daily: Daily, channels: Collection[str], now: float) -> None:
        """Queue a report for those of `channels` that there are."""
        self.changes += 1
        _post(connection, [(name, "queued") for name in self._channels if name in channels], _encode(daily), now)

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

    def cursor(self, connection: Connection, source: str) -> Cursor | None:
        """Where the source was left; None where it was never read."""
        row = connection.execute(select(cursors).where(cursors.c.source == source)).mappings().first()
        return Cursor(row["feed"], row["seq"], row["newest"], row["polled_at"], row["gap_at"]) if row else None

    def put_cursor(self, connection: Connection, source: str, cursor: Cursor) -> None:
        """Write where the source was left."""
        values = msgspec.structs.asdict(cursor)
        if not connection.execute(update(cursors).where(cursors.c.source == source).values(**values)).rowcount:
            connection.execute(insert(cursors).values(source=source, **values))


def _post(connection: Connection, places: Sequence[tuple[str, str]], value: bytes, now: float) -> None:
    """A row of the outbox for each (channel, state)."""
    first = (connection.execute(select(func.max(outbox.c.id))).scalar() or 0) + 1
    rows = [
        {"id": first + place, "channel": name, "state": state, "created_at": now, "due_at": now, "attempts": 0, "value": value}
        for place, (name, state) in enumerate(places)
    ]
    if rows:
        connection.execute(insert(outbox), rows)

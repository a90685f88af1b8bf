"""The ledger of scheduled runs: schedules, their slots, and who did what to them. What is open is kept in memory, too.

Everything runs inside the caller's transaction; after a failed one call `forget`.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, delete, insert, select

from hinoban.base.clock import DAYS
from hinoban.watch.history.bulk import Bulk
from hinoban.watch.history.schema import notes, schedules, slots
from hinoban.watch.model import DeliveryNews, Doing
from hinoban.watch.schedules.model import Schedule
from hinoban.watch.schedules.slot import Slot

KEEP_GOOD = 92 * DAYS
"""How long slots that ended well are kept, unless the configuration says otherwise; the lost ones stay, as their incidents do."""


KEEP_CAUSES = 400 * DAYS
"""How far back it is asked who took away what a schedule needs."""


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """A schedule as it was last read. `phase` is a rate's, learned from its `runs`; `dead` says why its next run cannot start."""

    schedule: Schedule
    expected_until: float
    phase: float | None = None
    runs: tuple[float, ...] = ()
    """Runs that did not fit the phase, or from which it is yet to be learned."""
    gone_at: float | None = None
    dead: str = ""


def names_of(known: Known) -> set[str]:
    """What a schedule may be called: by its name, its group and name, its ARN, each with its target behind `#` where it has several."""
    one = known.schedule
    plain = {one.name, one.arn, *([f"{one.group}/{one.name}"] if one.group else [])}
    return plain | {f"{name}#{one.target_id}" for name in plain}


_known = msgspec.json.Decoder(Known).decode
_slot = msgspec.json.Decoder(Slot).decode
_doing = msgspec.json.Decoder(Doing).decode
_encode = msgspec.json.Encoder().encode
_SLOT = ["key", "at", "name", "state", "open", "token", "incident_id", "value"]
_SCHEDULE = ["key", "arn", "name", "gone_at", "expected_until", "value"]
_INSERT_SLOT, _INSERT_SCHEDULE = Bulk(insert(slots), _SLOT), Bulk(insert(schedules), _SCHEDULE)
_DELETE_SLOT = Bulk(delete(slots).where(slots.c.key == bindparam("its_key"), slots.c.at == bindparam("its_at")), ["its_key", "its_at"])
_DELETE_SCHEDULE = Bulk(delete(schedules).where(schedules.c.key == bindparam("its_key")), ["its_key"])


class Book:
    """Rows of schedules and slots. One writer a database."""

    def __init__(self) -> None:
        self._schedules: dict[str, Known] | None = None
        self._open: dict[tuple[str, float], Slot] | None = None
        self._by_task: dict[str, tuple[str, float]] = {}
        self._by_token: dict[str, tuple[str, float]] = {}
        self._deadlines: list[tuple[float, str, float]] = []
        self._slot_writes: dict[tuple[str, float], Slot] = {}
        self._schedule_writes: dict[str, Known] = {}
        self.changes = 0
        """Grows with every schedule that is new, another or gone; not with every slot that came due."""
        self.fresh: set[str] = set()
        """Keys of the schedules that were read or written since somebody emptied this."""

    def forget(self) -> None:
        """Drop what memory holds."""
        self._schedules = self._open = None
        self._by_task, self._by_token, self._deadlines = {}, {}, []
        self._slot_writes, self._schedule_writes = {}, {}
        self.fresh.clear()

    # Schedules -------------------------------------------------------------------------------------------------------------------------

    def schedules(self, connection: Connection) -> dict[str, Known]:
        """Every schedule that was ever read and is not gone, by key."""
        if self._schedules is None:
            self.flush(connection)
            rows = connection.execute(select(schedules.c.value).where(schedules.c.gone_at.is_(None))).scalars()
            self._schedules = {known.schedule.key: known for known in map(_known, rows)}
            self.fresh.update(self._schedules)
            self.changes += 1
        return self._schedules

    def put_schedule(self, connection: Connection, known: Known) -> None:
        """Write a schedule; one that is gone stays as a row only."""
        held, key = self.schedules(connection), known.schedule.key
        self._schedule_writes[key] = known
        before = held.get(key)
        if before is None or known.gone_at is not None or (before.schedule, before.phase) != (known.schedule, known.phase):
            self.changes += 1
        self.fresh.add(key)
        if known.gone_at is None:
            held[key] = known
        else:
            held.pop(key, None)

    # Slots -----------------------------------------------------------------------------------------------------------------------------

    def open_slots(self, connection: Connection) -> dict[tuple[str, float], Slot]:
        """Those of which more is to come, by (key, moment)."""
        if self._open is None:
            self._open = {}
            for value in connection.execute(select(slots.c.value).where(slots.c.open)).scalars():
                self._hold(_slot(value))
        return self._open

    def overdue(self, connection: Connection, now: float) -> list[Slot]:
        """The slots that wait for a launch which should have been seen by now."""
        held = self.open_slots(connection)
        reached = []
        while self._deadlines and self._deadlines[0][0] <= now:
            _, key, at = heapq.heappop(self._deadlines)
            if (slot := held.get((key, at))) is not None and slot.state == "waiting":
                reached.append(slot)
        return reached

    def again(self, slot: Slot) -> None:
        """Nothing could be decided of an overdue slot yet: it is so the next time, too."""
        heapq.heappush(self._deadlines, (slot.due_by, slot.key, slot.at))

    def next_deadline(self) -> float | None:
        """When a waiting slot is overdue next."""
        held = self._open or {}
        while self._deadlines:
            due_by, key, at = self._deadlines[0]
            if (slot := held.get((key, at))) is not None and slot.state == "waiting" and slot.due_by == due_by:
                return due_by
            heapq.heappop(self._deadlines)
        return None

    def slot(self, connection: Connection, key: str, at: float) -> Slot | None:
        """The slot of this schedule at this moment."""
        if (found := self.open_slots(connection).get((key, at)) or self._slot_writes.get((key, at))) is not None:
            return found
        value = connection.execute(select(slots.c.value).where(slots.c.key == key, slots.c.at == at)).scalar()
        return _slot(value) if value is not None else None

    def of_token(self, connection: Connection, token: str) -> Slot | None:
        """The slot whose RunTask had this clientToken."""
        held = self.open_slots(connection)
        if (name := self._by_token.get(token)) is not None:
            return held[name]
        self.flush(connection)
        value = connection.execute(select(slots.c.value).where(slots.c.token == token)).scalar()
        return _slot(value) if value is not None else None

    def of_task(self, connection: Connection, arn: str) -> Slot | None:
        """The open slot that this task runs for."""
        held = self.open_slots(connection)
        name = self._by_task.get(arn)
        return held[name] if name is not None else None

    def of_incident(self, connection: Connection, incident_id: str) -> list[Slot]:
        """The slots that an incident is about, the earliest first."""
        self.flush(connection)
        found = select(slots.c.value).where(slots.c.incident_id == incident_id).order_by(slots.c.at)
        return [_slot(value) for value in connection.execute(found).scalars()]

    def put_slots(self, connection: Connection, several: Iterable[Slot]) -> None:
        """Write slots."""
        for slot in several:
            self.open_slots(connection)
            self._let_go(slot)
            if slot.open:
                self._hold(slot)
            self._slot_writes[(slot.key, slot.at)] = slot

    def existing(self, connection: Connection, since: float, until: float) -> set[tuple[str, float]]:
        """The names of the slots in [since, until] that are written already."""
        self.flush(connection)
        found = select(slots.c.key, slots.c.at).where(slots.c.at >= since, slots.c.at <= until)
        return {(key, at) for key, at in connection.execute(found)}

    def flush(self, connection: Connection) -> None:
        """Write what was put: at the end of each transaction, and before anything is read that may be among it.

        A midnight is the slot of a thousand schedules: their rows go as one statement.
        """
        if self._slot_writes:
            written, self._slot_writes = self._slot_writes, {}
            _DELETE_SLOT.run(connection, list(written))
            _INSERT_SLOT.run(connection, [_slot_row(one) for one in written.values()])
        if self._schedule_writes:
            known, self._schedule_writes = self._schedule_writes, {}
            _DELETE_SCHEDULE.run(connection, [(key,) for key in known])
            _INSERT_SCHEDULE.run(connection, [_schedule_row(one) for one in known.values()])

    def drop_waiting(self, connection: Connection, key: str, since: float) -> None:
        """Forget the slots from `since` on that a schedule owes no more; of those that fired or were launched nothing is taken back."""
        for slot in [one for one in self.open_slots(connection).values() if one.key == key and one.at >= since]:
            if slot.state == "waiting" and slot.fired == "unknown":
                self.drop_slot(connection, slot)

    def drop_slot(self, connection: Connection, slot: Slot) -> None:
        """Forget a slot that nobody owes."""
        self._let_go(slot)
        self._slot_writes.pop((slot.key, slot.at), None)
        connection.execute(delete(slots).where(slots.c.key == slot.key, slots.c.at == slot.at))

    def _hold(self, slot: Slot) -> None:
        assert self._open is not None
        name = (slot.key, slot.at)
        self._open[name] = slot
        if slot.state == "waiting":
            heapq.heappush(self._deadlines, (slot.due_by, slot.key, slot.at))
        self._by_task.update(dict.fromkeys(slot.tasks, name))
        if slot.token:
            self._by_token[slot.token] = name

    def _let_go(self, slot: Slot) -> None:
        assert self._open is not None
        before = self._open.pop((slot.key, slot.at), None)
        if before is not None:
            for arn in before.tasks:
                self._by_task.pop(arn, None)
            if before.token:
                self._by_token.pop(before.token, None)

    # Notes -----------------------------------------------------------------------------------------------------------------------------

    def note(self, connection: Connection, news: Doing | DeliveryNews) -> bool:
        """Remember it once; whether it was new."""
        if connection.execute(select(notes.c.id).where(notes.c.id == news.event_id)).scalar() is not None:
            return False
        subject = news.subject if isinstance(news, Doing) else f"delivery/{news.arn}#{news.target_id}"
        connection.execute(insert(notes).values(id=news.event_id, at=news.at, subject=subject, value=_encode(news)))
        return True

    def touched(self, connection: Connection, since: float) -> set[str]:
        """The subjects that anything was done to since a moment."""
        return set(connection.execute(select(notes.c.subject).where(notes.c.at >= since).distinct()).scalars())

    def doings(self, connection: Connection, subjects: Sequence[str], since: float = 0.0) -> list[Doing]:
        """What was done to any of `subjects`, the latest first."""
        found = select(notes.c.value).where(notes.c.subject.in_(list(subjects)), notes.c.at >= since)
        return [_doing(value) for value in connection.execute(found.order_by(notes.c.at.desc()).limit(100)).scalars()]

    def trim(self, connection: Connection, now: float, keep: float = KEEP_GOOD) -> None:
        """Forget slots that ended well long ago, schedules that are gone, and what was said and done then.

        Who deregistered a definition or deleted a cluster is kept for as long as a dead schedule asks for it.
        """
        self.flush(connection)
        connection.execute(delete(slots).where(slots.c.at < now - keep, slots.c.state.in_(("done", "recovered"))))
        connection.execute(delete(schedules).where(schedules.c.gone_at < now - KEEP_GOOD))
        connection.execute(delete(notes).where(notes.c.at < now - KEEP_CAUSES))
        for_long = notes.c.subject.like("definition/%") | notes.c.subject.like("cluster/%")
        connection.execute(delete(notes).where(notes.c.at < now - KEEP_GOOD, ~for_long))


def _slot_row(slot: Slot) -> tuple[Any, ...]:
    return slot.key, slot.at, slot.name, slot.state, slot.open, slot.token, slot.incident_id, _encode(slot)


def _schedule_row(known: Known) -> tuple[Any, ...]:
    one = known.schedule
    return one.key, one.arn, one.name, known.gone_at, known.expected_until, _encode(known)


def slots_between(connection: Connection, since: float, until: float, name: str | None = None) -> list[Slot]:
    """Every slot in (since, until], the earliest first."""
    found = select(slots.c.value).where(slots.c.at > since, slots.c.at <= until).order_by(slots.c.at, slots.c.name)
    if name is not None:
        found = found.where(slots.c.name == name)
    return [_slot(value) for value in connection.execute(found).scalars()]


def slots_backwards(connection: Connection, name: str) -> Iterator[Slot]:
    """The slots of a schedule's name, the latest first, read as far as they are asked for."""
    found = select(slots.c.value).where(slots.c.name == name).order_by(slots.c.at.desc()).execution_options(yield_per=100)
    yield from map(_slot, connection.execute(found).scalars())


def known_schedules(connection: Connection) -> list[Known]:
    """Every schedule that is not gone, by name."""
    found = select(schedules.c.value).where(schedules.c.gone_at.is_(None)).order_by(schedules.c.name, schedules.c.key)
    return [_known(value) for value in connection.execute(found).scalars()]

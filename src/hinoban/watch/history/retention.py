"""Forgets what is over and old, in small batches, so that nothing else waits: tasks, their events, launches. What is open stays, and so do
incidents. Slots and schedules are trimmed by book.py, messages by the outbox.

Tasks and launches are walked family by family along the index on (family, moment): a pass costs what it finds, not what is remembered.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import msgspec
from sqlalchemy import Connection, Table, delete, func, select, update

from hinoban.base.clock import HOURS, SECONDS
from hinoban.watch.config import Keep
from hinoban.watch.history import blobs, queries
from hinoban.watch.history.marks import mark, put_mark
from hinoban.watch.history.schema import launches, stops, task_events, task_expiries, tasks

PASS_EVERY = 6 * HOURS
BATCH = 200
PAUSE = 0.2 * SECONDS
"""Between two batches: others get their turn."""
NEVER = float("-inf")
_OWNER, _KEY = "the retention", "compacted"


class Place(msgspec.Struct):
    """Where a walk stands: behind this family's row of this moment."""

    family: str | None = None
    moment: float = NEVER
    over: bool = False


class Retention:
    """`transaction` is the one that all writes of the watch go through."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]], keep: Keep) -> None:
        self._transaction = transaction
        self._keep = keep
        self._jobs: list[Callable[[Connection], bool]] = []
        self._next_pass = NEVER

    async def step(self, now: float) -> float:
        """One batch; soon again while there is more, else at the next pass."""
        if not self._jobs:
            if now < self._next_pass:
                return self._next_pass
            self._next_pass = now + PASS_EVERY
            self._jobs = self._pass(now)
        with self._transaction() as connection:
            if not self._jobs[0](connection):
                del self._jobs[0]
        return now + PAUSE if self._jobs else self._next_pass

    def _pass(self, now: float) -> list[Callable[[Connection], bool]]:
        """What a pass does, in order; each says whether it has more to do."""
        old, calls, bare = Place(), Place(), Place()
        return [
            lambda connection: self._expired(connection, now),
            lambda connection: self._old_tasks(connection, old, now),
            lambda connection: self._old_launches(connection, calls, now),
            lambda connection: self._compact(connection, bare, now),
        ]

    def _expired(self, connection: Connection, now: float) -> bool:
        """Tasks whose policy's time is over."""
        due = select(task_expiries.c.task_key).where(task_expiries.c.at <= now).order_by(task_expiries.c.at).limit(BATCH)
        keys = list(connection.execute(due).scalars())
        if not keys:
            return False
        held = _held_tasks(connection)
        closed = select(tasks.c.key, tasks.c.arn).where(tasks.c.key.in_(keys), ~tasks.c.open)
        gone = [key for key, arn in connection.execute(closed) if arn not in held]
        _forget(connection, gone)
        # One that is held stays for the next pass: it is pushed back, so that it is not in the way of the others.
        later = [key for key in keys if key not in gone]
        if later:
            connection.execute(update(task_expiries).where(task_expiries.c.task_key.in_(later)).values(at=now + PASS_EVERY))
        return len(keys) == BATCH

    def _old_tasks(self, connection: Connection, place: Place, now: float) -> bool:
        before = now - self._keep.tasks
        found = _next(connection, place, tasks, "created_at", before, (tasks.c.key, tasks.c.arn, tasks.c.open, tasks.c.stopped_at))
        if found is None:
            return False
        held = _held_tasks(connection) if found else set()
        ended = [row for row in found if not row.open and (row.stopped_at or row.moment) <= before and row.arn not in held]
        keys = [row.key for row in ended]
        longer = set(connection.execute(select(task_expiries.c.task_key).where(task_expiries.c.task_key.in_(keys))).scalars())
        _forget(connection, [key for key in keys if key not in longer])
        return True

    def _old_launches(self, connection: Connection, place: Place, now: float) -> bool:
        found = _next(connection, place, launches, "at", now - self._keep.launches, (launches.c.id,))
        if found is None:
            return False
        held = {one.finding.launch_id for one in queries.incidents_not_resolved(connection)} if found else set()
        connection.execute(delete(launches).where(launches.c.id.in_([row.id for row in found if row.id not in held])))
        return True

    def _compact(self, connection: Connection, place: Place, now: float) -> bool:
        """Of tasks that were created since the last pass's bound and are old enough now, leave the last event."""
        before = now - self._keep.events
        since = float(mark(connection, _OWNER, _KEY) or "-inf")
        found = _next(connection, place, tasks, "created_at", before, (tasks.c.key, tasks.c.timeline, tasks.c.stopped_at), since)
        if found is None:
            put_mark(connection, _OWNER, _KEY, repr(max(before, since)))
            return False
        for row in found:
            if row.timeline is not None and (row.stopped_at or row.moment) <= before and len(raws := blobs.unpack(row.timeline)) > 1:
                connection.execute(update(tasks).where(tasks.c.key == row.key).values(timeline=blobs.pack([(0, raws[-1])])))
        return True


def _next(
    connection: Connection, place: Place, table: Table, moment: str, before: float, columns: Sequence[Any], since: float = NEVER
) -> list[Any] | None:
    """The next rows of a walk over (since, before] of `moment`, which each row has under that name; None at its end. Moves the place on."""
    at = table.c[moment]
    if place.family is None:
        place.family, place.moment = connection.execute(select(func.min(table.c.family))).scalar(), since
        place.over = place.family is None
    if place.over:
        return None
    rows = select(*columns, at.label("moment")).where(table.c.family == place.family).order_by(at)
    found = list(connection.execute(rows.where(at > place.moment, at <= before).limit(BATCH)))
    if len(found) < BATCH:
        following = connection.execute(select(func.min(table.c.family)).where(table.c.family > place.family)).scalar()
        place.family, place.moment, place.over = following or place.family, since, following is None
        return found
    # Rows of one moment are never parted, for the walk goes on behind a moment.
    last = found[-1].moment
    found = [row for row in found if row.moment < last] or list(connection.execute(rows.where(at == last)))
    place.moment = found[-1].moment
    return found


def _held_tasks(connection: Connection) -> set[str]:
    """The tasks of incidents that are not resolved."""
    still = queries.incidents_not_resolved(connection)
    return {arn for one in still for arn in (one.finding.task_arn, *(tried.task_arn for tried in one.attempts)) if arn}


def _forget(connection: Connection, keys: Sequence[int]) -> None:
    """Tasks with all that hangs on them."""
    if not keys:
        return
    ids = list(connection.execute(select(tasks.c.id).where(tasks.c.key.in_(keys))).scalars())
    connection.execute(delete(stops).where(stops.c.task_id.in_(ids)))
    connection.execute(delete(task_events).where(task_events.c.task_key.in_(keys)))
    connection.execute(delete(task_expiries).where(task_expiries.c.task_key.in_(keys)))
    connection.execute(delete(tasks).where(tasks.c.key.in_(keys)))

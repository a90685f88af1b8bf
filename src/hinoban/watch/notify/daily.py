"""One report a day, also when all is well: when it is due (pure), and the loop that queues it in the transaction that notes that it did."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from hinoban.base.clock import DAYS, HOURS, MINUTES, SECONDS
from hinoban.watch.config import WatchConfig
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.history.marks import mark, put_mark
from hinoban.watch.notify.daily_facts import facts
from hinoban.watch.notify.levels import level_of
from hinoban.watch.wellness import checked, health_of, unwell_between

LATE_MOST = 12 * HOURS
"""A report that is later is no news any more: the next one covers its time."""
FARTHEST = 7 * DAYS
"""So far a report looks back at the most."""
CATCHES_UP = 10 * MINUTES
"""So long a report waits for a source that is behind, e.g. after a start: its numbers would be wrong."""
_AGAIN = 30 * SECONDS
_OWNER, _KEY = "daily report", "last"


class Last(msgspec.Struct, frozen=True):
    """The last day that has been seen to, and until when a report has told."""

    day: str
    until: float


def due_at(day: date, at: str, zone: ZoneInfo) -> float:
    """When the day's report is due: one moment, also where the clock shows this time twice (the first) or never (an hour later)."""
    return datetime.combine(day, time.fromisoformat(at), zone).timestamp()


def newest_due(now: float, at: str, zone: ZoneInfo) -> date:
    """The last day whose report has come due."""
    today = datetime.fromtimestamp(now, zone).date()
    return today if due_at(today, at, zone) <= now else today - timedelta(days=1)


def first_mark(now: float, at: str, zone: ZoneInfo) -> Last:
    """Where a history begins: what came due before is nobody's report."""
    return Last(newest_due(now, at, zone).isoformat(), now)


def to_tell(last: Last, now: float, at: str, zone: ZoneInfo) -> date | None:
    """The day whose report is to be told now; None where none is, or where it is too late for it."""
    day = newest_due(now, at, zone)
    if day.isoformat() <= last.day or now - due_at(day, at, zone) > LATE_MOST:
        return None
    return day


def next_due(last: Last, now: float, at: str, zone: ZoneInfo) -> float:
    """The moment of the next report: the first day's after the one that has been seen to, and after now."""
    day = max(newest_due(now, at, zone), date.fromisoformat(last.day)) + timedelta(days=1)
    return due_at(day, at, zone)


def out_of_time(last: Last, now: float) -> bool:
    """Whether the mark is of a future that did not come: the machine's clock was wrong, and has been set back."""
    return last.until > now + 1 * DAYS


class DailyReports:
    """`transaction` is the one that the ledger's other writes go through; `behind` says why numbers would be wrong yet."""

    def __init__(
        self,
        transaction: Callable[[], AbstractContextManager[Connection]],
        ledger: Ledger,
        config: WatchConfig,
        *,
        behind: Callable[[], str | None],
    ) -> None:
        self._transaction = transaction
        self._ledger = ledger
        self._config = config.notify.daily
        self._severity = config.notify.severity
        self._zone = ZoneInfo(config.tz)
        self._behind = behind
        self._asleep: tuple[float, float] | None = None
        """From when to when there is nothing to look for; a clock that was set back is before it."""

    async def step(self, now: float) -> float | None:
        """Queue the report that is due; when the next one is. None: reports are off."""
        if self._config is None:
            return None
        if self._asleep is not None and self._asleep[0] <= now < self._asleep[1]:
            return self._asleep[1]
        at = self._config.at
        with self._transaction() as connection:
            text = mark(connection, _OWNER, _KEY)
            last = None if text is None else msgspec.json.decode(text, type=Last)
            if last is None or out_of_time(last, now):
                last = first_mark(now, at, self._zone)
                _put(connection, last)
            day = to_tell(last, now, at, self._zone)
            if day is not None:
                moment = due_at(day, at, self._zone)
                if self._behind() is not None and now < moment + CATCHES_UP:
                    return now + _AGAIN
                since = max(last.until, moment - FARTHEST)
                self._queue(connection, day.isoformat(), moment, min(since, moment), now)
                last = Last(day.isoformat(), moment)
                _put(connection, last)
        self._asleep = now, next_due(last, now, at, self._zone)
        return self._asleep[1]

    def _queue(self, connection: Connection, day: str, moment: float, since: float, now: float) -> None:
        assert self._config is not None
        # As of now: after a start, nobody may have noted yet that the watch was away.
        health = checked(health_of(connection), now, None)
        daily = facts(
            connection,
            day,
            moment,
            since,
            lambda incident: level_of(incident, "opened", self._severity),
            unwell=unwell_between(health, since, moment),
            first=health.first,
        )
        self._ledger.report(connection, daily, self._config.channels, now)


def _put(connection: Connection, last: Last) -> None:
    put_mark(connection, _OWNER, _KEY, msgspec.json.encode(last).decode())

"""One source of the watch: read again and again behind its own cursor, each batch remembered before the source may forget it."""

import logging
from collections.abc import Callable

import msgspec
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError, SQLAlchemyError

from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS, Clock
from hinoban.base.errors import HinobanError
from hinoban.base.units import format_duration, iso
from hinoban.watch.history.aside import AsideBook, event_aside
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.sight import Sight
from hinoban.watch.sources.source import Batch, Source, moment_of_last

SILENT = 45 * SECONDS
"""A long poll is answered after 20 s at the latest: without an answer for so long, the feed is behind."""
STEADY = 30 * SECONDS
"""So long the feed must have answered without a pause before silence in it proves anything: an engine that wakes says what it missed."""
POLL_AGAIN = 1 * SECONDS
GATHER = 0.05 * SECONDS
"""After events came, so long is waited for more of them: a poll and a transaction for each event would cost ten times as much."""
_OF_THE_EVENT = (DataError, IntegrityError, InterfaceError, ProgrammingError)
"""What a database says of what it is given; all other errors of it (locked, full, unreadable) are its own."""
log = logging.getLogger(__name__)


class Reading:
    """Sources know nothing of each other: what two of them bring is in the history once. `say` hears one line of a first attach."""

    def __init__(
        self,
        source: Source,
        pipeline: Pipeline,
        engine: Engine,
        clock: Clock,
        *,
        wake: Callable[[], None],
        say: Callable[[str], None],
        role: str = "",
    ) -> None:
        self.source = source
        self._pipeline = pipeline
        self._clock = clock
        self._wake = wake
        self._say = say
        self.sight = Sight(source.name, source.of, pipeline, clock, role=role)
        with engine.connect() as connection:
            self.cursor: Cursor | None = pipeline.ledger.cursor(connection, source.name)
        self._asked = self._reached = False
        self._steady_since = self._read_at = clock.now()
        self._filled, self._said = 0, False
        pipeline.delays.attached(source.name, clock.now())
        self._late = 0.0
        self._aside = AsideBook(engine)

    async def step(self, now: float) -> float:
        """One poll, remembered; when to poll again. A source that cannot be reached is asked again, and is `behind` meanwhile."""
        try:
            batch = await self.source.poll(self.cursor)
        except (HinobanError, AwsError) as error:
            if self._reached:
                log.warning("%s: %s", self.source.name, error)
            self._asked, self._reached = True, False
            self.sight.tried(self.source.name, error)
            return self._clock.now() + POLL_AGAIN
        now = self._clock.now()
        if now - self._read_at > SILENT or not self._reached:
            self._steady_since = now
        self._read_at = now
        fresh = self._take(batch, now)
        await self.source.committed()
        self.cursor, self._asked, self._reached = batch.cursor, True, True
        self._late = batch.late
        self._attached(batch, fresh)
        self._seen(batch, now)
        if batch.events:
            self._wake()
        up_to_date = batch.cursor.seq >= batch.cursor.newest
        return self._clock.now() + (GATHER if batch.events and up_to_date else 0.0)

    def _take(self, batch: Batch, now: float) -> int:
        """Remember the batch; where one of its events cannot be digested, all the others."""
        try:
            return self._pipeline.take(self.source.name, batch, now)
        except Exception as error:
            if not batch.events or not _of_an_event(error):
                raise
        fresh = 0
        for raw in batch.events:
            try:
                fresh += self._pipeline.take(self.source.name, msgspec.structs.replace(batch, events=[raw], listed=None), now, whole=False)
            except Exception as error:
                if not _of_an_event(error):
                    raise
                log.exception("%s: an event is set aside", self.source.name)
                reason = str(error).partition("\n")[0]  # a database's further lines hold what it was given
                self._aside.put(event_aside(self.source.name, raw, f"{type(error).__name__}: {reason}", now))
        return fresh + self._pipeline.take(self.source.name, msgspec.structs.replace(batch, events=()), now)

    def _seen(self, batch: Batch, now: float) -> None:
        """What this poll says of how well the watch sees."""
        up_to_date = batch.cursor.seq >= batch.cursor.newest
        self.sight.tried(self.source.name)
        self.sight.problems(self.source.problems)
        if batch.events and self.source.pushed:
            self.sight.heard()
        if not batch.silent:
            at = moment_of_last(batch.events)
            waited = 0.0 if up_to_date or at is None else max(0.0, now - at)
            self.sight.lag(max(waited, batch.late), batch.cursor.newest - batch.cursor.seq or None)

    def _attached(self, batch: Batch, fresh: int) -> None:
        """Count what a first attach fills in, and say so once when it is through; what comes later still is not worth another line."""
        if batch.silent:
            self._filled += fresh
        elif self._filled and not self._said and not batch.filling and batch.cursor.seq >= batch.cursor.newest:
            known = "1 thing is remembered" if self._filled == 1 else f"{self._filled} things are remembered"
            self._say(f"{self.source.name}: {known} of the time before it was watched, and not told.")
            self._said = True

    def behind(self) -> str | None:
        """Why the source is behind, so that nothing may be launched or stopped; None where it is not."""
        cursor = self.cursor
        if not self._asked:
            return "starting"
        if cursor is None or not self._reached:
            return "the feed has not answered"
        if cursor.seq < cursor.newest:
            return f"{cursor.newest - cursor.seq} events behind"
        if self._late:
            return f"CloudTrail's event history is read only up to {format_duration(self._late)} ago"
        silent = self._clock.now() - cursor.polled_at
        return f"the feed has been silent for {silent:.0f} s" if silent > SILENT else None

    def unproven(self) -> str | None:
        """Why what was not seen may yet have happened; None where it did not."""
        steady = self._clock.now() - self._steady_since
        return self.behind() or (f"the feed has been read for {steady:.0f} s" if steady < STEADY else None)

    def status(self) -> dict[str, object]:
        """Where the source stands, and how far it is behind."""
        cursor = self.cursor
        return {
            "source": self.source.name,
            "feed": cursor.feed if cursor else None,
            "cursor": cursor.seq if cursor else 0,
            "newest": cursor.newest if cursor else 0,
            "lag": max(0, cursor.newest - cursor.seq) if cursor else None,
            "polled_at": iso(cursor.polled_at) if cursor else None,
            "behind": self.behind(),
            "account": self.source.of.account,
            "region": self.source.of.region,
            "problems": [one.words for one in self.source.problems.values()],
            "delay": self._pipeline.delays.of(self.source.name, self._clock.now()),
        }


def _of_an_event(error: Exception) -> bool:
    """Whether it may be an event that we fail at, rather than the database or the machine."""
    return isinstance(error, _OF_THE_EVENT) or not isinstance(error, SQLAlchemyError | OSError | MemoryError)

"""Lets a remembered time pass once more before a watch in memory with other policies: the pipeline, the retries, the stopper and the
escalations are those of the real watch, the clock is the history's own, and AWS is the past. Nothing is told, launched or written anywhere."""

from itertools import groupby

from sqlalchemy import Connection, Engine

from hinoban.aws.client import Client
from hinoban.base.clock import SECONDS
from hinoban.base.ids import SeededIds
from hinoban.watch import detect
from hinoban.watch.allow import EVERYTHING
from hinoban.watch.config import WatchConfig
from hinoban.watch.history.database import open_database
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.model import Launch, TaskChange, attempt_of
from hinoban.watch.notify.escalation import Escalator
from hinoban.watch.notify.routes import Dispatch, levels_of
from hinoban.watch.past import Past
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.places import ANYWHERE, Clients
from hinoban.watch.remembered import Observed, Remembered
from hinoban.watch.retry.runner import RetryRunner
from hinoban.watch.retry.stopper import Stopper
from hinoban.watch.sources.source import Batch

_LEAST_STEP = 1 * SECONDS
_NAME = "replay"


def _never(account: str, region: str) -> None:
    """The past is whole: nothing is behind, and nothing was lost."""


async def _as_remembered(change: TaskChange) -> bool:
    """A task's tags were what they were."""
    return True


class Then:
    """The history's clock."""

    def __init__(self, start: float) -> None:
        self.moment = start

    def now(self) -> float:
        return self.moment

    async def sleep_until(self, moment: float) -> None:
        raise AssertionError("a replay waits for nothing")


class Replay:
    """One passing of `history` with `config`. Afterwards `engine` holds what the watch would hold, and `past` what it would have done."""

    def __init__(self, config: WatchConfig, history: Remembered, until: float) -> None:
        first = min([until, *(change.at for _, change in history.items[:1]), *(one.at for one in history.slots[:1])])
        self.engine: Engine = open_database("sqlite://")
        self.past = Past(history.items, history.refused)
        self._history = history
        self._until = until
        self._clock = Then(first)
        client = Client("http://past.invalid", None, "us-east-1", clock=self._clock, transport=self.past)
        names = list(levels_of(config.notify))
        self.pipeline = Pipeline(self.engine, config, detectors=detect, channels=names, ids=SeededIds(1), allow=EVERYTHING)
        self.pipeline.ledger.telling.decide = Dispatch(config.notify, names).decide
        clients, rights = Clients(client), self.pipeline.rights
        self._retries = RetryRunner(
            self.pipeline, clients, self._clock, behind=_never, gap_at=_never, rights=rights, budget=config.retry_budget
        )
        self._stopper = Stopper(self.pipeline, clients, self._clock, behind=_never, read_again=_as_remembered, rights=rights)
        self._escalator = Escalator(self.pipeline.transaction, self.pipeline.ledger, config.notify.escalations)
        self._client = client
        self._due: float | None = first

    async def run(self) -> None:
        """Everything in its order, and what becomes due between."""
        with self.pipeline.transaction() as connection:
            for known in self._history.schedules:
                self.pipeline.timetable.book.put_schedule(connection, known)
        slots = list(reversed(self._history.slots))
        for at, several in groupby(self._history.items, key=lambda item: item[1].at):
            while slots and slots[-1].at <= at:
                await self._comes_due(slots.pop().at)
            await self._pass(at)
            await self._take(list(several))
        while slots:
            await self._comes_due(slots.pop().at)
        await self._pass(self._until)
        await self._client.close()

    async def _comes_due(self, at: float) -> None:
        await self._pass(at)
        due = [one for one in self._history.slots if one.at == at]
        with self.pipeline.transaction() as connection:
            book = self.pipeline.timetable.book
            book.put_slots(connection, [one for one in due if book.slot(connection, one.key, one.at) is None])
        self._due = self._clock.now()

    async def _take(self, items: list[tuple[bytes, Observed]]) -> None:
        before = self.pipeline.ledger.changes
        with self.pipeline.transaction() as connection:
            wanted = [item for item in items if self._happens(connection, item[1])]
        now = self._clock.now()
        self.pipeline.take(_NAME, Batch(events=(), observed=wanted, cursor=Cursor(_NAME, 1, 1, now)), now)
        if self.pipeline.ledger.changes != before:
            self._due = now
        elif (deadline := self.pipeline.deadlines.next("warn", "stuck", "stop", "end")) is not None:
            self._due = min(deadline, self._due or deadline)

    def _happens(self, connection: Connection, change: Observed) -> bool:
        """Whether this would have happened, too: a retry of ours only where these policies plan it, or where somebody asked for it."""
        starter = change.detail.get("startedBy") if isinstance(change, TaskChange) else None
        starter = change.started_by if isinstance(change, Launch) else starter
        if (named := attempt_of(starter)) is None or named in self._history.by_hand:
            return True
        return any(one.number == named[1] for one in self.pipeline.ledger.retries_of(connection, named[0]))

    async def _pass(self, until: float) -> None:
        """Let time pass up to a moment, doing what becomes due."""
        while self._due is not None and self._due <= until:
            self._clock.moment = max(self._clock.moment, self._due)
            self._due = await self._turn()
        self._clock.moment = max(self._clock.moment, until)

    async def _turn(self) -> float | None:
        now = self._clock.now()
        found = [
            self.pipeline.expect(now, sure=ANYWHERE.holds),
            self.pipeline.step(now),
            await self._retries.step(now),
            await self._stopper.step(now),
            self.pipeline.step(now),
            await self._escalator.step(now),
        ]
        due = min((moment for moment in found if moment is not None), default=None)
        return None if due is None else max(due, now + _LEAST_STEP)

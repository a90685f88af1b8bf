"""The watch as one thing: its loops, and what it answers. The daemon composes it; everything it needs comes in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from hinoban.aws.client import Client
from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS, Clock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import Ids
from hinoban.base.supervise import Group, Loop
from hinoban.base.units import iso
from hinoban.watch import detect, incidents
from hinoban.watch.answers import Answers, one_incident
from hinoban.watch.by_hand import ByHand
from hinoban.watch.config import WatchConfig
from hinoban.watch.definitions import DefinitionKeeper
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.logs import LogKeeper
from hinoban.watch.notify.channels import Channel
from hinoban.watch.notify.mute_reports import MuteReports
from hinoban.watch.notify.outbox import Outbox
from hinoban.watch.notify.routes import Dispatch
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.retry.runner import RetryRunner
from hinoban.watch.retry.stopper import Stopper
from hinoban.watch.schedule_reader import ScheduleReader
from hinoban.watch.schedules.inventory import Inventory
from hinoban.watch.sources.source import Source

SILENT = 45 * SECONDS
"""A long poll is answered after 20 s at the latest: without an answer for so long, the feed is behind."""
STEADY = 30 * SECONDS
"""So long the feed must have answered without a pause before silence in it proves anything: an engine that wakes says what it missed."""
POLL_AGAIN = 1 * SECONDS
GATHER = 0.05 * SECONDS
"""After events came, so long is waited for more of them: a poll and a transaction for each event would cost ten times as much."""
log = logging.getLogger(__name__)


class Watch:
    """Reads `source`, remembers, finds, retries, tells. One instance a database."""

    def __init__(
        self,
        config: WatchConfig,
        engine: Engine,
        client: Client,
        source: Source,
        clock: Clock,
        ids: Ids,
        channels: Sequence[Channel],
        *,
        complain: Callable[[str], None] = log.error,
    ) -> None:
        self._engine = engine
        self._source = source
        self._clock = clock
        self._channels = channels
        names = [channel.name for channel in channels]
        self.pipeline = Pipeline(engine, config, detectors=detect, channels=names, ids=ids)
        self.pipeline.ledger.decide = Dispatch(config.notify, names).decide
        self.mutes = MuteReports(self.pipeline.transaction, self.pipeline.ledger, config)
        self.answers = Answers(engine, tz=config.tz)
        self.outbox = Outbox(
            engine,
            channels,
            clock=clock,
            ids=ids,
            dead_after=config.notify.dead_after,
            complain=complain,
            log_tail=config.notify.log_tail,
        )
        self.retries = RetryRunner(
            self.pipeline, client, clock, behind=self.behind, gap_at=lambda: self._cursor.gap_at if self._cursor else None
        )
        self.stopper = Stopper(self.pipeline, client, clock, behind=self.behind)
        self.logs = LogKeeper(engine, client, config.log_lines)
        self.definitions = DefinitionKeeper(engine, client)
        self.by_hand = ByHand(self.pipeline, client, clock, ids, config.tz)
        # No roles: the engine asks for none, and its IAM is a neighbour that would have to be started for it.
        self.schedules = ScheduleReader(self.pipeline, Inventory(client, clock, roles=False), client.region, clock, behind=self.unproven)
        with engine.connect() as connection:
            self._cursor: Cursor | None = self.pipeline.ledger.cursor(connection, source.name)
        self._asked = self._reached = False
        self._steady_since = self._read_at = clock.now()
        self._loops: list[Loop] = []

    async def run(self) -> None:
        """Watch until cancelled. An error that no step handles ends it: who runs it restarts it, and nothing is lost."""
        failed: list[BaseException] = []
        self.outbox.take_over()
        steps: dict[str, Callable[[float], Awaitable[float | None]]] = {
            "deadlines": self._timed,
            "retries": self.retries.step,
            "stops": self.stopper.step,
            "mutes": self.mutes.step,
            "outbox": self.outbox.step,
            "logs": self.logs.step,
            "definitions": self.definitions.step,
            "schedules": self.schedules.step,
        }
        self._loops = [Loop(name, self._waking(step), self._clock) for name, step in steps.items()]
        group = Group(failed.append)
        reading = Loop("source", self.read, self._clock)
        running = [group.start(loop.run(), loop.name) for loop in (reading, *self._loops)]
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if failed:
                raise failed[0]
        finally:
            await group.close()
            for channel in self._channels:
                await channel.close()

    async def read(self, now: float) -> float:
        """One poll of the source, remembered; when to poll again."""
        try:
            batch = await self._source.poll(self._cursor)
        except (HinobanError, AwsError) as error:
            if self._reached:
                log.warning("the feed: %s", error)
            self._asked, self._reached = True, False
            return self._clock.now() + POLL_AGAIN
        now = self._clock.now()
        if now - self._read_at > SILENT or not self._reached:
            self._steady_since = now
        self._read_at = now
        self.pipeline.take(self._source.name, batch, now)
        await self._source.committed()
        self._cursor, self._asked, self._reached = batch.cursor, True, True
        if batch.events:
            self._wake()
        up_to_date = batch.cursor.seq >= batch.cursor.newest
        return self._clock.now() + (GATHER if batch.events and up_to_date else 0.0)

    async def turn(self) -> None:
        """Read once, then everything that is due once: the whole watch for tests and one-off runs."""
        await self.read(self._clock.now())
        for step in (
            self.schedules.step,
            self._timed,
            self.retries.step,
            self.stopper.step,
            self.logs.step,
            self.definitions.step,
            self.mutes.step,
            self.outbox.step,
        ):
            await step(self._clock.now())

    def behind(self) -> str | None:
        """Why the feed is behind, so that nothing may be launched or stopped; None where it is not."""
        cursor = self._cursor
        if not self._asked:
            return "starting"
        if cursor is None or not self._reached:
            return "the feed has not answered"
        if cursor.seq < cursor.newest:
            return f"{cursor.newest - cursor.seq} events behind"
        silent = self._clock.now() - cursor.polled_at
        return f"the feed has been silent for {silent:.0f} s" if silent > SILENT else None

    def unproven(self) -> str | None:
        """Why what was not seen may yet have happened; None where it did not."""
        steady = self._clock.now() - self._steady_since
        return self.behind() or (f"the feed has been read for {steady:.0f} s" if steady < STEADY else None)

    def incidents(self, state: str | None = None, limit: int = 100) -> dict[str, Any]:
        """See Answers.incidents."""
        return self.answers.incidents(state, limit)

    def incident(self, id_prefix: str) -> dict[str, Any]:
        """See Answers.incident."""
        return self.answers.incident(id_prefix)

    def why(self, name: str, *, full: bool = False) -> dict[str, Any]:
        """See Answers.why."""
        return self.answers.why(name, full=full)

    def history(self, query: Mapping[str, str]) -> dict[str, Any]:
        """See Answers.history."""
        return self.answers.history(query)

    def schedules_since(self, since: float, following: int, name: str | None = None, region: str | None = None) -> dict[str, Any]:
        """See answers_schedules.schedules; and how many scheduled targets are no ECS tasks, and what could not be read."""
        found = self.answers.schedules(self._clock.now(), since, following, name, region)
        return found | {"not_watched": self.schedules.not_watched, "problems": [one.words for one in self.schedules.problems]}

    async def run_schedule(self, name: str, slot: float | None, by: str) -> dict[str, Any]:
        """See ByHand.run."""
        answer = await self.by_hand.run(name, slot, by)
        self._wake()
        return answer

    def catch_up(self, name: str, since: float, until: float, by: str) -> dict[str, Any]:
        """See ByHand.catch_up."""
        answer = self.by_hand.catch_up(name, since, until, by)
        self._wake()
        return answer

    def ack(self, id_prefix: str, until: float | None, by: str) -> dict[str, Any]:
        """Acknowledge an incident until a moment (None: for good); HinobanError where it is unknown or resolved."""
        now = self._clock.now()
        with self.pipeline.transaction() as connection:
            incident = one_incident(connection, id_prefix)
            if incident.state == "resolved":
                raise HinobanError(
                    f"{incident.id} is resolved", f"it ended {iso(incident.resolved_at or now)}", "Nothing is left to acknowledge"
                )
            self.pipeline.note(connection, incidents.acknowledged(incident, by, until, now), now)
        self._wake()
        return self.answers.incident(incident.id)

    def resolve(self, id_prefix: str, by: str, note: str = "") -> dict[str, Any]:
        """Close an incident by hand; its retries end with it. HinobanError where it is unknown or resolved already."""
        now = self._clock.now()
        with self.pipeline.transaction() as connection:
            incident = one_incident(connection, id_prefix)
            if incident.state == "resolved":
                raise HinobanError(
                    f"{incident.id} is resolved already", f"it ended {iso(incident.resolved_at or now)}", "Nothing is left to do"
                )
            words = f"Resolved by {by}: {note}" if note else f"Resolved by {by}."
            self.pipeline.ledger.put(connection, incidents.resolved(incident, incident.verdict, words, now), now)
        self._wake()
        return self.answers.incident(incident.id)

    def status(self) -> dict[str, Any]:
        """Where the source stands, how far it is behind, what is remembered and what is to be done."""
        cursor = self._cursor
        return {
            **self.answers.status(),
            "source": self._source.name,
            "feed": cursor.feed if cursor else None,
            "cursor": cursor.seq if cursor else 0,
            "newest": cursor.newest if cursor else 0,
            "lag": max(0, cursor.newest - cursor.seq) if cursor else None,
            "polled_at": iso(cursor.polled_at) if cursor else None,
            "behind": self.behind(),
        }

    async def _timed(self, now: float) -> float | None:
        return self.pipeline.step(now)

    def _waking(self, step: Callable[[float], Awaitable[float | None]]) -> Callable[[float], Awaitable[float | None]]:
        async def stepped(now: float) -> float | None:
            before = self.pipeline.ledger.changes
            due = await step(now)
            if self.pipeline.ledger.changes != before:
                self._wake()
            return due

        return stepped

    def _wake(self) -> None:
        for loop in self._loops:
            loop.wake()

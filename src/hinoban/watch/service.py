"""The watch as one thing: its loops, and what it answers. The daemon composes it; everything it needs comes in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine

from hinoban.aws.client import Client
from hinoban.base.clock import Clock
from hinoban.base.ids import Ids
from hinoban.base.supervise import Group, Loop
from hinoban.watch import detect
from hinoban.watch.acts import Acts
from hinoban.watch.allow import NOTHING
from hinoban.watch.answers import Answers
from hinoban.watch.by_hand import ByHand
from hinoban.watch.config import Lang, WatchConfig
from hinoban.watch.definitions import DefinitionKeeper
from hinoban.watch.logs import LogKeeper
from hinoban.watch.notify.channels import Channel
from hinoban.watch.notify.escalation import Escalator
from hinoban.watch.notify.mute_reports import MuteReports
from hinoban.watch.notify.outbox import Outbox
from hinoban.watch.notify.routes import Dispatch
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.reading import Reading
from hinoban.watch.retry.runner import RetryRunner
from hinoban.watch.retry.stopper import Stopper
from hinoban.watch.schedule_reader import ScheduleReader
from hinoban.watch.schedules.inventory import Inventory
from hinoban.watch.sources.source import Source

log = logging.getLogger(__name__)


class Watch:
    """Reads `sources`, remembers, finds, retries, tells. One instance a database. `say` hears what is worth one line and no message.

    What `allow` lacks is not done: the incident says what would have been, and how to do it by hand.
    """

    def __init__(
        self,
        config: WatchConfig,
        engine: Engine,
        client: Client,
        sources: Sequence[Source],
        clock: Clock,
        ids: Ids,
        channels: Sequence[Channel],
        *,
        complain: Callable[[str], None] = log.error,
        say: Callable[[str], None] = log.info,
        allow: frozenset[str] = NOTHING,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._channels = channels
        names = [channel.name for channel in channels]
        self.pipeline = Pipeline(engine, config, detectors=detect, channels=names, ids=ids)
        self.pipeline.ledger.telling.decide = Dispatch(config.notify, names).decide
        self.readings = [Reading(one, self.pipeline, engine, clock, wake=self._wake, say=say) for one in sources]
        self.mutes = MuteReports(self.pipeline.transaction, self.pipeline.ledger, config)
        self.escalator = Escalator(self.pipeline.transaction, self.pipeline.ledger, config.notify.escalations)
        self.acts = Acts(self.pipeline, clock)
        self.answers = Answers(engine, tz=config.tz, lang=config.lang)
        self.outbox = Outbox(
            engine,
            channels,
            clock=clock,
            ids=ids,
            dead_after=config.notify.dead_after,
            complain=complain,
            log_tail=config.notify.log_tail,
            lang=config.lang,
        )
        self.retries = RetryRunner(self.pipeline, client, clock, behind=self.behind, gap_at=self._gap_at, allow=allow)
        self.stopper = Stopper(self.pipeline, client, clock, behind=self.behind, allow=allow)
        self.logs = LogKeeper(engine, client, config.log_lines)
        self.definitions = DefinitionKeeper(engine, client)
        self.by_hand = ByHand(self.pipeline, client, clock, ids, config.tz, allow=allow)
        # No roles: the engine asks for none, and its IAM is a neighbour that would have to be started for it.
        self.schedules = ScheduleReader(self.pipeline, Inventory(client, clock, roles=False), client.region, clock, behind=self.unproven)
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
            "escalations": self.escalator.step,
            "outbox": self.outbox.step,
            "logs": self.logs.step,
            "definitions": self.definitions.step,
            "schedules": self.schedules.step,
        }
        self._loops = [Loop(name, self._waking(step), self._clock) for name, step in steps.items()]
        group = Group(failed.append)
        reading = [Loop(one.source.name, one.step, self._clock) for one in self.readings]
        running = [group.start(loop.run(), loop.name) for loop in (*reading, *self._loops)]
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if failed:
                raise failed[0]
        finally:
            await group.close()
            for channel in self._channels:
                await channel.close()

    async def read(self, now: float) -> None:
        """One poll of each source, remembered."""
        for one in self.readings:
            await one.step(now)

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
            self.escalator.step,
            self.outbox.step,
        ):
            await step(self._clock.now())

    def behind(self) -> str | None:
        """Why a source is behind, so that nothing may be launched or stopped; None where none is."""
        return self._any(Reading.behind)

    def unproven(self) -> str | None:
        """Why what was not seen may yet have happened; None where it did not."""
        return self._any(Reading.unproven)

    def _any(self, ask: Callable[[Reading], str | None]) -> str | None:
        for one in self.readings:
            if (why := ask(one)) is not None:
                return why if len(self.readings) == 1 else f"{one.source.name}: {why}"
        return None

    def _gap_at(self) -> float | None:
        """When a source last lost the thread."""
        gaps = (one.cursor.gap_at for one in self.readings if one.cursor is not None)
        return max((gap for gap in gaps if gap is not None), default=None)

    def incidents(self, state: str | None = None, limit: int = 100, *, leads: bool = False) -> dict[str, Any]:
        """See Answers.incidents."""
        return self.answers.incidents(state, limit, leads=leads)

    def incident(self, id_prefix: str) -> dict[str, Any]:
        """See Answers.incident."""
        return self.answers.incident(id_prefix)

    def postmortem(self, id_prefix: str, lang: Lang | None = None) -> dict[str, Any]:
        """See Answers.postmortem."""
        return self.answers.postmortem(id_prefix, lang)

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
        """See Acts.ack."""
        return self._done(self.acts.ack(id_prefix, until, by))

    def snooze(self, id_prefix: str, until: float, by: str) -> dict[str, Any]:
        """See Acts.snooze."""
        return self._done(self.acts.snooze(id_prefix, until, by))

    def reopen(self, id_prefix: str, by: str) -> dict[str, Any]:
        """See Acts.reopen."""
        return self._done(self.acts.reopen(id_prefix, by))

    def resolve(self, id_prefix: str, by: str, note: str = "") -> dict[str, Any]:
        """See Acts.resolve."""
        return self._done(self.acts.resolve(id_prefix, by, note))

    def _done(self, incident_id: str) -> dict[str, Any]:
        self._wake()
        return self.answers.incident(incident_id)

    def status(self) -> dict[str, Any]:
        """Where the sources stand, how far they are behind, what is remembered and what is to be done."""
        sources = [one.status() for one in self.readings]
        return {**self.answers.status(), **sources[0], "behind": self.behind(), "sources": sources}

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

"""The watch as one thing: its loops, and what it answers. The daemon composes it; everything it needs comes in."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from hinoban.aws.client import Client
from hinoban.base.clock import Clock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import Ids
from hinoban.base.supervise import Group, Loop
from hinoban.base.units import iso
from hinoban.watch import detect, incidents
from hinoban.watch.allow import NOTHING
from hinoban.watch.answers import Answers, one_incident
from hinoban.watch.by_hand import ByHand
from hinoban.watch.config import WatchConfig
from hinoban.watch.dead_man import DeadMansPing
from hinoban.watch.definitions import DefinitionKeeper
from hinoban.watch.history.retention import Retention
from hinoban.watch.logs import LogKeeper
from hinoban.watch.measure import measures, sight_json, signs
from hinoban.watch.notify.channels import Channel
from hinoban.watch.notify.daily import DailyReports
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
from hinoban.watch.status_words import status_lines
from hinoban.watch.wellness import Steps, Wellness

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
        self._config = config
        self._clock = clock
        self._channels = channels
        self._allow = allow
        names = [channel.name for channel in channels]
        self.pipeline = Pipeline(engine, config, detectors=detect, channels=names, ids=ids)
        self.pipeline.ledger.decide = Dispatch(config.notify, names).decide
        self.readings = [Reading(one, self.pipeline, engine, clock, wake=self._wake, say=say) for one in sources]
        self.mutes = MuteReports(self.pipeline.transaction, self.pipeline.ledger, config)
        self._stepping = Steps(clock)
        self.wellness = Wellness(engine, clock, names, behind=self.behind, steps=self._stepping)
        self.dead_man = DeadMansPing(config.notify.dead_man, clock, self.wellness.unwell)
        self.daily = DailyReports(self.pipeline.transaction, self.pipeline.ledger, config, behind=self.behind)
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
            keep=config.keep.messages,
        )
        self.retention = Retention(self.pipeline.transaction, config.keep)
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
            "daily": self.daily.step,
            "outbox": self.outbox.step,
            "wellness": self.wellness.step,
            "dead man": self.dead_man.step,
            "logs": self.logs.step,
            "definitions": self.definitions.step,
            "retention": self.retention.step,
            "schedules": self.schedules.step,
        }
        self._loops = [Loop(name, self._waking(name, step), self._clock) for name, step in steps.items()]
        group = Group(failed.append)
        reading = [Loop(one.source.name, one.step, self._clock) for one in self.readings]
        running = [group.start(loop.run(), loop.name) for loop in (*reading, *self._loops)]
        try:
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            if failed:
                raise failed[0]
        finally:
            await group.close()
            await self.dead_man.close()
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
            self.retention.step,
            self.mutes.step,
            self.daily.step,
            self.outbox.step,
            self.wellness.step,
            self.dead_man.step,
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
            taken = incidents.acknowledged(incident, by, until, now)
            # Who was told that it began is told that somebody has it; of what is held back nobody knows yet.
            self.pipeline.ledger.put(connection, incidents.Step(taken, "changed" if incident.told else None), now)
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
        """Where the sources stand, how far they are behind, what is remembered and what is to be done."""
        sources = [one.status() for one in self.readings]
        found = {**self.answers.counts(), **sources[0], "behind": self.behind(), "sources": sources, **self._measures()}
        return found | {"lines": status_lines(found, ZoneInfo(self._config.tz), self._clock.now())}

    def measures(self) -> dict[str, Any]:
        """Of the status what is cheap, however much is remembered: for who asks every few seconds."""
        return {"sources": [one.status() for one in self.readings], **self._measures()}

    def _measures(self) -> dict[str, Any]:
        now = self._clock.now()
        problems = [*self.schedules.problems, *self.logs.problems.values()]
        problems += [found for one in self.readings for found in one.source.problems.values()]
        with self._engine.connect() as connection:
            found = measures(connection, [channel.name for channel in self._channels], now)
            known = signs(connection, problems, self.behind(), frozenset(self.pipeline.delays.arrived), now)
        return {
            **found,
            **sight_json(known, self.schedules.not_watched),
            "allow": sorted(self._allow),
            "unwell": self.wellness.unwell(),
            "dead_man": self.dead_man.status(),
        }

    async def _timed(self, now: float) -> float | None:
        return self.pipeline.step(now)

    def _waking(self, name: str, step: Callable[[float], Awaitable[float | None]]) -> Callable[[float], Awaitable[float | None]]:
        async def stepped(now: float) -> float | None:
            before = self.pipeline.ledger.changes
            self._stepping.began(name)
            due = await step(now)
            self._stepping.ended(name)
            if self.pipeline.ledger.changes != before:
                self._wake()
            return due

        return stepped

    def _wake(self) -> None:
        for loop in self._loops:
            loop.wake()

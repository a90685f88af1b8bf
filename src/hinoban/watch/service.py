"""The watch as one thing: its loops, and what it answers. The daemon composes it; everything it needs comes in."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from hinoban.base.clock import Clock
from hinoban.base.ids import Ids
from hinoban.base.supervise import Group, Loop
from hinoban.watch import detect
from hinoban.watch.acts import Acts
from hinoban.watch.allow import NOTHING, by_policy
from hinoban.watch.answers import Answers
from hinoban.watch.by_hand import ByHand
from hinoban.watch.config import Lang, WatchConfig
from hinoban.watch.dead_man import DeadMansPing
from hinoban.watch.definitions import DefinitionKeeper
from hinoban.watch.history.retention import Retention
from hinoban.watch.logs import LogKeeper
from hinoban.watch.measure import measures, sight_json, signs
from hinoban.watch.notify.channels import Channel
from hinoban.watch.notify.daily import DailyReports
from hinoban.watch.notify.escalation import Escalator
from hinoban.watch.notify.mute_reports import MuteReports
from hinoban.watch.notify.outbox import Outbox
from hinoban.watch.notify.routes import Dispatch
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.places import ANYWHERE, Clients, Place
from hinoban.watch.reading import Reading
from hinoban.watch.retry.runner import RetryRunner
from hinoban.watch.retry.service_fixer import ServiceFixer
from hinoban.watch.retry.stopper import Stopper
from hinoban.watch.retry_by_hand import RetryByHand
from hinoban.watch.rights import Allowed
from hinoban.watch.schedule_reader import ScheduleReader, SlotClock
from hinoban.watch.schedules.inventory import Inventory
from hinoban.watch.sight import Sight, awake
from hinoban.watch.sources.source import Source
from hinoban.watch.status_words import status_lines
from hinoban.watch.tags import TagReader
from hinoban.watch.wellness import Steps, Wellness

log = logging.getLogger(__name__)


class Watch:
    """Reads `sources`, remembers, finds, retries, tells. One instance a database. `say` hears what is worth one line and no message.

    `inventories` read the schedules of their account in the regions beside them; a watch without any reads its client's own. What `allow`
    lacks is not done: the incident says what would have been, and how to do it by hand.
    """

    def __init__(
        self,
        config: WatchConfig,
        engine: Engine,
        clients: Clients,
        sources: Sequence[Source],
        clock: Clock,
        ids: Ids,
        channels: Sequence[Channel],
        *,
        complain: Callable[[str], None] = log.error,
        say: Callable[[str], None] = log.info,
        allow: Allowed = NOTHING,
        inventories: Sequence[tuple[Inventory, Sequence[str]]] = (),
    ) -> None:
        self._engine = engine
        self._config = config
        self._clock = clock
        self._channels = channels
        self._allow = allow
        names = [channel.name for channel in channels]
        self.pipeline = Pipeline(engine, config, detectors=detect, channels=names, ids=ids, allow=allow)
        self.pipeline.ledger.telling.decide = Dispatch(config.notify, names).decide
        self.readings = [
            Reading(one, self.pipeline, engine, clock, wake=self._wake, say=say, role="" if one.pushed else clients.role(one.of.account))
            for one in sources
        ]
        self.mutes = MuteReports(self.pipeline.transaction, self.pipeline.ledger, config)
        self.escalator = Escalator(self.pipeline.transaction, self.pipeline.ledger, config.notify.escalations)
        self.acts = Acts(self.pipeline, clock)
        self._stepping = Steps(clock)
        self.wellness = Wellness(engine, clock, names, behind=self.late, steps=self._stepping)
        self.dead_man = DeadMansPing(config.notify.dead_man, clock, self.wellness.unwell)
        self.daily = DailyReports(self.pipeline.transaction, self.pipeline.ledger, config, behind=self.late)
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
        rights = self.pipeline.rights
        self.retries = RetryRunner(
            self.pipeline, clients, clock, behind=self.behind, gap_at=self._gap_at, rights=rights, budget=config.retry_budget
        )
        self.services = ServiceFixer(self.pipeline, clients, clock, config.tz, behind=self.behind, rights=rights)
        self.tags = TagReader(self.pipeline, engine, clients, clock)
        self.stopper = Stopper(self.pipeline, clients, clock, behind=self.behind, read_again=self.tags.read_again, rights=rights)
        self.logs = LogKeeper(engine, clients, config.log_lines)
        self.definitions = DefinitionKeeper(engine, clients)
        self.by_hand = ByHand(self.pipeline, clients, clock, ids, config.tz, rights=rights)
        self.retry_by_hand = RetryByHand(self.pipeline, clients, clock, self.answers, self.by_hand, rights=rights)
        # No roles: the engine asks for none, and its IAM is a neighbour that would have to be started for it.
        own = ((Inventory(clients.default, clock, roles=False), (clients.default.region,)),)
        self.schedules = [
            ScheduleReader(self.pipeline, inventory, regions, clock, more=not inventories, role=clients.role(inventory.account))
            for inventory, regions in inventories or own
        ]
        self.slots = SlotClock(self.pipeline, clock, unproven=self.unproven)
        self._log_sight = Sight("logs", ANYWHERE, self.pipeline, clock)
        self._loops: list[Loop] = []

    async def run(self) -> None:
        """Watch until cancelled. An error that no step handles ends it: who runs it restarts it, and nothing is lost."""
        failed: list[BaseException] = []
        self.outbox.take_over()
        awake(self.pipeline, self._clock.now())
        steps: dict[str, Callable[[float], Awaitable[float | None]]] = {
            "deadlines": self._timed,
            "retries": self.retries.step,
            "tags": self.tags.step,
            "stops": self.stopper.step,
            "services": self.services.step,
            "mutes": self.mutes.step,
            "escalations": self.escalator.step,
            "daily": self.daily.step,
            "outbox": self.outbox.step,
            "wellness": self.wellness.step,
            "dead man": self.dead_man.step,
            "logs": self._read_logs,
            "definitions": self.definitions.step,
            "retention": self.retention.step,
            "slots": self.slots.step,
            **{one.name: one.step for one in self.schedules},
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
            *(one.step for one in self.schedules),
            self.slots.step,
            self.tags.step,
            self._timed,
            self.retries.step,
            self.stopper.step,
            self.services.step,
            self._read_logs,
            self.definitions.step,
            self.retention.step,
            self.mutes.step,
            self.escalator.step,
            self.daily.step,
            self.outbox.step,
            self.wellness.step,
            self.dead_man.step,
        ):
            await step(self._clock.now())

    def behind(self, account: str, region: str) -> str | None:
        """Why a source of that account's region is behind, so that nothing may be launched or stopped there; None where none is."""
        return self._any(Reading.behind, self._of(account, region))

    def unproven(self, account: str, region: str) -> str | None:
        """Why what was not seen there may yet have happened; None where it did not."""
        return self._any(Reading.unproven, self._of(account, region))

    def _not_watched(self) -> dict[str, int]:
        """Scheduled targets that are no ECS tasks, of all accounts."""
        return dict(sum((Counter(one.not_watched) for one in self.schedules), Counter[str]()))

    def late(self) -> str | None:
        """Why any source is behind; None where none is."""
        return self._any(Reading.behind, self.readings)

    def _behind_by_place(self) -> dict[Place, str | None]:
        """Every account's region that is watched, home first; where none is known by name, all is one place."""
        known = [one.source.of for one in self.readings if None not in (one.source.of.account, one.source.of.region)]
        known += [place for one in self.schedules for place in sorted(one.places, key=lambda place: place.region or "")]
        if not known:
            return {ANYWHERE: self.late()}
        return {place: self.behind(place.account or "", place.region or "") for place in known}

    def _of(self, account: str, region: str) -> list[Reading]:
        return [one for one in self.readings if one.source.of.holds(account, region)]

    def _any(self, ask: Callable[[Reading], str | None], readings: Sequence[Reading]) -> str | None:
        for one in readings:
            if (why := ask(one)) is not None:
                return why if len(self.readings) == 1 else f"{one.source.name}: {why}"
        return None

    def _gap_at(self, account: str, region: str) -> float | None:
        """When a source of that account's region last lost the thread."""
        gaps = (one.cursor.gap_at for one in self._of(account, region) if one.cursor is not None)
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

    def orphans(self) -> dict[str, Any]:
        """See Answers.orphans."""
        return self.answers.orphans(self._clock.now())

    def schedules_since(self, since: float, following: int, name: str | None = None, region: str | None = None) -> dict[str, Any]:
        """See answers_schedules.schedules; and how many scheduled targets are no ECS tasks, and what could not be read."""
        found = self.answers.schedules(self._clock.now(), since, following, name, region)
        return found | {"not_watched": self._not_watched(), "problems": [one.words for some in self.schedules for one in some.problems]}

    async def run_schedule(self, name: str, slot: float | None, by: str) -> dict[str, Any]:
        """See ByHand.run."""
        answer = await self.by_hand.run(name, slot, by)
        self._wake()
        return answer

    async def retry(self, name: str, by: str) -> dict[str, Any]:
        """See RetryByHand.retry."""
        answer = await self.retry_by_hand.retry(name, by)
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
        counts = {"tags_denied": self.pipeline.limits.denied(), **self.answers.counts()}
        found = {**counts, **sources[0], "behind": self.late(), "sources": sources, **self._measures()}
        return found | {"lines": status_lines(found, ZoneInfo(self._config.tz), self._clock.now())}

    def measures(self) -> dict[str, Any]:
        """Of the status what is cheap, however much is remembered: for who asks every few seconds."""
        return {"sources": [one.status() for one in self.readings], **self._measures()}

    def _measures(self) -> dict[str, Any]:
        now = self._clock.now()
        problems = [found for one in self.schedules for found in one.problems] + list(self.logs.problems.values())
        problems += [found for one in self.readings for found in one.source.problems.values()]
        with self._engine.connect() as connection:
            found = measures(connection, [channel.name for channel in self._channels], now)
            known = signs(connection, problems, self._behind_by_place(), frozenset(self.pipeline.delays.arrived), now)
        return {
            **found,
            **sight_json(known, self._not_watched()),
            "allow": sorted(self._allow),
            "allow_by_policy": by_policy(self._config),
            "unwell": self.wellness.unwell(),
            "dead_man": self.dead_man.status(),
        }

    async def _read_logs(self, now: float) -> float | None:
        due = await self.logs.step(now)
        self._log_sight.problems({one.right: one for one in self.logs.problems.values()})
        return due

    async def _timed(self, now: float) -> float | None:
        return self.pipeline.step(now, sure=lambda account, region: self.behind(account, region) is None)

    def _waking(self, name: str, step: Callable[[float], Awaitable[float | None]]) -> Callable[[float], Awaitable[float | None]]:
        async def stepped(now: float) -> float | None:
            before = self._changes()
            self._stepping.began(name)
            due = await step(now)
            self._stepping.ended(name)
            if self._changes() != before:
                self._wake()
            return due

        return stepped

    def _changes(self) -> tuple[int, int]:
        """What gives other loops something to do: of incidents and retries, and of schedules."""
        return self.pipeline.ledger.changes, self.pipeline.timetable.book.changes

    def _wake(self) -> None:
        for loop in self._loops:
            loop.wake()

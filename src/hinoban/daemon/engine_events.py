"""EventBridge, Scheduler and CloudTrail, put together: what happens in the engine becomes events, and events reach their targets."""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from hinoban.aws.call import Operations
from hinoban.aws.server import Audit
from hinoban.base.clock import SECONDS, Clock
from hinoban.base.ids import Ids
from hinoban.base.units import iso
from hinoban.engine.events import state as events_state
from hinoban.engine.events.api import Api
from hinoban.engine.events.replayer import Replayer
from hinoban.engine.events.router import Router
from hinoban.engine.events.state import EventsState
from hinoban.engine.events.targets import loop as targets_loop
from hinoban.engine.events.targets.connections import ConnectionState
from hinoban.engine.events.targets.connections_api import ConnectionOperations
from hinoban.engine.events.targets.counters import OwnerCounts
from hinoban.engine.events.targets.parcel import Invoke, Ours
from hinoban.engine.events.targets.queue import Queue
from hinoban.engine.events.targets.service import Targets
from hinoban.engine.journal import Journal
from hinoban.engine.logs.service import Logs
from hinoban.engine.neighbours.ask import Ask
from hinoban.engine.schedules import context
from hinoban.engine.schedules import state as schedules_state
from hinoban.engine.schedules.api import Scheduler
from hinoban.engine.schedules.lines import TARGET_ID
from hinoban.engine.schedules.slots import Slots
from hinoban.engine.schedules.state import SchedulerState
from hinoban.engine.trail import state as trail_state
from hinoban.engine.trail.lookup import Lookup
from hinoban.engine.trail.publish import Publisher
from hinoban.engine.trail.records import Trail
from hinoban.engine.trail.ring import Ring
from hinoban.engine.trail.service import CloudTrail
from hinoban.engine.trail.state import TrailState
from hinoban.store.database import Database

MIGRATION = "\n".join((events_state.MIGRATION, targets_loop.MIGRATION, schedules_state.MIGRATION, trail_state.MIGRATION))


class EventSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the configuration says of events: `trail_delay` in seconds (minutes on AWS)."""

    strict_resource_policies: bool = False
    trail_delay: float = 5 * SECONDS


class Events:
    """The rooms between the journal and the targets. `invoke` is the endpoint's, which is made after this."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        logs: Logs,
        ask: Ask,
        clock: Clock,
        ids: Ids,
        account: str,
        settings: EventSettings,
        *,
        invoke: Invoke,
        ours: Ours,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._state = EventsState(database, clock, account)
        self._queue = Queue(database)
        self._router = Router(self._state, self._queue, ids, clock)
        self._connections = ConnectionState(database)
        self._replayer = Replayer(self._state, self._router, database, clock)
        self._schedules = SchedulerState(database, clock, account)
        self._slots = Slots(self._schedules, self._state, self._router, self._queue, journal, database, clock, ids, account=account)
        self._trails = TrailState(database, journal, account)
        self._ring = Ring(ids)
        self._publisher = Publisher(database, journal, self._trails, self._ring, self._router, logs, clock, delay=settings.trail_delay)
        self._targets = Targets(
            self._queue,
            self._connections,
            database=database,
            journal=journal,
            clock=clock,
            ids=ids,
            account=account,
            invoke=invoke,
            ours=ours,
            ask=ask,
            logs=logs,
            publish=self._router.publish,
            has_bus=lambda region, name: self._state.bus(region, name) is not None,
            fill_context=context.fill_context,
            default_input=context.default_input,
            strict_resource_policies=settings.strict_resource_policies,
            on_failure=on_failure,
        )
        lookup = Lookup(database, journal, self._ring, delay=settings.trail_delay)
        self.services: dict[str, Operations] = {
            "events": Api(self._state, self._router, ids, self._replayer.loop.wake).operations()
            | ConnectionOperations(self._connections, ids).operations(),
            "scheduler": Scheduler(self._schedules).operations(),
            "cloudtrail": CloudTrail(self._trails, lookup).operations(),
        }
        self.audit: Audit = Trail(journal, ids, self._ring, self._publisher.told).audit
        self._state.listen(self._queue.hear)
        journal.listen(self._router.hear)

    def loops(self) -> list[tuple[Coroutine[Any, Any, None], str]]:
        """The background work, each with its name."""
        loops = (self._slots.loop, self._targets.deliverer.loop, self._replayer.loop, self._publisher.loop)
        return [(loop.run(), loop.name) for loop in loops]

    def listed(self) -> dict[str, Any]:
        """What `hinoban rules` shows: every rule and schedule, what it matched, and what became of what its targets were sent."""
        counts = self._queue.counts()
        rules = [
            {
                "region": rule.region,
                "bus": rule.bus,
                "name": rule.name,
                "arn": rule.arn,
                "state": rule.state,
                "pattern": rule.pattern,
                "schedule": rule.schedule,
                "matched": counts[rule.arn].matched if rule.arn in counts else 0,
                "targets": [
                    {"id": target_id, "arn": target["Arn"], **_outcomes(counts.get(rule.arn), target_id)}
                    for target_id, target in rule.targets.items()
                ],
            }
            for rule in self._state.rules.values()
        ]
        schedules = [
            {
                "region": one.region,
                "group": one.group,
                "name": one.name,
                "arn": one.arn,
                "state": one.state,
                "expression": one.expression,
                "target": one.target["Arn"],
                "matched": counts[one.arn].matched if one.arn in counts else 0,
                **_outcomes(counts.get(one.arn), TARGET_ID),
            }
            for one in self._schedules.schedules.values()
        ]
        return {"rules": rules, "schedules": schedules}

    def rest(self) -> None:
        """Write down that the engine lived until now."""
        self._slots.rest()

    def regions(self) -> set[str]:
        """The regions that have a rule or a schedule."""
        return {region for region, _, _ in self._state.rules} | {one.region for one in self._schedules.schedules.values()}

    def clear(self) -> None:
        """Forget every bus, rule, schedule, trail and delivery."""
        self._state.clear()
        self._schedules.clear()
        self._slots.clear()
        self._targets.clear()
        self._trails.clear()
        self._ring.clear()

    async def close(self) -> None:
        """Let go of what is under way."""
        await self._targets.close()


def _outcomes(counts: OwnerCounts | None, target_id: str) -> dict[str, Any]:
    """What became of what a target was sent."""
    found = counts.targets.get(target_id) if counts is not None else None
    failure = found.last_failure if found is not None else None
    return {
        "delivered": found.delivered if found is not None else 0,
        "failed": found.failed if found is not None else 0,
        "failing": found is not None and found.failing,
        "last_failure": msgspec.structs.asdict(failure) | {"at": iso(failure.at)} if failure is not None else None,
    }

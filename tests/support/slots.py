"""The room of schedules with its neighbours on a fake clock: asked as the API's server asks, dropped without close and opened again."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds
from hinoban.engine import journal as journal_room
from hinoban.engine.events import state as events_state
from hinoban.engine.events.model import Rule, rule_arn
from hinoban.engine.events.router import Router
from hinoban.engine.events.state import EventsState
from hinoban.engine.events.targets import counters, queue
from hinoban.engine.events.targets.queue import Delivery, Queue
from hinoban.engine.journal import Journal
from hinoban.engine.schedules import state as schedules_state
from hinoban.engine.schedules.api import Scheduler
from hinoban.engine.schedules.slots import Slots
from hinoban.engine.schedules.state import SchedulerState
from hinoban.store.database import Database
from tests.support.asking import ACCOUNT, ask

REGION = "ap-northeast-1"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/batch"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
TARGET = {
    "Arn": CLUSTER,
    "RoleArn": ROLE,
    "EcsParameters": {"TaskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/job"},
}
MIGRATION = "\n".join(
    (
        journal_room.MIGRATION,
        journal_room.TRAIL_MIGRATION,
        events_state.MIGRATION,
        queue.MIGRATION,
        counters.MIGRATION,
        schedules_state.MIGRATION,
    )
)


class House:
    """Owns the clock and the file; everything else is made anew by `open`."""

    def __init__(self, directory: Path, *, start: float | None = None) -> None:
        self.directory = directory
        self.clock = FakeClock() if start is None else FakeClock(start)
        self.ids = SeededIds(1)
        self.open()

    def open(self) -> None:
        self.database = Database(self.directory / "engine.db", [MIGRATION])
        self.journal = Journal(self.database, self.clock, self.ids)
        self.events = EventsState(self.database, self.clock, ACCOUNT)
        self.queue = Queue(self.database)
        self.router = Router(self.events, self.queue, self.ids, self.clock)
        self.journal.listen(self.router.hear)
        self.state = SchedulerState(self.database, self.clock, ACCOUNT)
        self.slots = Slots(
            self.state,
            self.events,
            self.router,
            self.queue,
            self.journal,
            self.database,
            self.clock,
            self.ids,
            account=ACCOUNT,
        )
        self.events.listen(self.queue.hear)
        self.operations = Scheduler(self.state).operations()

    def drop(self) -> None:
        """kill -9: what is not committed is lost."""
        self.database._turn = asyncio.get_running_loop().create_future()
        self.database._connection.close()

    def reopen(self) -> None:
        self.drop()
        self.open()

    def set_clock(self, moment: float) -> None:
        """Time passes, or is set, while nobody looks."""
        self.clock._now = moment

    async def step(self) -> float | None:
        """The loop's steps at this moment, and their commit; answers when it wants to come again."""
        while True:
            due = await self.slots.step(self.clock.now())
            await self.database.committed()
            if due is None or due > self.clock.now():
                return due

    async def until(self, moment: float) -> None:
        """Let the loop come at each moment it asks for, up to `moment`."""
        while (due := await self.step()) is not None and due <= moment:
            self.set_clock(due)
        self.set_clock(moment)

    # Asking --------------------------------------------------------------------------------------------------------------------------

    def ask(self, operation: str, *, region: str = REGION, **params: Any) -> dict[str, Any]:
        """One API call: checked, handled, and its answer held against the model."""
        return ask(self.operations, "scheduler", operation, region, self.clock.now(), params)

    def create(self, name: str = "nightly", expression: str = "rate(1 hour)", **params: Any) -> str:
        """CreateSchedule with an ECS target; answers the ARN."""
        arn: str = self.ask("CreateSchedule", **given(name, expression, **params))["ScheduleArn"]
        return arn

    def update(self, name: str = "nightly", expression: str = "rate(1 hour)", **params: Any) -> None:
        self.ask("UpdateSchedule", **given(name, expression, **params))

    def put_rule(self, name: str = "nightly", schedule: str | None = "cron(0 0 * * ? *)", **members: Any) -> Rule:
        """A rule with one ECS target, as PutRule and PutTargets leave it."""
        found = self.events.rules.get((REGION, members.get("bus", "default"), name))
        rule = Rule(
            **{
                "region": REGION,
                "bus": "default",
                "name": name,
                "arn": rule_arn(REGION, ACCOUNT, members.get("bus", "default"), name),
                "schedule": schedule,
                "created_at": self.clock.now() if found is None else found.created_at,
                "created_by": ACCOUNT,
                "targets": {"job": {"Id": "job", **TARGET}},
            }
            | members
        )
        self.events.put_rule(rule)
        return rule

    # Looking -------------------------------------------------------------------------------------------------------------------------

    async def told(self, behind: int | None = None) -> list[dict[str, Any]]:
        """The details of the committed "Hinoban Slot" lines; of those `behind` a journal number with their own as `seq`."""
        await self.database.committed()
        rows = self.database.query("SELECT seq, event FROM journal WHERE seq > ? ORDER BY seq", (behind or 0,))
        events = [(seq, msgspec.json.decode(event)) for seq, event in rows]
        lines = [(seq, event["detail"]) for seq, event in events if event["detail-type"] == "Hinoban Slot"]
        return [detail if behind is None else {**detail, "seq": seq} for seq, detail in lines]

    async def fired(self) -> list[str]:
        """The slots that fired."""
        return [detail["slot"] for detail in await self.told() if detail["decision"] == "fired"]

    def queued(self, arn: str | None = None) -> list[Delivery]:
        """The deliveries that wait (for one owner), as they were added."""
        return [each for each in self.queue._kept.values() if arn in (None, each.owner_arn)]


def given(name: str, expression: str, **params: Any) -> dict[str, Any]:
    """CreateSchedule's and UpdateSchedule's parameters."""
    return {"Name": name, "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": TARGET} | params

"""Whatever crashes, each delivery is made at least once or fails once, and no task is launched twice."""

import asyncio
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hinoban.aws.errors import AwsError
from hinoban.base.clock import settle
from tests.support.targets import CLUSTER, QUEUE, World, open_policy

SLOW = "http://127.0.0.1:4566/123456789012/orders"


class Deliveries(RuleBasedStateMachine):
    """Adds deliveries, lets time pass, breaks and repairs targets, and drops the room without closing it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory()
        self.kept: dict[str, Any] = {}

    def run(self, work: Any) -> None:
        self.loop.run_until_complete(work)

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        async def begin() -> None:
            self.world = World(Path(self.directory.name), seed=seed).open()
            self.world.ask.queues["orders"] = open_policy("*", "sqs:SendMessage")

        self.run(begin())

    @rule(arn=st.sampled_from([CLUSTER, QUEUE]), retries=st.integers(0, 3), later=st.sampled_from([0, 30]))
    def add(self, arn: str, retries: int, later: int) -> None:
        async def add() -> None:
            policy = {"RetryPolicy": {"MaximumRetryAttempts": retries}, "SqsParameters": {"MessageGroupId": f"g{len(self.kept)}"}}
            delivery = self.world.delivery(arn, target=policy, due_at=self.world.clock.now() + later)
            self.world.queue.add(delivery)
            # The caller's own transaction ends before anybody relies on the delivery.
            self.world.database.commit()
            self.kept[delivery.token] = delivery

        self.run(add())

    @rule(seconds=st.sampled_from([0, 1, 20, 600]))
    def wait(self, seconds: int) -> None:
        self.run(self.world.clock.advance(seconds))

    @rule(turns=st.integers(1, 12))
    def a_few_turns(self, turns: int) -> None:
        self.run(settle(turns))

    @rule(broken=st.booleans(), permanent=st.booleans())
    def break_or_repair(self, broken: bool, permanent: bool) -> None:
        error = AwsError("InvalidParameterException", "no") if permanent else AwsError("ServerException", "boom", 500)
        self.world.launcher.errors = {CLUSTER: error} if broken else {}
        self.world.ask.errors = {"SendMessage": error} if broken else {}

    @precondition(lambda self: SLOW not in self.world.ask.gates)
    @rule()
    def slow_down(self) -> None:
        self.world.ask.gates[SLOW] = asyncio.Event()

    @precondition(lambda self: SLOW in self.world.ask.gates)
    @rule()
    def hurry(self) -> None:
        self.world.ask.gates.pop(SLOW).set()

    @rule()
    def crash(self) -> None:
        self.world.cut()

        async def crash() -> None:
            await self.world._stop()
            self.world.open()

        self.run(crash())

    @rule(arn=st.sampled_from([CLUSTER, QUEUE]), turns=st.integers(0, 5))
    def crash_on_the_way_and_come_back_to_a_broken_target(self, arn: str, turns: int) -> None:
        self.break_or_repair(False, False)
        self.run(settle())
        self.add(arn, 0, 0)
        self.run(settle(turns))
        self.break_or_repair(True, True)
        self.crash()
        self.run(settle())

    @invariant()
    def nothing_fails_twice_or_after_it_was_launched(self) -> None:
        if not hasattr(self, "world"):
            return
        rows = self.world.database.query("SELECT event FROM journal")
        lines = [msgspec.json.decode(event) for (event,) in rows]
        failed = Counter(line["detail"]["token"] for line in lines if line["detail-type"] == "Hinoban Delivery Failed")
        assert all(count == 1 for count in failed.values())
        launched = {token for (token,) in self.world.database.query("SELECT token FROM launches")}
        assert failed.keys() | launched <= self.kept.keys()
        # The launch and the end of its delivery are one transaction of the engine, so both cannot be.
        assert not failed.keys() & launched

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self.run(self.end())
        finally:
            self.loop.close()
            self.directory.cleanup()

    async def end(self) -> None:
        """Everything repaired: after a day nothing is left, and each delivery arrived or was told as failed."""
        world = self.world
        world.launcher.errors, world.ask.errors = {}, {}
        for gate in world.ask.gates.values():
            gate.set()
        world.ask.gates.clear()
        await world.clock.advance(86400)
        await settle(500)
        assert len(world.queue) == 0
        failed = {told["token"] for told in world.told()}
        groups = {sent["MessageGroupId"] for sent in world.ask.sent.get("orders", [])}
        for number, (token, delivery) in enumerate(self.kept.items()):
            arrived = token in world.launcher.launched if delivery.target["Arn"] == CLUSTER else f"g{number}" in groups
            assert arrived or token in failed, msgspec.to_builtins(delivery)
        # What is asked twice has one token, so that it answers the first one's tasks.
        asked = [call[2]["clientToken"] for call in world.launcher.calls]
        assert set(asked) <= {token for token, each in self.kept.items() if each.target["Arn"] == CLUSTER}
        await world.close()


Deliveries.TestCase.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
TestDeliveries = pytest.mark.slow(Deliveries.TestCase)

"""Any order of trails made, started, stopped, deleted and of crashes: each call while a trail logs is published, and no other.

Without a crash exactly once; with crashes at least once.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hinoban.aws.errors import AwsError
from tests.unit.engine.trail.conftest import REGION, Desk

# Few, so that most steps are about a trail that is there.
NAMES = st.sampled_from(["one", "one", "two"])
REGIONS = st.sampled_from([REGION, "us-east-1"])


class Trails(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="hinoban-trails-"))
        self.loop = asyncio.new_event_loop()
        self.desk = Desk(self.directory)
        self.run(self._open())
        self.trails: dict[tuple[str, str], dict[str, bool]] = {}
        self.calls = 0
        self.expected: set[str] = set()
        self.crashed = False

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    async def _open(self) -> None:
        self.desk.open()

    def teardown(self) -> None:
        self.run(self.desk.clock.advance(60))
        assert set(self.published()) == self.expected
        self.run(self.desk.close())
        self.loop.close()
        shutil.rmtree(self.directory)

    def published(self) -> Counter[str]:
        details = [event["detail"] for _, event, _ in self.desk.bus.events]
        return Counter(detail["requestParameters"]["startedBy"] for detail in details if detail["eventName"] == "RunTask")

    def ask(self, operation: str, region: str, name: str, **params: Any) -> bool:
        try:
            self.run(self.desk.call(operation, region=region, Name=name, **params))
        except AwsError as error:
            assert error.code in ("TrailNotFoundException", "TrailAlreadyExistsException")
            return False
        return True

    @initialize(everywhere=st.booleans())
    def begin(self, everywhere: bool) -> None:
        self.create(REGION, "one", everywhere)
        self.log(REGION, "one", True)

    @rule(region=REGIONS, name=NAMES, everywhere=st.booleans())
    def create(self, region: str, name: str, everywhere: bool) -> None:
        made = self.ask("CreateTrail", region, name, S3BucketName="b", IsMultiRegionTrail=everywhere)
        assert made == ((region, name) not in self.trails)
        if made:
            self.trails[(region, name)] = {"logging": False, "everywhere": everywhere}

    @rule(region=REGIONS, name=NAMES, logging=st.booleans())
    def log(self, region: str, name: str, logging: bool) -> None:
        done = self.ask("StartLogging" if logging else "StopLogging", region, name)
        assert done == ((region, name) in self.trails)
        if done:
            self.trails[(region, name)]["logging"] = logging

    @rule(region=REGIONS, name=NAMES, everywhere=st.booleans())
    def update(self, region: str, name: str, everywhere: bool) -> None:
        if self.ask("UpdateTrail", region, name, IsMultiRegionTrail=everywhere):
            self.trails[(region, name)]["everywhere"] = everywhere

    @rule(region=REGIONS, name=NAMES)
    def delete(self, region: str, name: str) -> None:
        assert self.ask("DeleteTrail", region, name) == (self.trails.pop((region, name), None) is not None)

    @rule(region=REGIONS)
    def launch(self, region: str) -> None:
        self.calls += 1
        self.run(self.desk.did("RunTask", region=region, params={"startedBy": str(self.calls)}))
        if any(trail["logging"] and (trail["everywhere"] or where == region) for (where, _), trail in self.trails.items()):
            self.expected.add(str(self.calls))

    @rule(seconds=st.sampled_from([1.0, 4.0, 30.0]))
    def wait(self, seconds: float) -> None:
        self.run(self.desk.clock.advance(seconds))

    @precondition(lambda self: self.calls)
    @rule()
    def crash(self) -> None:
        self.crashed = True
        self.run(self.desk.kill())
        self.run(self._open())

    @invariant()
    def nothing_is_published_that_no_trail_took_in(self) -> None:
        found = self.published()
        assert set(found) <= self.expected
        assert self.crashed or all(count == 1 for count in found.values())

    @invariant()
    def the_api_tells_what_was_done(self) -> None:
        told = {key: {"logging": trail.logging, "everywhere": trail.multi_region} for key, trail in self.desk.state.trails.items()}
        assert told == self.trails


TestTrails = Trails.TestCase
TestTrails.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)

"""Whatever is launched, stopped, waited for, put in as a fault or killed, in whatever order: what an engine promises holds."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar, get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hinoban.base.clock import settle
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.engine.ecs.decide.task_states import State
from tests.support.engine import Bench, Refused, container

T = TypeVar("T")

ORDER = get_args(State)
ROOM = Room(12 * 256, 64 * 1024)
FAMILIES: dict[str, list[dict[str, Any]]] = {
    "quick": [container("app", "run_for=0s exit=3")],
    "slow": [container("app", "run_for=90s output=hello")],
    "late": [container("app", "start_after=20s run_for=10s")],
    "stubborn": [container("app", "run_for=forever ignore_term", stopTimeout=10)],
    "sidecar": [container("app", "run_for=30s"), container("side", "run_for=forever", essential=False)],
    "init": [
        container("init", "run_for=5s", essential=False),
        container("app", "run_for=5s", dependsOn=[{"containerName": "init", "condition": "SUCCESS"}]),
    ],
    "doomed": [
        container("init", "run_for=5s exit=1", essential=False),
        container("app", dependsOn=[{"containerName": "init", "condition": "SUCCESS"}]),
    ],
    "unpullable": [container("app", "start_after=2s start_error='CannotPullContainerError: no'")],
    "oom": [container("app", "run_for=3s oom")],
}
families = st.sampled_from(sorted(FAMILIES))
tokens = st.none() | st.sampled_from(["token-1", "token-2", "token-3"])


class EngineMachine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 99))
    def begin(self, seed: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.directory = Path(tempfile.mkdtemp(prefix="hinoban-machine-"))
        self.bench = Bench(self.directory, room=ROOM, seed=seed)
        self.cursor = 0
        self.last: dict[str, dict[str, Any]] = {}
        self.answered: dict[str, tuple[dict[str, Any], set[str], float]] = {}
        self.do(self._begin())

    async def _begin(self) -> None:
        await self.bench.open()
        for family, containers in FAMILIES.items():
            await self.bench.define(family, containerDefinitions=containers)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        async def whole() -> T:
            result = await work
            await settle(100)
            return result

        return self.loop.run_until_complete(whole())

    @rule(family=families, count=st.integers(1, 10), token=tokens)
    def launch(self, family: str, count: int, token: str | None) -> None:
        request = {"family": family, "count": count} | ({} if token is None else {"clientToken": token})
        known = self._protected(token)
        try:
            answer = self.do(self.bench.run(**request))
        except Refused as refusal:
            assert refusal.code == "ConflictException"
            assert known is not None
            assert known[0] != request
            assert set(refusal.body["resourceIds"]) <= known[1]
            return
        arns = {task["taskArn"] for task in answer["tasks"]}
        if known is not None:
            assert known[0] == request, "the same token launched something else"
            assert arns <= known[1], "the same token launched twice"
            return
        assert len(arns) + len(answer["failures"]) == count
        if token is not None:
            self.answered[token] = (request, arns, self.bench.clock.now())

    def _protected(self, token: str | None) -> tuple[dict[str, Any], set[str]] | None:
        """What a token answered before, while it must be answered so again."""
        if token not in self.answered:
            return None
        request, arns, at = self.answered[token]
        known = {task.arn for task in self.bench.engine.state.tasks.values()}
        age = self.bench.clock.now() - at
        protects = age < 24 * 3600 and arns & known if arns else age < 3600
        return (request, arns) if protects else None

    @rule(data=st.data())
    def stop(self, data: st.DataObject) -> None:
        if self.last:
            arn = data.draw(st.sampled_from(sorted(self.last)))
            with contextlib.suppress(Refused):
                self.do(self.bench.call("StopTask", task=arn))

    @rule(seconds=st.sampled_from([0.0, 0.5, 3.0, 15.0, 60.0, 300.0, 4000.0]))
    def wait(self, seconds: float) -> None:
        self.do(self.bench.clock.advance(seconds))

    @rule(what=st.sampled_from(["capacity", "start_error"]), family=families, times=st.integers(1, 3))
    def put_in_a_fault(self, what: str, family: str, times: int) -> None:
        self.do(self._put_in(what, family, times))

    async def _put_in(self, what: str, family: str, times: int) -> None:
        self.bench.engine.faults.add([{"what": what, "match": {"family": [family]}, "times": times}])

    @rule()
    def kill_and_open(self) -> None:
        self.do(self.bench.reopen())

    @rule(family=families, count=st.integers(1, 10), turns=st.integers(0, 40), wait=st.sampled_from([None, 0.0, 5.0]))
    def kill_amid_a_launch(self, family: str, count: int, turns: int, wait: float | None) -> None:
        self.do(self._kill_amid(family, count, turns, wait))

    async def _kill_amid(self, family: str, count: int, turns: int, wait: float | None) -> None:
        launch = asyncio.get_running_loop().create_task(self.bench.run(family, count=count))
        for _ in range(turns):
            await asyncio.sleep(0)
        answered = launch.result()["tasks"] if launch.done() else []
        await self.bench.kill()
        launch.cancel()
        await asyncio.gather(launch, return_exceptions=True)
        if wait is not None:
            await self.bench.clock.advance(wait)
        await self.bench.open()
        known = {task.arn for task in self.bench.engine.state.tasks.values()}
        assert {task["taskArn"] for task in answered} <= known, "a launch that was answered is lost"

    @invariant()
    def what_is_promised_holds(self) -> None:
        self._no_container_runs_twice_and_nothing_failed()
        self._the_feed_has_no_gap_and_each_task_goes_forward_one_version_at_a_time()
        self._describe_says_what_the_last_event_said()
        self._the_room_used_is_that_of_the_living()

    def _the_feed_has_no_gap_and_each_task_goes_forward_one_version_at_a_time(self) -> None:
        for line in self.bench.feed(self.cursor):
            assert line["seq"] == self.cursor + 1
            self.cursor = line["seq"]
            if line["event"]["detail-type"] != "ECS Task State Change":
                continue
            detail = line["event"]["detail"]
            before = self.last.get(detail["taskArn"])
            assert detail["version"] == (before["version"] + 1 if before else 1)
            if before is not None:
                assert ORDER.index(detail["lastStatus"]) >= ORDER.index(before["lastStatus"])
                assert (before["desiredStatus"], detail["desiredStatus"]) != ("STOPPED", "RUNNING")
                assert before["lastStatus"] != "STOPPED"
            self.last[detail["taskArn"]] = detail

    def _describe_says_what_the_last_event_said(self) -> None:
        members = ("version", "lastStatus", "desiredStatus")
        known = self.bench.engine.state.tasks
        assert {task.arn for task in known.values()} <= self.last.keys()
        for start in range(0, len(known), 100):
            asked = list(known)[start : start + 100]
            for task in self.do(self.bench.call("DescribeTasks", tasks=asked))["tasks"]:
                told = self.last[task["taskArn"]]
                assert [task[name] for name in members] == [told[name] for name in members]
                assert (task.get("stopCode"), task.get("stoppedReason")) == (told.get("stopCode"), told.get("stoppedReason"))
                for shown, said in zip(task["containers"], told["containers"], strict=True):
                    assert [shown.get(name) for name in ("lastStatus", "exitCode", "reason")] == [
                        said.get(name) for name in ("lastStatus", "exitCode", "reason")
                    ]

    def _the_room_used_is_that_of_the_living(self) -> None:
        state = self.bench.engine.state
        live = state.live_tasks()
        assert state.used == Room(sum(task.cpu_units for task in live), sum(task.memory_mib for task in live))
        assert state.used.cpu_units <= ROOM.cpu_units
        running, pending = state.counts("ap-northeast-1", "default")
        assert running == sum(task.last_status == "RUNNING" for task in live)
        assert running + pending == len(live)

    def _no_container_runs_twice_and_nothing_failed(self) -> None:
        assert all(count == 1 for count in self.bench.runs.values())
        assert self.bench.failures == []

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            self.do(self._end())
            self._the_feed_has_no_gap_and_each_task_goes_forward_one_version_at_a_time()
            assert all(detail["lastStatus"] == "STOPPED" for detail in self.last.values())
        finally:
            self.loop.close()
            shutil.rmtree(self.directory, ignore_errors=True)

    async def _end(self) -> None:
        for task in self.bench.engine.state.live_tasks():
            if task.family == "stubborn":
                await self.bench.call("StopTask", task=task.arn)
        for _ in range(4):
            await self.bench.clock.advance(120.0)
            await settle(200)
        assert self.bench.engine.state.live_tasks() == []
        assert self.bench.engine.state.used == Room(0, 0)
        assert list(self.bench.world) == [], "an ended container was not removed"
        await self.bench.close()


EngineMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
EngineMachine.TestCase.pytestmark = [pytest.mark.slow]
test_the_engine_keeps_its_promises = EngineMachine.TestCase

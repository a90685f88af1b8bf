"""The scripted runtime: by its clock alone, and true to the driver contract in any order of verbs."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hinoban.base.clock import FakeClock
from hinoban.engine.runtime.driver import ContainerKey, Exited, Observation, Output, Started, StartFailed
from hinoban.engine.runtime.fake import FakeDriver, FakeScript, FakeWorld, parse_script
from tests.contract.runtime.scenarios import Watcher, spec


async def test_a_scripted_life_happens_at_its_own_moments() -> None:
    clock = FakeClock()
    driver = FakeDriver(
        clock, {"job/app": FakeScript(start_after=5, run_for=3, exit_code=9, output=("one", "two", "never"), output_every=2)}
    )
    await driver.open({})
    watcher, container, began = Watcher(driver), spec(), clock.now()
    await driver.start(container)
    await clock.advance(60)
    assert [type(each) for each in watcher.seen] == [Started, Output, Output, Exited]
    started, end = watcher.seen[0], watcher.seen[-1]
    assert isinstance(started, Started)
    assert isinstance(end, Exited)
    assert (started.at - began, end.at - began, end.exit_code) == (5, 8, 9)
    assert watcher.lines(container.key) == ["one", "two"]
    await driver.close(keep=False)
    await watcher.task


def test_a_script_in_words_says_what_is_allowed() -> None:
    assert parse_script("run_for=2s exit=3 oom output='a b' every=1s") == FakeScript(
        run_for=2, exit_code=3, oom=True, output=("a b",), output_every=1
    )
    with pytest.raises(ValueError, match="allowed: run_for exit"):
        parse_script("sleep=3")


async def test_a_script_that_nobody_can_read_is_a_failed_start() -> None:
    driver = FakeDriver(FakeClock())
    await driver.open({})
    watcher, container = Watcher(driver), spec(environment={"HINOBAN_FAKE": "nonsense"})
    await driver.start(container)
    assert (await watcher.failed(container.key)).reason.startswith("CannotCreateContainerError: HINOBAN_FAKE: ")
    await driver.close(keep=False)


SCRIPTS = ["", "exit=3", "run_for=5s", "run_for=forever", "run_for=forever ignore_term", "run_for=3s oom", "start_after=4s run_for=2s"]
SCRIPTS += ["start_error='CannotPullContainerError: x'", "run_for=9s output=a output=b every=4s"]
KEYS = st.integers(0, 7)


class AnyOrder(RuleBasedStateMachine):
    """Whatever the order of start, stop, crash, reopen, remove and time: each key runs once at most and has one end."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.runs: Counter[ContainerKey] = Counter()
        self.clock = FakeClock()
        self.world = FakeWorld(lambda key: self.runs.update((key,)))
        self.ends: dict[ContainerKey, set[Observation]] = {}
        self.removed: set[ContainerKey] = set()
        self.open()

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        async def then_settle() -> None:
            await work
            await self.clock.advance(0)

        self.runner.run(then_settle())

    def open(self) -> None:
        async def opened() -> None:
            self.driver = FakeDriver(self.clock, world=self.world)
            await self.driver.open({})
            self.watcher = Watcher(self.driver)

        self.do(opened())

    def key(self, number: int) -> ContainerKey:
        return ContainerKey(f"{number:032x}", "app")

    @rule(number=KEYS, script=st.sampled_from(SCRIPTS))
    def start(self, number: int, script: str) -> None:
        if self.key(number) not in self.removed:
            self.do(self.driver.start(spec(task_id=f"{number:032x}", environment={"HINOBAN_FAKE": script})))

    @rule(number=KEYS, timeout=st.sampled_from([0.0, 2.0, 30.0]))
    def stop(self, number: int, timeout: float) -> None:
        self.do(self.driver.stop(self.key(number), timeout))

    @rule(number=KEYS)
    def remove(self, number: int) -> None:
        if self.key(number) in self.ends:
            self.removed.add(self.key(number))
            self.do(self.driver.remove(self.key(number)))

    @rule(seconds=st.sampled_from([0.5, 2.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.do(self.clock.advance(seconds))

    @rule(crash=st.booleans(), seconds=st.sampled_from([0.0, 5.0]))
    def reopen(self, crash: bool, seconds: float) -> None:
        self.watcher.task.cancel()
        if not crash:
            self.do(self.driver.close(keep=True))
        self.do(self.clock.advance(seconds))
        self.open()

    @invariant()
    def no_key_runs_twice_or_ends_twice(self) -> None:
        for each in self.watcher.seen:
            if isinstance(each, Exited | StartFailed):
                self.ends.setdefault(each.key, set()).add(each)
        assert all(count == 1 for count in self.runs.values())
        assert all(len(ends) == 1 for ends in self.ends.values())

    def teardown(self) -> None:
        # Time and a stop end everything that was started and not removed.
        for key in self.world:
            self.do(self.driver.stop(key, 1.0))
        self.do(self.clock.advance(100))
        self.no_key_runs_twice_or_ends_twice()
        assert set(self.runs) <= set(self.ends)
        self.do(self.driver.close(keep=False))
        self.runner.close()


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.pytestmark = [pytest.mark.slow]
TestAnyOrder.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)

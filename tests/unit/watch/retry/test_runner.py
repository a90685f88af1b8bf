"""Retries cannot duplicate: whatever answers are lost, whatever is refused, wherever the watch dies."""

import asyncio
import contextlib
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.watch.fake_aws import Crash
from tests.unit.watch.worlds import World

FATES = st.sampled_from(["before", "after", "crash before", "crash after", ""])
ACTIONS = st.one_of(
    st.tuples(st.just("pass"), st.sampled_from([1, 20, 120, 900, 3700, 90_000])),
    st.tuples(st.just("die"), st.just(0)),
    st.tuples(st.just("finish"), st.just(0)),
    st.tuples(st.just("down"), st.sampled_from([30, 4000])),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(FATES, max_size=6), st.integers(0, 4), st.lists(ACTIONS, min_size=1, max_size=12), st.integers(1, 3))
def test_each_refused_run_is_launched_at_most_once(fates: list[str], refusals: int, actions: list[tuple[str, int]], count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_story(Path(folder), fates, refusals, actions, count))


async def _story(folder: Path, fates: list[str], refusals: int, actions: list[tuple[str, int]], count: int) -> None:
    world = World(folder)
    world.aws.lose, world.aws.refuse = list(fates), refusals
    world.aws.refused_launch(1, count=count)
    await _turns(world, 2)
    for what, amount in actions:
        if what == "pass":
            await _turns(world, amount, max(1, amount // 20))
        elif what == "die":
            world.crash()
        elif what == "finish":
            for arn, task in world.aws.tasks.items():
                if task.get("stopped") is None:
                    world.aws.finish(arn)
        else:
            world.aws.down = True
            await _turns(world, amount, max(1, amount // 10))
            world.aws.down = False
    assert len(world.aws.launched) <= count
    # A new token only after a refusal that was read: the tokens used are in the order of the attempts.
    numbers = [int(call["clientToken"].rpartition("-")[2]) for call in world.aws.run_task_calls]
    assert numbers == sorted(numbers)


async def _turns(world: World, seconds: int, step: int = 1) -> None:
    passed = 0
    while passed <= seconds:
        with contextlib.suppress(Crash):
            await world.watch.turn()
            await world.clock.advance(step)
            passed += step
            continue
        world.crash()

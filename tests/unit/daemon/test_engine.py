"""The engine as a whole: how it ends its tasks, empties itself, and goes on after a kill."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import pytest

from hinoban.base.clock import settle
from tests.support.engine import Bench, container


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = await Bench(tmp_path).open()
    yield made
    await made.close()


async def run_beside_time(bench: Bench, work: Coroutine[Any, Any, Any], seconds: float) -> Any:
    """Let `work` go on while the clock does."""
    task = asyncio.ensure_future(work)
    for _ in range(round(seconds / 0.1)):
        if task.done():
            break
        await bench.clock.advance(0.1)
    return await task


async def test_ending_stops_every_task_and_says_why(bench: Bench) -> None:
    await bench.define(script="run_for=forever")
    arns = [task["taskArn"] for task in (await bench.run(count=3))["tasks"]]
    await bench.clock.advance(1)
    assert await run_beside_time(bench, bench.engine.end_tasks(10.0), 20) == 0
    for arn in arns:
        task = await bench.task(arn)
        assert (task["lastStatus"], task["stopCode"], task["stoppedReason"]) == ("STOPPED", "UserInitiated", "Hinoban is shutting down")


async def test_ending_waits_no_longer_than_it_may(bench: Bench) -> None:
    await bench.define(containerDefinitions=[container("app", "run_for=forever ignore_term")])
    await bench.run_one()
    await bench.clock.advance(1)
    before = bench.clock.now()
    assert await run_beside_time(bench, bench.engine.end_tasks(2.0), 20) == 1
    assert bench.clock.now() - before == pytest.approx(2.0, abs=0.2)
    await bench.clock.advance(60)


async def test_a_reset_leaves_nothing_but_the_default_cluster_and_the_journal(bench: Bench) -> None:
    await bench.define(script="run_for=forever")
    await bench.call("CreateCluster", clusterName="other")
    arn = await bench.run_one(clientToken="t")
    bench.engine.faults.add([{"what": "capacity", "times": 1}])
    await bench.clock.advance(1)
    newest = bench.engine.journal.newest
    await run_beside_time(bench, bench.engine.reset(), 20)
    for _ in range(2):
        state = bench.engine.state
        assert (list(state.clusters), state.families, state.tasks, state._tokens) == ([("ap-northeast-1", "default")], {}, {}, {})
        assert (state.used.cpu_units, state.counts("ap-northeast-1", "default")) == (0, (0, 0))
        assert bench.engine.faults.list() == []
        assert bench.engine.journal.newest >= newest
        assert bench.told(arn)[-1]["lastStatus"] == "STOPPED"
        await bench.reopen()
    assert list(bench.world) == []


async def test_the_true_exit_is_told_after_a_kill(bench: Bench) -> None:
    await bench.define(script="run_for=60s exit=3")
    arn = await bench.run_one()
    await bench.clock.advance(10)
    ended = (await bench.task(arn))["startedAt"] + 60
    await bench.kill()
    await bench.clock.advance(500)
    await bench.open()
    await settle(200)
    task = await bench.task(arn)
    assert (task["lastStatus"], task["containers"][0]["exitCode"], task["executionStoppedAt"]) == ("STOPPED", 3, ended)
    assert task["stoppedAt"] >= ended + 400
    assert [each["version"] for each in bench.told(arn)] == [1, 2, 3, 4, 5]


async def test_what_the_world_lost_while_nobody_looked_ends_without_a_code(bench: Bench) -> None:
    await bench.define(script="run_for=forever")
    arn = await bench.run_one()
    await bench.clock.advance(1)
    await bench.kill()
    bench.world._containers.clear()
    await bench.open()
    await settle(200)
    (app,) = (await bench.task(arn))["containers"]
    assert (app["lastStatus"], "exitCode" in app, app["reason"].partition(":")[0]) == ("STOPPED", False, "ContainerVanishedError")


async def test_a_stop_that_was_asked_for_is_asked_again_after_a_kill(bench: Bench) -> None:
    await bench.define(containerDefinitions=[container("app", "run_for=forever ignore_term", stopTimeout=30)])
    arn = await bench.run_one()
    await bench.clock.advance(1)
    await bench.call("StopTask", task=arn)
    await bench.clock.advance(1)
    await bench.reopen()
    await bench.clock.advance(31)
    task = await bench.task(arn)
    assert (task["lastStatus"], task["containers"][0]["exitCode"]) == ("STOPPED", 137)


async def test_a_container_that_outlived_its_task_is_ended_and_removed(bench: Bench) -> None:
    await bench.define(script="run_for=forever")
    await bench.define("never", "start_error='CannotPullContainerError: no'")
    await bench.run_one()
    await bench.clock.advance(1)
    await bench.run_one("never")
    await bench.kill()
    # As if the rows had gone and the containers had not.
    with sqlite3.connect(bench.directory / "engine.db") as database:
        database.execute("DELETE FROM tasks")
    await bench.open()
    await bench.clock.advance(60)
    assert list(bench.world) == []

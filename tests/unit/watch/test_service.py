"""The watch's loops: woken by the feed and by time, and by nothing else."""

import asyncio
from pathlib import Path

import httpx
import pytest

from hinoban.base.supervise import Group
from hinoban.watch.config import Policy, WatchConfig
from tests.unit.watch.worlds import World


async def test_its_loops_tell_a_failure_and_retry_a_refusal(tmp_path: Path) -> None:
    world = World(tmp_path)
    failures: list[BaseException] = []
    group = Group(failures.append)
    group.start(world.watch.run(), "watch")
    world.aws.refused_launch(1)
    world.aws.finish(world.aws.start("job", None), 3)
    for _ in range(200):
        await world.clock.advance(1)
        if world.told() and world.aws.launched:
            break
    await group.close()
    assert failures == []
    assert "EXIT 3" in world.told()[0]
    assert len(world.aws.launched) == 1


async def test_an_error_in_a_loop_ends_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path)

    def broken(now: float, *, sure: bool) -> float | None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(world.watch.pipeline, "step", broken)
    with pytest.raises(RuntimeError, match="the disk is full"):
        await asyncio.wait_for(world.watch.run(), 10)


async def test_an_acknowledged_incident_is_quiet_until_its_time_is_up(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.finish(world.aws.start("job", None), 3)
    await world.turns()
    [incident] = world.watch.incidents()["incidents"]
    world.watch.ack(incident["id"][:8], world.clock.now() + 60, "s.tanaka")
    await world.turns(50, step=10)
    assert len(world.told()) == 2 and "acknowledged by s.tanaka" in world.told()[1]
    await world.turns(20, step=10)
    assert len(world.told()) == 3
    assert world.watch.incident(incident["id"])["state"] == "open"


async def test_status_says_how_far_behind_it_is(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.watch.status()["behind"] == "starting"
    world.aws.start("job", None)
    await world.turns()
    status = world.watch.status()
    assert (status["cursor"], status["lag"], status["behind"], status["tasks_open"]) == (1, 0, None, 1)
    await world.clock.advance(60)
    assert "silent" in world.watch.status()["behind"]


async def test_status_tells_delays_channels_and_a_log_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path, allow=frozenset())
    denied = {"__type": "AccessDeniedException", "message": "not yours"}
    monkeypatch.setattr(world.aws, "GetLogEvents", lambda params: httpx.Response(400, json=denied))
    arn = world.aws.start("job", None)
    await world.turns()
    world.aws.finish(arn, 3)
    await world.turns(20)
    status = world.watch.status()
    assert status["sources"][0]["delay"]["events"]["count"] == 2
    assert (status["channels"][0]["channel"], status["channels"][0]["sent"]) == ("console", 1)
    assert status["open"] == {"failed_exit": 1}
    lines = "\n".join(status["lines"])
    assert "OBSERVE ONLY" in lines and "console ok" in lines and "exits" in lines
    assert "log lines of job: logs:GetLogEvents of job denied in ap-northeast-1 → hinoban aws policy --observe" in lines
    monkeypatch.undo()
    world.aws.log = ["boom"]
    world.aws.finish(world.aws.start("job", None), 3)
    await world.turns(5)
    assert "BLIND" not in "\n".join(world.watch.status()["lines"])


async def test_status_says_what_policies_allow(tmp_path: Path) -> None:
    policies = (Policy(match={}, allow=("stop_task", "run_task")), Policy(match={}, allow=("run_task",)))
    status = World(tmp_path, WatchConfig(policies=policies), allow=frozenset()).watch.status()
    assert (status["allow"], status["allow_by_policy"]) == ([], ["run_task", "stop_task"])
    assert status["lines"][0].endswith(" · allowed by policy: run_task, stop_task")


async def test_what_it_would_have_done_is_counted(tmp_path: Path) -> None:
    world = World(tmp_path, allow=frozenset())
    world.aws.refused_launch(1)
    await world.turns(600, step=5)
    assert world.watch.status()["would_have"] == {"retried": 1, "stopped": 0}
    assert world.watch.status()["lines"][-1] == "would have retried 1 (last 24 h)"
    measured = world.watch.measures()
    assert measured["retries"] == {"not allowed": 1} and "tasks" not in measured

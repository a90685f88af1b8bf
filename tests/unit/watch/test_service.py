"""The watch's loops: woken by the feed and by time, and by nothing else."""

import asyncio
from pathlib import Path

import pytest

from hinoban.base.supervise import Group
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

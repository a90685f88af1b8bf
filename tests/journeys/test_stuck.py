"""Tasks that stay on their way: told, over when they go on, and one matter with their failure. On a fake clock."""

from pathlib import Path
from typing import Any

import pytest

from hinoban.base.clock import HOURS, MINUTES
from hinoban.watch.config import WatchConfig
from tests.unit.watch.samples import run_task, task_arn, task_event
from tests.unit.watch.worlds import World


def one(world: World) -> dict[str, Any]:
    found: dict[str, Any]
    [found] = world.watch.incidents()["incidents"]
    return found


@pytest.mark.parametrize("owner", [{}, {"group": "service:web", "started_by": "ecs-svc/1"}])
async def test_a_task_that_stays_pending_is_told_after_ten_minutes_and_over_when_it_runs(tmp_path: Path, owner: dict[str, str]) -> None:
    world = World(tmp_path)
    began = world.clock.now()
    world.aws.emit(task_event(1, "PROVISIONING", at=began, **owner))
    await world.turns(5 * MINUTES, step=10)
    world.aws.emit(task_event(1, "PENDING", at=world.clock.now(), created=began, **owner))
    await world.turns(4.5 * MINUTES, step=10)
    assert world.told() == []
    world.crash()
    await world.turns(1 * MINUTES, step=10)
    assert (one(world)["detector"], one(world)["verdict"], len(world.told())) == ("stuck", "STUCK", 1)
    assert "still PENDING" in one(world)["cause"] and "describe-tasks" in one(world)["next"]
    world.aws.emit(task_event(1, "RUNNING", at=world.clock.now(), created=began, **owner))
    await world.turns(1 * HOURS, step=1 * MINUTES)
    assert (one(world)["state"], one(world)["done"]) == ("resolved", ["The task moved on: it is RUNNING."])
    assert len(world.told()) == 2


async def test_how_long_a_start_may_take_is_told_by_the_configuration(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(stuck_after=1 * HOURS))
    world.aws.emit(task_event(1, "PROVISIONING", at=world.clock.now()))
    await world.turns(59 * MINUTES, step=1 * MINUTES)
    assert world.told() == []
    await world.turns(2 * MINUTES, step=1 * MINUTES)
    assert len(world.told()) == 1


async def test_one_that_fails_to_start_in_the_end_is_the_same_matter_and_is_retried(tmp_path: Path) -> None:
    world = World(tmp_path)
    began, starter = world.clock.now(), "events-rule/nightly"
    world.aws.emit(run_task(1, at=began, family="nightly", tasks=(task_arn(1),), startedBy=starter))
    world.aws.emit(task_event(1, "PENDING", at=began, family="nightly", started_by=starter))
    world.aws.tasks[task_arn(1)] = {"number": 1, "family": "nightly", "startedBy": starter, "createdAt": began}
    await world.turns(11 * MINUTES, step=10)
    stuck = one(world)
    assert stuck["detector"] == "stuck"
    words: Any = {
        "exit_code": None,
        "code": "TaskFailedToStart",
        "reason": "Timeout waiting for network interface provisioning to complete.",
    }
    world.aws.tasks[task_arn(1)]["stopped"] = world.clock.now()
    world.aws.emit(task_event(1, "STOPPED", at=world.clock.now(), created=began, family="nightly", started_by=starter, **words))
    await world.turns(1)
    found = one(world)
    assert (found["id"], found["verdict"]) == (stuck["id"], "NOT STARTED")
    assert [attempt["outcome"] for attempt in found["attempts"]] == ["not started", "waiting"]
    await world.turns(5 * MINUTES, step=5)
    [(_, arn)] = world.aws.launched
    world.aws.finish(arn)
    await world.turns(5)
    assert one(world)["verdict"] == "RECOVERED"


async def test_one_that_does_not_end_is_told_by_what_its_definition_grants(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.stop_timeout = 1200
    raw = task_event(1, "DEPROVISIONING", at=world.clock.now(), version=4)
    world.aws.emit(raw.replace(b'"FARGATE"', b'"EC2"').replace(b'"desiredStatus":"RUNNING"', b'"desiredStatus":"STOPPED"'))
    await world.turns(24 * MINUTES, step=1 * MINUTES)
    assert world.told() == [] and world.aws.calls.count("DescribeTaskDefinition") == 1
    await world.turns(2 * MINUTES, step=1 * MINUTES)
    assert one(world)["verdict"] == "STUCK" and "should have ended" in one(world)["cause"]
    world.aws.emit(task_event(1, "STOPPED", at=world.clock.now()))
    await world.turns(1)
    assert (one(world)["state"], one(world)["done"][-1]) == ("resolved", "The task moved on: it is STOPPED.")


async def test_one_on_fargate_is_told_without_asking_for_its_definition(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.emit(task_event(1, "DEPROVISIONING", at=world.clock.now()))
    await world.turns(11 * MINUTES, step=1 * MINUTES)
    assert one(world)["verdict"] == "STUCK" and "DescribeTaskDefinition" not in world.aws.calls[:-1]


async def test_while_the_feed_is_behind_nothing_is_called_stuck(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.emit(task_event(1, "PENDING", at=world.clock.now()))
    await world.turns(1)
    world.aws.down = True
    await world.turns(20 * MINUTES, step=1 * MINUTES)
    world.aws.emit(task_event(1, "RUNNING", at=world.clock.now(), created=world.clock.now() - 20 * MINUTES))
    world.aws.down = False
    await world.turns(10)
    assert not any("STUCK" in told for told in world.told())

"""`hinoban retry`: what failed runs once more as it was launched, never beside another run, never twice, never in part."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from hinoban.base.clock import MINUTES
from hinoban.base.errors import HinobanError
from hinoban.watch.allow import NOTHING
from tests.unit.watch.ledgers import DUE, add_rule, fired, launch, slots, until
from tests.unit.watch.samples import run_task, task_arn, task_event, task_id
from tests.unit.watch.worlds import World

COMMAND = {"containerOverrides": [{"name": "app", "command": ["--month", "11"], "environment": [{"name": "STAGE", "value": "prd"}]}]}


async def failed(world: World, **request: Any) -> str:
    """A task that ended with exit 3; its id."""
    [arn] = world.aws.launch(1, "export", startedBy="alice", **request)
    await world.turns(1)
    world.aws.finish(arn, 3)
    await world.turns(1)
    return arn.rpartition("/")[2]


async def refused(world: World, name: str) -> HinobanError:
    with pytest.raises(HinobanError) as caught:
        await world.watch.retry(name, "s.tanaka")
    return caught.value


def pasted(error: HinobanError) -> dict[str, Any]:
    """What the command of an error asks ECS for."""
    words = shlex.split(error.todo)
    asked: dict[str, Any] = json.loads(words[words.index("--cli-input-json") + 1])
    return asked


async def test_a_failed_task_runs_again_with_its_own_overrides(tmp_path: Path) -> None:
    world = World(tmp_path)
    answer = await world.watch.retry((await failed(world, overrides=COMMAND))[:8], "s.tanaka")
    [incident] = world.watch.incidents()["incidents"]
    assert (answer["incident"], answer["attempt"], answer["outcome"]) == (incident["id"], 2, f"queued: hinoban why {incident['id']}")
    await world.turns(5)
    [asked] = world.aws.run_task_calls
    assert (asked["overrides"], asked["startedBy"]) == (COMMAND, f"hinoban/{incident['id']}/2")
    world.aws.finish(world.aws.launched[0][1], 0)
    await world.turns(2)
    [incident] = world.watch.incidents()["incidents"]
    assert (incident["state"], incident["verdict"]) == ("resolved", "RECOVERED")
    assert incident["done"][0] == "Run by hand by s.tanaka."


async def test_asked_twice_it_runs_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    task = await failed(world)
    await world.watch.retry(task, "s.tanaka")
    assert "is being retried" in (await refused(world, task)).what
    world.aws.lose = ["after"]
    await world.turns(5)
    world.crash()
    assert "is being retried" in (await refused(world, task)).what
    await world.turns(60)
    assert len(world.aws.launched) == 1
    assert "is being retried" in (await refused(world, task)).what, "it runs"


async def test_it_fails_again_and_may_be_asked_for_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    task = await failed(world)
    for number in (2, 3):
        answer = await world.watch.retry(task, "s.tanaka")
        assert answer["attempt"] == number
        await world.turns(5)
        world.aws.finish(world.aws.launched[-1][1], 3)
        await world.turns(2)
        [incident] = world.watch.incidents()["incidents"]
        assert (incident["done"][-1], incident["told"]) == (f"Attempt {number} ended in the same way: EXIT 3.", number)
    assert len(world.aws.launched) == 2


async def test_it_refuses_while_another_run_of_the_family_lives(tmp_path: Path) -> None:
    world = World(tmp_path)
    task = await failed(world)
    other = world.aws.start("export", "bob")
    error = await refused(world, task)
    assert error.why == f"task {other.rpartition('/')[2][:8]} of export runs, and two at once may do the same work twice"
    world.aws.finish(other, 3)
    await world.turns(1)
    await world.watch.retry(task, "s.tanaka")


@pytest.mark.parametrize("slot", [True, False])
async def test_one_that_is_stuck_is_stopped_first(tmp_path: Path, slot: bool) -> None:
    """It may start after all, at any moment."""
    world, starter = World(tmp_path), "events-rule/close" if slot else "alice"
    if slot:
        add_rule(world, "close")
        await until(world, DUE)
        world.aws.emit(fired("close", DUE))
    began, arn = world.clock.now(), task_arn(500)
    world.aws.tasks[arn] = {"number": 500, "family": "close", "startedBy": starter, "createdAt": began}
    world.aws.emit(run_task(500, at=began, family="close", tasks=(arn,), startedBy=starter))
    world.aws.emit(task_event(500, "PENDING", at=began, family="close", started_by=starter))
    await world.turns(11 * MINUTES, step=20)
    error = await refused(world, task_id(500))
    assert error.why == f"task {task_id(500)[:8]} has not ended, and two at once may do the same work twice"
    assert error.todo == f'Stop it first: hinoban stop {task_id(500)[:8]} --reason "stuck"   then: hinoban run close --wait'
    await world.turns(60, step=2)
    assert world.aws.run_task_calls == []


async def test_one_that_is_stuck_at_its_end_is_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.emit(run_task(500, at=world.clock.now(), family="close", tasks=(task_arn(500),), startedBy="alice"))
    world.aws.emit(task_event(500, "DEPROVISIONING", at=world.clock.now(), family="close", started_by="alice"))
    await world.turns(11 * MINUTES, step=20)
    [incident] = world.watch.incidents()["incidents"]
    assert (await refused(world, task_id(500))).todo.startswith(f"Wait for its end: hinoban why {incident['id']}")


async def test_one_that_begins_in_between_is_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    await world.watch.retry(await failed(world), "s.tanaka")
    other = world.aws.start("export", "bob")
    await world.turns(3 * MINUTES * 60, step=60)
    assert world.aws.run_task_calls == []
    world.aws.finish(other, 3)
    await world.turns(90)
    assert len(world.aws.launched) == 1


async def test_hidden_overrides_are_named_with_the_command(tmp_path: Path) -> None:
    world = World(tmp_path)
    hidden = {"containerOverrides": [{"name": "app", "command": ["x"], "environment": "HIDDEN_DUE_TO_SECURITY_REASONS"}]}
    error = await refused(world, await failed(world, overrides=hidden))
    assert error.why == "CloudTrail hides what it was launched with: app's environment"
    assert "(fill in the environment of app: values are not shown)" in error.todo and "HIDDEN" not in error.todo
    words = shlex.split(error.todo.removeprefix("By hand: "))
    assert words[:3] == ["aws", "ecs", "run-task"]
    assert json.loads(words[words.index("--cli-input-json") + 1])["overrides"]["containerOverrides"][0]["command"] == ["x"]
    assert world.aws.run_task_calls == []


async def test_without_the_record_of_its_launch_nothing_is_guessed(tmp_path: Path) -> None:
    world = World(tmp_path)
    arn = world.aws.start("export", "alice")
    world.aws.finish(arn, 3)
    await world.turns(1)
    error = await refused(world, arn)
    assert "is not known" in error.why


async def test_what_did_not_fail_or_is_over_or_a_service_s_is_not_retried(tmp_path: Path) -> None:
    world = World(tmp_path)
    good = world.aws.start("hello", None)
    world.aws.finish(good, 0)
    world.aws.emit(task_event(90, "STOPPED", family="web", group="service:web", started_by="ecs-svc/1", exit_code=3))
    task = await failed(world)
    assert "did not fail" in (await refused(world, good)).what
    assert "is a service's" in (await refused(world, task_id(90))).what
    world.watch.resolve(world.watch.why(task)["incident"], "s.tanaka")
    assert "is over" in (await refused(world, task)).what


async def test_a_launch_that_was_refused_runs_as_often_as_it_asked_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.refused_launch(1, count=3, startedBy="alice")
    await world.turns(1)
    [incident] = world.watch.incidents()["incidents"]
    await world.watch.retry(incident["id"][:8], "s.tanaka")
    await world.turns(5)
    assert [call["count"] for call in world.aws.run_task_calls] == [3]


async def test_a_scheduled_run_is_made_up_for_as_its_slot(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close", "cron(0 * * * ? *)")
    await until(world, DUE)
    world.aws.emit(
        fired("close", DUE), launch("close", DUE, 500, errorCode="AccessDeniedException", errorMessage="no", responseElements=None)
    )
    await world.turns(5)
    [incident] = world.watch.incidents()["incidents"]
    answer = await world.watch.retry(incident["id"], "s.tanaka")
    assert answer["incident"] == incident["id"]
    await world.turns(5)
    world.aws.finish(world.aws.launched[0][1], 0)
    await world.turns(2)
    assert [one.state for one in slots(world).values()] == ["recovered"]


async def test_a_watch_that_observes_only_prints_the_command(tmp_path: Path) -> None:
    world = World(tmp_path, allow=NOTHING)
    error = await refused(world, await failed(world, overrides=COMMAND))
    assert "allow lacks run_task" in error.why
    assert error.todo.startswith("By hand: aws ecs run-task") and "prd" not in error.todo
    assert world.aws.run_task_calls == []
    [incident] = world.watch.incidents()["incidents"]
    asked = pasted(error)
    assert (asked["clientToken"], asked["startedBy"]) == (f"hb-{incident['id']}-2", f"hinoban/{incident['id']}/2")


async def test_the_command_asks_for_what_is_missing_and_never_for_the_launch_that_failed(tmp_path: Path) -> None:
    world = World(tmp_path, allow=NOTHING)
    begun = tuple(world.aws.start("export", "alice") for _ in range(2))
    world.aws.emit(
        run_task(
            1, at=world.clock.now(), family="export", tasks=begun, failures=("RESOURCE:CPU",), count=3, startedBy="alice", clientToken="old"
        )
    )
    await world.turns(1)
    [incident] = world.watch.incidents()["incidents"]
    asked = pasted(await refused(world, incident["id"]))
    assert (asked["count"], asked["clientToken"]) == (1, f"hb-{incident['id']}-2")


async def test_the_command_is_the_alert_s_until_somebody_pasted_it(tmp_path: Path) -> None:
    world = World(tmp_path, allow=NOTHING)
    world.aws.refused_launch(1, startedBy="events-rule/close", family="export")
    await world.turns(600, step=5)
    [incident] = world.watch.incidents()["incidents"]
    [told] = [one for one in incident["done"] if one.startswith("Would have launched it again (attempt 2)")]
    error = await refused(world, incident["id"])
    assert error.todo == told[told.index("By hand: ") :]
    world.aws.RunTask(pasted(error))
    await world.turns(5)
    world.aws.finish(world.aws.launched[-1][1], 3)
    await world.turns(5)
    assert pasted(await refused(world, incident["id"]))["clientToken"] == f"hb-{incident['id']}-3"

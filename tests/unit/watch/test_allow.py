"""Observing only: what would have been done is told, and nothing is launched or stopped."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from hinoban.base.errors import HinobanError
from hinoban.watch.allow import EVERYTHING, NOTHING, run_task_command, stop_task_command, would_have
from hinoban.watch.config import Policy, Right, WatchConfig
from tests.unit.watch.ledgers import add_rule
from tests.unit.watch.worlds import World


def observing(folder: Path, config: WatchConfig | None = None, allow: frozenset[Right] = NOTHING) -> World:
    """A watch that may do only what is allowed."""
    folder.mkdir(exist_ok=True)
    return World(folder, config, allow=allow)


async def test_a_refused_launch_is_told_with_the_command_and_never_launched(tmp_path: Path) -> None:
    world = observing(tmp_path)
    world.aws.refused_launch(1, overrides={"containerOverrides": [{"name": "app", "command": ["--month", "11"]}]})
    await world.turns(600, step=5)
    assert world.aws.run_task_calls == []
    [incident] = world.watch.incidents()["incidents"]
    [words] = [one for one in incident["done"] if one.startswith("Would have")]
    assert words.startswith("Would have launched it again (attempt 2): observes only, allow lacks run_task. By hand: aws ecs run-task")
    request = json.loads(shlex.split(words.partition("By hand: ")[2])[-1])
    assert request["clientToken"] and request["overrides"]["containerOverrides"][0]["command"] == ["--month", "11"]
    assert len(world.told()) == 1


async def test_the_same_with_the_right_is_launched_with_the_very_token(tmp_path: Path) -> None:
    told = observing(tmp_path / "a")
    done = observing(tmp_path / "b", allow=frozenset[Right]({"run_task"}))
    tokens = []
    for world in (told, done):
        world.aws.refused_launch(1)
        await world.turns(600, step=5)
        [incident] = world.watch.incidents()["incidents"]
        words = next((one for one in incident["done"] if one.startswith("Would have")), "")
        tokens.append(json.loads(shlex.split(words.partition("By hand: ")[2])[-1])["clientToken"] if words else None)
    assert tokens == [done.aws.run_task_calls[0]["clientToken"], None]


async def test_a_task_over_its_limit_is_told_once_and_never_stopped(tmp_path: Path) -> None:
    world = observing(tmp_path, WatchConfig(policies=(Policy(max_runtime=60, stop_after=120),)))
    arn = world.aws.start("job", None)
    await world.turns(600, step=5)
    assert world.aws.stopped == []
    [incident] = world.watch.incidents()["incidents"]
    [words] = [one for one in incident["done"] if one.startswith("Would have")]
    assert words.startswith("Would have stopped it (over its limit of 1 m") and "allow lacks stop_task" in words
    assert f"--task {arn}" in words
    allowed = observing(tmp_path / "b", world.config, frozenset({"stop_task"}))
    allowed.aws.start("job", None)
    await allowed.turns(600, step=5)
    assert len(allowed.aws.stopped) == 1


def test_what_is_allowed_needs_no_words() -> None:
    for right in ("run_task", "stop_task", "update_service"):
        assert would_have(right, EVERYTHING) is None
        assert right in str(would_have(right, NOTHING))
    assert would_have("update_service", NOTHING) == "Would have changed the service: observes only, allow lacks update_service."


def test_the_command_holds_names_of_variables_and_never_values() -> None:
    request: dict[str, Any] = {
        "cluster": "batch",
        "taskDefinition": "job",
        "clientToken": "hb-1",
        "overrides": {"cpu": "256", "containerOverrides": [{"name": "app", "environment": [{"name": "DB", "value": "s3cret"}]}]},
    }
    command = run_task_command(request, "ap-northeast-1")
    assert "s3cret" not in command and "(fill in DB: values are not shown)" in command
    shown = json.loads(shlex.split(command)[6])
    assert shown["clientToken"] == "hb-1" and shown["overrides"]["cpu"] == "256"
    plain = run_task_command({"cluster": "it's"}, "eu-west-1")
    assert shlex.split(plain) == ["aws", "ecs", "run-task", "--region", "eu-west-1", "--cli-input-json", '{"cluster":"it\'s"}']


def test_a_stop_is_pasted_as_it_is() -> None:
    words = shlex.split(stop_task_command("batch", "arn:task", "eu-west-1", "over its limit; rm -rf /"))
    assert words[:3] == ["aws", "ecs", "stop-task"]
    assert words[3:] == ["--region", "eu-west-1", "--cluster", "batch", "--task", "arn:task", "--reason", "over its limit; rm -rf /"]


async def test_a_schedule_is_not_run_by_hand_where_launching_is_not_allowed(tmp_path: Path) -> None:
    world = observing(tmp_path)
    add_rule(world, "nightly")
    await world.turns(2)
    with pytest.raises(HinobanError) as refused:
        await world.watch.run_schedule("nightly", None, "s.tanaka")
    assert "allow lacks run_task" in refused.value.why and refused.value.todo.startswith("By hand: aws ecs run-task --region")
    assert world.aws.run_task_calls == []


async def test_a_policy_allows_for_what_it_matches_and_for_nothing_else(tmp_path: Path) -> None:
    mine = Policy(match={"hinoban": {"family": ["mine"]}}, allow=("run_task",))
    world = observing(tmp_path, WatchConfig(policies=(mine,)))
    world.aws.refused_launch(1, taskDefinition="mine")
    world.aws.refused_launch(2, taskDefinition="theirs")
    await world.turns(600, step=5)
    assert [call["taskDefinition"] for call in world.aws.run_task_calls] == ["mine"]
    done = {one["family"]: " ".join(one["done"]) for one in world.watch.incidents()["incidents"]}
    assert "Would have launched it again" in done["theirs"] and "Would have" not in done["mine"]

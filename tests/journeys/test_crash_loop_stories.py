"""What a policy does about a service in a crash loop: tells, scales it to zero, brings back what was steady; once for each loop."""

import contextlib
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from hinoban.base.units import iso
from hinoban.watch.allow import NOTHING
from hinoban.watch.config import OnCrashLoop, Policy, WatchConfig
from tests.unit.watch.fake_aws import Crash
from tests.unit.watch.samples import ACCOUNT, REGION, envelope, task_arn, task_event
from tests.unit.watch.worlds import World

SERVICE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/default/web"
OF_WEB = {"detail": {"group": ["service:web"]}}


def world_with(folder: Path, action: Literal["tell", "scale_to_zero", "rollback"], after: int = 5, **more: Any) -> World:
    rule = Policy(match=OF_WEB, on_crash_loop=OnCrashLoop(after=after, action=action))
    return World(folder, WatchConfig(policies=(rule,)), **more)


def completed(world: World, deployment: str) -> bytes:
    now = world.clock.now()
    detail = {"eventType": "INFO", "eventName": "SERVICE_DEPLOYMENT_COMPLETED", "deploymentId": deployment, "updatedAt": iso(now)}
    raw = msgspec.json.decode(envelope("ECS Deployment State Change", detail, now, f"completed-{deployment}"))
    return msgspec.json.encode(raw | {"resources": [SERVICE]})


def of_revision(raw: bytes, revision: int) -> bytes:
    return raw.replace(b"task-definition/web:7", b"task-definition/web:%d" % revision)


async def crashes(world: World, count: int, *, first: int = 100, revision: int = 8, service: str = "web") -> None:
    for number in range(first, first + count):
        now = world.clock.now()
        words: dict[str, Any] = {"family": "web", "group": f"service:{service}", "started_by": "ecs-svc/22", "created": now - 5}
        world.aws.emit(of_revision(task_event(number, "STOPPED", at=now, exit_code=1, **words), revision))
        await world.turns(10, step=5)


def loop(world: World) -> dict[str, Any]:
    [found] = [one for one in world.watch.incidents()["incidents"] if one["detector"] == "crash_loop"]
    return dict(found)


async def test_by_default_it_is_told_at_the_fifth_and_nothing_is_touched(tmp_path: Path) -> None:
    world = World(tmp_path)
    await crashes(world, 6)
    assert loop(world)["done"] == []
    assert world.aws.updated == []


async def test_a_policy_says_after_how_many(tmp_path: Path) -> None:
    world = world_with(tmp_path, "tell", after=3)
    await crashes(world, 2)
    assert all(one["detector"] != "crash_loop" for one in world.watch.incidents()["incidents"])
    await crashes(world, 1, first=200)
    assert loop(world)["facts"]["count"] == 3


async def test_it_is_scaled_to_zero_once_for_each_loop(tmp_path: Path) -> None:
    world = world_with(tmp_path, "scale_to_zero")
    await crashes(world, 8)
    assert world.aws.updated == [{"cluster": "default", "service": "web", "desiredCount": 0}]
    assert "Scaled to zero at" in loop(world)["done"][-1] and "service web to 0 tasks" in loop(world)["done"][-1]
    world.crash()
    await world.turns(3600, step=60)
    assert loop(world)["state"] == "resolved"
    await crashes(world, 6, first=300)
    assert len(world.aws.updated) == 2, "another loop"


async def test_a_policy_by_tag_reads_the_tags_of_a_services_tasks_and_holds_with_its_right(tmp_path: Path) -> None:
    of_team = {"hinoban": {"tags": {"team": ["web"]}}}
    rule = Policy(match=of_team, on_crash_loop=OnCrashLoop(after=3, action="scale_to_zero"), allow=("update_service",))
    world = World(tmp_path, WatchConfig(policies=(rule,)), allow=NOTHING)
    for number in range(100, 106):
        now, name = world.clock.now(), "web" if number % 2 else "api"
        words: dict[str, Any] = {"family": name, "group": f"service:{name}", "started_by": "ecs-svc/22", "created": now}
        world.aws.tasks[task_arn(number)] = {"number": number, "family": name, "startedBy": "ecs-svc/22", "createdAt": now}
        world.aws.tags[task_arn(number)] = {"team": name}
        world.aws.emit(task_event(number, "RUNNING", at=now, **words))
        await world.turns(10, step=5)
        world.aws.emit(task_event(number, "STOPPED", at=world.clock.now(), exit_code=1, **words))
        await world.turns(10, step=5)
    assert world.aws.updated == [{"cluster": "default", "service": "web", "desiredCount": 0}]
    assert loop(world)["facts"]["tags"] == {"team": "web"}


async def test_another_service_is_only_told(tmp_path: Path) -> None:
    world = world_with(tmp_path, "scale_to_zero")
    await crashes(world, 6, service="api")
    assert world.aws.updated == []


async def test_it_is_rolled_back_to_the_last_definition_that_was_steady(tmp_path: Path) -> None:
    world = world_with(tmp_path, "rollback")
    for deployment, revision, number in (("ecs-svc/11", 6, 1), ("ecs-svc/12", 7, 2), ("ecs-svc/22", 8, 3)):
        running = task_event(number, "RUNNING", at=world.clock.now(), family="web", group="service:web", started_by=deployment)
        world.aws.emit(of_revision(running, revision), completed(world, deployment))
        await world.turns(60, step=30)
    world.crash()
    await crashes(world, 6)
    assert world.aws.updated == [{"cluster": "default", "service": "web", "taskDefinition": "web:7"}]
    assert "Rolled back at" in loop(world)["done"][-1] and "to web:7" in loop(world)["done"][-1]


async def test_where_nothing_steady_is_known_that_is_told(tmp_path: Path) -> None:
    world = world_with(tmp_path, "rollback")
    await crashes(world, 6)
    assert world.aws.updated == []
    assert loop(world)["done"] == ["Not rolled back: no earlier deployment of this service that was steady is known."]


async def test_without_the_right_it_says_what_it_would_have_done(tmp_path: Path) -> None:
    world = world_with(tmp_path, "scale_to_zero", allow=NOTHING)
    await crashes(world, 6)
    assert world.aws.updated == []
    [words] = loop(world)["done"]
    assert words.startswith("Would have changed the service (service web to 0 tasks): observes only, allow lacks update_service.")
    assert words.endswith(f"aws ecs update-service --region {REGION} --cluster default --service web --desired-count 0")


@pytest.mark.parametrize("fate", ["before", "after", "crash before", "crash after"])
async def test_a_lost_answer_is_asked_for_again(tmp_path: Path, fate: str) -> None:
    world = world_with(tmp_path, "scale_to_zero")
    await crashes(world, 4)
    world.aws.lose = [fate]
    with contextlib.suppress(Crash):
        await crashes(world, 1, first=200)
    if "crash" in fate:
        world.crash()
    await world.turns(30)
    assert len(world.aws.updated) == 1
    assert "Scaled to zero" in loop(world)["done"][-1]


async def test_what_could_not_be_asked_for_in_time_is_left_alone(tmp_path: Path) -> None:
    world = world_with(tmp_path, "scale_to_zero")
    world.aws.lose = ["before"] * 1000
    await crashes(world, 5)
    await world.turns(900, step=30)
    assert "could not be asked for in time" in loop(world)["done"][-1]
    world.aws.lose = []
    await world.turns(60)
    assert world.aws.updated == []

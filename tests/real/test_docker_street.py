"""On a real Docker daemon: what AWS would say of a task out of memory, of an image that is not there, and of a machine that is full."""

from pathlib import Path
from typing import Any

import pytest

from tests.docker_support import docker_image as docker_image
from tests.docker_support import docker_url as docker_url
from tests.real.daemon_support import NETWORK, Make, RealDaemon, until
from tests.real.daemon_support import daemons as daemons

pytestmark = [pytest.mark.docker, pytest.mark.timeout(240)]

EAT_MEMORY = "part=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do part=$part$part; done; all=; while :; do all=$all$part; done"


async def define(daemon: RealDaemon, family: str, image: str, *command: str, **members: Any) -> None:
    container = {"name": "app", "image": image, "command": list(command)} | members.pop("container", {})
    body = {"family": family, "cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}
    await daemon.call("ecs", "RegisterTaskDefinition", body | {"containerDefinitions": [container]} | members)


async def run(daemon: RealDaemon, family: str, **members: Any) -> dict[str, Any]:
    return await daemon.call(
        "ecs", "RunTask", {"taskDefinition": family, "launchType": "FARGATE", "networkConfiguration": NETWORK} | members
    )


async def stopped(daemon: RealDaemon, arn: str) -> dict[str, Any]:
    """The task as DescribeTasks shows it, once it is STOPPED."""

    async def look() -> dict[str, Any] | None:
        (task,) = (await daemon.call("ecs", "DescribeTasks", {"tasks": [arn]}))["tasks"]
        return task if task["lastStatus"] == "STOPPED" else None

    found: dict[str, Any] = await until(look, f"{arn} stops")
    return found


async def incident(daemon: RealDaemon, family: str, verdict: str) -> dict[str, Any]:
    """The family's only incident, once it has this verdict."""

    async def look() -> dict[str, Any] | None:
        found = [each for each in (await daemon.get("incidents"))["incidents"] if each["family"] == family]
        assert len(found) <= 1
        return found[0] if found and found[0]["verdict"] == verdict else None

    answer: dict[str, Any] = await until(look, f"{family}: {verdict}")
    return answer


async def test_a_task_beyond_its_memory_ends_with_137_and_awss_words(daemons: Make, docker_image: str) -> None:
    daemon = daemons("--runtime", "docker")
    await daemon.start()
    await define(daemon, "hungry", docker_image, "sh", "-c", EAT_MEMORY, container={"memory": 64})
    (launched,) = (await run(daemon, "hungry"))["tasks"]
    task = await stopped(daemon, launched["taskArn"])
    (container,) = task["containers"]
    assert (container["exitCode"], container["reason"]) == (137, "OutOfMemoryError: Container killed due to memory usage")
    assert (task["stopCode"], task["stoppedReason"]) == ("EssentialContainerExited", "Essential container in task exited")
    await incident(daemon, "hungry", "OUT OF MEMORY")


async def test_an_image_that_does_not_exist_fails_to_start_in_awss_words(daemons: Make, docker_url: str) -> None:
    daemon = daemons("--runtime", "docker")
    await daemon.start()
    await define(daemon, "missing", "127.0.0.1:9/nobody/has-this:v9", "true")
    (launched,) = (await run(daemon, "missing"))["tasks"]
    task = await stopped(daemon, launched["taskArn"])
    assert task["stopCode"] == "TaskFailedToStart"
    assert task["stoppedReason"].startswith("CannotPullContainerError: ")
    assert task["containers"][0]["reason"] == task["stoppedReason"]
    assert "exitCode" not in task["containers"][0]
    assert "startedAt" not in task
    await incident(daemon, "missing", "NOT STARTED")


async def test_a_full_machine_refuses_and_the_job_runs_once_when_room_is_made(daemons: Make, docker_image: str, tmp_path: Path) -> None:
    settings = tmp_path / "hinoban.toml"
    settings.write_text('[[policy]]\nretry = { attempts = 30, deadline = "3m", base = "500ms", cap = "4s" }\n')
    daemon = daemons("--runtime", "docker", "--capacity", "1vcpu:1GB", "--config", str(settings))
    await daemon.start()
    await define(daemon, "big", docker_image, "sleep", "600", cpu="512", memory="1024", container={"stopTimeout": 2})
    await define(daemon, "late", docker_image, "echo", "ran", cpu="512", memory="1024")
    (big,) = (await run(daemon, "big"))["tasks"]
    answer = await run(daemon, "late")
    assert answer == {
        "tasks": [],
        "failures": [{"reason": "Capacity is unavailable at this time. Please try again later or in a different availability zone"}],
    }

    async def refused(times: int) -> bool:
        found = (await daemon.get("incidents"))["incidents"]
        return any(sum(attempt["outcome"] == "refused" for attempt in each["attempts"]) >= times for each in found)

    await until(lambda: refused(4), "several retries are refused")
    await daemon.call("ecs", "StopTask", {"task": big["taskArn"]})
    found = await incident(daemon, "late", "RECOVERED")
    assert found["attempts"][-1]["outcome"] == "exit 0"
    group = {"logGroupName": "/hinoban/default", "logStreamName": f"late/app/{found['attempts'][-1]['task'][-32:]}"}
    events = (await daemon.call("logs", "GetLogEvents", group | {"startFromHead": True}))["events"]
    assert [event["message"] for event in events] == ["ran"]
    assert len((await daemon.get("history", {"family": "late"}))["tasks"]) == 1

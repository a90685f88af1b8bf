"""kill -9 of a real daemon at the very moment of a slot: after the restart it ran once, or is told as missed; never both, never twice."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from hinoban.base.units import with_local_moments
from hinoban.daemon.config import local_zone
from tests.real.daemon_support import NETWORK, Make, RealDaemon, until
from tests.real.daemon_support import daemons as daemons

ROLE = "arn:aws:iam::123456789012:role/scheduler"
# Seconds from the slot to the kill: before the loop wakes, amid its turn and its commit, while the task starts, and after all of it.
OFFSETS = (-0.01, 0.0, 0.002, 0.004, 0.007, 0.011, 0.017, 0.04, 0.3)
BESIDE = 3  # schedules that are due in the same moment
AHEAD = 2.0
DEFINITION = {
    "family": "due",
    "requiresCompatibilities": ["FARGATE"],
    "networkMode": "awsvpc",
    "cpu": "256",
    "memory": "512",
    "containerDefinitions": [{"name": "app", "image": "none", "command": ["true"]}],
}


async def begin(daemon: RealDaemon) -> str:
    """The ARN of the cluster."""
    await daemon.start()
    await daemon.call("ecs", "RegisterTaskDefinition", DEFINITION)
    cluster: str = (await daemon.call("ecs", "DescribeClusters", {}))["clusters"][0]["clusterArn"]
    return cluster


async def schedule(daemon: RealDaemon, name: str, expression: str, cluster: str) -> None:
    target = {
        "Arn": cluster,
        "RoleArn": ROLE,
        "EcsParameters": {
            "TaskDefinitionArn": cluster.replace("cluster/default", "task-definition/due"),
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": NETWORK["awsvpcConfiguration"]["subnets"]}},
        },
    }
    asked = {"Name": name, "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    await daemon.call("scheduler", "CreateSchedule", asked)


def at(slot: int) -> str:
    return f"at({datetime.fromtimestamp(slot, UTC):%Y-%m-%dT%H:%M:%S})"


async def decisions(daemon: RealDaemon) -> tuple[Counter[str], dict[str, dict[str, Any]]]:
    """How often each name was decided, and the decision."""
    _, envelopes = await daemon.feed()
    details = [envelope["detail"] for envelope in envelopes if envelope["detail-type"] == "Hinoban Slot"]
    return Counter(detail["name"] for detail in details), {detail["name"]: detail for detail in details}


async def runs(daemon: RealDaemon) -> Counter[str]:
    """How many tasks each schedule started, by what ECS told of them."""
    _, envelopes = await daemon.feed()
    details = [envelope["detail"] for envelope in envelopes if envelope["detail-type"] == "ECS Task State Change"]
    started_by = {detail["taskArn"]: detail["startedBy"] for detail in details}
    return Counter(name.removeprefix("chronos-schedule/") for name in started_by.values())


@pytest.mark.slow
@pytest.mark.timeout(150)
async def test_a_kill_at_a_slots_moment_neither_loses_nor_doubles_a_run(daemons: Make) -> None:
    daemon = daemons("--runtime", "process")
    cluster = await begin(daemon)
    names = []
    for number, offset in enumerate(OFFSETS):
        slot = int(time.time() + AHEAD) + 1
        for beside in range(BESIDE):
            names.append(f"kill-{number}-{beside}")
            await schedule(daemon, names[-1], at(slot), cluster)
        await asyncio.sleep(slot + offset - time.time())
        await daemon.kill()
        await daemon.start()

    async def all_decided() -> bool:
        return set(names) <= (await decisions(daemon))[0].keys()

    await until(all_decided, "every slot is decided")
    times, found = await decisions(daemon)
    assert times == Counter(names)
    # A restart takes less than the minute within which a slot still fires.
    assert {one["decision"] for one in found.values()} == {"fired"}

    async def all_ran() -> bool:
        return set(names) <= (await runs(daemon)).keys()

    await until(all_ran, "every fired slot launched its task")
    assert await runs(daemon) == Counter(names)
    await daemon.watched()


@pytest.mark.slow
@pytest.mark.timeout(150)
async def test_a_slot_that_the_daemon_slept_through_is_told_with_its_reason_and_does_not_run(daemons: Make) -> None:
    daemon = daemons("--runtime", "process")
    cluster = await begin(daemon)
    slot = int(time.time() + AHEAD) + 1
    await schedule(daemon, "slept-through", at(slot), cluster)
    await daemon.kill()
    await asyncio.sleep(slot + 61.5 - time.time())
    await daemon.start()

    async def decided() -> bool:
        return "slept-through" in (await decisions(daemon))[0]

    await until(decided, "the slot is decided")
    times, found = await decisions(daemon)
    assert times == Counter(["slept-through"])
    told = found["slept-through"]
    moment = f"{datetime.fromtimestamp(slot, UTC):%Y-%m-%dT%H:%M:%SZ}"
    assert (told["decision"], told["first"], told["last"], told["count"]) == ("missed", moment, moment, 1)
    assert told["reason"].startswith("hinoban was not running from ")

    async def told_by_the_watch() -> Any:
        return (await daemon.get("incidents"))["incidents"]

    [incident] = await until(told_by_the_watch, "the watch tells of it")
    assert (incident["detector"], incident["verdict"]) == ("missed_run", "DID NOT RUN")
    # The watch's zone is the machine's, unless a configuration says otherwise.
    assert with_local_moments(told["reason"], ZoneInfo(local_zone())) in incident["cause"]
    assert await runs(daemon) == Counter()

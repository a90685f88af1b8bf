"""What three articles missed, on a daemon as it comes: a scheduled run that does not start is an incident with AWS's reason, which stays, and
runs once later, also where the article's own function launches it, too; a task that nobody ended is told once it has run too long (that one
names a limit, shorter than the day that holds without it).
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.real.daemon_support import NETWORK, Make, RealDaemon, task_events, until
from tests.real.daemon_support import daemons as daemons
from tests.real.retry_run_task import RetryRunTask
from tests.real.seed_support import Terminal

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
REFUSAL = "RunTask failures[0]: Capacity is unavailable at this time. Please try again later or in a different availability zone"


async def define(daemon: RealDaemon, family: str, script: str) -> None:
    container = {"name": "app", "image": "busybox", "command": ["sh", "-c", script]}
    shape = {"cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}
    await daemon.call("ecs", "RegisterTaskDefinition", {"family": family, "containerDefinitions": [container], **shape})


async def due_soon(daemon: RealDaemon, family: str) -> None:
    """A schedule that runs the family once, in a moment."""
    cluster = (await daemon.call("ecs", "DescribeClusters", {}))["clusters"][0]["clusterArn"]
    subnets = NETWORK["awsvpcConfiguration"]["subnets"]
    parameters = {
        "TaskDefinitionArn": cluster.replace("cluster/default", f"task-definition/{family}"),
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": subnets}},
    }
    target = {"Arn": cluster, "RoleArn": "arn:aws:iam::123456789012:role/scheduler", "EcsParameters": parameters}
    at = datetime.now(UTC) + timedelta(seconds=4)
    asked = {"ScheduleExpression": f"at({at:%Y-%m-%dT%H:%M:%S})", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    await daemon.call("scheduler", "CreateSchedule", {"Name": family, **asked})


async def incident(daemon: RealDaemon, **fields: Any) -> dict[str, Any]:
    """The only incident there is, once these fields of it are so."""

    async def so() -> dict[str, Any] | None:
        found = (await daemon.get("incidents"))["incidents"]
        return found[0] if len(found) == 1 and fields.items() <= found[0].items() else None

    one: dict[str, Any] = await until(so, f"one incident with {fields}", within=120)
    return one


async def test_a_scheduled_run_that_gets_no_capacity_keeps_its_reason_and_runs_once_later(daemons: Make) -> None:
    daemon = daemons("--runtime", "process")
    await daemon.start()
    await define(daemon, "nightly", "true")
    await daemon.put_in({"what": "capacity", "match": {"family": ["nightly"]}, "times": 1})
    await due_soon(daemon, "nightly")
    refused = await incident(daemon, family="nightly", verdict="DID NOT RUN")
    assert refused["said"] == [REFUSAL]
    await daemon.kill()
    await daemon.start()
    healed = await incident(daemon, id=refused["id"], verdict="RECOVERED")
    assert [one["outcome"] for one in healed["attempts"]] == ["refused", "exit 0"]
    assert healed["said"] == [REFUSAL]
    await until(
        lambda: f"nightly RECOVERED at attempt 2 (no Fargate capacity, 1 retry) {refused['id']}\n" in daemon.output, "the console says so"
    )
    _, envelopes = await daemon.feed()
    assert len(task_events(envelopes)) == 1


async def test_with_the_articles_own_function_beside_us_the_run_happens_once(daemons: Make, tmp_path: Path) -> None:
    daemon = daemons("--runtime", "process")
    await daemon.start()
    theirs = RetryRunTask(daemon, tmp_path, Terminal(daemon).environ)
    await theirs.deploy()
    await define(daemon, "nightly", "true")
    await daemon.put_in({"what": "capacity", "match": {"family": ["nightly"]}, "times": 3})
    await due_soon(daemon, "nightly")

    async def over() -> bool:
        await theirs.step()
        found = (await daemon.get("incidents"))["incidents"]
        retries = (await daemon.get("status"))["retries"]
        return bool(found) and all(one["state"] == "resolved" for one in found) and not {"waiting", "launching"} & retries.keys()

    await until(over, "every refusal is resolved, and nothing waits for another launch", within=150)
    assert theirs.calls == theirs.said.count("の起動が失敗しました") == 3
    _, envelopes = await daemon.feed()
    assert len(task_events(envelopes)) == 1


async def test_a_task_that_nobody_ended_is_told_once_it_has_run_too_long_and_one_that_ends_is_not(daemons: Make, tmp_path: Path) -> None:
    (tmp_path / "hinoban.toml").write_text('[[policy]]\nmax_runtime = "2s"\n')
    daemon = daemons("--runtime", "process", "--config", str(tmp_path / "hinoban.toml"))
    await daemon.start()
    await define(daemon, "migrate", "sleep 600")
    await define(daemon, "short", "true")
    asked = {"taskDefinition": "migrate", "launchType": "FARGATE", "networkConfiguration": NETWORK}
    await daemon.call("ecs", "RunTask", asked | {"taskDefinition": "short"})
    (task,) = (await daemon.call("ecs", "RunTask", asked))["tasks"]
    overdue = await incident(daemon, family="migrate", detector="overdue")
    assert (overdue["task"], overdue["state"]) == (task["taskArn"], "open")
    await until(lambda: "OVERDUE" in daemon.output, "the console says so")
    await daemon.call("ecs", "StopTask", {"task": task["taskArn"]})
    await incident(daemon, family="migrate", state="resolved")

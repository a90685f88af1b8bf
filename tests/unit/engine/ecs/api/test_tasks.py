"""StopTask, DescribeTasks, ListTasks: what they answer, what they refuse, what they forget (facts/ecs.md §§1, 3.3, 7, 11)."""

import asyncio
from typing import Any

import pytest

from tests.support.engine import REGION, Bench, Refused, container

ID = "0123456789abcdef0123456789abcdef"


async def refused(bench: Bench, operation: str, **params: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        await bench.call(operation, **params)
    assert caught.value.status == 400
    return caught.value.code, caught.value.text


async def listed(bench: Bench, **params: Any) -> set[str]:
    return set((await bench.call("ListTasks", **params))["taskArns"])


async def test_describe_shows_what_aws_shows_of_a_task_that_a_user_stopped(bench: Bench) -> None:
    """The fields that seed 002 prints of a real task."""
    await bench.define("web", containerDefinitions=[container("web", "run_for=forever")], cpu="512", memory="1024")
    arn = await bench.run_one("web")
    await bench.clock.advance(10)
    await bench.call("StopTask", task=arn)
    await bench.clock.advance(30)
    task = await bench.task(arn)
    printed = {
        "cpu": "512",
        "desiredStatus": "STOPPED",
        "executionStoppedAt": task["executionStoppedAt"],
        "healthStatus": "UNKNOWN",
        "lastStatus": "STOPPED",
        "launchType": "FARGATE",
        "memory": "1024",
        "overrides": {"containerOverrides": [{"name": "web"}], "inferenceAcceleratorOverrides": []},
        "platformVersion": "1.4.0",
        "platformFamily": "Linux",
        "stopCode": "UserInitiated",
        "stoppedAt": task["stoppedAt"],
        "stoppedReason": "Task stopped by user",
    }
    assert {name: task[name] for name in printed} == printed
    assert task["stoppingAt"] <= task["executionStoppedAt"] <= task["stoppedAt"]
    assert task["createdAt"] <= task["pullStartedAt"] <= task["pullStoppedAt"] <= task["startedAt"] <= task["stoppingAt"]
    assert (task["containers"][0]["exitCode"], task["containers"][0]["lastStatus"]) == (143, "STOPPED")
    assert task["attachments"][0]["status"] == "DELETED"


async def test_every_change_is_one_version_and_one_event_in_order(bench: Bench) -> None:
    await bench.define(script="start_after=2s run_for=5s exit=3")
    arn = await bench.run_one(startedBy="me")
    await bench.clock.advance(60)
    told = bench.told(arn)
    assert [(each["lastStatus"], each["desiredStatus"], each["version"]) for each in told] == [
        ("PROVISIONING", "RUNNING", 1),
        ("PENDING", "RUNNING", 2),
        ("RUNNING", "RUNNING", 3),
        ("DEPROVISIONING", "STOPPED", 4),
        ("STOPPED", "STOPPED", 5),
    ]
    last = told[-1]
    assert (last["stopCode"], last["stoppedReason"], last["containers"][0]["exitCode"], last["startedBy"]) == (
        "EssentialContainerExited", "Essential container in task exited", 3, "me",
    )  # fmt: skip
    # What events lack (facts/ecs.md §6.2).
    assert not {"healthStatus", "tags", "platformFamily"} & last.keys()
    assert last["attachments"][0]["type"] == "eni"
    assert last["overrides"] == {"containerOverrides": [{"name": "app"}]}
    assert last["createdAt"].endswith("Z")


async def test_the_given_reason_is_kept_to_the_letter(bench: Bench) -> None:
    await bench.define(script="run_for=forever")
    arn = await bench.run_one()
    await bench.clock.advance(1)
    answer = await bench.call("StopTask", task=arn.rpartition("/")[2], reason="CodeDeploy initiated")
    assert (answer["task"]["lastStatus"], answer["task"]["desiredStatus"], answer["task"]["stoppedReason"]) == (
        "RUNNING", "STOPPED", "CodeDeploy initiated",
    )  # fmt: skip


async def test_stopping_a_stopped_task_succeeds_and_changes_nothing(bench: Bench) -> None:
    await bench.define(script="exit=1")
    arn = await bench.run_one()
    await bench.clock.advance(1)
    before = len(bench.told(arn))
    answer = await bench.call("StopTask", task=arn)
    assert (answer["task"]["lastStatus"], answer["task"]["stopCode"]) == ("STOPPED", "EssentialContainerExited")
    assert len(bench.told(arn)) == before


async def test_a_container_that_ignores_the_signal_is_killed_after_its_stop_timeout(bench: Bench) -> None:
    await bench.define(containerDefinitions=[container("app", "run_for=forever ignore_term", stopTimeout=20)])
    arn = await bench.run_one()
    await bench.clock.advance(1)
    await bench.call("StopTask", task=arn)
    await bench.clock.advance(19)
    assert (await bench.task(arn))["lastStatus"] == "STOPPING"
    await bench.clock.advance(2)
    task = await bench.task(arn)
    assert (task["lastStatus"], task["containers"][0]["exitCode"]) == ("STOPPED", 137)
    assert task["executionStoppedAt"] - task["stoppingAt"] == pytest.approx(20.0)


@pytest.mark.parametrize(
    "operation, params, text",
    [
        ("StopTask", {"task": ID}, "The referenced task was not found."),
        ("StopTask", {"task": "abc"}, "taskId length should be one of [32,36]"),
        ("StopTask", {"task": "a/b/c"}, "Invalid identifier: Unexpected number of separators"),
        ("DescribeTasks", {"tasks": []}, "Tasks cannot be empty."),
        ("DescribeTasks", {}, "Tasks cannot be empty."),
        ("DescribeTasks", {"tasks": ["abc"]}, "taskId length should be one of [32,36]"),
        ("DescribeTasks", {"tasks": ["arn:aws:ecs:ap-northeast-1:123456789012:task/a/b/c"]},
         "Invalid identifier: Unexpected number of separators"),
        ("DescribeTasks", {"tasks": ["arn:nonsense"]}, "Invalid identifier: Unexpected number of separators"),
    ],
)  # fmt: skip
async def test_a_refusal_has_awss_words(bench: Bench, operation: str, params: dict[str, Any], text: str) -> None:
    assert await refused(bench, operation, **params) == ("InvalidParameterException", text)


@pytest.mark.parametrize(
    "params",
    [
        {"desiredStatus": "ASLEEP"},
        {"maxResults": 0},
        {"maxResults": 101},
        {"nextToken": "not ours"},
        {"nextToken": "é"},
        {"startedBy": "me", "family": "job"},
        {"containerInstance": ID},
    ],
)
async def test_list_refuses_what_it_cannot_filter_by(bench: Bench, params: dict[str, Any]) -> None:
    assert (await refused(bench, "ListTasks", **params))[0] in ("InvalidParameterException", "ClientException")


async def test_an_unknown_service_is_not_found(bench: Bench) -> None:
    assert (await refused(bench, "ListTasks", serviceName="web"))[0] == "ServiceNotFoundException"


@pytest.mark.parametrize("operation", ["ListTasks", "DescribeTasks", "StopTask"])
async def test_an_unknown_cluster(bench: Bench, operation: str) -> None:
    params = {"ListTasks": {}, "DescribeTasks": {"tasks": [ID]}, "StopTask": {"task": ID}}[operation]
    assert await refused(bench, operation, cluster="nowhere", **params) == ("ClusterNotFoundException", "Cluster not found.")


async def test_more_than_a_hundred_are_not_described(bench: Bench) -> None:
    assert (await refused(bench, "DescribeTasks", tasks=[f"{number:032x}" for number in range(101)]))[0] == "InvalidParameterException"


async def test_an_unknown_task_is_missing_in_a_200_answer(bench: Bench) -> None:
    await bench.define()
    arn = await bench.run_one()
    answer = await bench.call("DescribeTasks", tasks=[ID, arn, "f" * 36])
    assert [task["taskArn"] for task in answer["tasks"]] == [arn]
    stem = f"arn:aws:ecs:{REGION}:123456789012:task/default/"
    assert answer["failures"] == [{"arn": stem + ID, "reason": "MISSING"}, {"arn": stem + "f" * 36, "reason": "MISSING"}]


async def test_a_task_of_another_cluster_or_region_is_missing(bench: Bench) -> None:
    await bench.define()
    arn = await bench.run_one()
    await bench.call("CreateCluster", clusterName="other")
    await bench.call("CreateCluster", clusterName="default", region="eu-west-1")
    for place in ({"cluster": "other"}, {"region": "eu-west-1"}):
        assert (await bench.call("DescribeTasks", tasks=[arn], **place))["failures"][0]["reason"] == "MISSING"


async def test_the_filters_of_list_tasks(bench: Bench) -> None:
    await bench.define("long", "run_for=forever")
    await bench.define("short", "exit=0")
    long = await bench.run_one("long", startedBy="me")
    other = await bench.run_one("long", startedBy="me too")
    short = await bench.run_one("short", startedBy="me")
    await bench.clock.advance(1)
    assert await listed(bench) == {long, other}
    assert await listed(bench, desiredStatus="STOPPED") == {short}
    assert await listed(bench, desiredStatus="PENDING") == set()
    assert await listed(bench, family="short") == set()
    assert await listed(bench, family="short", desiredStatus="STOPPED") == {short}
    assert await listed(bench, startedBy="me") == {long}
    assert await listed(bench, startedBy="me", desiredStatus="STOPPED") == {short}
    assert await listed(bench, launchType="FARGATE") == {long, other}
    assert await listed(bench, launchType="EC2") == set()
    await bench.call("StopTask", task=long)
    # desiredStatus flips first (facts/ecs.md §1.1).
    assert long in await listed(bench, desiredStatus="STOPPED")


async def test_pages_give_every_task_once_while_tasks_come_and_go(bench: Bench) -> None:
    await bench.define(script="run_for=forever")
    arns = {task["taskArn"] for _ in range(3) for task in (await bench.run(count=10))["tasks"]}
    first = await bench.call("ListTasks", maxResults=10)
    assert len(first["taskArns"]) == 10
    for arn in first["taskArns"]:
        await bench.call("StopTask", task=arn)
    seen, token = list(first["taskArns"]), first["nextToken"]
    while token:
        page = await bench.call("ListTasks", maxResults=7, nextToken=token)
        seen += page["taskArns"]
        token = page.get("nextToken")
    assert len(seen) == 30
    assert set(seen) == arns


async def test_a_stopped_task_is_forgotten_after_an_hour_and_not_before(bench: Bench) -> None:
    await bench.define(script="run_for=10s")
    arn = await bench.run_one(startedBy="me")
    await bench.clock.advance(10 + 3590)
    assert (await bench.task(arn))["lastStatus"] == "STOPPED"
    await bench.clock.advance(20)
    answer = await bench.call("DescribeTasks", tasks=[arn])
    assert (answer["tasks"], answer["failures"]) == ([], [{"arn": arn, "reason": "MISSING"}])
    assert await refused(bench, "StopTask", task=arn) == ("InvalidParameterException", "The referenced task was not found.")
    assert await listed(bench, desiredStatus="STOPPED") == set()
    state = bench.engine.state
    assert (state.tasks, dict(state._started_by), state._views) == ({}, {}, {})
    await bench.reopen()
    assert bench.engine.state.tasks == {}
    # The watch still finds it in the feed.
    assert len(bench.told(arn)) == 5


async def test_an_hour_is_counted_over_a_restart(bench: Bench) -> None:
    await bench.define(script="run_for=10s")
    arn = await bench.run_one()
    await bench.clock.advance(2000)
    await bench.reopen()
    await bench.clock.advance(1500)
    assert (await bench.task(arn))["lastStatus"] == "STOPPED"
    await bench.clock.advance(200)
    assert (await bench.call("DescribeTasks", tasks=[arn]))["failures"][0]["reason"] == "MISSING"


async def test_a_missing_log_group_keeps_a_task_from_starting(bench: Bench) -> None:
    log = {"logDriver": "awslogs", "options": {"awslogs-group": "/none", "awslogs-region": REGION, "awslogs-stream-prefix": "p"}}
    await bench.define(
        containerDefinitions=[container("app", "exit=0", logConfiguration=log)], executionRoleArn="arn:aws:iam::123456789012:role/run"
    )
    arn = await bench.run_one()
    await bench.clock.advance(1)
    task = await bench.task(arn)
    assert task["stopCode"] == "TaskFailedToStart"
    assert "The specified log group does not exist." in task["stoppedReason"]
    assert not bench.runs


async def test_a_start_fault_does_not_refuse_a_container_that_an_earlier_life_started(bench: Bench) -> None:
    await bench.define(script="run_for=30s")
    arn = await bench.run_one()
    # Started in the world, but the daemon dies before it has written so.
    (container_key,) = [task.key(task.containers[0]) for task in bench.engine.state.live_tasks()]
    while container_key not in bench.world:
        await asyncio.sleep(0)
    await bench.kill()
    await bench.open()
    bench.engine.faults.add([{"what": "start_error", "times": 5}])
    await bench.clock.advance(60)
    task = await bench.task(arn)
    assert (task["stopCode"], task["containers"][0]["exitCode"], bench.runs[container_key]) == ("EssentialContainerExited", 0, 1)


async def test_output_goes_where_the_logs_look_for_it_once(bench: Bench) -> None:
    await bench.define(script="run_for=20s output=one output=two every=10s")
    arn = await bench.run_one()
    await bench.clock.advance(5)
    await bench.reopen()
    await bench.clock.advance(60)
    stream = f"job/app/{arn.rpartition('/')[2]}"
    answer = await bench.call("GetLogEvents", service="logs", logGroupName="/hinoban/default", logStreamName=stream, startFromHead=True)
    assert [event["message"] for event in answer["events"]] == ["one", "two"]

"""RunTask: its three outcomes, its refusals word by word, its tokens, overrides and tags (facts/ecs.md §3)."""

from pathlib import Path
from typing import Any

import pytest

from hinoban.engine.ecs.decide.capacity import Room
from tests.support.engine import NETWORK, REGION, Bench, Refused, container

CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"
TASK = f"arn:aws:ecs:{REGION}:123456789012:task/default/"


async def refused(bench: Bench, **members: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        await bench.run(**members)
    assert caught.value.status == 400
    return caught.value.code, caught.value.text


async def test_a_task_is_accepted_as_aws_answers_it(bench: Bench) -> None:
    arn = await bench.define(script="run_for=1m")
    answer = await bench.run(startedBy="me", tags=[{"key": "team", "value": "a"}])
    (task,) = answer["tasks"]
    assert answer["failures"] == []
    assert task["taskArn"].startswith(TASK)
    assert len(task["taskArn"]) == len(TASK) + 32
    expected = {
        "lastStatus": "PROVISIONING", "desiredStatus": "RUNNING", "version": 1, "taskDefinitionArn": arn, "launchType": "FARGATE",
        "platformVersion": "1.4.0", "platformFamily": "Linux", "cpu": "256", "memory": "512", "group": "family:job", "startedBy": "me",
        "createdAt": bench.clock.now(), "healthStatus": "UNKNOWN", "tags": [{"key": "team", "value": "a"}],
        "overrides": {"containerOverrides": [{"name": "app"}], "inferenceAcceleratorOverrides": []},
    }  # fmt: skip
    assert {name: task[name] for name in expected} == expected
    assert [(each["lastStatus"], each["cpu"]) for each in task["containers"]] == [("PENDING", "0")]
    assert not {"startedAt", "stoppedAt", "stopCode", "capacityProviderName"} & task.keys()
    assert (task["attachments"][0]["type"], task["attachments"][0]["status"]) == ("ElasticNetworkInterface", "PRECREATED")


@pytest.mark.parametrize(
    "members, code, text",
    [
        ({"launchType": "EC2"}, "InvalidParameterException", "No Container Instances were found in your cluster."),
        ({"launchType": None}, "InvalidParameterException", "No Container Instances were found in your cluster."),
        ({"launchType": None, "platformVersion": "1.4.0"}, "InvalidParameterException",
         "The platform version must be null when specifying an EC2 launch type."),
        ({"networkConfiguration": None}, "InvalidParameterException",
         "Network Configuration must be provided when networkMode 'awsvpc' is specified."),
        ({"networkConfiguration": {"awsvpcConfiguration": {"subnets": []}}}, "InvalidParameterException", "subnets can not be empty."),
        ({"taskDefinition": "other"}, "ClientException", "TaskDefinition not found."),
        ({"taskDefinition": "job:9"}, "ClientException", "TaskDefinition not found."),
        ({"taskDefinition": "arn:aws:ecs:eu-west-1:123456789012:task-definition/job:1"}, "ClientException", "TaskDefinition not found."),
        ({"taskDefinition": "job:x"}, "ClientException", "Invalid revision number. Number: x"),
        ({"taskDefinition": "job:²"}, "ClientException", "Invalid revision number. Number: ²"),
        ({"cluster": "nowhere"}, "ClusterNotFoundException", "Cluster not found."),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}, "InvalidParameterException",
         "Specifying both a launch type and capacity provider strategy is not supported."),
        ({"launchType": None, "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}, "InvalidParameterException",
         "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster."),
        ({"overrides": {"containerOverrides": [{"name": "web", "cpu": 1}]}}, "InvalidParameterException",
         "Override for container named web is not a container in the TaskDefinition."),
        ({"overrides": {"containerOverrides": [{"name": "app", "command": ["x" * 9000]}]}}, "InvalidParameterException",
         "Container Overrides length must be at most 8192"),
        ({"tags": [{"key": "AWS:x", "value": "1"}]}, "InvalidParameterException", "Tag keys may not start with the reserved prefix aws:."),
        ({"propagateTags": "SERVICE"}, "InvalidParameterException",
         "Tasks can only propagate tags from a task definition. Specify a valid value and try again."),
    ],
)  # fmt: skip
async def test_a_refusal_has_awss_words(bench: Bench, members: dict[str, Any], code: str, text: str) -> None:
    await bench.define()
    assert await refused(bench, **members) == (code, text)
    assert bench.told() == []


@pytest.mark.parametrize("members", [{"count": 0}, {"count": 11}, {"launchType": "MOON"}, {"platformVersion": "9.9.9"}])
async def test_other_limits_are_refused(bench: Bench, members: dict[str, Any]) -> None:
    await bench.define()
    await refused(bench, **members)
    assert bench.told() == []


async def test_an_inactive_definition_and_an_inactive_cluster(bench: Bench) -> None:
    await bench.define()
    await bench.call("DeregisterTaskDefinition", taskDefinition="job:1")
    assert await refused(bench, taskDefinition="job:1") == ("InvalidParameterException", "TaskDefinition is inactive")
    assert await refused(bench) == ("ClientException", "TaskDefinition not found.")
    await bench.call("DeleteCluster", cluster="default")
    assert await refused(bench) == ("ClusterNotFoundException", "The referenced cluster was inactive.")


async def test_a_definition_for_ec2_only_does_not_support_fargate(bench: Bench) -> None:
    await bench.define(requiresCompatibilities=["EC2"], networkMode="bridge")
    assert await refused(bench) == ("InvalidParameterException", "Task definition does not support launch_type FARGATE.")


@pytest.mark.parametrize(
    "strategy, text",
    [
        ([{"capacityProvider": "FARGATE"}],
         "There are no capacity providers in the capacity provider strategy with a weight value greater than zero."),
        ([{"capacityProvider": "FARGATE", "base": 1, "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "base": 1}],
         "There are multiple capacity providers in the specified capacity provider strategy with a base value defined."),
    ],
)  # fmt: skip
async def test_a_strategy_that_is_none(bench: Bench, strategy: list[dict[str, Any]], text: str) -> None:
    await bench.define()
    await bench.call("CreateCluster", clusterName="spot", capacityProviders=["FARGATE", "FARGATE_SPOT"])
    assert await refused(bench, cluster="spot", launchType=None, capacityProviderStrategy=strategy) == ("InvalidParameterException", text)


async def test_a_strategy_fills_its_base_and_then_goes_by_weight(bench: Bench) -> None:
    await bench.define()
    await bench.call("CreateCluster", clusterName="spot", capacityProviders=["FARGATE", "FARGATE_SPOT"])
    strategy = [{"capacityProvider": "FARGATE", "base": 2, "weight": 1}, {"capacityProvider": "FARGATE_SPOT", "weight": 3}]
    answer = await bench.run(cluster="spot", launchType=None, capacityProviderStrategy=strategy, count=10)
    given = [task["capacityProviderName"] for task in answer["tasks"]]
    assert (given[:2], given.count("FARGATE"), given.count("FARGATE_SPOT")) == (["FARGATE", "FARGATE"], 4, 6)
    assert {task["launchType"] for task in answer["tasks"]} == {"FARGATE"}


async def test_five_asked_and_room_for_three(tmp_path: Path) -> None:
    bench = await Bench(tmp_path, room=Room(3 * 256, 64 * 1024)).open()
    await bench.define(script="run_for=10s")
    answer = await bench.run(count=5)
    assert len(answer["tasks"]) == 3
    # Fargate's failures have a reason and nothing else (facts/ecs.md §3.2).
    assert answer["failures"] == [{"reason": CAPACITY}, {"reason": CAPACITY}]
    assert (await bench.run())["tasks"] == []
    await bench.clock.advance(11)
    assert len((await bench.run(count=5))["tasks"]) == 3
    await bench.close()


async def test_memory_is_a_room_too(tmp_path: Path) -> None:
    bench = await Bench(tmp_path, room=Room(64 * 1024, 1023)).open()
    await bench.define(script="run_for=10s")
    answer = await bench.run(count=2)
    assert (len(answer["tasks"]), answer["failures"]) == (1, [{"reason": CAPACITY}])
    await bench.close()


async def test_a_fault_takes_capacity_away_as_often_as_it_says(bench: Bench) -> None:
    await bench.define()
    bench.engine.faults.add([{"what": "capacity", "match": {"family": ["job"]}, "times": 2}])
    assert [len((await bench.run())["tasks"]) for _ in range(4)] == [0, 0, 1, 1]


async def test_the_same_token_answers_the_same_tasks(bench: Bench) -> None:
    await bench.define(script="run_for=10s")
    first = await bench.run(count=2, clientToken="t")
    await bench.clock.advance(5)
    again = await bench.run(count=2, clientToken="t")
    assert [task["taskArn"] for task in again["tasks"]] == [task["taskArn"] for task in first["tasks"]]
    assert sum(bench.runs.values()) == 2
    await bench.reopen()
    assert [task["taskArn"] for task in (await bench.run(count=2, clientToken="t"))["tasks"]] == [
        task["taskArn"] for task in first["tasks"]
    ]


async def test_the_same_token_for_another_request_is_a_conflict(bench: Bench) -> None:
    await bench.define(script="run_for=10s")
    arns = [task["taskArn"] for task in (await bench.run(count=2, clientToken="t"))["tasks"]]
    with pytest.raises(Refused) as caught:
        await bench.run(count=1, clientToken="t")
    assert (caught.value.status, caught.value.code) == (400, "ConflictException")
    assert caught.value.body["resourceIds"] == arns


async def test_a_token_belongs_to_its_cluster(bench: Bench) -> None:
    await bench.define()
    await bench.call("CreateCluster", clusterName="other")
    one = await bench.run_one(clientToken="t")
    two = await bench.run_one(clientToken="t", cluster="other")
    assert one != two


async def test_a_token_replays_a_refusal_for_an_hour(bench: Bench) -> None:
    await bench.define()
    bench.engine.faults.add([{"what": "capacity", "times": 1}])
    assert (await bench.run(clientToken="t"))["failures"] == [{"reason": CAPACITY}]
    assert (await bench.run(clientToken="t"))["failures"] == [{"reason": CAPACITY}]
    await bench.clock.advance(3601)
    assert len((await bench.run(clientToken="t"))["tasks"]) == 1


async def test_a_token_protects_an_hour_beyond_its_tasks_however_soon_they_are_forgotten(tmp_path: Path) -> None:
    bench = await Bench(tmp_path, forget_after=5.0).open()
    await bench.define(script="run_for=1s")
    arn = await bench.run_one(clientToken="t")
    await bench.clock.advance(600)
    assert (await bench.call("DescribeTasks", tasks=[arn]))["failures"][0]["reason"] == "MISSING"
    await bench.reopen()
    answer = await bench.run(clientToken="t")
    assert answer["tasks"] == [{"taskArn": arn, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}]
    await bench.clock.advance(2 * 3600)
    assert (await bench.run(clientToken="t"))["tasks"][0]["taskArn"] != arn
    await bench.close()


async def test_a_token_goes_with_the_last_of_its_tasks(bench: Bench) -> None:
    await bench.define(script="run_for=forever")
    arns = [task["taskArn"] for task in (await bench.run(count=2, clientToken="t"))["tasks"]]
    await bench.clock.advance(1)
    await bench.call("StopTask", task=arns[0])
    await bench.clock.advance(4000)
    # One of the two is forgotten, the other runs: launching again would be a second launch.
    assert [task["taskArn"] for task in (await bench.run(count=2, clientToken="t"))["tasks"]] == arns
    await bench.call("StopTask", task=arns[1])
    await bench.clock.advance(4000)
    assert not {task["taskArn"] for task in (await bench.run(count=2, clientToken="t"))["tasks"]} & set(arns)


async def test_an_old_launchs_expiry_does_not_end_the_protection_of_a_new_one(bench: Bench) -> None:
    await bench.define(script="run_for=1s")
    first = await bench.run_one(clientToken="t")
    await bench.clock.advance(23 * 3600)
    await bench.define(script="run_for=forever")
    second = await bench.run_one(clientToken="t")
    assert first != second
    await bench.clock.advance(2 * 3600)  # a day after the first
    assert await bench.run_one(clientToken="t") == second
    await bench.clock.advance(23 * 3600)  # a day after the second
    assert await bench.run_one(clientToken="t") != second


async def test_tokens_of_refused_launches_are_forgotten_without_any_task(bench: Bench) -> None:
    await bench.define()
    bench.engine.faults.add([{"what": "capacity"}])
    for number in range(3):
        await bench.run(clientToken=f"t{number}")
    assert len(bench.engine.state._tokens) == 3
    await bench.clock.advance(2 * 3600 + 1)
    assert bench.engine.state._tokens == {}


async def test_overrides_are_shown_and_reach_the_container(bench: Bench) -> None:
    await bench.define(containerDefinitions=[container("app", "exit=3"), container("side", "run_for=forever", essential=False)])
    given = {"name": "app", "command": ["x"], "environment": [{"name": "HINOBAN_FAKE", "value": "exit=7"}], "cpu": 128}
    arn = await bench.run_one(overrides={"containerOverrides": [given], "cpu": "512", "memory": "1024"})
    await bench.clock.advance(60)
    task = await bench.task(arn)
    assert task["overrides"]["containerOverrides"] == [given, {"name": "side"}]
    assert (task["cpu"], task["memory"], task["containers"][0]["cpu"], task["containers"][0]["exitCode"]) == ("512", "1024", "128", 7)


async def test_tags_are_the_requests_over_the_definitions(bench: Bench) -> None:
    await bench.define(tags=[{"key": "team", "value": "a"}, {"key": "cost", "value": "1"}], script="run_for=forever")
    arn = await bench.run_one(propagateTags="TASK_DEFINITION", tags=[{"key": "team", "value": "b"}], enableECSManagedTags=True)
    task = await bench.task(arn, include=["TAGS"])
    assert {tag["key"]: tag["value"] for tag in task["tags"]} == {"team": "b", "cost": "1", "aws:ecs:clusterName": "default"}
    assert (await bench.task(arn))["tags"] == []
    # StopTask deletes them (facts/ecs.md §7).
    await bench.call("StopTask", task=arn)
    assert (await bench.task(arn, include=["TAGS"]))["tags"] == []


async def test_an_unknown_member_is_ignored_and_a_wrong_type_is_not(bench: Bench) -> None:
    await bench.define()
    assert len((await bench.run(colour="red"))["tasks"]) == 1
    assert (await refused(bench, count="two"))[0] == "SerializationException"


async def test_a_subnet_is_always_in_the_same_zone(bench: Bench) -> None:
    await bench.define()
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1", "subnet-2"]}}
    zones = [task["availabilityZone"] for task in (await bench.run(count=4, networkConfiguration=network))["tasks"]]
    assert zones[0] == zones[2]
    assert zones[1] == zones[3]
    assert zones[0] == (await bench.run(networkConfiguration=NETWORK))["tasks"][0]["availabilityZone"]

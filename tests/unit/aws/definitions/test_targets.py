"""A target as the RunTask that it becomes (facts/eventbridge.md §6.2, §8.3)."""

import pytest

from hinoban.aws import models
from hinoban.aws.definitions.targets import run_task_request, slot_token, started_by, task_override
from hinoban.aws.errors import AwsError

CLUSTER = "arn:aws:ecs:ap-northeast-1:123456789012:cluster/batch"
FAMILY = "arn:aws:ecs:ap-northeast-1:123456789012:task-definition/job"
RULE = "arn:aws:events:ap-northeast-1:123456789012:rule/nightly"


def test_the_launchers_name_is_cut_to_36_characters() -> None:
    assert started_by("rule", "nightly") == "events-rule/nightly"
    assert started_by("schedule", "gold-coast-data-lake-import") == "chronos-schedule/gold-coast-data-lak"
    assert len(started_by("rule", "x" * 64)) == 36


def test_every_parameter_is_spelt_as_ecs_does() -> None:
    parameters = {
        "TaskDefinitionArn": FAMILY,
        "TaskCount": 3,
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["s1"], "SecurityGroups": ["g1"], "AssignPublicIp": "ENABLED"}},
        "PlatformVersion": "1.4.0",
        "Group": "g",
        "CapacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
        "EnableECSManagedTags": True,
        "EnableExecuteCommand": False,
        "PlacementConstraints": [{"type": "distinctInstance"}],
        "PlacementStrategy": [{"type": "random"}],
        "PropagateTags": "TASK_DEFINITION",
        "ReferenceId": "r",
        "Tags": [{"Key": "k", "Value": "v"}, {"Key": "alone"}],
    }
    override = {"containerOverrides": [{"name": "app", "command": ["x"]}]}
    request = run_task_request({"Arn": CLUSTER, "EcsParameters": parameters}, started_by="events-rule/n", token="t", override=override)
    assert request == {
        "cluster": CLUSTER,
        "taskDefinition": FAMILY,
        "count": 3,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s1"], "securityGroups": ["g1"], "assignPublicIp": "ENABLED"}},
        "platformVersion": "1.4.0",
        "group": "g",
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1, "base": 0}],
        "enableECSManagedTags": True,
        "enableExecuteCommand": False,
        "placementConstraints": [{"type": "distinctInstance"}],
        "placementStrategy": [{"type": "random"}],
        "propagateTags": "TASK_DEFINITION",
        "referenceId": "r",
        "tags": [{"key": "k", "value": "v"}, {"key": "alone", "value": ""}],
        "overrides": override,
        "startedBy": "events-rule/n",
        "clientToken": "t",
    }
    operation = models.service("ecs").operation("RunTask")
    assert operation is not None
    assert operation.check(request) == request


def test_what_is_not_given_is_not_asked_for() -> None:
    target = {"Arn": CLUSTER, "EcsParameters": {"TaskDefinitionArn": FAMILY}}
    assert run_task_request(target, started_by="s", token="t", override=None).keys() == {
        "cluster",
        "startedBy",
        "clientToken",
        "taskDefinition",
    }


def test_schedulers_tags_may_be_written_small() -> None:
    target = {"Arn": CLUSTER, "EcsParameters": {"TaskDefinitionArn": FAMILY, "Tags": [{"key": "k", "value": "v"}]}}
    assert run_task_request(target, started_by="s", token="t", override=None)["tags"] == [{"key": "k", "value": "v"}]


def test_the_token_is_the_slots_own() -> None:
    token = slot_token(RULE, "1", 1_795_705_200.0)
    assert len(token) == 64
    assert token == slot_token(RULE, "1", 1_795_705_200.0)
    others = {slot_token(RULE, "1", 1_795_705_260.0), slot_token(RULE, "2", 1_795_705_200.0), slot_token(RULE + "x", "1", 1_795_705_200.0)}
    assert len(others | {token, slot_token(RULE, "1", "an-event-id")}) == 5


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "\ud800", "[" * 100_000])
def test_a_text_that_is_no_override_is_refused(text: str) -> None:
    with pytest.raises(AwsError, match="InvalidParameterException"):
        task_override(text)


def test_an_override_is_taken_as_it_is() -> None:
    assert task_override('{"containerOverrides": [], "cpu": "256"}') == {"containerOverrides": [], "cpu": "256"}

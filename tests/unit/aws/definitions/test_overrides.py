"""Overrides: what a definition becomes, what is refused, what is shown."""

from copy import deepcopy
from typing import Any

import pytest

from hinoban.aws.definitions.overrides import effective, listed
from hinoban.aws.definitions.register import normalise
from hinoban.aws.errors import AwsError


@pytest.fixture
def definition() -> dict[str, Any]:
    request = {
        "family": "nightly",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [
            {
                "name": "job",
                "image": "job",
                "command": ["run"],
                "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            },
            {"name": "side", "image": "side", "essential": False},
        ],
    }
    return normalise(request, account="123456789012", region="ap-northeast-1")


def test_environment_is_added_to_by_name_and_the_rest_replaces(definition: dict[str, Any]) -> None:
    before = deepcopy(definition)
    job = {
        "name": "job",
        "command": ["again", "now"],
        "environment": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}],
        "cpu": 128,
        "memory": 256,
        "memoryReservation": 64,
        "environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::b/f.env"}],
    }
    result = effective(definition, {"containerOverrides": [job], "taskRoleArn": "arn:aws:iam::123456789012:role/other"})
    changed = result["containerDefinitions"][0]
    assert changed["environment"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}]
    assert {each: changed[each] for each in job if each != "environment"} == {each: job[each] for each in job if each != "environment"}
    assert result["containerDefinitions"][1] == before["containerDefinitions"][1]
    assert result["taskRoleArn"] == "arn:aws:iam::123456789012:role/other"
    assert definition == before


@pytest.mark.parametrize("overrides", [{}, {"containerOverrides": []}])
def test_without_overrides_the_definition_stays_as_it_is(definition: dict[str, Any], overrides: dict[str, Any]) -> None:
    result = effective(definition, overrides)
    assert result == definition
    assert result is not definition


def test_task_sizes_are_normalised(definition: dict[str, Any]) -> None:
    result = effective(definition, {"cpu": ".5 vcpu", "memory": "2 GB"})
    assert (result["cpu"], result["memory"]) == ("512", "2048")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"containerOverrides": [{"name": "web"}]}, "Override for container named web is not a container in the TaskDefinition."),
        (
            {"containerOverrides": [{"name": "job", "command": ["x" * 8192]}]},
            "Container Overrides length must be at most 8192",
        ),
        ({"cpu": "much"}, "Invalid 'cpu' setting for task."),
        ({"memory": "much"}, "Invalid 'memory' setting for task."),
        (
            {"memory": "8192"},
            "No Fargate configuration exists for given values: 256 CPU, 8192 memory."
            " See the Amazon ECS documentation for the valid values.",
        ),
    ],
)
def test_what_cannot_be_overridden_is_refused(definition: dict[str, Any], overrides: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError) as caught:
        effective(definition, overrides)
    assert (caught.value.code, caught.value.message) == ("InvalidParameterException", message)


def test_8192_characters_are_still_allowed_however_many_bytes(definition: dict[str, Any]) -> None:
    empty = '{"containerOverrides":[{"name":"job","command":[""]}]}'
    overrides = {"containerOverrides": [{"name": "job", "command": ["火" * (8192 - len(empty))]}]}
    assert effective(definition, overrides)["containerDefinitions"][0]["command"] == overrides["containerOverrides"][0]["command"]


@pytest.mark.parametrize("length", [1, 8192 - len('{"containerOverrides":[{"name":"job","command":[""]}]}')])
def test_what_is_listed_has_the_effect_of_what_was_given(definition: dict[str, Any], length: int) -> None:
    given = {"containerOverrides": [{"name": "job", "command": ["x" * length]}]}
    assert effective(definition, listed(definition, given)) == effective(definition, given)


def test_every_container_is_listed(definition: dict[str, Any]) -> None:
    assert listed(definition, {}) == {
        "containerOverrides": [{"name": "job"}, {"name": "side"}],
        "inferenceAcceleratorOverrides": [],
    }


def test_given_members_are_listed_and_events_leave_accelerators_out(definition: dict[str, Any]) -> None:
    overrides = {"containerOverrides": [{"name": "side", "command": ["x"]}], "cpu": "512"}
    assert listed(definition, overrides, for_event=True) == {
        "containerOverrides": [{"name": "job"}, {"name": "side", "command": ["x"]}],
        "cpu": "512",
    }

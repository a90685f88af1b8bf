"""What PutTargets takes and refuses (facts/eventbridge.md §5, §6.1, §6.2)."""

from typing import Any

import pytest

from tests.support.events import ACCOUNT, ARN, QUEUE, REGION, Hall

ROLE = f"arn:aws:iam::{ACCOUNT}:role/events"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/c"
GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/events/g"
ECS = {"TaskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/job:1"}
LONG = "x" * 65


@pytest.fixture(autouse=True)
async def rule(hall: Hall) -> None:
    hall.ask("PutRule", Name="r", EventPattern='{"source": ["my.app"]}')


def put(hall: Hall, *targets: dict[str, Any]) -> dict[str, Any]:
    return hall.ask("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": QUEUE} | target for target in targets])


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"Arn": GROUP},
        {"Arn": CLUSTER, "RoleArn": ROLE, "EcsParameters": ECS, "Input": '{"containerOverrides": []}'},
        {"Arn": f"{ARN}:event-bus/other"},
        {"Arn": "arn:aws:events:us-east-1:123456789012:event-bus/b", "RoleArn": ROLE},
        {"Arn": f"{ARN}:api-destination/d/1", "RoleArn": ROLE, "HttpParameters": {"HeaderParameters": {"a": "b"}}},
        {"Arn": QUEUE, "RoleArn": ROLE},
        {"Arn": f"{QUEUE}.fifo", "SqsParameters": {"MessageGroupId": "g"}},
        {"InputPath": "$.detail"},
        {"Input": '"a text"'},
        {"InputTransformer": {"InputPathsMap": {"a": "$.detail.a"}, "InputTemplate": '{"x": <a>, "r": "<aws.events.rule-name>"}'}},
        {"RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60}, "DeadLetterConfig": {"Arn": QUEUE}},
    ],
)
async def test_a_target_is_kept_as_it_was_given(hall: Hall, target: dict[str, Any]) -> None:
    assert put(hall, target) == {"FailedEntryCount": 0, "FailedEntries": []}
    assert hall.ask("ListTargetsByRule", Rule="r") == {"Targets": [{"Id": "1", "Arn": QUEUE} | target]}


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ({"Arn": "nonsense"}, "Parameter nonsense is not valid. Reason: Provided Arn is not in correct format."),
        ({"Arn": "arn:aws:s3:::bucket"}, "s3 is not a supported service for a target."),
        ({"Arn": GROUP, "RoleArn": ROLE}, f"RoleArn is not supported for target {GROUP}."),
        ({"Arn": CLUSTER, "EcsParameters": ECS}, f"RoleArn is required for target {CLUSTER}."),
        ({"Arn": CLUSTER, "RoleArn": ROLE}, "Parameter(s) EcsParameters must be specified for target: 1."),
        (
            {"Arn": "arn:aws:events:us-east-1:123456789012:event-bus/b"},
            "RoleArn is required for target arn:aws:events:us-east-1:123456789012:event-bus/b.",
        ),
        ({"Arn": f"{ARN}:api-destination/d/1"}, f"RoleArn is required for target {ARN}:api-destination/d/1."),
        ({"Arn": f"{QUEUE}.fifo"}, "Parameter(s) SqsParameters must be specified for target: 1."),
        (
            {"Input": "{}", "InputPath": "$.detail"},
            "Only one of Input, InputPath, or InputTransformer must be provided for target 1.",
        ),
        (
            {"InputPath": "$.detail", "InputTransformer": {"InputTemplate": '"x"'}},
            "Only one of Input, InputPath, or InputTransformer must be provided for target 1.",
        ),
        ({"Input": "bare words"}, "JSON syntax error in input for target 1."),
        (
            {"InputTransformer": {"InputPathsMap": {"a": "$.a"}, "InputTemplate": '"<a> <b>"'}},
            "InputTemplate for target 1 contains invalid placeholder b.",
        ),
        (
            {"InputTransformer": {"InputPathsMap": {"AWSx": "$.a"}, "InputTemplate": '"<AWSx>"'}},
            "InputPathsMap for target 1 contains reserved key AWSx: it can't start with AWS.",
        ),
        (
            {"Id": "a b"},
            "1 validation error detected: Value 'a b' at 'targets.2.member.id' failed to satisfy constraint: "
            r"Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+",
        ),
        (
            {"Id": LONG},
            f"1 validation error detected: Value '{LONG}' at 'targets.2.member.id' failed to satisfy constraint: "
            "Member must have length less than or equal to 64",
        ),
    ],
)
async def test_a_target_is_refused_and_with_it_all_of_the_call(hall: Hall, target: dict[str, Any], text: str) -> None:
    targets = [{"Id": "good", "Arn": QUEUE}, {"Id": "1", "Arn": QUEUE} | target]
    assert hall.refused("PutTargets", Rule="r", Targets=targets) == ("ValidationException", text)
    assert hall.ask("ListTargetsByRule", Rule="r") == {"Targets": []}


async def test_a_rule_has_5_targets(hall: Hall) -> None:
    put(hall, *({"Id": str(number)} for number in range(5)))
    full = ("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    assert hall.refused("PutTargets", Rule="r", Targets=[{"Id": "5", "Arn": QUEUE}]) == full
    put(hall, {"Id": "4", "Arn": GROUP})
    assert [target["Arn"] for target in hall.ask("ListTargetsByRule", Rule="r")["Targets"]] == [QUEUE] * 4 + [GROUP]


async def test_the_last_of_two_with_one_id_holds(hall: Hall) -> None:
    put(hall, {"Arn": GROUP}, {"Arn": QUEUE})
    assert hall.ask("ListTargetsByRule", Rule="r")["Targets"] == [{"Id": "1", "Arn": QUEUE}]


async def test_targets_are_removed_whether_they_are_there_or_not(hall: Hall) -> None:
    put(hall, {"Id": "a"}, {"Id": "b"}, {"Id": "c"})
    assert hall.ask("RemoveTargets", Rule="r", Ids=["b", "z"]) == {"FailedEntryCount": 0, "FailedEntries": []}
    first = hall.ask("ListTargetsByRule", Rule="r", Limit=1)
    assert [target["Id"] for target in first["Targets"]] == ["a"]
    assert hall.ask("ListTargetsByRule", Rule="r", NextToken=first["NextToken"])["Targets"] == [{"Id": "c", "Arn": QUEUE}]


async def test_a_text_that_is_no_arn_is_told_before_all_else(hall: Hall) -> None:
    nonsense = "Parameter nonsense is not valid. Reason: Provided Arn is not in correct format."
    targets = [{"Id": "1", "Arn": "arn:aws:s3:::bucket"}, {"Id": "2", "Arn": "nonsense"}]
    assert hall.refused("PutTargets", Rule="r", Targets=targets) == ("ValidationException", nonsense)


async def test_a_missing_rule_is_told_between_a_targets_missing_parameters_and_its_other_faults(hall: Hall) -> None:
    def told(arn: str) -> str:
        return hall.refused("PutTargets", Rule="nope", Targets=[{"Id": "1", "Arn": arn}])[1]

    assert told(f"{QUEUE}.fifo") == "Parameter(s) SqsParameters must be specified for target: 1."
    assert told("arn:aws:s3:::bucket") == "Rule nope does not exist on EventBus default."

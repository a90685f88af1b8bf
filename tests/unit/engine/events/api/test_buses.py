"""Buses, their policies, and tags by the API (facts/eventbridge.md §5, §9)."""

import json
from typing import Any

import pytest

from tests.support.events import ACCOUNT, ARN, Hall

NO_BUS = ("ResourceNotFoundException", "Event bus nope does not exist.")


async def test_a_bus_is_made_changed_and_deleted(hall: Hall) -> None:
    made = hall.clock.now()
    answer = hall.ask("CreateEventBus", Name="b", Description="d", Tags=[{"Key": "k", "Value": "v"}])
    assert answer == {"EventBusArn": f"{ARN}:event-bus/b", "Description": "d"}
    await hall.clock.advance(5)
    level = {"IncludeDetail": "FULL", "Level": "TRACE"}
    assert hall.ask("UpdateEventBus", Name="b", LogConfig=level)["Description"] == "d"
    assert hall.ask("DescribeEventBus", Name=f"{ARN}:event-bus/b") == {
        "Name": "b",
        "Arn": f"{ARN}:event-bus/b",
        "Description": "d",
        "LogConfig": level,
        "CreationTime": made,
        "LastModifiedTime": made + 5,
    }
    assert hall.ask("ListTagsForResource", ResourceARN=f"{ARN}:event-bus/b") == {"Tags": [{"Key": "k", "Value": "v"}]}
    assert [bus["Name"] for bus in hall.ask("ListEventBuses")["EventBuses"]] == ["b", "default"]
    assert hall.ask("DeleteEventBus", Name="b") == {}
    assert hall.ask("DeleteEventBus", Name="b") == {}
    assert [bus["Name"] for bus in hall.ask("ListEventBuses")["EventBuses"]] == ["default"]


async def test_the_default_bus_is_in_every_region_since_the_first_start(hall: Hall) -> None:
    born = hall.clock.now()
    await hall.clock.advance(100)
    hall.reopen()
    for region in ("eu-west-1", "us-east-1"):
        found = hall.ask("DescribeEventBus", region=region)
        assert found["Arn"] == f"arn:aws:events:{region}:{ACCOUNT}:event-bus/default"
        assert (found["Name"], found["CreationTime"]) == ("default", born)
    assert hall.ask("ListEventBuses", NamePrefix="d", Limit=1) == {"EventBuses": [hall.ask("DescribeEventBus", Name="default")]}


@pytest.mark.parametrize(
    ("operation", "params", "error"),
    [
        ("CreateEventBus", {"Name": "default"}, ("ResourceAlreadyExistsException", "Event bus default already exists.")),
        ("CreateEventBus", {"Name": "b"}, ("ResourceAlreadyExistsException", "Event bus b already exists.")),
        ("CreateEventBus", {"Name": "a/b"}, ("ValidationException", "Event bus name must not contain '/'.")),
        (
            "CreateEventBus",
            {"Name": "aws.partner/a/b", "EventSourceName": "aws.partner/a/b"},
            ("ResourceNotFoundException", "Event source aws.partner/a/b does not exist."),
        ),
        ("DeleteEventBus", {"Name": "default"}, ("ValidationException", "Cannot delete event bus default.")),
        ("DeleteEventBus", {"Name": "b"}, ("ValidationException", "EventBus can't be deleted since it has rules.")),
        ("DescribeEventBus", {"Name": "nope"}, NO_BUS),
        ("UpdateEventBus", {"Name": "nope"}, NO_BUS),
        ("ListRules", {"EventBusName": "nope"}, NO_BUS),
        ("PutPermission", {"EventBusName": "nope", "Action": "events:PutEvents", "Principal": "*", "StatementId": "s"}, NO_BUS),
        ("RemovePermission", {"EventBusName": "nope", "StatementId": "s"}, NO_BUS),
        ("TagResource", {"ResourceARN": f"{ARN}:event-bus/nope", "Tags": []}, NO_BUS),
        (
            "TagResource",
            {"ResourceARN": f"{ARN}:rule/b/nope", "Tags": []},
            ("ResourceNotFoundException", "Rule nope does not exist on EventBus b."),
        ),
        (
            "UntagResource",
            {"ResourceARN": f"{ARN}:rule/nope", "TagKeys": []},
            ("ResourceNotFoundException", "Rule nope does not exist on EventBus default."),
        ),
        (
            "ListTagsForResource",
            {"ResourceARN": "nonsense"},
            ("ValidationException", "Parameter nonsense is not valid. Reason: Provided Arn is not in correct format."),
        ),
        (
            "RemovePermission",
            {"StatementId": "s"},
            ("ResourceNotFoundException", "Statement with the provided id does not exist."),
        ),
        (
            "PutPermission",
            {"Action": "events:PutRule", "Principal": "*", "StatementId": "s"},
            ("ValidationException", "Provided value in parameter 'action' is not supported."),
        ),
        ("PutPermission", {"Policy": "[]"}, ("ValidationException", "Parameter Policy is not valid.")),
        ("PutPermission", {"Principal": "*"}, ("ValidationException", "Parameter(s) Action, StatementId must be specified.")),
    ],
)
async def test_what_is_refused_about_buses(hall: Hall, operation: str, params: dict[str, Any], error: tuple[str, str]) -> None:
    hall.ask("CreateEventBus", Name="b")
    hall.ask("PutRule", Name="r", EventBusName="b", EventPattern='{"source": ["x"]}')
    assert hall.refused(operation, **params) == error


async def test_a_region_has_100_buses(hall: Hall) -> None:
    for number in range(99):
        hall.ask("CreateEventBus", Name=f"b{number}")
    full = ("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    assert hall.refused("CreateEventBus", Name="one-more") == full
    hall.ask("CreateEventBus", Name="one-more", region="us-east-1")


def policy(hall: Hall, bus: str = "default") -> Any:
    text = hall.ask("DescribeEventBus", Name=bus).get("Policy")
    return None if text is None else json.loads(text)


async def test_permissions_make_a_policy(hall: Hall) -> None:
    hall.ask("PutPermission", Action="events:PutEvents", Principal="111111111111", StatementId="one")
    condition = {"Type": "StringEquals", "Key": "aws:PrincipalOrgID", "Value": "o-1"}
    hall.ask("PutPermission", Action="events:PutEvents", Principal="*", StatementId="two", Condition=condition)
    one = {
        "Sid": "one",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111111111111:root"},
        "Action": "events:PutEvents",
        "Resource": f"{ARN}:event-bus/default",
    }
    two = one | {"Sid": "two", "Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
    assert policy(hall) == {"Version": "2012-10-17", "Statement": [one, two]}
    hall.ask("RemovePermission", StatementId="one")
    assert policy(hall) == {"Version": "2012-10-17", "Statement": [two]}
    whole = {"Version": "2012-10-17", "Statement": {"Sid": "s", "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}}
    hall.ask("PutPermission", Policy=json.dumps(whole))
    assert policy(hall) == whole
    hall.ask("PutPermission", Action="events:PutEvents", Principal="111111111111", StatementId="one")
    assert policy(hall)["Statement"] == [whole["Statement"], one]
    hall.ask("RemovePermission", RemoveAllPermissions=True)
    assert policy(hall) is None
    assert policy(hall, "default") is None


async def test_a_policy_has_10240_characters(hall: Hall) -> None:
    long = json.dumps({"Statement": [{"Sid": "x" * 10_240}]})
    assert hall.refused("PutPermission", Policy=long)[0] == "PolicyLengthExceededException"
    assert hall.refused("PutPermission", Policy='{"a":' * 600 + "1" + "}" * 600) == (
        "ValidationException",
        "Parameter Policy is not valid.",
    )


async def test_tags_are_added_replaced_and_taken_away(hall: Hall) -> None:
    hall.ask("PutRule", Name="r", EventPattern='{"source": ["x"]}')
    for arn in (f"{ARN}:rule/r", f"{ARN}:event-bus/default"):
        hall.ask("TagResource", ResourceARN=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        hall.ask("TagResource", ResourceARN=arn, Tags=[{"Key": "a", "Value": "3"}])
        hall.ask("UntagResource", ResourceARN=arn, TagKeys=["b", "c"])
        assert hall.ask("ListTagsForResource", ResourceARN=arn) == {"Tags": [{"Key": "a", "Value": "3"}]}

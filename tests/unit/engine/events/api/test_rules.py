"""Rules by the API (facts/eventbridge.md §5)."""

from typing import Any

import pytest

from hinoban.engine.events.api.rules import MOST_RULES
from tests.support.events import ACCOUNT, ARN, QUEUE, Hall

PATTERN = '{"source": ["my.app"]}'


def validation(text: str) -> tuple[str, str]:
    return ("ValidationException", text)


def missing(text: str) -> tuple[str, str]:
    return ("ResourceNotFoundException", text)


async def test_a_rule_is_put_described_and_listed(hall: Hall) -> None:
    assert hall.ask("PutRule", Name="r", EventPattern=PATTERN) == {"RuleArn": f"{ARN}:rule/r"}
    listed = {"Name": "r", "Arn": f"{ARN}:rule/r", "EventPattern": PATTERN, "State": "ENABLED", "EventBusName": "default"}
    assert hall.ask("ListRules") == {"Rules": [listed]}
    assert hall.ask("DescribeRule", Name="r") == listed | {"CreatedBy": ACCOUNT}


async def test_a_rule_on_a_bus_carries_its_name_in_the_arn(hall: Hall) -> None:
    bus = hall.ask("CreateEventBus", Name="b")["EventBusArn"]
    assert hall.ask("PutRule", Name="r", EventPattern=PATTERN, EventBusName=bus) == {"RuleArn": f"{ARN}:rule/b/r"}
    assert hall.ask("ListRules")["Rules"] == []
    assert [rule["Name"] for rule in hall.ask("ListRules", EventBusName="b")["Rules"]] == ["r"]
    assert hall.ask("ListRules", region="us-east-1")["Rules"] == []


async def test_an_update_replaces_all_but_targets_and_tags(hall: Hall) -> None:
    hall.ask(
        "PutRule",
        Name="r",
        EventPattern=PATTERN,
        Description="d",
        State="DISABLED",
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/r",
        Tags=[{"Key": "k", "Value": "v"}],
    )
    hall.ask("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": QUEUE}])
    hall.ask("PutRule", Name="r", ScheduleExpression="rate(5 minutes)", Tags=[{"Key": "other", "Value": "x"}])
    described = hall.ask("DescribeRule", Name="r")
    assert described == {
        "Name": "r",
        "Arn": f"{ARN}:rule/r",
        "ScheduleExpression": "rate(5 minutes)",
        "State": "ENABLED",
        "EventBusName": "default",
        "CreatedBy": ACCOUNT,
    }
    assert hall.ask("ListTagsForResource", ResourceARN=f"{ARN}:rule/r") == {"Tags": [{"Key": "k", "Value": "v"}]}
    assert len(hall.ask("ListTargetsByRule", Rule="r")["Targets"]) == 1


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, validation("Parameter(s) EventPattern or ScheduleExpression must be specified.")),
        ({"ScheduleExpression": "rate(1 minutes)"}, validation("Parameter ScheduleExpression is not valid.")),
        ({"ScheduleExpression": "at(2026-12-01T10:00:00)"}, validation("Parameter ScheduleExpression is not valid.")),
        (
            {"ScheduleExpression": "rate(1 minute)", "EventBusName": "b"},
            validation("ScheduleExpression is supported only on the default event bus."),
        ),
        ({"EventPattern": PATTERN, "EventBusName": "nope"}, missing("Event bus nope does not exist.")),
        (
            {"EventPattern": PATTERN, "EventBusName": f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"},
            missing("Event bus default does not exist."),
        ),
    ],
)
async def test_a_rule_is_refused(hall: Hall, params: dict[str, str], error: tuple[str, str]) -> None:
    hall.ask("CreateEventBus", Name="b")
    assert hall.refused("PutRule", Name="r", **params) == error
    assert hall.ask("ListRules")["Rules"] == []


async def test_a_bad_pattern_is_told_in_its_own_words(hall: Hall) -> None:
    code, text = hall.refused("PutRule", Name="r", EventPattern='{"source": "x"}')
    assert code == "InvalidEventPatternException"
    assert text.startswith('Event pattern is not valid. Reason: "source" must be an object or an array\n')


@pytest.mark.parametrize(
    ("operation", "member"),
    [
        ("DescribeRule", "Name"),
        ("EnableRule", "Name"),
        ("DisableRule", "Name"),
        ("PutTargets", "Rule"),
        ("ListTargetsByRule", "Rule"),
        ("RemoveTargets", "Rule"),
    ],
)
async def test_a_missing_rule_and_a_missing_bus_are_named(hall: Hall, operation: str, member: str) -> None:
    needed: dict[str, dict[str, Any]] = {"PutTargets": {"Targets": [{"Id": "1", "Arn": QUEUE}]}, "RemoveTargets": {"Ids": ["1"]}}
    more = needed.get(operation, {})
    assert hall.refused(operation, **{member: "r"}, **more) == missing("Rule r does not exist on EventBus default.")
    assert hall.refused(operation, **{member: "r"}, EventBusName="b", **more) == missing("Event bus b does not exist.")


async def test_a_missing_rule_is_deleted_already_and_one_with_targets_is_not(hall: Hall) -> None:
    assert hall.ask("DeleteRule", Name="r") == {}
    hall.ask("PutRule", Name="r", EventPattern=PATTERN)
    hall.ask("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": QUEUE}])
    assert hall.refused("DeleteRule", Name="r", Force=True) == validation("Rule can't be deleted since it has targets.")
    hall.ask("RemoveTargets", Rule="r", Ids=["1"])
    hall.ask("DeleteRule", Name="r")
    assert hall.ask("ListRules") == {"Rules": []}


async def test_a_rule_is_disabled_and_enabled(hall: Hall) -> None:
    hall.ask("PutRule", Name="r", EventPattern=PATTERN, State="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    hall.ask("EnableRule", Name="r")
    assert hall.ask("DescribeRule", Name="r")["State"] == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    hall.ask("DisableRule", Name="r")
    assert hall.ask("DescribeRule", Name="r")["State"] == "DISABLED"
    hall.ask("EnableRule", Name="r")
    assert hall.ask("DescribeRule", Name="r")["State"] == "ENABLED"


async def test_a_bus_holds_300_rules(hall: Hall) -> None:
    for number in range(MOST_RULES):
        hall.ask("PutRule", Name=f"r{number}", EventPattern=PATTERN)
    full = ("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    assert hall.refused("PutRule", Name="one-more", EventPattern=PATTERN) == full
    hall.ask("PutRule", Name="r0", EventPattern='{"source": ["other"]}')
    hall.ask("CreateEventBus", Name="b")
    hall.ask("PutRule", Name="one-more", EventPattern=PATTERN, EventBusName="b")
    hall.ask("PutRule", Name="one-more", EventPattern=PATTERN, region="us-east-1")


async def test_lists_come_in_pages(hall: Hall) -> None:
    for number in range(7):
        hall.ask("PutRule", Name=f"r{number}", EventPattern=PATTERN)
        hall.ask("PutTargets", Rule=f"r{number}", Targets=[{"Id": "1", "Arn": QUEUE}])
    hall.ask("PutRule", Name="a", EventPattern=PATTERN)
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = hall.ask("ListRules", NamePrefix="r", Limit=3, **token)
        seen += [rule["Name"] for rule in answer["Rules"]]
        if "NextToken" not in answer:
            break
        token = {"NextToken": answer["NextToken"]}
        # A rule that goes in between costs no other one its place.
        hall.ask("RemoveTargets", Rule=seen[-1], Ids=["1"])
        hall.ask("DeleteRule", Name=seen[-1])
    assert seen == [f"r{number}" for number in range(7)]
    names = hall.ask("ListRuleNamesByTarget", TargetArn=QUEUE, Limit=2)
    assert names["RuleNames"] == ["r0", "r1"]
    assert hall.ask("ListRuleNamesByTarget", TargetArn=QUEUE, NextToken=names["NextToken"]) == {"RuleNames": ["r3", "r4", "r6"]}
    assert hall.refused("ListRules", NextToken="?") == validation("Parameter NextToken is not valid.")


async def test_rules_are_found_by_target_only_while_they_have_it(hall: Hall) -> None:
    hall.ask("PutRule", Name="r", EventPattern=PATTERN)
    hall.ask("PutTargets", Rule="r", Targets=[{"Id": "1", "Arn": QUEUE}, {"Id": "2", "Arn": QUEUE}])
    hall.ask("RemoveTargets", Rule="r", Ids=["1"])
    assert hall.ask("ListRuleNamesByTarget", TargetArn=QUEUE) == {"RuleNames": ["r"]}
    hall.ask("PutTargets", Rule="r", Targets=[{"Id": "2", "Arn": QUEUE + "2"}])
    assert hall.ask("ListRuleNamesByTarget", TargetArn=QUEUE) == {"RuleNames": []}
    assert hall.refused("ListRuleNamesByTarget", TargetArn=QUEUE, EventBusName="b") == missing("Event bus b does not exist.")


async def test_an_empty_pattern_or_expression_counts_as_not_given(hall: Hall) -> None:
    hall.ask("PutRule", Name="timed", EventPattern="", ScheduleExpression="rate(1 hour)")
    hall.ask("PutRule", Name="matching", EventPattern='{"source": ["a"]}', ScheduleExpression="")
    assert "EventPattern" not in hall.ask("DescribeRule", Name="timed")
    assert "ScheduleExpression" not in hall.ask("DescribeRule", Name="matching")
    told = ("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
    assert hall.refused("PutRule", Name="neither", EventPattern="", ScheduleExpression="") == told

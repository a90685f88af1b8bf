"""AWS's answers as schedules, and the RunTask that each makes of a slot."""

from typing import Any

import pytest

from hinoban.base.clock import MINUTES
from hinoban.watch.schedules import reading
from hinoban.watch.schedules.requests import request_at
from tests.unit.watch.schedules.samples import ACCOUNT, MIDNIGHT, REGION, definition_arn, role_arn, rule, schedule, target_body


def test_a_rule_is_read_whole() -> None:
    found = rule(target={"Input": '{"containerOverrides":[]}', "ecs": {"TaskCount": 3}})
    assert found.key == f"arn:aws:events:{REGION}:{ACCOUNT}:rule/daily-close#1"
    assert (found.kind, found.bus, found.group, found.timezone, found.enabled) == ("rule", "default", None, "UTC", True)
    assert (found.cluster, found.family, found.revision, found.count, found.role) == ("batch", "daily-close", 17, 3, role_arn())
    assert (found.task_definition, found.started_by) == (definition_arn("daily-close:17"), "events-rule/daily-close")
    assert found.created_at is None


def test_a_rule_that_also_hears_every_cloudtrail_event_is_enabled() -> None:
    assert rule(State="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS").enabled
    assert not rule(State="DISABLED").enabled


def test_the_rules_role_serves_a_target_without_one() -> None:
    assert rule(target={"RoleArn": None}, RoleArn="arn:of:the:rule").role == "arn:of:the:rule"


def test_a_schedule_is_read_whole() -> None:
    found = schedule(
        GroupName="nightly",
        ScheduleExpressionTimezone="Asia/Tokyo",
        FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        StartDate=MIDNIGHT,
        EndDate="2027-01-01T00:00:00Z",
        Description=None,
    )
    assert found.key == f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/nightly/report#target"
    assert (found.group, found.bus, found.timezone, found.window_seconds) == ("nightly", None, "Asia/Tokyo", 15 * MINUTES)
    assert (found.start, found.end) == (MIDNIGHT, 1_798_761_600.0)
    assert (found.family, found.revision, found.job) == ("report", None, "report")
    assert "Target" in found.members
    assert not {"Arn", "CreationDate", "Description"} & set(found.members)


def test_started_by_is_cut_as_ecs_cuts_it() -> None:
    assert schedule("gold-coast-data-lake-nightly").started_by == "chronos-schedule/gold-coast-data-lak"


@pytest.mark.parametrize(
    ("arn", "kind"),
    [
        ("arn:aws:lambda:r:1:function:f", "Lambda"),
        ("arn:aws:states:r:1:stateMachine:m", "Step Functions"),
        ("arn:aws:events:r:1:event-bus/b", "event bus"),
        ("arn:aws:events:r:1:api-destination/d/x", "API destination"),
        ("arn:aws:scheduler:::aws-sdk:ecs:runTask", "ecs:runTask"),
        ("arn:aws:glue:r:1:workflow/w", "glue"),
        ("nonsense", "unknown"),
    ],
)
def test_what_starts_no_task_is_named_for_people(arn: str, kind: str) -> None:
    assert not reading.is_ecs(arn)
    assert reading.kind_of(arn) == kind


def test_a_cluster_is_what_starts_tasks() -> None:
    assert reading.is_ecs(target_body()["Arn"])
    assert reading.is_ecs("arn:aws-cn:ecs:cn-north-1:1:cluster/batch")


def test_a_rules_request_is_runtasks_parameters() -> None:
    parameters: dict[str, Any] = {"LaunchType": "FARGATE", "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["s"]}}}
    found = rule(target={"ecs": parameters, "Input": '{"containerOverrides":[{"name":"app","command":["x"]}]}'})
    assert request_at(found, MIDNIGHT) == {
        "cluster": target_body()["Arn"],
        "taskDefinition": definition_arn("daily-close:17"),
        "count": 1,
        "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["s"]}},
        "overrides": {"containerOverrides": [{"name": "app", "command": ["x"]}]},
    }


def test_schedulers_context_attributes_are_the_slots() -> None:
    text = '{"containerOverrides":[{"name":"app","command":["<aws.scheduler.scheduled-time>","<aws.scheduler.attempt-number>"]}]}'
    found = schedule(target={"Input": text})
    first, second = request_at(found, MIDNIGHT), request_at(found, MIDNIGHT + 3600)
    assert first is not None
    assert second is not None
    assert first["overrides"]["containerOverrides"][0]["command"] == ["2026-11-27T00:00:00Z", "1"]
    assert second["overrides"]["containerOverrides"][0]["command"] == ["2026-11-27T01:00:00Z", "1"]
    assert first["taskDefinition"] == definition_arn("report")


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"InputTransformer": {"InputTemplate": "{}"}}, "InputTransformer"),
        ({"InputPath": "$.detail"}, "InputPath"),
        ({"ecs": {"Group": "$.detail.group"}}, "Group"),
        ({"Input": "{no"}, "Input cannot be"),
        ({"Input": "[]"}, "Input cannot be"),
    ],
)
def test_what_only_eventbridge_can_make_of_an_event_is_said_instead_of_guessed(members: dict[str, Any], words: str) -> None:
    found = rule(target=members)
    assert found.request is None
    assert request_at(found, MIDNIGHT) is None
    assert found.problem is not None
    assert words in found.problem

"""boto3's EventBridge Scheduler client against the whole engine over a real socket."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.support.served import ACCOUNT, REGION, client, eventually, served

ROLE = f"arn:aws:iam::{ACCOUNT}:role/scheduler"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox"
WINDOW = {"Mode": "OFF"}
YEARLY = "cron(0 0 1 1 ? *)"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(tmp_path_factory.mktemp("engine")) as found:
        yield found


@pytest.fixture(scope="module")
def scheduler(port: int) -> BaseClient:
    return client("scheduler", port)


def schedule(name: str, **more: Any) -> dict[str, Any]:
    target = {"Arn": QUEUE, "RoleArn": ROLE, "Input": "{}"}
    return {"Name": name, "ScheduleExpression": YEARLY, "FlexibleTimeWindow": WINDOW, "Target": target, "State": "DISABLED"} | more


def refused(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str, str]:
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"].get("Message", "")


def test_a_schedule_lives_is_updated_and_gone(scheduler: BaseClient) -> None:
    arn = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/life"
    assert scheduler.create_schedule(**schedule("life", ScheduleExpressionTimezone="Asia/Tokyo"))["ScheduleArn"] == arn
    told = scheduler.get_schedule(Name="life")
    assert (told["Arn"], told["GroupName"], told["State"]) == (arn, "default", "DISABLED")
    assert (told["ScheduleExpression"], told["ScheduleExpressionTimezone"]) == (YEARLY, "Asia/Tokyo")
    assert told["Target"]["Arn"] == QUEUE and told["CreationDate"].tzinfo is not None
    assert scheduler.update_schedule(**schedule("life", ScheduleExpression="rate(2 hours)"))["ScheduleArn"] == arn
    assert scheduler.get_schedule(Name="life")["ScheduleExpression"] == "rate(2 hours)"
    scheduler.delete_schedule(Name="life")
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException) as caught:
        scheduler.get_schedule(Name="life")
    assert refused(caught) == (404, "ResourceNotFoundException", "Schedule life does not exist.")


def test_a_name_is_taken_once(scheduler: BaseClient) -> None:
    scheduler.create_schedule(**schedule("twice"))
    with pytest.raises(scheduler.exceptions.ConflictException) as caught:
        scheduler.create_schedule(**schedule("twice"))
    assert refused(caught) == (409, "ConflictException", "Schedule twice already exists.")


def test_a_group_holds_schedules_and_carries_tags(scheduler: BaseClient) -> None:
    made = scheduler.create_schedule_group(Name="batch", Tags=[{"Key": "team", "Value": "a"}])["ScheduleGroupArn"]
    assert made == f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/batch"
    assert scheduler.get_schedule_group(Name="batch")["State"] == "ACTIVE"
    assert {"default", "batch"} <= {group["Name"] for group in scheduler.list_schedule_groups()["ScheduleGroups"]}
    assert scheduler.list_tags_for_resource(ResourceArn=made)["Tags"] == [{"Key": "team", "Value": "a"}]
    scheduler.tag_resource(ResourceArn=made, Tags=[{"Key": "env", "Value": "b"}])
    scheduler.untag_resource(ResourceArn=made, TagKeys=["team"])
    assert scheduler.list_tags_for_resource(ResourceArn=made)["Tags"] == [{"Key": "env", "Value": "b"}]
    scheduler.create_schedule(**schedule("nightly", GroupName="batch"))
    assert [one["Name"] for one in scheduler.list_schedules(GroupName="batch")["Schedules"]] == ["nightly"]
    assert scheduler.get_schedule(Name="nightly", GroupName="batch")["GroupName"] == "batch"


def test_a_group_that_is_missing_is_told(scheduler: BaseClient) -> None:
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException) as caught:
        scheduler.create_schedule(**schedule("homeless", GroupName="nowhere"))
    assert refused(caught) == (404, "ResourceNotFoundException", "Schedule group nowhere does not exist.")


def test_schedules_come_page_by_page_as_summaries(scheduler: BaseClient) -> None:
    names = [f"paged-{index}" for index in range(5)]
    for name in names:
        scheduler.create_schedule(**schedule(name))
    pages = list(scheduler.get_paginator("list_schedules").paginate(NamePrefix="paged-", PaginationConfig={"PageSize": 2}))
    found = [one for page in pages for one in page["Schedules"]]
    assert len(pages) >= 3 and sorted(one["Name"] for one in found) == names
    assert found[0]["Target"] == {"Arn": QUEUE} and "ScheduleExpression" not in found[0]


@pytest.mark.parametrize(
    "more",
    [
        {"ScheduleExpression": "cron(99 0 1 1 ? *)"},
        {"ScheduleExpressionTimezone": "Asia/Nowhere"},
        {"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}},
    ],
)
def test_what_is_not_valid_is_refused_in_its_class(scheduler: BaseClient, more: dict[str, Any]) -> None:
    with pytest.raises(scheduler.exceptions.ValidationException) as caught:
        scheduler.create_schedule(**schedule("invalid", **more))
    assert refused(caught)[:2] == (400, "ValidationException")


def test_a_schedule_that_falls_due_once_starts_its_task_and_is_deleted(scheduler: BaseClient, port: int) -> None:
    ecs = client("ecs", port)
    container = {"name": "app", "image": "busybox", "environment": [{"name": "HINOBAN_FAKE", "value": "run_for=forever"}]}
    definition = ecs.register_task_definition(
        family="once",
        cpu="256",
        memory="512",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[container],
    )["taskDefinition"]["taskDefinitionArn"]
    network = {"awsvpcConfiguration": {"Subnets": ["subnet-1"]}}
    target = {
        "Arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/default",
        "RoleArn": ROLE,
        "EcsParameters": {"TaskDefinitionArn": definition, "LaunchType": "FARGATE", "NetworkConfiguration": network},
    }
    due = datetime.now(UTC) + timedelta(seconds=2)
    once = {"ScheduleExpression": f"at({due:%Y-%m-%dT%H:%M:%S})", "State": "ENABLED", "ActionAfterCompletion": "DELETE", "Target": target}
    scheduler.create_schedule(**schedule("once", **once))
    (arn,) = eventually(lambda: ecs.list_tasks(family="once")["taskArns"])
    task = ecs.describe_tasks(tasks=[arn])["tasks"][0]
    assert task["startedBy"] == "chronos-schedule/once" and task["taskDefinitionArn"] == definition
    eventually(lambda: "once" not in [one["Name"] for one in scheduler.list_schedules()["Schedules"]])
    assert ecs.list_tasks(family="once")["taskArns"] == [arn]

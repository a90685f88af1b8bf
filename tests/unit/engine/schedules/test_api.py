"""EventBridge Scheduler's operations, asked through botocore's model."""

import msgspec
import pytest

from hinoban.aws.errors import AwsError
from hinoban.engine.schedules import api, groups
from tests.support.slots import ACCOUNT, CLUSTER, REGION, ROLE, TARGET, House

DEFAULT_RETRIES = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
GROUP_ARN = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group"


def refused(house: House, operation: str, **params) -> tuple[int, str, str]:
    with pytest.raises(AwsError) as caught:
        house.ask(operation, **params)
    return caught.value.status, caught.value.code, caught.value.message


def refused_schedule(house: House, **params) -> tuple[int, str, str]:
    whole = {"Name": "n", "ScheduleExpression": "rate(1 hour)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": TARGET} | params
    return refused(house, "CreateSchedule", **{name: value for name, value in whole.items() if value is not None})


def invalid(text: str) -> tuple[int, str, str]:
    return (400, "ValidationException", text)


# Schedules -------------------------------------------------------------------------------------------------------------------------------


async def test_a_schedule_is_told_as_it_was_given_with_its_defaults(house):
    arn = house.create("nightly", "cron(0 3 * * ? *)", Description="d", ScheduleExpressionTimezone="Asia/Tokyo")
    now = house.clock.now()
    assert arn == f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/nightly"
    assert house.ask("GetSchedule", Name="nightly") == {
        "Arn": arn,
        "GroupName": "default",
        "Name": "nightly",
        "ScheduleExpression": "cron(0 3 * * ? *)",
        "ScheduleExpressionTimezone": "Asia/Tokyo",
        "Description": "d",
        "State": "ENABLED",
        "CreationDate": now,
        "LastModificationDate": now,
        "Target": TARGET | {"RetryPolicy": DEFAULT_RETRIES},
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "NONE",
    }


async def test_an_update_replaces_the_whole_schedule(house):
    house.create(Description="d", State="DISABLED", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15})
    created = house.clock.now()
    assert house.ask("GetSchedule", Name="nightly")["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    house.set_clock(created + 60)
    house.update(expression="rate(2 hours)")
    told = house.ask("GetSchedule", Name="nightly")
    assert "Description" not in told
    assert (told["State"], told["ScheduleExpression"], told["FlexibleTimeWindow"]) == ("ENABLED", "rate(2 hours)", {"Mode": "OFF"})
    assert (told["CreationDate"], told["LastModificationDate"]) == (created, created + 60)


async def test_a_schedule_that_is_deleted_is_gone(house):
    house.create()
    assert house.ask("DeleteSchedule", Name="nightly") == {}
    assert refused(house, "GetSchedule", Name="nightly") == (404, "ResourceNotFoundException", "Schedule nightly does not exist.")
    assert refused(house, "DeleteSchedule", Name="nightly") == (404, "ResourceNotFoundException", "Schedule nightly does not exist.")


@pytest.mark.parametrize("operation", ["GetSchedule", "DeleteSchedule"])
async def test_a_group_that_does_not_exist_is_named(house, operation):
    text = (404, "ResourceNotFoundException", "Schedule group g does not exist.")
    assert refused(house, operation, Name="n", GroupName="g") == text
    assert refused_schedule(house, GroupName="g") == text
    assert refused(house, "ListSchedules", GroupName="g") == text


async def test_a_name_is_free_in_another_group_and_region(house):
    house.ask("CreateScheduleGroup", Name="g")
    house.create()
    assert house.create(GroupName="g").endswith("schedule/g/nightly")
    assert refused_schedule(house, Name="nightly") == (409, "ConflictException", "Schedule nightly already exists.")
    house.ask(
        "CreateSchedule",
        region="us-east-1",
        Name="nightly",
        ScheduleExpression="rate(1 hour)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=TARGET,
    )


async def test_the_same_token_makes_one_schedule_and_a_changed_call_is_refused(house):
    first = house.create(ClientToken="t")
    house.set_clock(house.clock.now() + 5)
    assert house.create(ClientToken="t") == first
    assert refused_schedule(house, Name="nightly", ClientToken="t", ScheduleExpression="rate(2 hours)")[1] == "ConflictException"
    assert refused_schedule(house, Name="nightly", ClientToken="u")[1] == "ConflictException"


async def test_a_deletion_that_is_sent_again_is_done_also_after_a_restart(house):
    house.ask("CreateScheduleGroup", Name="g")
    house.create()
    house.ask("DeleteSchedule", Name="nightly", ClientToken="t")
    house.ask("DeleteScheduleGroup", Name="g", ClientToken="u")
    await house.database.committed()
    house.reopen()
    assert house.ask("DeleteSchedule", Name="nightly", ClientToken="t") == {}
    assert house.ask("DeleteScheduleGroup", Name="g", ClientToken="u") == {}
    assert refused(house, "DeleteSchedule", Name="other", ClientToken="t")[0] == 404
    house.set_clock(house.clock.now() + 2 * 3600)
    assert refused(house, "DeleteSchedule", Name="nightly", ClientToken="t")[0] == 404


@pytest.mark.parametrize(
    "expression",
    ["cron(0 1 * * * *)", "cron()", "rate(10 seconds)", "rate()", "rate( 10 minutes )", " rate(10 minutes)", "at(2021-12-31)", "nonsense"],
)
async def test_an_expression_that_is_none_is_told(house, expression):
    assert refused_schedule(house, ScheduleExpression=expression) == invalid(f"Invalid Schedule Expression {expression}.")


async def test_a_time_zone_nobody_knows(house):
    told = refused_schedule(house, ScheduleExpressionTimezone="Asia/Tokio")
    assert told == invalid("Invalid ScheduleExpressionTimezone Asia/Tokio.")


async def test_a_start_may_not_lie_back_and_an_end_not_before_it(house):
    now = house.clock.now()
    told = refused_schedule(house, StartDate=now - 301)
    assert told == invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
    assert refused_schedule(house, StartDate=now + 60, EndDate=now + 60)[1] == "ValidationException"
    house.create("once", "at(2026-12-01T10:00:00)", StartDate=now - 3600, EndDate=now - 7200)


async def test_an_update_may_keep_a_start_that_is_past(house):
    start = house.clock.now()
    house.create(StartDate=start)
    house.set_clock(start + 3600)
    house.update(StartDate=start, Description="later")
    with pytest.raises(AwsError, match="5 minutes ago"):
        house.update(StartDate=start + 1)


async def test_a_flexible_window_needs_its_length(house):
    told = refused_schedule(house, FlexibleTimeWindow={"Mode": "FLEXIBLE"})
    assert told[1] == "ValidationException"
    assert "MaximumWindowInMinutes" in told[2]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"Arn": "batch"}, "Provided Arn is not in correct format."),
        ({"Arn": f"arn:aws:backup:{REGION}:{ACCOUNT}:job/1"}, "backup is not a supported service for a target."),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:ecs"}, "Provided Arn is not in correct format."),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:ecs:describeTasks"}, "describeTasks"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:ecs:ListTasks"}, "listTasks"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "Input": "{"}, "JSON"),
        ({"Arn": CLUSTER, "EcsParameters": None}, "EcsParameters"),
        ({"Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default", "EcsParameters": None}, "EventBridgeParameters"),
        ({"Arn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:f", "EcsParameters": None, "Input": "text"}, "JSON"),
        ({"Input": "x" * (256 * 1024 + 1)}, "256 KB"),
    ],
)
async def test_a_target_that_cannot_be(house, target, words):
    whole = {name: value for name, value in (TARGET | target).items() if value is not None}
    status, code, text = refused_schedule(house, Target=whole)
    assert (status, code) == (400, "ValidationException")
    assert words in text


@pytest.mark.parametrize(
    "target",
    [
        {"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask", "RoleArn": ROLE, "Input": "{}"},
        {"Arn": "arn:aws:scheduler:::aws-sdk:sqs:sendMessage", "RoleArn": ROLE},
        {"Arn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:q", "RoleArn": ROLE, "Input": "text"},
        {"Arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:t", "RoleArn": ROLE},
    ],
)
async def test_a_target_that_can_be(house, target):
    house.create(Target=target)


async def test_the_models_limits_of_a_target_hold(house):
    many = TARGET | {"EcsParameters": TARGET["EcsParameters"] | {"TaskCount": 11}}
    assert "Member must have value less than or equal to 10" in refused_schedule(house, Target=many)[2]
    bus = {
        "Arn": f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default",
        "RoleArn": ROLE,
        "EventBridgeParameters": {"DetailType": "d", "Source": "aws.ecs"},
    }
    assert "target.eventBridgeParameters.source" in refused_schedule(house, Target=bus)[2]


async def test_schedules_are_listed_page_by_page_without_their_expressions(house):
    house.ask("CreateScheduleGroup", Name="other")
    for number in range(5):
        house.create(f"job-{number}", State="DISABLED" if number % 2 else "ENABLED")
    house.create("job-9", GroupName="other")
    house.create("else")
    assert names(house) == ["else", "job-0", "job-1", "job-2", "job-3", "job-4", "job-9"]
    assert names(house, MaxResults=2) == names(house)
    assert names(house, GroupName="other") == ["job-9"]
    assert names(house, GroupName="default", NamePrefix="job-", State="ENABLED", MaxResults=1) == ["job-0", "job-2", "job-4"]
    now = house.clock.now()
    assert house.ask("ListSchedules", GroupName="other")["Schedules"] == [
        {
            "Arn": f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/other/job-9",
            "Name": "job-9",
            "GroupName": "other",
            "State": "ENABLED",
            "CreationDate": now,
            "LastModificationDate": now,
            "Target": {"Arn": CLUSTER},
        }
    ]


async def test_a_schedule_deleted_between_two_pages_hides_no_other(house):
    for number in range(4):
        house.create(f"job-{number}")
    first = house.ask("ListSchedules", MaxResults=2)
    house.ask("DeleteSchedule", Name="job-1")
    second = house.ask("ListSchedules", NextToken=first["NextToken"])
    assert [each["Name"] for each in second["Schedules"]] == ["job-2", "job-3"]


@pytest.mark.parametrize("operation", ["ListSchedules", "ListScheduleGroups"])
async def test_a_token_of_nobody(house, operation):
    assert refused(house, operation, NextToken="nonsense")[1] == "ValidationException"


def names(house: House, **params) -> list[str]:
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        answer = house.ask("ListSchedules", **params, **token)
        assert len(answer["Schedules"]) <= params.get("MaxResults", 100)
        found += [each["Name"] for each in answer["Schedules"]]
        if "NextToken" not in answer:
            return found
        token = {"NextToken": answer["NextToken"]}


async def test_everything_is_there_after_a_restart(house):
    house.ask("CreateScheduleGroup", Name="g", Tags=[{"Key": "k", "Value": "v"}])
    house.create(GroupName="g", EndDate=house.clock.now() + 1e6)
    before = house.ask("GetSchedule", Name="nightly", GroupName="g"), house.ask("ListScheduleGroups")
    await house.database.committed()
    house.reopen()
    assert (house.ask("GetSchedule", Name="nightly", GroupName="g"), house.ask("ListScheduleGroups")) == before


async def test_more_schedules_than_the_quota(house, monkeypatch):
    monkeypatch.setattr(api, "_MOST_SCHEDULES", 1)
    house.create()
    status, code, _ = refused_schedule(house, Name="second")
    assert (status, code) == (402, "ServiceQuotaExceededException")


# Groups ----------------------------------------------------------------------------------------------------------------------------------


async def test_every_region_has_the_default_group_and_keeps_it(house):
    told = house.ask("GetScheduleGroup", Name="default", region="eu-west-1")
    assert told["Arn"] == f"arn:aws:scheduler:eu-west-1:{ACCOUNT}:schedule-group/default"
    house.set_clock(house.clock.now() + 60)
    assert house.ask("GetScheduleGroup", Name="default", region="eu-west-1") == told
    assert refused(house, "CreateScheduleGroup", Name="default")[:2] == (409, "ConflictException")
    assert refused(house, "DeleteScheduleGroup", Name="default")[:2] == (400, "ValidationException")


async def test_a_group_goes_with_its_schedules(house):
    house.ask("CreateScheduleGroup", Name="g")
    house.create("a", GroupName="g")
    house.create("b", GroupName="g")
    house.create("a", GroupName="default")
    house.ask("DeleteScheduleGroup", Name="g")
    assert refused(house, "GetScheduleGroup", Name="g") == (404, "ResourceNotFoundException", "Schedule group g does not exist.")
    assert refused(house, "DeleteScheduleGroup", Name="g")[0] == 404
    assert names(house) == ["a"]
    house.ask("CreateScheduleGroup", Name="g")
    assert names(house, GroupName="g") == []


async def test_groups_are_listed_by_name(house):
    for name in ("g1", "g2", "h"):
        house.ask("CreateScheduleGroup", Name=name)
    first = house.ask("ListScheduleGroups", MaxResults=3)
    assert [group["Name"] for group in first["ScheduleGroups"]] == ["default", "g1", "g2"]
    assert [group["State"] for group in first["ScheduleGroups"]] == ["ACTIVE"] * 3
    rest = house.ask("ListScheduleGroups", NextToken=first["NextToken"])
    assert [group["Name"] for group in rest["ScheduleGroups"]] == ["h"]
    assert "NextToken" not in rest
    assert [group["Name"] for group in house.ask("ListScheduleGroups", NamePrefix="g")["ScheduleGroups"]] == ["g1", "g2"]


async def test_the_same_token_makes_one_group(house):
    first = house.ask("CreateScheduleGroup", Name="g", ClientToken="t")
    assert house.ask("CreateScheduleGroup", Name="g", ClientToken="t") == first
    told = refused(house, "CreateScheduleGroup", Name="g", ClientToken="u")
    assert told == (409, "ConflictException", "Schedule group g already exists.")


async def test_more_groups_than_the_quota(house, monkeypatch):
    monkeypatch.setattr(groups, "_MOST_GROUPS", 2)
    house.ask("CreateScheduleGroup", Name="g")
    assert refused(house, "CreateScheduleGroup", Name="h")[:2] == (402, "ServiceQuotaExceededException")


async def test_tags_of_a_group(house):
    arn = house.ask("CreateScheduleGroup", Name="g", Tags=[{"Key": "a", "Value": "1"}])["ScheduleGroupArn"]
    house.ask("TagResource", ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "3"}])
    house.ask("UntagResource", ResourceArn=arn, TagKeys=["a", "nothing"])
    assert house.ask("ListTagsForResource", ResourceArn=arn) == {"Tags": [{"Key": "b", "Value": "3"}]}


@pytest.mark.parametrize("operation", ["TagResource", "UntagResource", "ListTagsForResource"])
async def test_tags_of_what_is_not_there(house, operation):
    more = {"TagResource": {"Tags": []}, "UntagResource": {"TagKeys": []}}.get(operation, {})
    for arn in (f"{GROUP_ARN}/g", f"arn:aws:scheduler:eu-west-1:{ACCOUNT}:schedule-group/default"):
        assert refused(house, operation, ResourceArn=arn, **more)[0] == 404
    schedule = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/n"
    assert refused(house, operation, ResourceArn=schedule, **more)[0] == 400


async def test_a_cleared_room_is_as_new(house):
    house.ask("CreateScheduleGroup", Name="g")
    house.create(GroupName="g")
    house.ask("DeleteSchedule", Name="nightly", GroupName="g", ClientToken="t")
    house.create(GroupName="g")
    house.state.clear()
    house.slots.clear()
    await house.database.committed()
    assert house.ask("ListScheduleGroups")["ScheduleGroups"][0]["Name"] == "default"
    for table in ("schedules", "schedule_marks", "schedule_deletions"):
        assert house.database.query(f"SELECT COUNT(*) FROM {table}") == [(0,)]
    assert [msgspec.json.decode(value)["name"] for (value,) in house.database.query("SELECT value FROM schedule_groups")] in (
        [],
        ["default"],
    )

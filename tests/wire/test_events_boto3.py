"""boto3's EventBridge client against the whole engine over a real socket."""

import json
from collections.abc import Iterator

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.support.served import ACCOUNT, REGION, client, eventually, served

PATTERN = json.dumps({"source": ["my.shop"]})
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(tmp_path_factory.mktemp("engine")) as found:
        yield found


@pytest.fixture(scope="module")
def events(port: int) -> BaseClient:
    return client("events", port)


def arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def refused(caught: pytest.ExceptionInfo[ClientError]) -> tuple[int, str, str]:
    answer = caught.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], answer["Error"]["Message"]


def messages(logs: BaseClient, group: str) -> list[dict[str, object]]:
    streams = [one["logStreamName"] for one in logs.describe_log_streams(logGroupName=group)["logStreams"]]
    found = [logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"] for stream in streams]
    return [json.loads(event["message"]) for one in found for event in one]


def open_group(logs: BaseClient, group: str) -> str:
    """A log group that EventBridge may write to."""
    logs.create_log_group(logGroupName=group)
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": ["events.amazonaws.com", "delivery.logs.amazonaws.com"]},
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": arn("logs", f"log-group:{group}:*"),
    }
    logs.put_resource_policy(policyName=group.strip("/"), policyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return arn("logs", f"log-group:{group}")


def test_a_bus_lives_and_is_gone(events: BaseClient) -> None:
    assert events.create_event_bus(Name="orders")["EventBusArn"] == arn("events", "event-bus/orders")
    assert events.describe_event_bus(Name="orders")["Arn"] == arn("events", "event-bus/orders")
    assert {"default", "orders"} <= {bus["Name"] for bus in events.list_event_buses()["EventBuses"]}
    with pytest.raises(events.exceptions.ResourceAlreadyExistsException) as caught:
        events.create_event_bus(Name="orders")
    assert refused(caught) == (400, "ResourceAlreadyExistsException", "Event bus orders already exists.")
    events.delete_event_bus(Name="orders")
    with pytest.raises(events.exceptions.ResourceNotFoundException) as caught:
        events.describe_event_bus(Name="orders")
    assert refused(caught) == (400, "ResourceNotFoundException", "Event bus orders does not exist.")


def test_a_rule_lives_is_disabled_enabled_and_gone(events: BaseClient) -> None:
    made = events.put_rule(Name="life", EventPattern=PATTERN, Description="shop", Tags=[{"Key": "team", "Value": "a"}])
    assert made["RuleArn"] == arn("events", "rule/life")
    told = events.describe_rule(Name="life")
    assert (told["State"], told["EventPattern"], told["Description"], told["EventBusName"]) == ("ENABLED", PATTERN, "shop", "default")
    events.disable_rule(Name="life")
    assert events.describe_rule(Name="life")["State"] == "DISABLED"
    events.enable_rule(Name="life")
    assert [(rule["Name"], rule["State"]) for rule in events.list_rules(NamePrefix="lif")["Rules"]] == [("life", "ENABLED")]
    assert events.list_tags_for_resource(ResourceARN=made["RuleArn"])["Tags"] == [{"Key": "team", "Value": "a"}]
    events.untag_resource(ResourceARN=made["RuleArn"], TagKeys=["team"])
    events.tag_resource(ResourceARN=made["RuleArn"], Tags=[{"Key": "env", "Value": "b"}])
    assert events.list_tags_for_resource(ResourceARN=made["RuleArn"])["Tags"] == [{"Key": "env", "Value": "b"}]
    events.delete_rule(Name="life")
    with pytest.raises(events.exceptions.ResourceNotFoundException) as caught:
        events.describe_rule(Name="life")
    assert refused(caught) == (400, "ResourceNotFoundException", "Rule life does not exist on EventBus default.")


def test_targets_are_put_listed_and_removed_before_their_rule_can_go(events: BaseClient) -> None:
    events.put_rule(Name="aimed", ScheduleExpression="rate(1 day)", State="DISABLED")
    queue = arn("sqs", "inbox")
    answer = events.put_targets(Rule="aimed", Targets=[{"Id": "a", "Arn": queue, "Input": '{"x": 1}'}, {"Id": "b", "Arn": queue}])
    assert (answer["FailedEntryCount"], answer["FailedEntries"]) == (0, [])
    assert events.list_targets_by_rule(Rule="aimed")["Targets"] == [
        {"Id": "a", "Arn": queue, "Input": '{"x": 1}'},
        {"Id": "b", "Arn": queue},
    ]
    assert events.list_rule_names_by_target(TargetArn=queue)["RuleNames"] == ["aimed"]
    with pytest.raises(ClientError) as caught:
        events.delete_rule(Name="aimed")
    assert refused(caught) == (400, "ValidationException", "Rule can't be deleted since it has targets.")
    assert events.remove_targets(Rule="aimed", Ids=["a", "b"])["FailedEntryCount"] == 0
    assert events.list_targets_by_rule(Rule="aimed")["Targets"] == []
    events.delete_rule(Name="aimed")


def test_rules_come_page_by_page(events: BaseClient) -> None:
    names = [f"paged-{index}" for index in range(5)]
    for name in names:
        events.put_rule(Name=name, EventPattern=PATTERN, State="DISABLED")
    pages = list(events.get_paginator("list_rules").paginate(NamePrefix="paged-", PaginationConfig={"PageSize": 2}))
    assert [len(page["Rules"]) for page in pages] == [2, 2, 1]
    assert [rule["Name"] for page in pages for rule in page["Rules"]] == names


def test_a_broken_pattern_and_a_broken_schedule_are_refused_in_their_own_classes(events: BaseClient) -> None:
    with pytest.raises(events.exceptions.InvalidEventPatternException) as caught:
        events.put_rule(Name="broken", EventPattern='{"source": "my.shop"}')
    assert refused(caught)[2].startswith('Event pattern is not valid. Reason: "source" must be an object or an array')
    with pytest.raises(ClientError) as schedule:
        events.put_rule(Name="broken", ScheduleExpression="rate(1 days)")
    assert refused(schedule) == (400, "ValidationException", "Parameter ScheduleExpression is not valid.")


def test_entries_are_answered_in_order_and_the_bad_ones_with_their_reason(events: BaseClient) -> None:
    good = {"Source": "my.shop", "DetailType": "Sold", "Detail": "{}"}
    answer = events.put_events(Entries=[good, good | {"Detail": "["}, good | {"Source": "aws.ecs"}, good | {"EventBusName": "nowhere"}])
    assert answer["FailedEntryCount"] == 2
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == [None, "MalformedDetail", "NotAuthorizedForSourceException", None]
    assert answer["Entries"][1]["ErrorMessage"] == "Detail is malformed."
    assert len({entry["EventId"] for entry in answer["Entries"] if "EventId" in entry}) == 2


def test_an_event_that_was_put_reaches_the_log_group_and_one_of_another_source_does_not(events: BaseClient, port: int) -> None:
    logs = client("logs", port)
    group = open_group(logs, "/aws/events/shop")
    events.create_event_bus(Name="shop")
    events.put_rule(Name="to-log", EventBusName="shop", EventPattern=PATTERN)
    events.put_targets(Rule="to-log", EventBusName="shop", Targets=[{"Id": "1", "Arn": group}])
    entry = {"DetailType": "Sold", "Detail": '{"n": 1}', "EventBusName": "shop", "Resources": ["arn:aws:x:::y"]}
    events.put_events(Entries=[entry | {"Source": "other"}])
    event_id = events.put_events(Entries=[entry | {"Source": "my.shop"}])["Entries"][0]["EventId"]
    (told,) = eventually(lambda: messages(logs, "/aws/events/shop"))
    assert told["id"] == event_id and list(told) == [
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    ]  # fmt: skip
    assert (told["source"], told["resources"], told["detail"], told["region"]) == ("my.shop", ["arn:aws:x:::y"], {"n": 1}, REGION)


def test_a_tasks_end_reaches_the_log_group_of_a_rule_on_the_default_bus(events: BaseClient, port: int) -> None:
    logs, ecs = client("logs", port), client("ecs", port)
    group = open_group(logs, "/aws/events/ecs/ECSStatus")
    pattern = {"source": ["aws.ecs"], "detail-type": ["ECS Task State Change"], "detail": {"lastStatus": ["STOPPED"]}}
    events.put_rule(Name="ECSStatus", EventPattern=json.dumps(pattern))
    events.put_targets(Rule="ECSStatus", Targets=[{"Id": "1", "Arn": group}])
    container = {"name": "app", "image": "busybox", "environment": [{"name": "HINOBAN_FAKE", "value": "exit=3"}]}
    ecs.register_task_definition(
        family="ends",
        cpu="256",
        memory="512",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[container],
    )
    task = ecs.run_task(taskDefinition="ends", launchType="FARGATE", networkConfiguration=NETWORK)["tasks"][0]["taskArn"]
    (told,) = eventually(lambda: messages(logs, "/aws/events/ecs/ECSStatus"))
    detail = told["detail"]
    assert isinstance(detail, dict) and detail["taskArn"] == task
    assert (detail["lastStatus"], detail["containers"][0]["exitCode"]) == ("STOPPED", 3)

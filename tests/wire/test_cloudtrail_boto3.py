"""boto3's CloudTrail client against the whole engine over a real socket."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from tests.support.served import ACCOUNT, REGION, client, eventually, served


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with served(tmp_path_factory.mktemp("engine")) as found:
        yield found


@pytest.fixture(scope="module")
def trails(port: int) -> BaseClient:
    return client("cloudtrail", port)


def by(key: str, value: str) -> list[dict[str, str]]:
    return [{"AttributeKey": key, "AttributeValue": value}]


def test_a_trail_lives_logs_stops_and_is_gone(trails: BaseClient) -> None:
    arn = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/life"
    assert trails.create_trail(Name="life", S3BucketName="my-trail-bucket")["TrailARN"] == arn
    assert trails.get_trail(Name="life")["Trail"]["S3BucketName"] == "my-trail-bucket"
    assert [trail["TrailARN"] for trail in trails.describe_trails(trailNameList=["life"])["trailList"]] == [arn]
    assert trails.get_trail_status(Name="life")["IsLogging"] is False
    trails.start_logging(Name="life")
    status = trails.get_trail_status(Name="life")
    assert status["IsLogging"] is True and status["StartLoggingTime"].tzinfo is not None
    trails.stop_logging(Name=arn)
    assert trails.get_trail_status(Name="life")["IsLogging"] is False
    trails.delete_trail(Name="life")
    assert trails.describe_trails(trailNameList=["life"])["trailList"] == []
    with pytest.raises(trails.exceptions.TrailNotFoundException):
        trails.get_trail_status(Name="life")


def test_a_trail_is_made_once(trails: BaseClient) -> None:
    trails.create_trail(Name="twice", S3BucketName="my-trail-bucket")
    with pytest.raises(trails.exceptions.TrailAlreadyExistsException):
        trails.create_trail(Name="twice", S3BucketName="my-trail-bucket")


def test_a_call_is_looked_up_by_its_name_with_the_whole_record(trails: BaseClient, port: int) -> None:
    client("ecs", port).create_cluster(clusterName="looked-up")
    (found,) = eventually(lambda: trails.lookup_events(LookupAttributes=by("EventName", "CreateCluster"))["Events"])
    assert (found["EventName"], found["EventSource"], found["ReadOnly"]) == ("CreateCluster", "ecs.amazonaws.com", "false")
    record = json.loads(found["CloudTrailEvent"])
    assert record["eventID"] == found["EventId"] and record["requestParameters"] == {"clusterName": "looked-up"}
    assert record["responseElements"]["cluster"]["clusterName"] == "looked-up"
    assert record["userIdentity"]["accessKeyId"] == "AKIDEXAMPLE" and "Boto3" in record["userAgent"]


def test_an_error_is_on_record_with_its_code_and_without_response(trails: BaseClient, port: int) -> None:
    with pytest.raises(ClientError):
        client("ecs", port).stop_task(task="0" * 32, reason="none")
    (found,) = eventually(lambda: trails.lookup_events(LookupAttributes=by("EventName", "StopTask"))["Events"])
    record = json.loads(found["CloudTrailEvent"])
    assert (record["errorCode"], record["responseElements"]) == ("InvalidParameterException", None)


def test_events_come_page_by_page_newest_first_within_the_time_asked_for(trails: BaseClient, port: int) -> None:
    ecs = client("ecs", port)
    for index in range(5):
        ecs.register_task_definition(family=f"paged-{index}", containerDefinitions=[{"name": "app", "image": "x", "memory": 128}])
    asked = {"LookupAttributes": by("EventName", "RegisterTaskDefinition")}
    eventually(lambda: len(trails.lookup_events(**asked)["Events"]) == 5)
    pages = list(trails.get_paginator("lookup_events").paginate(**asked, PaginationConfig={"PageSize": 2}))
    found = [event for page in pages for event in page["Events"]]
    assert [len(page["Events"]) for page in pages][:3] == [2, 2, 1]
    families = [json.loads(event["CloudTrailEvent"])["requestParameters"]["family"] for event in found]
    assert families == [f"paged-{index}" for index in reversed(range(5))]
    long_ago = datetime.now(UTC) - timedelta(days=2)
    assert trails.lookup_events(**asked, StartTime=long_ago, EndTime=long_ago + timedelta(days=1))["Events"] == []


def test_two_attributes_at_once_are_refused(trails: BaseClient) -> None:
    with pytest.raises(trails.exceptions.InvalidLookupAttributesException):
        trails.lookup_events(LookupAttributes=by("EventName", "RunTask") + by("ReadOnly", "false"))

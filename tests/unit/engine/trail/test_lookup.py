"""LookupEvents over the journal and the reads: attributes, ranges of time, pages, and what a page may look at."""

from typing import Any

import msgspec
import pytest

from hinoban.aws.call import Caller
from hinoban.aws.errors import AwsError
from hinoban.engine.trail import lookup
from hinoban.engine.trail.printing import HIDDEN
from tests.unit.engine.trail.conftest import ACCOUNT, REGION, Desk

ROLE = Caller("ASIAX", f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/me@example.com", "AssumedRole")


async def names(desk: Desk, **params: Any) -> list[str]:
    return [event["EventName"] for event in (await desk.call("LookupEvents", **params))["Events"]]


async def pages(desk: Desk, **params: Any) -> list[list[str]]:
    found = []
    while True:
        answer = await desk.call("LookupEvents", **params)
        found.append([event["EventName"] for event in answer["Events"]])
        if "NextToken" not in answer:
            return found
        params["NextToken"] = answer["NextToken"]


def by(key: str, value: str) -> dict[str, Any]:
    return {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}


async def test_an_event_has_aws_members(desk: Desk) -> None:
    at = desk.clock.now()
    overrides = {"containerOverrides": [{"environment": [{"name": "A", "value": "b"}]}]}
    await desk.did("RunTask", params={"cluster": "c", "taskDefinition": "job:1", "overrides": overrides})
    await desk.clock.advance(6)
    (event,) = (await desk.call("LookupEvents"))["Events"]
    record = msgspec.json.decode(event.pop("CloudTrailEvent"))
    assert event == {
        "EventId": record["eventID"], "EventName": "RunTask", "ReadOnly": "false", "AccessKeyId": "AKIDEXAMPLE", "EventTime": at,
        "EventSource": "ecs.amazonaws.com", "Username": "hinoban",
        "Resources": [
            {"ResourceType": "AWS::ECS::Cluster", "ResourceName": "c"},
            {"ResourceType": "AWS::ECS::TaskDefinition", "ResourceName": "job:1"},
        ],
    }  # fmt: skip
    assert record["requestParameters"]["overrides"] == {"containerOverrides": [{"environment": HIDDEN}]}


async def test_records_are_found_after_the_delay(desk: Desk) -> None:
    await desk.did("RunTask")
    await desk.did("ListTasks")
    await desk.clock.advance(4)
    assert await names(desk) == []
    await desk.clock.advance(1)
    assert await names(desk) == ["RunTask", "ListTasks"]


async def test_newest_first_reads_among_writes_and_only_of_the_region(desk: Desk) -> None:
    for operation in ("RunTask", "ListTasks", "StopTask", "DescribeTasks"):
        await desk.did(operation)
        await desk.did(operation, region="us-east-1")
        await desk.clock.advance(1)
    await desk.clock.advance(10)
    assert await names(desk) == ["DescribeTasks", "StopTask", "ListTasks", "RunTask"]


@pytest.mark.parametrize(
    "key, value, expected",
    [
        ("EventName", "RunTask", ["RunTask"]),
        ("EventName", "ListTasks", ["ListTasks"]),
        ("EventName", "Task", []),
        ("EventSource", "logs.amazonaws.com", ["CreateLogGroup"]),
        ("ReadOnly", "true", ["ListTasks"]),
        ("ReadOnly", "false", ["CreateLogGroup", "RunTask"]),
        ("Username", "me@example.com", ["CreateLogGroup"]),
        ("Username", "hinoban", ["ListTasks", "RunTask"]),
        ("AccessKeyId", "ASIAX", ["CreateLogGroup"]),
        ("ResourceName", "/g", ["CreateLogGroup"]),
        ("ResourceName", "c", ["ListTasks", "RunTask"]),
        ("ResourceType", "AWS::ECS::Cluster", ["ListTasks", "RunTask"]),
    ],
)
async def test_by_an_attribute(desk: Desk, key: str, value: str, expected: list[str]) -> None:
    await desk.did("RunTask", params={"cluster": "c"})
    await desk.clock.advance(1)
    await desk.did("ListTasks", params={"cluster": "c"})
    await desk.clock.advance(1)
    await desk.did("CreateLogGroup", service="logs", caller=ROLE, params={"logGroupName": "/g"})
    await desk.clock.advance(10)
    assert await names(desk, **by(key, value)) == expected


async def test_by_event_id(desk: Desk) -> None:
    await desk.did("RunTask")
    await desk.did("ListTasks")
    await desk.clock.advance(10)
    for event in (await desk.call("LookupEvents"))["Events"]:
        assert await names(desk, **by("EventId", event["EventId"])) == [event["EventName"]]


async def test_a_range_of_time_holds_both_its_ends(desk: Desk) -> None:
    start = desk.clock.now()
    for operation in ("RunTask", "StopTask", "CreateCluster", "DeleteCluster"):
        await desk.did(operation)
        await desk.clock.advance(10)
    assert await names(desk, StartTime=start + 10, EndTime=start + 20) == ["CreateCluster", "StopTask"]
    assert await names(desk, EndTime=start) == ["RunTask"]
    assert await names(desk, StartTime=start + 30) == ["DeleteCluster"]
    assert await names(desk, **by("EventName", "StopTask"), StartTime=start + 11) == []
    assert (await desk.refused("LookupEvents", StartTime=start + 1, EndTime=start))[0] == "InvalidTimeRangeException"


async def test_pages_show_each_event_once(desk: Desk) -> None:
    for _ in range(60):
        await desk.did("RunTask")
        await desk.did("ListTasks")
        await desk.clock.advance(1)
    await desk.clock.advance(10)
    found = await pages(desk, MaxResults=7)
    assert all(len(page) == 7 for page in found[:-1])
    assert sorted(name for page in found for name in page) == ["ListTasks"] * 60 + ["RunTask"] * 60
    assert len(await names(desk)) == 50


async def test_what_is_written_meanwhile_is_on_no_later_page(desk: Desk) -> None:
    for _ in range(3):
        await desk.did("RunTask")
    await desk.clock.advance(10)
    answer = await desk.call("LookupEvents", MaxResults=2)
    await desk.did("StopTask")
    await desk.clock.advance(10)
    assert await names(desk, MaxResults=2, NextToken=answer["NextToken"]) == ["RunTask"]


@pytest.mark.parametrize("key, value", [("EventName", "RunTask"), ("Username", "hinoban")])
async def test_a_page_looks_at_a_bounded_number_of_lines(desk: Desk, monkeypatch: pytest.MonkeyPatch, key: str, value: str) -> None:
    monkeypatch.setattr(lookup, "_RECORDS", 10)
    monkeypatch.setattr(lookup, "_LINES", 25)
    await desk.did("RunTask")
    for _ in range(100):
        await desk.did("RunTask", region="us-east-1")
        await desk.did("ListTasks", region="us-east-1")
    await desk.clock.advance(10)
    found = await pages(desk, **by(key, value))
    assert len(found) >= 10
    assert [name for page in found for name in page] == ["RunTask"]


async def test_a_token_goes_with_its_parameters(desk: Desk) -> None:
    for _ in range(3):
        await desk.did("RunTask")
    await desk.clock.advance(10)
    token = (await desk.call("LookupEvents", MaxResults=1))["NextToken"]
    assert (await desk.refused("LookupEvents", NextToken=token, **by("EventName", "RunTask")))[0] == "InvalidNextTokenException"
    assert (await desk.refused("LookupEvents", NextToken="nonsense"))[0] == "InvalidNextTokenException"
    assert (await desk.refused("LookupEvents", NextToken=token, region="us-east-1"))[0] == "InvalidNextTokenException"


async def test_one_attribute_only(desk: Desk) -> None:
    two = by("EventName", "RunTask")["LookupAttributes"] * 2
    assert (await desk.refused("LookupEvents", LookupAttributes=two))[0] == "InvalidLookupAttributesException"


@pytest.mark.parametrize("most", [0, 51])
async def test_a_page_has_1_to_50_events(desk: Desk, most: int) -> None:
    with pytest.raises(AwsError, match="maxResults"):
        await desk.call("LookupEvents", MaxResults=most)


async def test_insights_events_are_never_there(desk: Desk) -> None:
    await desk.did("RunTask")
    await desk.clock.advance(10)
    assert await desk.call("LookupEvents", EventCategory="insight") == {"Events": []}


async def test_writes_outlive_a_restart_and_a_token_does_too(desk: Desk) -> None:
    for _ in range(3):
        await desk.did("RunTask")
    await desk.did("ListTasks", region=REGION)
    await desk.clock.advance(10)
    token = (await desk.call("LookupEvents", MaxResults=1))["NextToken"]
    await desk.kill()
    desk.open()
    assert await names(desk, NextToken=token, MaxResults=1) == ["RunTask"]
    assert await names(desk) == ["RunTask"] * 3

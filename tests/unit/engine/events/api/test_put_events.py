"""PutEvents (facts/eventbridge.md §3)."""

import json
from typing import Any

import pytest

from hinoban.base.units import iso_seconds
from hinoban.engine.events.api.put_events import LARGEST
from tests.support.events import ACCOUNT, ARN, QUEUE, REGION, Hall


@pytest.fixture(autouse=True)
async def rule(hall: Hall) -> None:
    hall.ask("CreateEventBus", Name="b")
    for bus in ("default", "b"):
        hall.ask("PutRule", Name="all", EventBusName=bus, EventPattern='{"source": [{"exists": true}]}')
        hall.ask("PutTargets", Rule="all", EventBusName=bus, Targets=[{"Id": "1", "Arn": QUEUE}])


async def test_an_entry_becomes_an_event(hall: Hall) -> None:
    detail = '{"b": 1, "a": [true, null, 1.50, "x"]}'
    answer = hall.put_events({"Detail": detail, "Resources": ["r1"], "Time": 1_700_000_000.5, "TraceHeader": "t"})
    (event,) = hall.queue.events
    assert answer == {"FailedEntryCount": 0, "Entries": [{"EventId": event["id"]}]}
    wanted = {
        "version": "0",
        "id": event["id"],
        "detail-type": "T",
        "source": "my.app",
        "account": ACCOUNT,
        "time": "2023-11-14T22:13:20Z",
        "region": REGION,
        "resources": ["r1"],
        "detail": {"b": 1, "a": [True, None, 1.5, "x"]},
    }
    # The order is AWS's, too.
    assert json.dumps(event) == json.dumps(wanted)
    assert hall.queue.counted == [f"{ARN}:rule/all"]


async def test_time_and_resources_have_defaults(hall: Hall) -> None:
    hall.put_events({"Time": 0})
    hall.put_events({})
    assert [event["time"] for event in hall.queue.events] == ["1970-01-01T00:00:00Z", iso_seconds(hall.clock.now())]
    assert [event["resources"] for event in hall.queue.events] == [[], []]


@pytest.mark.parametrize(
    ("entry", "code", "text"),
    [
        ({"Source": None}, "InvalidArgument", "Parameter Source is not valid. Reason: Source is a required argument."),
        ({"DetailType": None}, "InvalidArgument", "Parameter DetailType is not valid. Reason: DetailType is a required argument."),
        ({"Detail": None}, "InvalidArgument", "Parameter Detail is not valid. Reason: Detail is a required argument."),
        ({"Detail": '"a string"'}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": "[1]"}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": '{"a": '}, "MalformedDetail", "Detail is malformed."),
        ({"Detail": '{"a":' * 501 + "1" + "}" * 501}, "MalformedDetail", "Detail is malformed."),
        ({"Source": "aws.ecs"}, "NotAuthorizedForSourceException", "Not authorized for the source."),
        ({"Time": 1e15}, "InvalidArgument", "Parameter Time is not valid."),
    ],
)
async def test_a_bad_entry_fails_in_its_own_place(hall: Hall, entry: dict[str, Any], code: str, text: str) -> None:
    answer = hall.put_events({"DetailType": "first"}, entry, {"DetailType": "last"})
    assert answer["FailedEntryCount"] == 1
    assert answer["Entries"][1] == {"ErrorCode": code, "ErrorMessage": text}
    assert [event["detail-type"] for event in hall.queue.events] == ["first", "last"]
    assert [answer["Entries"][at]["EventId"] for at in (0, 2)] == [event["id"] for event in hall.queue.events]


async def test_deep_objects_are_kept(hall: Hall) -> None:
    assert hall.put_events({"Detail": '{"a":' * 500 + "1" + "}" * 500})["FailedEntryCount"] == 0
    wide = "{" + ",".join(f'"{number}": {{}}' for number in range(600)) + "}"
    assert hall.put_events({"Detail": wide})["FailedEntryCount"] == 0


async def test_a_bus_is_named_or_given_by_arn(hall: Hall) -> None:
    hall.put_events({"EventBusName": "b"}, {"EventBusName": f"{ARN}:event-bus/b"}, {"EventBusName": "default"})
    assert [delivery.bus for delivery in hall.queue.deliveries] == ["b", "b", "default"]


async def test_a_missing_bus_takes_everything(hall: Hall) -> None:
    elsewhere = f"arn:aws:events:us-east-1:{ACCOUNT}:event-bus/default"
    answer = hall.put_events({"EventBusName": "nope"}, {"EventBusName": elsewhere}, {})
    assert answer["FailedEntryCount"] == 0
    assert [set(entry) for entry in answer["Entries"]] == [{"EventId"}] * 3
    assert len(hall.queue.deliveries) == 1


async def test_a_call_has_ten_entries_and_256_kib(hall: Hall) -> None:
    code, text = hall.refused("PutEvents", Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}] * 11)
    printed = "PutEventsRequestEntry(time=null, source=s, resources=null, detailType=d, detail={}, eventBusName=null, traceHeader=null, "
    one = f"{printed}kmsKeyIdentifier=null, internalMetadata=null)"
    limit = "failed to satisfy constraint: Member must have length less than or equal to 10"
    told = f"1 validation error detected: Value '[{', '.join([one] * 11)}]' at 'entries' {limit}"
    assert (code, text) == ("ValidationException", told)
    around = len('{"x": ""}') + len("my.app") + len("T") + 14
    full = {"Detail": json.dumps({"x": "é" * ((LARGEST - around) // 2)}, ensure_ascii=False), "Time": 0}
    assert hall.put_events(full)["FailedEntryCount"] == 0
    over = ("ValidationException", "Total size of the entries in the request is over the limit.")
    entry = {"Source": "my.app", "DetailType": "T"} | full
    assert hall.refused("PutEvents", Entries=[entry | {"Resources": ["xx"]}]) == over
    assert len(hall.queue.deliveries) == 1

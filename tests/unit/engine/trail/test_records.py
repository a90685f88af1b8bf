"""CloudTrail's records of what was asked of us: RunTask's three outcomes, and which calls leave none (facts/cloudtrail_sns_lambda.md §1)."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from hinoban.aws.call import Call, Caller
from hinoban.aws.errors import AwsError
from hinoban.aws.sigv4 import Credentials
from hinoban.engine.trail.records import record
from tests.support.engine import REGION, Bench, Refused

CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = await Bench(tmp_path).open()
    yield made
    await made.close()


async def test_a_launch(bench: Bench) -> None:
    await bench.define()
    arn = await bench.run_one(startedBy="events-rule/nightly", clientToken="t")
    (found,) = bench.recorded("RunTask")
    expected = {
        "eventVersion": "1.11", "eventSource": "ecs.amazonaws.com", "eventName": "RunTask", "awsRegion": REGION, "readOnly": False,
        "sourceIPAddress": "127.0.0.1", "eventType": "AwsApiCall", "managementEvent": True, "recipientAccountId": "123456789012",
        "eventCategory": "Management",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected
    assert not {"errorCode", "errorMessage"} & found.keys()
    assert found["userIdentity"]["arn"] == "arn:aws:iam::123456789012:user/hinoban"
    assert found["userIdentity"]["accessKeyId"] == "AKIDEXAMPLE"
    assert found["requestParameters"]["startedBy"] == "events-rule/nightly"
    assert found["responseElements"]["failures"] == []
    assert [task["taskArn"] for task in found["responseElements"]["tasks"]] == [arn]


async def test_200_with_failures_is_no_error(bench: Bench) -> None:
    await bench.define()
    bench.engine.faults.add([{"what": "capacity"}])
    await bench.run(count=2)
    (found,) = bench.recorded("RunTask")
    assert not {"errorCode", "errorMessage"} & found.keys()
    assert found["responseElements"] == {"tasks": [], "failures": [{"reason": CAPACITY}, {"reason": CAPACITY}]}
    assert found["requestParameters"]["count"] == 2
    # No task exists, so no ECS event of any kind (facts/ecs.md, the first of the ten).
    assert bench.told() == []


async def test_an_error(bench: Bench) -> None:
    await bench.define()
    with pytest.raises(Refused):
        await bench.run(cluster="nowhere")
    (found,) = bench.recorded("RunTask")
    assert (found["errorCode"], found["errorMessage"]) == ("ClusterNotFoundException", "Cluster not found.")
    assert found["responseElements"] is None
    assert found["requestParameters"]["cluster"] == "nowhere"


async def test_an_error_of_validation_has_no_parameters(bench: Bench) -> None:
    with pytest.raises(Refused):
        await bench.call("RunTask", taskDefinition=7)
    (found,) = bench.recorded("RunTask")
    assert (found["errorCode"], found["requestParameters"], found["responseElements"]) == ("SerializationException", None, None)


async def test_reads_leave_no_record_and_their_errors_do(bench: Bench) -> None:
    before = bench.engine.journal.newest
    for operation in ("ListClusters", "DescribeClusters", "ListTasks", "ListTaskDefinitions"):
        await bench.call(operation)
    assert bench.engine.journal.newest == before
    with pytest.raises(Refused):
        await bench.call("ListTasks", cluster="nowhere")
    (found,) = bench.recorded("ListTasks")
    assert (found["readOnly"], found["errorCode"]) == (True, "ClusterNotFoundException")


async def test_what_is_put_into_a_log_is_not_the_trails_matter(bench: Bench) -> None:
    await bench.call("CreateLogGroup", service="logs", logGroupName="/g")
    await bench.call("CreateLogStream", service="logs", logGroupName="/g", logStreamName="s")
    events = [{"timestamp": round(bench.clock.now() * 1000), "message": "x"}]
    await bench.call("PutLogEvents", service="logs", logGroupName="/g", logStreamName="s", logEvents=events)
    assert bench.recorded("PutLogEvents") == []
    (found,) = bench.recorded("CreateLogGroup")
    assert (found["eventSource"], found["responseElements"]) == ("logs.amazonaws.com", None)


async def test_the_record_is_in_the_transaction_of_what_it_tells(bench: Bench) -> None:
    await bench.define()
    await bench.run_one()
    kinds = [line["event"]["detail-type"] for line in bench.feed()][1:3]
    assert kinds == ["ECS Task State Change", "AWS API Call via CloudTrail"]
    envelope = bench.feed()[2]["event"]
    assert (envelope["source"], envelope["resources"], envelope["version"]) == ("aws.ecs", [], "0")
    assert envelope["time"] == envelope["detail"]["eventTime"]


async def test_who_is_not_known_leaves_no_record(bench: Bench) -> None:
    before = bench.engine.journal.newest
    status, _ = await bench.raw("RunTask", b"{}", credentials=Credentials("AKIDEXAMPLE", "wrong"))
    assert (status, bench.engine.journal.newest) == (400, before)


def call(now: float = 1_790_823_605.5) -> Call:
    caller = Caller("AKID", "arn:aws:iam::123456789012:user/hinoban", "IAMUser")
    return Call(service="ecs", operation="RunTask", region=REGION, account="123456789012", request_id="r", now=now, caller=caller,
                source_ip="127.0.0.1", user_agent="x" * 2000)  # fmt: skip


@pytest.mark.parametrize(
    "moment, text",
    [
        (1_790_823_605.5, "Oct 1, 2026, 3:00:05 AM"),
        (1_790_812_800.0, "Oct 1, 2026, 12:00:00 AM"),
        (1_790_866_800.0, "Oct 1, 2026, 3:00:00 PM"),
        (1_791_806_399.999, "Oct 12, 2026, 11:59:59 AM"),
    ],
)
def test_moments_inside_are_printed_in_cloudtrails_words(moment: float, text: str) -> None:
    found = record(call(), {}, {"tasks": [{"createdAt": moment, "version": 1}]}, "e")
    assert msgspec.json.decode(found["responseElements"]) == {"tasks": [{"createdAt": text, "version": 1}]}
    assert found["eventTime"] == "2026-10-01T03:00:05Z"


@pytest.mark.parametrize("text", ['"createdAt":1790823605.5', '\\"createdAt\\":1790823605.5', 'x","createdAt":1790823605.5,"y":"'])
def test_a_text_that_looks_like_a_moment_stays_as_it_is(text: str) -> None:
    found = record(call(), {}, {"tasks": [{"group": text, "startedBy": text}]}, "e")
    assert msgspec.json.decode(found["responseElements"]) == {"tasks": [{"group": text, "startedBy": text}]}


def test_long_texts_are_cut_at_1024_characters() -> None:
    found = record(call(), {"a": 1}, AwsError("ClientException", "y" * 5000), "e")
    assert (len(found["userAgent"]), len(found["errorMessage"])) == (1024, 1024)

"""CloudTrail's records of what was asked of us: RunTask's three outcomes, and which calls leave none (facts/cloudtrail_sns_lambda.md §1)."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from hinoban.aws.call import Call, Caller
from hinoban.aws.errors import AwsError
from hinoban.aws.sigv4 import Credentials
from hinoban.engine.trail.printing import HIDDEN
from hinoban.engine.trail.records import outgoing, record
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


ROLE_ARN = "arn:aws:sts::123456789012:assumed-role/ecsEventsRole/0f3c"
UNIQUE = re.compile(r"A(IDA|ROA)[A-Z2-7]{17}")


def identity(caller: Caller) -> dict[str, Any]:
    made = structs.replace(call(), caller=caller)
    found: dict[str, Any] = record(made, {}, {}, "e")["userIdentity"]
    return found


def test_a_user_is_told_with_its_name() -> None:
    found = identity(Caller("AKID", "arn:aws:iam::123456789012:user/team/me", "IAMUser"))
    assert UNIQUE.fullmatch(found.pop("principalId"))
    assert found == {
        "type": "IAMUser", "arn": "arn:aws:iam::123456789012:user/team/me", "accountId": "123456789012", "accessKeyId": "AKID",
        "userName": "me",
    }  # fmt: skip


def test_a_role_is_told_with_its_session_and_issuer() -> None:
    found = identity(Caller("ASIA", ROLE_ARN, "AssumedRole"))
    issuer = found["sessionContext"]["sessionIssuer"]
    assert found["principalId"] == f"{issuer['principalId']}:0f3c" and UNIQUE.fullmatch(issuer["principalId"])
    assert found == {
        "type": "AssumedRole", "principalId": found["principalId"], "arn": ROLE_ARN, "accountId": "123456789012", "accessKeyId": "ASIA",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role", "principalId": issuer["principalId"], "arn": "arn:aws:iam::123456789012:role/ecsEventsRole",
                "accountId": "123456789012", "userName": "ecsEventsRole",
            },
            "attributes": {"creationDate": "2026-10-01T03:00:05Z", "mfaAuthenticated": "false"},
        },
    }  # fmt: skip


@pytest.mark.parametrize("service", ["events.amazonaws.com", "scheduler.amazonaws.com"])
def test_a_service_that_calls_is_told_three_times(service: str) -> None:
    caller = Caller("ASIA", ROLE_ARN, "AssumedRole", service)
    found = record(structs.replace(call(), caller=caller, source_ip=service, user_agent=service), {}, {}, "e")
    assert [found["userIdentity"]["invokedBy"], found["sourceIPAddress"], found["userAgent"]] == [service] * 3


def test_root_has_no_name() -> None:
    assert identity(Caller("AKID", "arn:aws:iam::123456789012:root", "Account")) == {
        "type": "Root", "principalId": "123456789012", "arn": "arn:aws:iam::123456789012:root", "accountId": "123456789012",
        "accessKeyId": "AKID",
    }  # fmt: skip


@pytest.mark.parametrize("code", ["AccessDenied", "AccessDeniedException"])
def test_access_denied_has_one_name_and_no_parameters(code: str) -> None:
    found = record(call(), {"cluster": "c"}, AwsError(code, "no"), "e")
    assert (found["errorCode"], found["requestParameters"], found["responseElements"]) == ("AccessDenied", None, None)


def test_a_client_exception_has_no_parameters_outside() -> None:
    found = outgoing({"detail": record(call(), {"cluster": "c"}, AwsError("ClientException", "TaskDefinition not found."), "e")})
    assert found["detail"]["requestParameters"] is None
    kept = outgoing({"detail": record(call(), {"cluster": "c"}, AwsError("ClusterNotFoundException", "Cluster not found."), "e")})
    assert kept["detail"]["requestParameters"] == {"cluster": "c"}


@pytest.mark.parametrize(
    "service, operation, params, expected",
    [
        ("events", "PutRule", {"Name": "r", "ScheduleExpression": "rate(1 day)"}, {"name": "r", "scheduleExpression": "rate(1 day)"}),
        (
            "events",
            "PutTargets",
            {"Rule": "r", "Targets": [{"Id": "1", "Input": "{}", "InputTransformer": {"InputPathsMap": {"Key": "$"}}}]},
            {"rule": "r", "targets": [{"id": "1", "input": "{}", "inputTransformer": {"inputPathsMap": {"Key": "$"}}}]},
        ),
        (
            "events",
            "CreateConnection",
            {"Name": "c", "AuthParameters": {"ApiKeyAuthParameters": {"ApiKeyName": "k", "ApiKeyValue": "secret"}}},
            {"name": "c", "authParameters": {"apiKeyAuthParameters": {"apiKeyName": "k", "apiKeyValue": HIDDEN}}},
        ),
        (
            "scheduler",
            "CreateSchedule",
            {"Name": "s", "StartDate": 1_790_823_605.5},
            {"name": "s", "startDate": "Oct 1, 2026, 3:00:05 AM"},
        ),
        ("cloudtrail", "CreateTrail", {"Name": "t", "S3BucketName": "b"}, {"name": "t", "s3BucketName": "b"}),
        ("logs", "CreateLogGroup", {"logGroupName": "/g"}, {"logGroupName": "/g"}),
    ],
)
def test_each_services_parameters_begin_small(service: str, operation: str, params: dict[str, Any], expected: dict[str, Any]) -> None:
    made = structs.replace(call(), service=service, operation=operation)
    assert record(made, params, {}, "e")["requestParameters"] == expected


def test_answers_of_other_services_begin_small() -> None:
    made = structs.replace(call(), service="events", operation="PutRule")
    assert record(made, {}, {"RuleArn": "a"}, "e")["responseElements"] == {"ruleArn": "a"}


def test_a_container_definitions_environment_is_hidden_too() -> None:
    made = structs.replace(call(), operation="RegisterTaskDefinition")
    definition = {"family": "f", "containerDefinitions": [{"name": "app", "environment": [{"name": "A", "value": "b"}]}]}
    found = outgoing(msgspec.json.decode(msgspec.json.encode({"detail": record(made, definition, {"taskDefinition": definition}, "e")})))
    hidden = {"family": "f", "containerDefinitions": [{"name": "app", "environment": HIDDEN}]}
    assert (found["detail"]["requestParameters"], found["detail"]["responseElements"]) == (hidden, {"taskDefinition": hidden})


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

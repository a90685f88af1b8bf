"""Calls of ours: botocore would have written the same, and reads an answer as we do."""

import base64
import re
from typing import Any
from urllib.parse import parse_qsl

import botocore.session
import httpx
import msgspec
import pytest
from botocore.model import OperationModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws import models
from hinoban.aws.client import Client
from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.protocols import query, rest_json
from hinoban.aws.protocols.outgoing import decode, encode
from hinoban.base.clock import FakeClock

SESSION = botocore.session.get_session()
words = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=12)
plain = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)
MOMENT = 1_795_705_200.0


def model_of(service: str, operation: str) -> OperationModel:
    return SESSION.get_service_model(service).operation_model(operation)


def theirs(protocol: str, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = create_serializer(protocol, False).serialize_to_request(params, model_of(service, operation))
    return found


def same(service: str, operation: str, params: dict[str, Any]) -> HttpRequest:
    """Our request, once botocore's is the same."""
    model = models.service(service)
    protocol = next(name for name in ("json", "rest-json", "query") if name in model.protocols)
    ours, wanted = encode(model, operation, params), theirs(protocol, service, operation, params)
    assert ours.method == wanted["method"]
    headers = {name.lower(): str(value) for name, value in wanted["headers"].items()}
    assert {name: value for name, value in ours.headers.items() if name in headers} == headers
    path, _, fixed = wanted["url_path"].partition("?")
    assert ours.path == path
    asked = wanted["query_string"] or {}
    pairs = [(name, str(one)) for name, value in asked.items() for one in (value if isinstance(value, list) else [value])]
    assert sorted(parse_qsl(ours.query, keep_blank_values=True)) == sorted(pairs + parse_qsl(fixed))
    match protocol:
        case "query":
            form = {name: value if isinstance(value, str) else str(value) for name, value in wanted["body"].items()}
            assert dict(parse_qsl(ours.body.decode(), keep_blank_values=True)) == form
        case _:
            body = wanted["body"]
            # A payload goes as it is, and need not be JSON though it begins so.
            assert ours.body == (body or b"") or msgspec.json.decode(ours.body) == msgspec.json.decode(body)
    return ours


def seen(service: str, operation: str, answer: HttpResponse) -> dict[str, Any]:
    """Our reading of an answer, once botocore's is the same."""
    model = models.service(service)
    protocol = next(name for name in ("json", "rest-json", "query") if name in model.protocols)
    headers = {name.lower(): value for name, value in answer.headers}
    ours = decode(model, operation, answer.status, headers, answer.body)
    given_ = {"status_code": answer.status, "headers": headers, "body": answer.body}
    parsed = create_parser(protocol).parse(given_, model_of(service, operation).output_shape)
    parsed.pop("ResponseMetadata", None)
    assert _floats(parsed) == ours
    return ours


def _floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _floats(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_floats(one) for one in value]
    return value.timestamp() if hasattr(value, "timestamp") else value


@given(words, words, st.dictionaries(plain, words, max_size=3), st.binary(max_size=9))
def test_a_form_is_what_botocore_writes(topic: str, message: str, attributes: dict[str, str], blob: bytes) -> None:
    texts = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    attributes_sent = texts | {"bytes": {"DataType": "Binary", "BinaryValue": blob}}
    same("sns", "Publish", {"TopicArn": topic, "Message": message, "Subject": "s", "MessageAttributes": attributes_sent})
    same(
        "sns",
        "CreateTopic",
        {"Name": topic, "Attributes": attributes, "Tags": [{"Key": key, "Value": one} for key, one in attributes.items()]},
    )
    same("iam", "TagRole", {"RoleName": topic, "Tags": []})
    same("sts", "AssumeRole", {"RoleArn": topic, "RoleSessionName": message, "DurationSeconds": 900, "TransitiveTagKeys": list(attributes)})


def test_times_booleans_and_flattened_lists_of_a_form() -> None:
    same(
        "elb",
        "ModifyLoadBalancerAttributes",
        {"LoadBalancerName": "l", "LoadBalancerAttributes": {"CrossZoneLoadBalancing": {"Enabled": True}}},
    )
    same("sdb", "PutAttributes", {"DomainName": "d", "ItemName": "i", "Attributes": [{"Name": "n", "Value": "v", "Replace": True}]})
    form = dict(
        parse_qsl(
            encode(models.service("rds"), "CreateDBSnapshot", {"DBSnapshotIdentifier": "a", "DBInstanceIdentifier": "b"}).body.decode()
        )
    )
    assert form == {"Action": "CreateDBSnapshot", "Version": "2014-10-31", "DBSnapshotIdentifier": "a", "DBInstanceIdentifier": "b"}
    when = encode(models.service("cloudformation"), "DescribeStacks", {"StackName": "a", "NextToken": "b"})
    assert when.headers["content-type"].startswith(query.CONTENT_TYPE)
    times = encode(models.service("rds"), "RestoreDBInstanceToPointInTime", {"TargetDBInstanceIdentifier": "t", "RestoreTime": MOMENT})
    assert "RestoreTime=2026-11-26T" in times.body.decode()


@given(plain, words, st.integers(1, 100), plain)
def test_rest_json_is_what_botocore_writes(name: str, text: str, most: int, group: str) -> None:
    created = {
        "Name": name,
        "GroupName": group,
        "ScheduleExpression": text,
        "StartDate": int(MOMENT),
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "a", "RoleArn": "r", "Input": text, "EcsParameters": {"TaskDefinitionArn": "t", "Tags": [{"k": text}]}},
    }
    same("scheduler", "CreateSchedule", created)
    same("scheduler", "ListSchedules", {"GroupName": group, "NamePrefix": name, "MaxResults": most})
    same("scheduler", "GetSchedule", {"Name": name, "GroupName": group})
    same("scheduler", "UntagResource", {"ResourceArn": f"arn:aws:scheduler:::schedule-group/{text}", "TagKeys": [name, text]})
    same("lambda", "Invoke", {"FunctionName": name, "InvocationType": "Event", "Payload": text.encode()})


@given(words, st.binary(max_size=9), st.dictionaries(plain, words, max_size=2))
def test_json_is_what_botocore_writes(text: str, blob: bytes, attributes: dict[str, str]) -> None:
    made = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    message = {"QueueUrl": "http://q", "MessageBody": text, "MessageAttributes": made | {"b": {"DataType": "Binary", "BinaryValue": blob}}}
    same("sqs", "SendMessage", message)
    same("sqs", "GetQueueAttributes", {"QueueUrl": text, "AttributeNames": ["All"]})
    same("kms", "Encrypt", {"KeyId": text, "Plaintext": blob})
    same("events", "PutRule", {"Name": "r", "EventPattern": text, "Tags": [{"Key": "k", "Value": text}]})


def test_no_path_is_made_of_nothing_and_no_call_of_an_unknown_operation() -> None:
    for params in ({}, {"Name": ""}):
        with pytest.raises(AwsError, match="The path needs Name"):
            encode(models.service("scheduler"), "GetSchedule", params)
    with pytest.raises(AwsError, match="no operation Frobnicate"):
        encode(models.service("sqs"), "Frobnicate", {})
    for service in ("s3", "ec2"):
        with pytest.raises(AwsError, match="does not speak"):
            encode(models.service(service), "ListBuckets" if service == "s3" else "DescribeVpcs", {})


@given(words, st.dictionaries(plain, words, max_size=3), st.booleans())
def test_xml_is_read_as_botocore_reads_it(topic: str, attributes: dict[str, str], paged: bool) -> None:
    model = models.service("sns")

    def answer(operation: str, result: dict[str, Any]) -> HttpResponse:
        found = model.operation(operation)
        assert found is not None
        return query.response(operation, "id", result, found.output, model.shapes, model.namespace)

    assert seen("sns", "GetTopicAttributes", answer("GetTopicAttributes", {"Attributes": attributes})) == {"Attributes": attributes}
    listing = {"Topics": [{"TopicArn": topic}] * 2} | ({"NextToken": topic} if paged else {})
    assert seen("sns", "ListTopics", answer("ListTopics", listing)) == listing
    assert seen("sns", "SetTopicAttributes", answer("SetTopicAttributes", {})) == {}
    sts = models.service("sts")
    assume = sts.operation("AssumeRole")
    assert assume is not None
    result = {
        "Credentials": {"AccessKeyId": topic, "SecretAccessKey": "s", "SessionToken": "t", "Expiration": MOMENT},
        "PackedPolicySize": 6,
    }
    assert seen("sts", "AssumeRole", query.response("AssumeRole", "id", result, assume.output, sts.shapes, sts.namespace)) == result


def test_flattened_lists_and_maps_of_xml() -> None:
    shapes = models.service("sdb").shapes
    inner = query.members({"Attributes": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]}, "GetAttributesResult", shapes)
    body = f"<GetAttributesResponse><GetAttributesResult>{inner}</GetAttributesResult></GetAttributesResponse>".encode()
    found = seen("sdb", "GetAttributes", HttpResponse(200, [], body))
    assert found == {"Attributes": [{"Name": "a", "Value": "1"}, {"Name": "b", "Value": "2"}]}
    own: dict[str, Any] = {
        "Out": {"type": "structure", "members": {"Map": {"shape": "Map"}, "Lists": {"shape": "List", "locationName": "L"}}},
        "Map": {"type": "map", "flattened": True, "key": {"shape": "Text", "locationName": "Name"}, "value": {"shape": "Text", "locationName": "Value"}},
        "List": {"type": "list", "member": {"shape": "Text"}, "flattened": True},
        "Text": {"type": "string"},
    }  # fmt: skip
    value = {"Map": {"a": "1", "b": "2"}, "Lists": ["x", "y"]}
    assert query.read(query.tree_of(f"<R>{query.members(value, 'Out', own)}</R>".encode()), {"shape": "Out"}, own) == value
    form = query.form("Op", "1", value, "Out", own)
    assert query.decode(form, "Out", own) == value


@given(words, st.integers(0, 4_000_000_000))
def test_rest_json_is_read_as_botocore_reads_it(text: str, moment: int) -> None:
    shapes = models.service("scheduler").shapes
    result = {"Name": text, "State": "ENABLED", "CreationDate": moment, "Target": {"Arn": text, "RoleArn": "r"}}
    assert seen("scheduler", "GetSchedule", rest_json.response(result, "id", "GetScheduleOutput", shapes)) == result
    invoked = {"StatusCode": 202, "FunctionError": "Unhandled", "Payload": text.encode()}
    answer = rest_json.response(invoked, "id", "InvocationResponse", models.service("lambda").shapes)
    assert (
        decode(models.service("lambda"), "Invoke", answer.status, {name.lower(): one for name, one in answer.headers}, answer.body)
        == invoked
    )


@given(st.binary(max_size=9), words)
def test_json_with_bytes_is_read_as_botocore_reads_it(blob: bytes, text: str) -> None:
    body = msgspec.json.encode({"CiphertextBlob": base64.b64encode(blob).decode(), "KeyId": text})
    assert seen("kms", "Encrypt", HttpResponse(200, [], body)) == {"CiphertextBlob": blob, "KeyId": text}


@pytest.mark.parametrize(
    ("service", "operation", "answer", "code", "message"),
    [
        ("sns", "Publish", query.error_response("id", AwsError("NotFound", "Topic does not exist", 404)), "NotFound", "Topic does not exist"),
        ("sns", "Publish", HttpResponse(503, [], b"<html>busy"), "UnknownError", "<html>busy"),
        ("scheduler", "GetSchedule", rest_json.error_response("id", AwsError("ResourceNotFoundException", "m", 404), "Message"),
         "ResourceNotFoundException", "m"),
        ("sqs", "SendMessage", HttpResponse(400, [("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")],
                                            b'{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"m"}'),
         "AWS.SimpleQueueService.NonExistentQueue", "m"),
        ("sqs", "SendMessage", HttpResponse(500, [], b""), "UnknownError", ""),
    ],
)  # fmt: skip
def test_an_error_is_its_code_and_text(service: str, operation: str, answer: HttpResponse, code: str, message: str) -> None:
    with pytest.raises(AwsError) as caught:
        seen(service, operation, answer)
    assert (caught.value.code, caught.value.message, caught.value.status) == (code, message, answer.status)


@pytest.mark.parametrize(
    ("service", "operation", "body"),
    [
        ("sns", "Publish", b"no xml"),
        ("scheduler", "GetSchedule", b"{"),
        ("sqs", "SendMessage", b"[1]"),
        ("kms", "Encrypt", b'{"CiphertextBlob": "?"}'),
        ("sts", "AssumeRole", b"<R><AssumeRoleResult><PackedPolicySize>x</PackedPolicySize></AssumeRoleResult></R>"),
    ],
)
def test_an_answer_that_cannot_be_read_is_the_services_fault(service: str, operation: str, body: bytes) -> None:
    with pytest.raises(AwsError) as caught:
        decode(models.service(service), operation, 200, {}, body)
    assert (caught.value.code, caught.value.status) == ("UnreadableAnswer", 502)


async def test_the_client_turns_schedulers_and_rules_pages_by_their_own_token() -> None:
    asked: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.path, request.url.query.decode() or request.content.decode()))
        token = re.search(r'NextToken(?:=|":")(\w+)', asked[-1][1])
        page = int(token[1]) if token else 0
        key = "Schedules" if request.url.path == "/schedules" else "Rules"
        return httpx.Response(200, json={key: [{"Name": f"{page}"}]} | ({"NextToken": str(page + 1)} if page < 2 else {}))

    client = Client("http://127.0.0.1:1", None, "eu-west-1", clock=FakeClock(), transport=httpx.MockTransport(answer))
    found = [one async for one in client.paginate("scheduler", "ListSchedules", {"GroupName": "a b"}, "Schedules")]
    assert found == [{"Name": "0"}, {"Name": "1"}, {"Name": "2"}]
    assert [one["Name"] async for one in client.paginate("events", "ListRules", {}, "Rules")] == ["0", "1", "2"]
    assert asked[:2] == [("/schedules", "ScheduleGroup=a%20b"), ("/schedules", "ScheduleGroup=a%20b&NextToken=1")]
    await client.close()

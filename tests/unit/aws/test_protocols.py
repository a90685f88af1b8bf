"""Query and REST-JSON: botocore builds a request, we read it; we write an answer, botocore reads it."""

from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.model import OperationModel
from botocore.parsers import create_parser
from botocore.serialize import create_serializer
from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws import models
from hinoban.aws.errors import AwsError
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.protocols import query, rest_json
from hinoban.aws.protocols.speech import other_than_json

SESSION = botocore.session.get_session()
words = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"), min_size=1, max_size=12)
plain = st.from_regex(r"[A-Za-z0-9_-]{1,12}", fullmatch=True)


def model_of(service: str, operation: str) -> OperationModel:
    return SESSION.get_service_model(service).operation_model(operation)


def sent(protocol: str, operation: OperationModel, params: dict[str, Any]) -> HttpRequest:
    made = create_serializer(protocol, False).serialize_to_request(params, operation)
    body = made["body"]
    if isinstance(body, dict):
        from urllib.parse import urlencode

        body = urlencode(body).encode()
    path, _, raw = made["url_path"].partition("?")
    from urllib.parse import quote

    pairs = made["query_string"] if isinstance(made["query_string"], dict) else {}
    flat = [(name, one) for name, value in pairs.items() for one in (value if isinstance(value, list) else [value])]
    raw = "&".join(f"{quote(str(name))}={quote(str(value))}" for name, value in flat) or raw
    headers = {name.lower(): str(value) for name, value in made["headers"].items()}
    return HttpRequest(made["method"], path, raw, headers, body if isinstance(body, bytes) else str(body or "").encode(), "127.0.0.1")


def read(protocol: str, operation: OperationModel, answer: HttpResponse) -> dict[str, Any]:
    given_ = {"status_code": answer.status, "headers": {name.lower(): value for name, value in answer.headers}, "body": answer.body}
    parsed: dict[str, Any] = create_parser(protocol).parse(given_, operation.output_shape)
    return parsed


def ours(service: str, request: HttpRequest) -> tuple[str, dict[str, Any]]:
    model = models.service(service)
    speech = other_than_json(request, model)
    assert speech is not None
    operation = model.operation(speech.operation)
    assert operation is not None
    return speech.operation, speech.decode(request, operation, model)


@given(words, words, st.dictionaries(plain, words, max_size=3), st.lists(st.tuples(words, words), max_size=3))
def test_a_form_is_read_as_botocore_wrote_it(topic: str, message: str, attributes: dict[str, str], tags: list[tuple[str, str]]) -> None:
    publish = {
        "TopicArn": topic,
        "Message": message,
        "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    }
    name, params = ours("sns", sent("query", model_of("sns", "Publish"), publish))
    assert (name, {"MessageAttributes": {}} | params) == ("Publish", publish)
    create = {"Name": topic, "Tags": [{"Key": key, "Value": value} for key, value in tags]}
    assert ours("sns", sent("query", model_of("sns", "CreateTopic"), create))[1] == create


@given(words, st.booleans(), st.integers(-5, 5), st.lists(plain, max_size=4), st.binary(max_size=9))
def test_scalars_lists_and_blobs_of_a_form(name: str, flag: bool, number: int, groups: list[str], blob: bytes) -> None:
    params = {"LoadBalancerName": name, "LoadBalancerAttributes": {"CrossZoneLoadBalancing": {"Enabled": flag},
                                                                  "ConnectionSettings": {"IdleTimeout": number}}}  # fmt: skip
    assert ours("elb", sent("query", model_of("elb", "ModifyLoadBalancerAttributes"), params))[1] == params
    listed = {"LoadBalancerName": name, "SecurityGroups": groups}
    assert ours("elb", sent("query", model_of("elb", "ApplySecurityGroupsToLoadBalancer"), listed))[1] == listed


@given(words, st.dictionaries(plain, words, max_size=3), words)
def test_xml_is_read_by_botocore_as_we_meant_it(topic: str, attributes: dict[str, str], text: str) -> None:
    model = models.service("sns")
    operation = model.operation("GetTopicAttributes")
    assert operation is not None
    answer = query.response("GetTopicAttributes", "id-1", {"Attributes": attributes}, operation.output, model.shapes, model.namespace)
    parsed = read("query", model_of("sns", "GetTopicAttributes"), answer)
    assert parsed["Attributes"] == attributes
    assert parsed["ResponseMetadata"]["RequestId"] == "id-1"
    listing = model.operation("ListTopics")
    assert listing is not None
    answer = query.response(
        "ListTopics", "id-2", {"Topics": [{"TopicArn": topic}] * 2, "NextToken": text}, listing.output, model.shapes, model.namespace
    )
    parsed = read("query", model_of("sns", "ListTopics"), answer)
    assert (parsed["Topics"], parsed["NextToken"]) == ([{"TopicArn": topic}] * 2, text)
    error = read("query", model_of("sns", "ListTopics"), query.error_response("id-3", AwsError("NotFound", text, 404)))
    assert error["Error"] == {"Type": "Sender", "Code": "NotFound", "Message": text}


def test_a_time_in_xml() -> None:
    model = models.service("sts")
    operation = model.operation("AssumeRole")
    assert operation is not None
    result = {"Credentials": {"AccessKeyId": "A", "SecretAccessKey": "B", "SessionToken": "C", "Expiration": 1_795_705_200.5}}
    answer = query.response("AssumeRole", "id", result, operation.output, model.shapes, model.namespace)
    assert read("query", model_of("sts", "AssumeRole"), answer)["Credentials"]["Expiration"].timestamp() == 1_795_705_200.5


@given(plain, words, st.integers(1, 100), plain)
def test_rest_json_is_read_as_botocore_wrote_it(name: str, text: str, most: int, group: str) -> None:
    params = {
        "Name": name,
        "GroupName": group,
        "ScheduleExpression": text,
        "StartDate": 1_795_705_200,
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:sqs:eu-west-1:123456789012:q", "RoleArn": "arn:aws:iam::123456789012:role/r", "Input": text},
    }
    operation, found = ours("scheduler", sent("rest-json", model_of("scheduler", "CreateSchedule"), params))
    assert (operation, found) == ("CreateSchedule", params)
    listing = {"GroupName": group, "NamePrefix": name, "MaxResults": most}
    assert ours("scheduler", sent("rest-json", model_of("scheduler", "ListSchedules"), listing)) == ("ListSchedules", listing)
    tags = {"ResourceArn": f"arn:aws:scheduler:eu-west-1:123456789012:schedule-group/{name}", "TagKeys": [name, group]}
    assert ours("scheduler", sent("rest-json", model_of("scheduler", "UntagResource"), tags)) == ("UntagResource", tags)
    assert ours("scheduler", sent("rest-json", model_of("scheduler", "GetSchedule"), {"Name": name}))[0] == "GetSchedule"


@given(words, st.integers(0, 4_000_000_000))
def test_rest_json_is_answered_as_botocore_reads_it(text: str, moment: int) -> None:
    model = models.service("scheduler")
    result = {"Name": text, "State": "ENABLED", "CreationDate": moment}
    parsed = read("rest-json", model_of("scheduler", "GetSchedule"), rest_json.response(result, "id", "GetScheduleOutput", model.shapes))
    assert (parsed["Name"], parsed["State"], parsed["CreationDate"].timestamp()) == (text, "ENABLED", moment)
    answer = rest_json.error_response(
        "id", AwsError("ResourceNotFoundException", text, 404), model.error_text_member("ResourceNotFoundException")
    )
    assert read("rest-json", model_of("scheduler", "GetSchedule"), answer)["Error"] == {
        "Code": "ResourceNotFoundException",
        "Message": text,
    }


def test_headers_and_payloads_of_rest_json() -> None:
    invoke = {"FunctionName": "f", "InvocationType": "Event", "Payload": b"\x00{}"}
    request = sent("rest-json", model_of("lambda", "Invoke"), invoke)
    assert ours("lambda", request) == ("Invoke", invoke)
    model = models.service("lambda")
    answer = rest_json.response(
        {"StatusCode": 202, "FunctionError": "Unhandled", "Payload": b"{}"}, "id", "InvocationResponse", model.shapes
    )
    assert answer.status == 202
    assert dict(answer.headers)["X-Amz-Function-Error"] == "Unhandled"
    assert answer.body == b"{}"


@pytest.mark.parametrize("body", [b"Action=Publish&Message.a=1&Message=2", b"Action=CreateTopic&Tags.member.x.Key=a", b"", b"Action=" + b"a.b" * 3,
                                  b"Action=Publish&MessageAttributes.entry.1.Value=x", b"\xff\xfe", b"Action=Publish&" + b"a." * 500 + b"a=1"])  # fmt: skip
def test_a_bad_form_is_a_clear_client_error_or_nothing(body: bytes) -> None:
    request = HttpRequest("POST", "/", "", {"content-type": query.CONTENT_TYPE}, body, "127.0.0.1")
    checked: Callable[[], Any] = lambda: ours("sns", request)  # noqa: E731
    try:
        checked()
    except AwsError as error:
        assert error.status == 400
    except AssertionError:
        assert b"a.b" in body


@given(st.binary(max_size=80))
def test_any_form_is_answered(body: bytes) -> None:
    request = HttpRequest("POST", "/", "", {"content-type": query.CONTENT_TYPE}, b"Action=Publish&" + body, "127.0.0.1")
    try:
        assert isinstance(ours("sns", request)[1], dict)
    except AwsError as error:
        assert error.status == 400
    except AssertionError:
        assert b"Action" in body

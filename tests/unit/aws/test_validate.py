"""Inputs against their shapes: what is dropped, what is a wrong type, and how broken limits are told."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws import models, validate
from hinoban.aws.errors import AwsError
from hinoban.aws.validate import compile_input

SHAPES: dict[str, Any] = {
    "Input": {
        "type": "structure",
        "required": ["Name"],
        "members": {
            "Name": {"shape": "Name"},
            "Count": {"shape": "Count"},
            "Big": {"shape": "Long"},
            "Share": {"shape": "Share"},
            "On": {"shape": "Boolean"},
            "At": {"shape": "Timestamp"},
            "Data": {"shape": "Data"},
            "Mode": {"shape": "Mode"},
            "Items": {"shape": "Items"},
            "Tags": {"shape": "Tags"},
            "Free": {"shape": "Free"},
            "Odd": {"shape": "Odd"},
        },
    },
    "Name": {"type": "string", "min": 1, "max": 5, "pattern": "[a-z]*"},
    "Count": {"type": "integer", "min": 1, "max": 10},
    "Long": {"type": "long"},
    "Share": {"type": "double", "max": 1},
    "Boolean": {"type": "boolean"},
    "Timestamp": {"type": "timestamp"},
    "Data": {"type": "blob", "max": 4},
    "Mode": {"type": "string", "enum": ["A", "B"]},
    "Items": {"type": "list", "member": {"shape": "Item"}, "max": 2},
    "Item": {"type": "structure", "required": ["Id"], "members": {"Id": {"shape": "Name"}, "Inner": {"shape": "Items"}}},
    "Tags": {"type": "map", "key": {"shape": "Name"}, "value": {"shape": "Mode"}},
    "Free": {"type": "structure", "document": True, "members": {}},
    "Odd": {"type": "string", "pattern": "[\\p{L}]+"},
}
check = compile_input("events", "PutThings", "Input", SHAPES)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*SHAPES["Input"]["members"], "Id", "Inner"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def refused(body: Any, checker: Any = check) -> AwsError:
    with pytest.raises(AwsError) as caught:
        checker(body)
    return caught.value


def test_what_is_fine_comes_through_and_the_rest_is_dropped() -> None:
    body = {"Name": "abc", "Unknown": 1, "Mode": None, "Items": [{"Id": "a", "New": {}}, None], "Free": {"any": ["thing"]}, "Odd": "é"}
    assert check(body) == {"Name": "abc", "Items": [{"Id": "a"}], "Free": {"any": ["thing"]}, "Odd": "é"}


def test_numbers_moments_and_blobs_are_made_one_kind() -> None:
    taken = check({"Name": "a", "Count": 3.0, "Share": 1, "At": 12, "Data": base64.b64encode(b"hi").decode(), "On": True})
    assert taken == {"Name": "a", "Count": 3, "Share": 1, "At": 12.0, "Data": b"hi", "On": True}
    assert type(taken["Count"]) is int
    assert check({"Name": "a", "At": "1970-01-01T00:01:00Z"})["At"] == check({"Name": "a", "At": "60"})["At"] == 60.0


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ([], "Start of list found where not expected"),
        ("x", "Expected null"),
        ({"Name": 1}, "NUMBER_VALUE can not be converted to a String"),
        ({"Name": True}, "TRUE_VALUE can not be converted to a String"),
        ({"Name": []}, "Start of list found where not expected"),
        ({"Name": {}}, "Start of structure or map found where not expected."),
        ({"Count": "3"}, "STRING_VALUE can not be converted to an Integer"),
        ({"Count": False}, "FALSE_VALUE can not be converted to an Integer"),
        ({"Count": 2**31}, "NUMBER_VALUE can not be converted to an Integer"),
        ({"Big": 1e30}, "NUMBER_VALUE can not be converted to a Long"),
        ({"Big": "3"}, "STRING_VALUE can not be converted to a Long"),
        ({"Share": "3"}, "STRING_VALUE can not be converted to a Double"),
        ({"On": "true"}, "STRING_VALUE can not be converted to a Boolean"),
        ({"On": 1}, "NUMBER_VALUE can not be converted to a Boolean"),
        ({"At": "soon"}, "STRING_VALUE can not be converted to a Timestamp"),
        ({"Items": "x"}, "Expected list or null"),
        ({"Items": ["x"]}, "Expected null"),
        ({"Tags": 4}, "Expected map or null"),
    ],
)
def test_a_wrong_type_is_a_serialization_error(body: Any, text: str) -> None:
    error = refused(body)
    assert (error.code, error.message, error.status) == ("SerializationException", text, 400)


def test_a_blob_that_is_not_base64() -> None:
    assert refused({"Data": "=+/="}).message.startswith("'=+/=' can not be converted to a Blob")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({}, "Value null at 'name' failed to satisfy constraint: Member must not be null"),
        ({"Name": ""}, "Value '' at 'name' failed to satisfy constraint: Member must have length greater than or equal to 1"),
        ({"Name": "abcdef"}, "Value 'abcdef' at 'name' failed to satisfy constraint: Member must have length less than or equal to 5"),
        ({"Name": "A"}, "Value 'A' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*"),
        ({"Name": "a", "Count": 11}, "Value '11' at 'count' failed to satisfy constraint: Member must have value less than or equal to 10"),
        ({"Name": "a", "Count": 0}, "Value '0' at 'count' failed to satisfy constraint: Member must have value greater than or equal to 1"),
        ({"Name": "a", "Mode": "C"}, "Value 'C' at 'mode' failed to satisfy constraint: Member must satisfy enum value set: [A, B]"),
        (
            {"Name": "a", "Items": [{"Id": "a"}, {"Id": "B"}]},
            "Value 'B' at 'items.2.member.id' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-z]*",
        ),
        (
            {"Name": "a", "Items": [{"Id": "a"}] * 3},
            "Value '[Item(id=a, inner=null), Item(id=a, inner=null), Item(id=a, inner=null)]' at 'items' failed to satisfy constraint: "
            "Member must have length less than or equal to 2",
        ),
    ],
)
def test_a_broken_limit_is_told_in_awss_words(body: Any, text: str) -> None:
    error = refused(body)
    assert (error.code, error.message) == ("ValidationException", f"1 validation error detected: {text}")


def test_all_broken_limits_are_told_at_once() -> None:
    assert refused({"Count": 0}).message.startswith("2 validation errors detected: Value '0' at 'count' failed")


def test_a_wrong_type_wins_over_a_broken_limit() -> None:
    assert refused({"Count": 0, "Name": 1}).code == "SerializationException"


@given(json_values)
def test_any_json_is_taken_or_refused(body: Any) -> None:
    try:
        taken = check(body)
    except AwsError as error:
        assert error.status == 400
    else:
        # What was taken is taken again, unless it is no JSON any more (blobs).
        if "Data" not in taken:
            assert check(taken) == taken


def test_the_text_of_logs_is_the_one_in_the_facts() -> None:
    operation = models.service("logs").operation("FilterLogEvents")
    assert operation is not None
    error = refused({"logGroupName": "g", "limit": 10001}, operation.check)
    assert error.code == "InvalidParameterException"
    assert error.message == (
        "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000"
    )


@pytest.mark.parametrize(
    ("operation", "code", "text"),
    [
        ("RunTask", "InvalidParameterException", "TaskDefinition can not be blank."),
        ("DescribeTaskDefinition", "ClientException", "Task Definition can not be blank."),
        ("RegisterTaskDefinition", "ClientException", "Family can not be blank."),
        ("DescribeTasks", "InvalidParameterException", "Tasks cannot be empty."),
        ("StopTask", "InvalidParameterException", "Task can not be blank."),
    ],
)
def test_ecs_has_its_own_words_for_what_is_missing(operation: str, code: str, text: str) -> None:
    found = models.service("ecs").operation(operation)
    assert found is not None
    error = refused({}, found.check)
    assert (error.code, error.message) == (code, text)


def test_ecs_tells_nested_members_and_enums_as_every_service() -> None:
    found = models.service("ecs").operation("RunTask")
    assert found is not None
    error = refused({"taskDefinition": "job", "capacityProviderStrategy": [{"weight": 1}]}, found.check)
    place = "capacityProviderStrategy.1.member.capacityProvider"
    text = f"1 validation error detected: Value null at '{place}' failed to satisfy constraint: Member must not be null"
    assert (error.code, error.message) == ("ClientException", text)
    assert (
        "at 'launchType' failed to satisfy constraint: Member must satisfy enum value set: [EC2, FARGATE"
        in refused({"taskDefinition": "job", "launchType": "MOON"}, found.check).message
    )


def test_maps_print_as_javas_do() -> None:
    assert validate.java_text({"a": "A", "b": None}, "Tags", SHAPES) == "{a=A, b=null}"
    assert validate.java_text(True, "Boolean", SHAPES) == "true"


@pytest.mark.parametrize("service", ["ecs", "logs", "events", "dynamodb"])
def test_every_input_of_the_service_compiles(service: str) -> None:
    model = models.service(service)
    for name in model.operation_names():
        operation = model.operation(name)
        assert operation is not None
        with pytest.raises(AwsError):
            operation.check(msgspec.json.decode(b"[]"))


def _of_events(operation: str, body: dict[str, Any]) -> None:
    model = models.service("events")
    compile_input("events", operation, model.definitions[operation]["input"]["shape"], model.shapes)(body)


def test_a_secret_that_breaks_a_limit_is_not_told() -> None:
    """The error goes into the journal."""
    auth = {"BasicAuthParameters": {"Username": "me", "Password": "hidden\n"}}
    with pytest.raises(AwsError) as error:
        _of_events("CreateConnection", {"Name": "c", "AuthorizationType": "BASIC", "AuthParameters": auth})
    assert "authParameters.basicAuthParameters.password" in error.value.message
    assert "hidden" not in error.value.message


@pytest.mark.parametrize(
    ("value", "fits"), [("a b\tc ", True), ("\t a", True), ("\t \t", True), ("\t", False), ("", False), ("a " * 60 + "\x01", False)]
)
def test_a_header_value_is_checked_in_no_time(value: str, fits: bool) -> None:
    """AWS's pattern takes hours of Python's `re` for sixty spaces and one character that is not allowed."""
    parameters = {"InvocationHttpParameters": {"HeaderParameters": [{"Key": "X", "Value": value}]}}
    body = {"Name": "c", "AuthorizationType": "BASIC", "AuthParameters": parameters}
    if fits:
        _of_events("CreateConnection", body)
    else:
        with pytest.raises(AwsError, match="regular expression"):
            _of_events("CreateConnection", body)

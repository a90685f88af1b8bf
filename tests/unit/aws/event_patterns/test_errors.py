"""What is wrong with a pattern, in AWS's words and at AWS's place (facts/eventbridge.md §4.4)."""

from datetime import date
from typing import Any

import msgspec
import pytest

from hinoban.aws.errors import AwsError
from hinoban.aws.event_patterns import BadPattern, compile_pattern, compile_text

NO_LIST = "Value of anything-but must be an array or single string/number value."
IN_LIST = "Inside anything but list, start|null|boolean is not supported."
MIXED = "Inside anything but list, either all values are number or string, mixed type is not supported"
IGNORE_CASE_LIST = "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
AFFIX = "prefix/suffix match pattern must be a string"
TOKENS = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
COMPLEX = "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a wildcard character"


def reason(text: str) -> str:
    with pytest.raises(AwsError) as caught:
        compile_text(text)
    assert (caught.value.code, caught.value.status) == ("InvalidEventPatternException", 400)
    first, *places = caught.value.message.split("\n")
    assert all(f'at [Source: (String)"{text.splitlines()[0]}' in place for place in places if place.startswith(" at "))
    prefix = "Event pattern is not valid. Reason: "
    assert first.startswith(prefix)
    return first.removeprefix(prefix)


SHAPES: list[tuple[Any, str]] = [
    ([], "Filter is not an object"),
    ("x", "Filter is not an object"),
    (None, "Filter is not an object"),
    ({"a": "x"}, '"a" must be an object or an array'),
    ({"a": {"b": None}}, '"b" must be an object or an array'),
    ({"a": {"b": {}}}, "Empty objects are not allowed"),
    ({"a": []}, "Empty arrays are not allowed"),
    ({"a": [["x"]]}, "Match value must be String, number, true, false, or null"),
    ({"a": ["x", {}]}, "Match expression name not found"),
    ({"a": [{"EXISTS": True}]}, "Unrecognized match type EXISTS"),
    ({"a": [{"regex": "x"}]}, "Unrecognized match type regex"),
    ({"a": [{"prefix": "x", "suffix": "y"}]}, "Only one key allowed in match expression"),
    ({"a": [{"exists": True, "prefix": "y"}]}, "Only one key allowed in match expression"),
    ({"a": [{"exactly": 1}]}, "exact match pattern must be a string"),
    ({"a": [{"prefix": 1}]}, "prefix match pattern must be a string"),
    ({"a": [{"prefix": ["x"]}]}, "prefix match pattern must be a string"),
    ({"a": [{"prefix": {}}]}, "Prefix expression name not found"),
    ({"a": [{"prefix": {"wildcard": "x"}}]}, "Unsupported prefix pattern: wildcard"),
    ({"a": [{"prefix": {"equals-ignore-case": 1}}]}, "equals-ignore-case match pattern must be a string"),
    ({"a": [{"prefix": {"equals-ignore-case": "x", "y": 1}}]}, "Only one key allowed in match expression"),
    ({"a": [{"suffix": None}]}, "suffix match pattern must be a string"),
    ({"a": [{"suffix": {}}]}, "Suffix expression name not found"),
    ({"a": [{"suffix": {"prefix": "x"}}]}, "Unsupported suffix pattern: prefix"),
    ({"a": [{"equals-ignore-case": ["x"]}]}, "equals-ignore-case match pattern must be a string"),
    ({"a": [{"wildcard": 1}]}, "wildcard match pattern must be a string"),
    ({"a": [{"wildcard": ["*"]}]}, "wildcard match pattern must be a string"),
    ({"a": [{"wildcard": "a**"}]}, "Consecutive wildcard characters at pos 2"),
    ({"a": [{"wildcard": "é**"}]}, "Consecutive wildcard characters at pos 3"),
    ({"a": [{"wildcard": r"ab\c"}]}, "Invalid escape character at pos 3"),
    ({"a": [{"wildcard": "ab\\"}]}, "Invalid escape character at pos 3"),
    ({"a": [{"wildcard": "*:*:*:*:*:event-bus/*"}]}, COMPLEX),
    ({"a": [{"wildcard": "*aaaaaaaaaaaaaaaa*"}]}, COMPLEX),
    ({"a": [{"anything-but": {"wildcard": "*:*:*:*:*:event-bus/*"}}]}, COMPLEX),
    ({"a": [{"anything-but": None}]}, NO_LIST),
    ({"a": [{"anything-but": True}]}, NO_LIST),
    ({"a": [{"anything-but": {}}]}, "Anything-But expression name not found"),
    ({"a": [{"anything-but": {"numeric": ["=", 1]}}]}, "Unsupported anything-but pattern: numeric"),
    ({"a": [{"anything-but": {"prefix": "x", "suffix": "y"}}]}, "Only one key allowed in match expression"),
    ({"a": [{"anything-but": {"prefix": {"equals-ignore-case": "x"}}}]}, NO_LIST),
    ({"a": [{"anything-but": {"prefix": ""}}]}, "Null prefix/suffix not allowed"),
    ({"a": [{"anything-but": {"suffix": ["x", ""]}}]}, "Null prefix/suffix not allowed"),
    ({"a": [{"anything-but": {"prefix": 1}}]}, AFFIX),
    ({"a": [{"anything-but": {"suffix": [1]}}]}, AFFIX),
    ({"a": [{"anything-but": {"equals-ignore-case": 1}}]}, IGNORE_CASE_LIST),
    ({"a": [{"anything-but": {"equals-ignore-case": ["x", None]}}]}, IGNORE_CASE_LIST),
    ({"a": [{"anything-but": {"wildcard": 1}}]}, "wildcard match pattern must be a string"),
    ({"a": [{"anything-but": {"wildcard": ["x", 1]}}]}, "wildcard match pattern must be a string"),
    ({"a": [{"anything-but": {"prefix": []}}]}, MIXED),
    ({"a": [{"anything-but": []}]}, MIXED),
    ({"a": [{"anything-but": ["x", 1]}]}, MIXED),
    ({"a": [{"anything-but": ["x", None]}]}, IN_LIST),
    ({"a": [{"anything-but": [["x"]]}]}, IN_LIST),
    ({"a": [{"numeric": 5}]}, "Value of numeric must be an array."),
    ({"a": [{"numeric": []}]}, "Invalid member in numeric match: ]"),
    ({"a": [{"numeric": [5]}]}, "Invalid member in numeric match: 5"),
    ({"a": [{"numeric": ["==", 5]}]}, "Unrecognized numeric range operator: =="),
    ({"a": [{"numeric": ["<>", 5]}]}, "Unrecognized numeric range operator: <>"),
    ({"a": [{"numeric": ["="]}]}, "Value of equals must be numeric"),
    ({"a": [{"numeric": ["=", "5"]}]}, "Value of equals must be numeric"),
    ({"a": [{"numeric": [">=", None]}]}, "Value of >= must be numeric"),
    ({"a": [{"numeric": [">", 0, "<"]}]}, "Value of < must be numeric"),
    ({"a": [{"numeric": [">", 0, "<=", True]}]}, "Value of <= must be numeric"),
    ({"a": [{"numeric": [">", 0, 5]}]}, "Bad value in numeric range: 5"),
    ({"a": [{"numeric": [">", 0, ">", 5]}]}, "Bad numeric range operator: >"),
    ({"a": [{"numeric": ["=", 0, "<", 5]}]}, "Too many elements in numeric expression"),
    ({"a": [{"numeric": ["<", 5, ">", 0]}]}, "Too many elements in numeric expression"),
    ({"a": [{"numeric": [">", 0, "<", 5, "<", 7]}]}, "Too many terms in numeric range expression"),
    ({"a": [{"numeric": [">", 5, "<", 5]}]}, "Bottom must be less than top"),
    ({"a": [{"numeric": ["=", 2**60 + 1]}]}, f"Cannot compare number : {2**60 + 1}"),
    ({"a": [{"exists": "yes"}]}, "exists match pattern must be either true or false."),
    ({"a": [{"exists": None}]}, "exists match pattern must be either true or false."),
    ({"a": [{"cidr": ["bad-type"]}]}, "prefix match pattern must be a string"),
    ({"a": [{"cidr": "10.0.0.0"}]}, "Malformed CIDR, one '/' required"),
    ({"a": [{"cidr": "10.0.0.0/24/1"}]}, "Malformed CIDR, one '/' required"),
    ({"a": [{"cidr": "10.0.0.0/xx"}]}, "Malformed CIDR, mask bits must be an integer"),
    ({"a": [{"cidr": "10.0.0.0/"}]}, "Malformed CIDR, mask bits must be an integer"),
    ({"a": [{"cidr": "10.0.0.0/-1"}]}, "Malformed CIDR, mask bits must not be negative"),
    ({"a": [{"cidr": "10.0.0.0/32"}]}, "IPv4 mask bits must be < 32"),
    ({"a": [{"cidr": "::/128"}]}, "IPv6 mask bits must be < 128"),
    ({"a": [{"cidr": "xx.11.xx/8"}]}, "Nonstandard IP address: xx.11.xx"),
    ({"a": [{"cidr": "xxxx:db8:1234:1a00::/64"}]}, "Nonstandard IP address: xxxx:db8:1234:1a00::"),
    ({"a": [{"cidr": "10.0.0.256/8"}]}, "Invalid IP address: 10.0.0.256"),
    ({"$or": {"a": "x"}}, "It must be an Array followed with $or."),
    ({"$or": [{"a": [1]}]}, "There must have at least 2 Objects in $or relationship."),
    ({"$or": [{"a": [1]}, 7]}, "Only JSON object is allowed in array of $or relationship."),
    ({"$or": [{"a": [1]}, {"prefix": ["x"]}]}, "prefix is Ruler reserved fieldName which cannot be used inside $or."),
    ({"$or": [{"a": [1]}, {}]}, "Empty objects are not allowed"),
    ({"$or": [{"a": [1]}, {"b": 2}]}, '"b" must be an object or an array'),
    ({f"f{n}": {"$or": [{"a": [1]}, {"b": [2]}]} for n in range(10)}, "Rule is too complex - its $or makes more than 1000 combinations"),
]  # fmt: skip


@pytest.mark.parametrize(("pattern", "expected"), SHAPES, ids=[msgspec.json.encode(pattern).decode()[:60] for pattern, _ in SHAPES])
def test_the_reason_is_told_of_text_and_of_a_document(pattern: Any, expected: str) -> None:
    assert reason(msgspec.json.encode(pattern).decode()) == expected
    with pytest.raises(BadPattern) as caught:
        compile_pattern(pattern)
    assert caught.value.reason == expected
    assert str(caught.value).endswith(f": {expected}") and caught.value.path.startswith("pattern")


# Captured from AWS, whole messages.
PLACES = [
    ('{"int": 42}', '"int" must be an object or an array', 11, 1),
    ('{"string": "my-value"}', '"string" must be an object or an array', 13, 1),
    ('{"resources": []}', "Empty arrays are not allowed", 17, 1),
    ('{"detail": {"equal": [{"NUMERIC": ["=", 5]}]}}', "Unrecognized match type NUMERIC", 36, 1),
    ('{"my_key": [{"EXISTS": true}]}', "Unrecognized match type EXISTS", 28, 1),
    ('{"detail": {"c-count": [{"numeric": [">", 0, ">", 0]}]}}', "Bad numeric range operator: >", 49, 1),
    ('{"detail": {"c-count": [{"numeric": [">", 0, "<"]}]}}', "Value of < must be numeric", 50, 1),
    ('{"EventBusArn": [{"wildcard": "arn:aws:events:us-east-1:**:event-bus/*"}]}', "Consecutive wildcard characters at pos 26", 72, 1),
    ('{"EventBusArn": [{"wildcard": 123}]}', "wildcard match pattern must be a string", 34, 1),
    ('{"detail-type": [{"equals-ignore-case": ["ec2"]}]}', "equals-ignore-case match pattern must be a string", 42, 1),
    ('{"detail": {"state": [{"anything-but": {"equals-ignore-case": 123}}]}}', IGNORE_CASE_LIST, 66, 1),
    ('{"detail": {"state": [{"anything-but": {"equals-ignore-case": [123, 456]}}]}}', IGNORE_CASE_LIST, 67, 2),
    ('{"detail": {"state": [{"anything-but": {"wildcard": [123, "*/dir/*"]}}]}}', "wildcard match pattern must be a string", 57, 2),
    ('{"detail": {"FileName": [{"anything-but": {"suffix": [123, ".txt"]}}]}}', AFFIX, 58, 2),
    ('{"detail": {"state": [{"anything-but": {"prefix": 123}}]}}', AFFIX, 54, 1),
    ('{"detail": {"FileName": [{"anything-but": {"prefix": {"equals-ignore-case": "file"}}}]}}', NO_LIST, 55, 1),
    ('{"time": [{"prefix": ["2022-07-13"]}]}', "prefix match pattern must be a string", 23, 1),
    ('{"detail": {"sourceIPAddress": [{"cidr": ["bad-type"]}]}}', "prefix match pattern must be a string", 43, 1),
    ('{"a": [{"cidr": "10.0.0.0"}]}', "Malformed CIDR, one '/' required", 0, 0),
    ('{"a": [{"wildcard": "*:*:*:*:*:event-bus/*"}]}', COMPLEX, 0, 0),
    ('["not", "a", "dict", "but valid json"]', "Filter is not an object", 2, 1),
    ("this is valid json but not a dict", f"Unrecognized token 'this': {TOKENS}", 5, 1),
    ('{"not": closed mark"', f"Unrecognized token 'closed': {TOKENS}", 15, 1),
    ("{'bad': 'quotation'}", "Unexpected character (''' (code 39)): was expecting double-quote to start field name", 2, 1),
]


@pytest.mark.parametrize(("text", "expected", "column", "times"), PLACES, ids=[row[0] for row in PLACES])
def test_the_place_is_told_as_aws_tells_it(text: str, expected: str, column: int, times: int) -> None:
    with pytest.raises(AwsError) as caught:
        compile_text(text)
    place = f'\n at [Source: (String)"{text}"; line: 1, column: {column}]'
    assert caught.value.message == f"Event pattern is not valid. Reason: {expected}{place * times}"


def test_lines_are_counted() -> None:
    with pytest.raises(AwsError, match="line: 3, column: 8"):
        compile_text('{\n"a": [1],\n"b": 42}')


NO_JSON = [
    *("", " ", "{", '{"a', '{"a"', '{"a":', '{"a":[', '{"a":[1', '{"a":[1]', '{"a":[1],', '{"a":[1],}', '{"a":[1,]}', '{"a":[{"prefix":'),
    *('{"a":[{"numeric":[">"', '{"a":[{"prefix":"x"', '{"a":["\\x"]}', '{"a":["\\ud800"]}', '{"a":[01]}', '{"a":[-]}', '{"a":[nul]}'),
    *('{"$or":[', '{"$or":[{"a":[1]},{"b"', "{a: 1}", '{"a" [1]}', '{"a":[1 2]}', "\ufeff{}", '{"a":[{"anything-but":["x"'),
    *('{"a":[{"anything-but":{"prefix":["x"', '{"a":[{"exists"', '{"a":["tab\there"]}'),
]


@pytest.mark.parametrize("text", NO_JSON)
def test_text_that_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(AwsError) as caught:
        compile_text(text)
    assert caught.value.code == "InvalidEventPatternException"


def test_an_error_of_the_language_is_told_before_broken_json_behind_it() -> None:
    assert reason('{"a": 1, "b": nonsense') == '"a" must be an object or an array'
    assert reason('{"a": [{"prefix": 1}], "b": nonsense') == "prefix match pattern must be a string"


def test_a_pattern_without_end_is_refused_not_fallen_over() -> None:
    deep = "Document nesting depth (101) exceeds the maximum allowed (100)"
    assert reason('{"a":' * 5000) == deep
    assert reason('{"a":' * 5000 + "[1]" + "}" * 5000) == deep
    assert reason('{"a":[' + "[" * 5000) == "Match value must be String, number, true, false, or null"
    assert reason('{"$or":[' * 5000) == deep
    document: Any = {"a": [1]}
    for _ in range(400):
        document = {"a": document}
    with pytest.raises(BadPattern, match="nesting depth"):
        compile_pattern(document)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ({"a": {"b": "x"}}, 'policy[0].match.a.b: "b" must be an object or an array'),
        ({"a": ["x", {"prefix": 1}]}, "policy[0].match.a[1].prefix: prefix match pattern must be a string"),
        ({"a": [{"numeric": [">", "1"]}]}, "policy[0].match.a[0].numeric[1]: Value of > must be numeric"),
        ({"a": [{"numeric": ["=", float("nan")]}]}, "policy[0].match.a[0].numeric[1]: Cannot compare number : nan"),
        ({"$or": [{"a": [1]}, {"b": 2}]}, 'policy[0].match.$or[1].b: "b" must be an object or an array'),
        ({"a": [date(2026, 1, 2)]}, "policy[0].match.a[0]: Match value must be String, number, true, false, or null"),
        ({"a": [{"cidr": "x"}]}, "policy[0].match: Malformed CIDR, one '/' required"),
        (7, "policy[0].match: Filter is not an object"),
    ],
)
def test_a_document_s_error_names_the_path(pattern: Any, text: str) -> None:
    with pytest.raises(BadPattern) as caught:
        compile_pattern(pattern, "policy[0].match")
    assert str(caught.value) == text

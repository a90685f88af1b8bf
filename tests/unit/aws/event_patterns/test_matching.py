"""Every rule of the pattern language, one case each (facts/eventbridge.md §4): name, pattern, event, whether it matches."""

from typing import Any

import msgspec
import pytest

from hinoban.aws.event_patterns import compile_pattern, compile_text
from hinoban.aws.event_patterns.events import MOST_NESTED

Case = tuple[str, Any, Any, bool]


def one(matcher: Any, *yes: Any, no: tuple[Any, ...] = ()) -> list[tuple[Any, Any, bool]]:
    """A matcher on field `a`, with values of the field that match and that do not."""
    return [({"a": [matcher]}, {"a": value}, True) for value in yes] + [({"a": [matcher]}, {"a": value}, False) for value in no]


def named(name: str, cases: list[tuple[Any, Any, bool]]) -> list[Case]:
    return [(f"{name} {index}", *case) for index, case in enumerate(cases, 1)]


EC2 = {
    "source": "aws.ec2",
    "detail-type": "EC2 Instance State-change Notification",
    "resources": ["arn:aws:ec2:us-east-1:1:instance/i-1", "arn:aws:ec2:us-east-1:1:instance/i-2"],
    "detail": {"state": "terminated", "c-count": 5, "d": {"e": None}},
}
WEB = {"containers": [{"name": "web", "exitCode": 1}, {"name": "side", "exitCode": 0}]}
UNSTARTED = {"containers": [{"name": "web"}, {"name": "side", "exitCode": 0}]}

LITERALS: list[Case] = [
    *named("a literal string is exact", one("x", "x", no=("X", "xx", " x", "", 1, None, True))),
    *named("an empty string is a value", one("", "", no=("x", None, 0, False))),
    *named("a string of digits is no number", one("300", "300", no=(300, "300.0"))),
    *named("numbers are equal by value", one(300, 300, 300.0, 3.0e2, no=("300", 301, True, None))),
    *named("a fraction is equal by value", one(0.1, 0.1, 1e-1, no=(0.2, "0.1"))),
    *named("zero is not false", one(0, 0, -0.0, 0.0, no=(False, None, ""))),
    *named("one is not true", one(1, 1, 1.0, no=(True,))),
    *named("a number beyond a double is known by its digits", one(2**60 + 1, 2**60 + 1, no=(2**60, 2**60 + 2, float(2**60)))),
    *named("true", one(True, True, no=(False, 1, "true", None))),
    *named("false", one(False, False, no=(True, 0, "false", None, ""))),
    *named("null", one(None, None, no=("null", "", 0, False, [], {}))),
    ("null does not match a missing field", {"a": [None]}, {"b": 1}, False),
    ("the string null is not null", {"a": ["null"]}, {"a": None}, False),
    ("text is not normalised", {"a": ["\u00e9"]}, {"a": "e\u0301"}, False),
    ("a name is case sensitive", {"my_key": ["x"]}, {"MY_KEY": "x"}, False),
    ("values of one array are alternatives", {"a": ["x", "y"]}, {"a": "y"}, True),
    ("mixed alternatives", {"a": [{"numeric": [">", 100]}, {"anything-but": "101"}, "x", None, {"exists": False}]}, {"a": None}, True),
    ("fields are joined by and", {"source": ["aws.ec2"], "detail": {"state": ["terminated"]}}, EC2, True),
    ("one field that fails is enough", {"source": ["aws.ec2"], "detail": {"state": ["running"]}}, EC2, False),
    ("what is not named does not matter", {"source": ["aws.ec2"]}, EC2, True),
    *named("exactly is a literal", one({"exactly": "x"}, "x", no=("X", "xy", 1))),
    *named("an IPv4 address", one("10.0.0.1", "10.0.0.1", no=("10.0.0.2", "10.0.0.1/32", 10))),
    *named("an IPv6 address in any spelling", one("2001:db8::1", "2001:db8::1", "2001:0DB8:0:0:0:0:0:1", no=("2001:db8::2", "2001:db8"))),
    *named("almost an address is a string", one("10.0.0.256", "10.0.0.256", no=("10.0.0.25",))),
    *named("a long address", one({"exactly": "2001:0db8:0000:0000:0000:0000:0000:0001"}, "2001:db8::1")),
]

MATCHERS: list[Case] = [
    *named("prefix", one({"prefix": "ab"}, "ab", "abc", no=("a", "Abc", "xab", "", None, 12, True))),
    *named("an empty prefix is any string", one({"prefix": ""}, "", "x", no=(1, None, True))),
    *named("a prefix of digits is for strings", one({"prefix": "1"}, "12", no=(12,))),
    *named("prefix without case", one({"prefix": {"equals-ignore-case": "EventB"}}, "eventbridge", "EVENTB", no=("Event", "xEventB", 1))),
    *named("prefix without case, beyond ASCII", one({"prefix": {"equals-ignore-case": "Éα"}}, "éΑx", no=("eα",))),
    *named("suffix", one({"suffix": ".png"}, ".png", "a.png", no=("a.PNG", "a.png ", "", None, 1))),
    *named("an empty suffix is any string", one({"suffix": ""}, "", "x", no=(1, None))),
    *named("suffix without case", one({"suffix": {"equals-ignore-case": ".png"}}, "a.PnG", no=("a.pn", 1))),
    *named("equals-ignore-case", one({"equals-ignore-case": "alice"}, "Alice", "ALICE", "alice", no=("alic", "alicex", None, 1))),
    *named("equals-ignore-case of nothing", one({"equals-ignore-case": ""}, "", no=("x", None))),
    *named("wildcard", one({"wildcard": "a*b"}, "ab", "axb", "a/x/b", "abb", no=("a", "b", "abc", "Axb", None, 1))),
    *named("wildcard alone", one({"wildcard": "*"}, "", "x", no=(1, None))),
    *named("wildcard at the ends", one({"wildcard": "*b*"}, "b", "abc", "bbb", no=("", "ac"))),
    *named("wildcard of an ARN", one({"wildcard": "arn:aws:events:r:*:event-bus/*"}, "arn:aws:events:r:1:event-bus/a", no=("arn:aws:events:s:1:event-bus/a",))),
    *named("wildcards of many runs", one({"wildcard": "*/*.*"}, "a/b.c", "/.", no=("a/b", "a.b/c"))),
    *named("a wildcard before a run that repeats", one({"wildcard": "/U/*/dir/dir/dir/dir/dir/doc"}, "/U/x/dir/dir/dir/dir/dir/doc")),
    *named("five wildcards", one({"wildcard": "*:*:*:*:*:event-bus"}, "a:b:c:d:e:event-bus", no=("a:b:c:d:event-bus",))),
    *named("runs do not overlap", one({"wildcard": "ab*ba"}, "abba", "abxba", no=("aba",))),
    *named("an escaped star is a star", one({"wildcard": r"a\*b"}, "a*b", no=("axb", r"a\*b", "ab"))),
    *named("an escaped backslash is a backslash", one({"wildcard": r"a\\*"}, "a\\", r"a\b", no=("ab", "a"))),
    *named("an escaped star beside a star", one({"wildcard": r"\**"}, "*", "*x", no=("x", ""))),
    *named("a wildcard without stars", one({"wildcard": "ab"}, "ab", no=("abc", "xab"))),
    *named("an empty wildcard is the empty string", one({"wildcard": ""}, "", no=("x", None))),
    *named("anything-but a string", one({"anything-but": "x"}, "y", "X", "", None, 1, True, no=("x", [], {}))),
    *named("anything-but strings", one({"anything-but": ["x", "y"]}, "z", None, 3, no=("x", "y"))),
    *named("anything-but a number", one({"anything-but": 0}, 3, "0", None, False, no=(0, 0.0, -0.0))),
    *named("anything-but numbers", one({"anything-but": [100, 200.0]}, 300, "100", None, no=(100, 200, 1e2))),
    ("anything-but needs the field", {"a": [{"anything-but": "x"}]}, {"b": 1}, False),
    ("anything-but or nothing", {"a": {"b": [{"anything-but": ["roses"]}, {"exists": False}]}}, {"c": 1}, True),
    ("anything-but or nothing, but it is there", {"a": [{"anything-but": ["roses"]}, {"exists": False}]}, {"a": "roses"}, False),
    ("anything-but over an array: any element", {"a": [{"anything-but": "banned"}]}, {"a": ["banned", "ok"]}, True),
    ("anything-but over an array of the banned", {"a": [{"anything-but": "banned"}]}, {"a": ["banned", "banned"]}, False),
    *named("anything-but a prefix", one({"anything-but": {"prefix": "init"}}, "x", "Init", 1, None, True, no=("init", "initial"))),
    *named("anything-but prefixes", one({"anything-but": {"prefix": ["a", "b"]}}, "c", 1, no=("ab", "ba"))),
    *named("anything-but a suffix", one({"anything-but": {"suffix": ".txt"}}, "a.TXT", 1, None, no=("a.txt", ".txt"))),
    *named("anything-but suffixes", one({"anything-but": {"suffix": [".txt", ".rtf"]}}, "a.png", no=("a.txt", "a.rtf"))),
    *named("anything-but without case", one({"anything-but": {"equals-ignore-case": "init"}}, "x", 1, None, "", no=("INIT", "init"))),
    *named("anything-but without case, a list", one({"anything-but": {"equals-ignore-case": ["a", ""]}}, "b", no=("A", ""))),
    *named("anything-but a wildcard", one({"anything-but": {"wildcard": "*/lib/*"}}, "a/bin/b", 1, None, no=("a/lib/b", "/lib/"))),
    *named("anything-but wildcards", one({"anything-but": {"wildcard": ["*/lib/*", "*/bin/*"]}}, "a/c/b", no=("a/lib/b", "a/bin/b"))),
    *named("anything-but an empty wildcard", one({"anything-but": {"wildcard": ""}}, "x", None, no=("",))),
    ("a form of anything-but needs the field", {"a": [{"anything-but": {"prefix": "x"}}]}, {}, False),
    *named("numeric equality", one({"numeric": ["=", 3]}, 3, 3.0, 30e-1, no=(4, "3", None, True))),
    *named("numeric equality with one", one({"numeric": ["=", 1]}, 1, no=(True, "1"))),
    *named("less", one({"numeric": ["<", 10]}, 9.99, -1e300, no=(10, 11, "9", None))),
    *named("at most", one({"numeric": ["<=", 10]}, 10, 10.0, no=(10.01,))),
    *named("more", one({"numeric": [">", 10]}, 10.5, no=(10, "11"))),
    *named("at least", one({"numeric": [">=", -2.5]}, -2.5, 0, no=(-3,))),
    *named("an open range", one({"numeric": [">", 0, "<", 5]}, 1, 4.999, no=(0, 5))),
    *named("a closed range", one({"numeric": [">=", 0, "<=", 5]}, 0, 5, no=(-0.1, 5.1))),
    ("numeric over an array", {"a": [{"numeric": ["<", 3]}]}, {"a": ["x", 9, 2]}, True),
    ("a range is one element's matter", {"a": [{"numeric": [">", 3, "<", 5]}]}, {"a": [1, 9]}, False),
    *named("exists", one({"exists": True}, None, "", 0, False, "x", [1], ["x", {}], no=([], {}, [[], {}], {"c1": 1}, [{"c1": 1}]))),
    *named("exists not", one({"exists": False}, [], {}, {"b": 1}, [{"b": 1}], no=(None, "", 0, [None]))),
    ("exists needs the field", {"a": [{"exists": True}]}, {"b": 1}, False),
    ("exists not: missing", {"a": [{"exists": False}]}, {"b": 1}, True),
    ("exists not: the parent is missing", {"a": {"b": [{"exists": False}]}}, {}, True),
    ("exists not: the parent is a scalar", {"a": {"b": [{"exists": False}]}}, {"a": "text"}, True),
    ("exists not: the parent is an empty array", {"a": {"b": [{"exists": False}]}}, {"a": []}, True),
    ("exists in any object of a list", {"a": {"id": [{"exists": True}]}}, {"a": [{"name": "x"}, {"id": 7}]}, True),
    ("exists not needs all objects of a list", {"a": {"id": [{"exists": False}]}}, {"a": [{"name": "x"}, {"id": 7}]}, False),
    ("exists not in no object of a list", {"a": {"id": [{"exists": False}]}}, {"a": [{"name": "x"}, {"name": "y"}]}, True),
    *named("cidr of IPv4", one({"cidr": "10.0.0.0/24"}, "10.0.0.0", "10.0.0.255", no=("10.0.1.0", "10.0.0.256", "x", 10, None, "::1"))),
    *named("cidr with bits behind the mask", one({"cidr": "10.0.0.77/24"}, "10.0.0.1", no=("10.0.1.77",))),
    *named("cidr of everything", one({"cidr": "0.0.0.0/0"}, "255.255.255.255", no=("::", "1.2.3", ""))),
    *named("cidr of one bit", one({"cidr": "10.0.0.0/31"}, "10.0.0.1", no=("10.0.0.2",))),
    *named("cidr of IPv6", one({"cidr": "2001:db8:0:1a00::/64"}, "2001:0db8:0:1a00:0:0:0:0", "2001:db8:0:1a00::7", no=("2001:db8:0:1a01::", "10.0.0.1"))),
]  # fmt: skip

OR: list[Case] = [
    ("or: the first", {"$or": [{"a": [1]}, {"b": [2]}]}, {"a": 1}, True),
    ("or: the second", {"$or": [{"a": [1]}, {"b": [2]}]}, {"b": 2}, True),
    ("or: none", {"$or": [{"a": [1]}, {"b": [2]}]}, {"a": 2, "b": 1}, False),
    ("or and its siblings", {"c": [3], "$or": [{"a": [1]}, {"b": [2]}]}, {"a": 1, "c": 3}, True),
    ("or without its sibling", {"c": [3], "$or": [{"a": [1]}, {"b": [2]}]}, {"a": 1, "c": 4}, False),
    ("or before its sibling", {"$or": [{"a": [1]}, {"b": [2]}], "c": [3]}, {"a": 1, "c": 4}, False),
    ("or below", {"d": {"$or": [{"a": [1]}, {"b": [2]}]}}, {"d": {"b": 2}}, True),
    ("or below is not above", {"d": {"$or": [{"a": [1]}, {"b": [2]}]}}, {"b": 2}, False),
    ("a branch of two fields", {"$or": [{"a": [1], "b": [2]}, {"c": [3]}]}, {"a": 1}, False),
    ("or in or", {"$or": [{"$or": [{"a": [1]}, {"b": [2]}]}, {"c": [3]}]}, {"b": 2}, True),
    ("two ors multiply: both", {"x": {"$or": [{"a": [1]}, {"b": [2]}]}, "y": {"$or": [{"a": [1]}, {"b": [2]}]}}, {"x": {"a": 1}, "y": {"b": 2}}, True),
    ("two ors multiply: one", {"x": {"$or": [{"a": [1]}, {"b": [2]}]}, "y": {"$or": [{"a": [1]}, {"b": [2]}]}}, {"x": {"a": 1}}, False),
    ("a branch overrides: its own", {"a": [1], "$or": [{"a": [2]}, {"b": [3]}]}, {"a": 2}, True),
    ("a branch overrides: not what was outside", {"a": [1], "$or": [{"a": [2]}, {"b": [3]}]}, {"a": 1}, False),
    ("a branch that does not override keeps it", {"a": [1], "$or": [{"a": [2]}, {"b": [3]}]}, {"a": 1, "b": 3}, True),
    ("or with matchers", {"detail": {"$or": [{"c": [{"numeric": [">", 0]}]}, {"d": [{"anything-but": ["x"]}]}]}}, {"detail": {"d": "y"}}, True),
    ("or with a branch of absence", {"$or": [{"a": [{"exists": False}]}, {"a": [7]}]}, {"b": 1}, True),
    ("or that is an object is a field", {"$or": {"a": [1]}}, {"$or": {"a": 1}}, True),
    ("or of values is a field", {"$or": ["x", "y"]}, {"$or": "y"}, True),
    ("or of reserved words is a field", {"$or": [{"prefix": "x"}, {"suffix": "y"}]}, {"$or": "ay"}, True),
    ("or of reserved words is no or", {"$or": [{"prefix": "x"}, {"suffix": "y"}]}, {"prefix": "x"}, False),
]  # fmt: skip

EVENTS: list[Case] = [
    ("a nested field", {"detail": {"d": {"e": [None]}}}, EC2, True),
    ("an array of the event: any element", {"resources": ["arn:aws:ec2:us-east-1:1:instance/i-2"]}, EC2, True),
    ("an array of the event: no element", {"resources": ["arn:aws:ec2:us-east-1:1:instance/i-3"]}, EC2, False),
    ("a scalar given as an array of one", {"detail-type": ["EC2"]}, {"detail-type": ["EC2"]}, True),
    ("arrays in arrays are one array", {"a": ["x"]}, {"a": [["y", ["x"]]]}, True),
    ("an array that also holds objects", {"a": ["x"]}, {"a": [{"b": 1}, "x"]}, True),
    ("an object in an array that also holds scalars", {"a": {"b": [1]}}, {"a": ["x", {"b": 1}]}, True),
    ("an object is no leaf", {"a": ["x"]}, {"a": {"b": "x"}}, False),
    ("a scalar has no fields", {"a": {"b": ["x"]}}, {"a": "x"}, False),
    ("JSON in a string is a string", {"detail": {"b": ["x"]}}, {"detail": '{"b": "x"}'}, False),
    ("JSON in a string is matched as one", {"detail": ['{"b": "x"}']}, {"detail": '{"b": "x"}'}, True),
    ("an empty array is nothing", {"a": ["x"]}, {"a": []}, False),
    ("an empty object is nothing", {"a": {"b": ["x"]}}, {"a": {}}, False),
    ("dots join the event's name", {"a": {"b": ["x"]}}, {"a.b": "x"}, True),
    ("dots join the pattern's name", {"a.b": ["x"]}, {"a": {"b": "x"}}, True),
    ("dots join differently on both sides", {"a.b": {"c": ["x"]}}, {"a": {"b.c": "x"}}, True),
    ("dots in the pattern, another value", {"a.b": ["x"]}, {"a": {"b": "y"}}, False),
    ("dots in the pattern, another name", {"a.b": ["x"]}, {"a": {"c": "x"}}, False),
    ("both spellings in one event", {"a": {"b": ["x"]}}, {"a.b": "y", "a": {"b": "x"}}, True),
    ("dots through an array", {"a.b": [1], "a.c": [2]}, {"a": [{"b": 1, "c": 2}]}, True),
    ("dots through an array keep to one element", {"a.b": [1], "a.c": [2]}, {"a": [{"b": 1}, {"c": 2}]}, False),
    ("a path said twice is said last", {"a": {"b": [1]}, "a.b": [2]}, {"a": {"b": 2}}, True),
    ("a path said twice is not said first", {"a": {"b": [1]}, "a.b": [2]}, {"a": {"b": 1}}, False),
    ("fields of one element", {"containers": {"name": ["web"], "exitCode": [{"anything-but": 0}]}}, WEB, True),
    ("fields of different elements", {"containers": {"name": ["side"], "exitCode": [{"anything-but": 0}]}}, WEB, False),
    ("a single field of any element", {"containers": {"exitCode": [{"anything-but": 0}]}}, WEB, True),
    ("an exit code that is missing is not another", {"containers": {"exitCode": [{"anything-but": 0}]}}, UNSTARTED, False),
    ("absence beside a field of the same element", {"containers": {"name": ["web"], "exitCode": [{"exists": False}]}}, UNSTARTED, True),
    ("absence beside a field of another element", {"containers": {"name": ["side"], "exitCode": [{"exists": False}]}}, UNSTARTED, False),
    ("absence alone is of all elements", {"containers": {"exitCode": [{"exists": False}]}}, UNSTARTED, False),
    ("a value or absence, in the same element", {"containers": {"name": ["web"], "exitCode": [7, {"exists": False}]}}, UNSTARTED, True),
    ("absence in an element of an array outside", {"a": {"x": [1], "b": {"y": [{"exists": False}]}}}, {"a": [{"x": 1}, {"x": 2, "b": [{"y": 1}]}]}, True),
    ("absence, but the element has it", {"a": {"x": [2], "b": {"y": [{"exists": False}]}}}, {"a": [{"x": 1}, {"x": 2, "b": [{"y": 1}]}]}, False),
    ("elements of different arrays are free", {"a": {"x": [1]}, "b": {"x": [2]}}, {"a": [{"x": 0}, {"x": 1}], "b": [{"x": 2}, {"x": 0}]}, True),
    ("arrays within one element", {"a": {"x": [1], "b": {"y": [2], "z": [3]}}}, {"a": [{"x": 0}, {"x": 1, "b": [{"y": 0}, {"y": 2, "z": 3}]}]}, True),
    ("arrays within one element disagree", {"a": {"x": [1], "b": {"y": [2], "z": [3]}}}, {"a": [{"x": 1, "b": [{"y": 2}, {"z": 3}]}]}, False),
    ("arrays within different elements", {"a": {"x": [1], "b": {"y": [2]}}}, {"a": [{"x": 1, "b": []}, {"x": 0, "b": [{"y": 2}]}]}, False),
    ("objects in arrays in arrays", {"a": {"x": [1], "y": [2]}}, {"a": [[{"x": 1, "y": 2}]]}, True),
    ("objects in different arrays in arrays", {"a": {"x": [1], "y": [2]}}, {"a": [[{"x": 1}], [{"y": 2}]]}, False),
    ("an array of scalars within an element", {"a": {"x": [1], "t": ["p"]}}, {"a": [{"x": 1, "t": ["q", "p"]}]}, True),
    ("names in different elements", {"e": {"first": ["A"], "last": ["J"]}}, {"e": [{"first": "A", "last": "S"}, {"first": "P", "last": "J"}]}, False),
    ("or within one element", {"c": {"n": [1], "$or": [{"a": [1]}, {"b": [1]}]}}, {"c": [{"n": 1, "b": 1}]}, True),
    ("or within different elements", {"c": {"n": [1], "$or": [{"a": [1]}, {"b": [1]}]}}, {"c": [{"n": 1}, {"n": 2, "a": 1}]}, False),
    ("one path in two arrays: the first", {"a": {"b": {"c": [1]}}}, {"a": [{"b": {"c": 1}}], "a.b": [{"c": 2}]}, True),
    ("one path in two arrays: the second", {"a": {"b": {"c": [2]}}}, {"a": [{"b": {"c": 1}}], "a.b": [{"c": 2}]}, True),
    ("one path beside and within an array: within", {"a.b": [1], "a.c": [{"exists": False}]}, {"a.b": 1, "a": [{"b": 1}, {"c": 1}]}, True),
    ("one path beside and within an array: beside", {"a.b": [1], "a.c": [{"exists": False}]}, {"a.b": 1, "a": [{"b": 2}, {"c": 1}]}, False),
    ("one path in two arrays: absent from both", {"a": {"b": {"c": [3, {"exists": False}]}}}, {"a": [{"b": {"c": 1}}], "a.b": [{"c": 2}]}, False),
]  # fmt: skip

CASES = LITERALS + MATCHERS + OR + EVENTS


@pytest.mark.parametrize(("pattern", "event", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_it_matches_or_does_not(pattern: Any, event: Any, expected: bool) -> None:
    text = msgspec.json.encode(pattern).decode()
    assert compile_text(text)(event) is expected
    assert compile_pattern(pattern)(event) is expected
    assert compile_text(text)(msgspec.json.decode(msgspec.json.encode(event))) is expected


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case[0] for case in CASES}) == len(CASES) > 150


@pytest.mark.parametrize(
    ("pattern", "event", "expected"),
    [
        # The last one wins (captured from AWS, facts/eventbridge.md §0.7).
        ('{"d": {"l": [{"prefix": "us-"}], "l": [{"anything-but": "us-east"}]}}', {"d": {"l": "eu-central-1"}}, True),
        ('{"d": {"l": [{"prefix": "us-"}], "l": [{"anything-but": "us-east"}]}}', {"d": {"l": "us-east"}}, False),
        # Twice the same object: its paths differ, so both are said.
        ('{"d": {"a": [1]}, "d": {"b": [2]}}', {"d": {"a": 1, "b": 2}}, True),
        ('{"d": {"a": [1]}, "d": {"b": [2]}}', {"d": {"b": 2}}, False),
        ('{"a": [3e2]}', {"a": 300}, True),
        ('{"a": [3.0E+2]}', {"a": 300.0}, True),
        ('{"a": [1e400]}', {"a": 1e300}, False),
        (r'{"a": ["é\n\"\/"]}', {"a": 'é\n"/'}, True),
        ('\n {"a"\t:\r[ "x" , 1 ] } ', {"a": 1}, True),
        # What stands behind the pattern is left alone.
        ('{"a": [1]} trailing', {"a": 1}, True),
    ],
)
def test_what_only_text_can_say(pattern: str, event: Any, expected: bool) -> None:
    assert compile_text(pattern)(event) is expected


def test_an_empty_document_matches_everything_but_the_api_refuses_it() -> None:
    assert compile_pattern({})({}) and compile_pattern({})({"a": 1}) and compile_pattern({})("x")


def test_arrays_within_arrays_without_end_are_let_be() -> None:
    deep: Any = {"a": 1}
    for _ in range(5000):
        deep = {"a": [deep]}
    assert not compile_pattern({"a": [1]})(deep)
    assert not compile_pattern({".".join("a" * 3000): [1]})(deep)
    crushed: Any = ["x"]
    for _ in range(5000):
        crushed = [crushed]
    assert compile_pattern({"a": ["x"]})({"a": crushed})


async def test_arrays_are_looked_into_as_deep_as_we_say() -> None:
    for depth in (MOST_NESTED, MOST_NESTED + 1):
        deep: Any = {"b": 1, "c": 2}
        for _ in range(depth):
            deep = {"a": [{"b": 0}, deep]}
        path = "a." * depth
        assert compile_pattern({f"{path}b": [1], f"{path}c": [2]})(deep) is (depth == MOST_NESTED)


def test_many_arrays_cost_no_more_than_their_sum() -> None:
    arrays = "bcdefgh"
    pattern = {"a": {name: {"x": [1], "y": [1]} for name in arrays} | {"n": [1]}}
    element = {name: [{"x": 1}, {"y": 1}] * 20 for name in arrays}
    assert not compile_pattern(pattern)({"a": [element | {"n": 1}] * 20})
    element["h"].append({"x": 1, "y": 1})
    assert not compile_pattern(pattern)({"a": [element | {"n": 1}] * 20})

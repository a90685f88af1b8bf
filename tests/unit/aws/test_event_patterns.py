"""EventBridge's event patterns, as far as we know them (facts/eventbridge.md §4)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws.event_patterns import BadPattern, compile_pattern

YES: list[tuple[Any, Any]] = [
    ({}, {"a": 1}),
    ({"a": ["x"]}, {"a": "x", "b": 1}),
    ({"a": ["x", "y"]}, {"a": "y"}),
    ({"a": [300]}, {"a": 300.0}),
    ({"a": [True]}, {"a": True}),
    ({"a": [None]}, {"a": None}),
    ({"a": {"b": {"c": ["x"]}}}, {"a": {"b": {"c": "x"}}}),
    # An array of the event contributes each of its elements.
    ({"a": ["x"]}, {"a": ["y", "x"]}),
    ({"a": ["x"]}, {"a": [["y", ["x"]]]}),
    ({"a": [{"prefix": "ab"}]}, {"a": ["z", "abc"]}),
    ({"a": [{"prefix": ""}]}, {"a": ""}),
    ({"a": [{"suffix": "bc"}]}, {"a": "abc"}),
    ({"a": [{"equals-ignore-case": "AbC"}]}, {"a": "aBc"}),
    ({"a": [{"anything-but": "x"}]}, {"a": "y"}),
    ({"a": [{"anything-but": ["x", "y"]}]}, {"a": None}),
    ({"a": [{"anything-but": 0}]}, {"a": 3}),
    # Any element that passes is enough (Event Ruler's correctness cases).
    ({"a": [{"anything-but": "banned"}]}, {"a": ["banned", "ok"]}),
    ({"a": [{"anything-but": "x"}, {"exists": False}]}, {}),
    ({"a": [{"exists": True}]}, {"a": None}),
    ({"a": [{"exists": False}]}, {"b": 1}),
    ({"a": [{"exists": False}]}, {"a": []}),
    ({"a": [{"exists": False}]}, {"a": {"b": 1}}),
    ({"a": {"b": [{"exists": False}]}}, {}),
    ({"a": {"b": [{"exists": False}]}}, {"a": []}),
    ({"a": {"b": [{"exists": False}]}}, {"a": "text"}),
    ({"a": {"id": [{"exists": True}]}}, {"a": [{"name": "x"}, {"id": 7}]}),
    ({"a": [{"numeric": [">", 1, "<=", 5]}]}, {"a": 5}),
    ({"a": [{"numeric": ["=", 3]}]}, {"a": 3.0}),
    ({"a": [{"numeric": ["<", 3]}]}, {"a": ["x", 2]}),
    ({"$or": [{"a": [1]}, {"b": [2]}]}, {"b": 2}),
    ({"c": [3], "$or": [{"a": [1]}, {"b": [2]}]}, {"a": 1, "c": 3}),
    ({"d": {"$or": [{"a": [1]}, {"b": [2]}]}}, {"d": {"b": 2}}),
    # `$or` that is no list is a field like any other.
    ({"$or": {"a": [1]}}, {"$or": {"a": 1}}),
    ({"N": [{"numeric": [">", 100]}, "x", None]}, {"N": None}),
]
NO: list[tuple[Any, Any]] = [
    ({"a": ["x"]}, {"a": "X"}),
    ({"a": ["x"]}, {"A": "x"}),
    ({"a": ["1"]}, {"a": 1}),
    ({"a": [1]}, {"a": "1"}),
    ({"a": [1]}, {"a": True}),
    ({"a": [0]}, {"a": False}),
    ({"a": [True]}, {"a": 1}),
    ({"a": [None]}, {}),
    ({"a": [None]}, {"a": []}),
    ({"a": ["null"]}, {"a": None}),
    ({"a": {"b": ["x"]}}, {"a": '{"b": "x"}'}),
    ({"a": {"b": ["x"]}}, {"a": []}),
    ({"a": ["x"]}, {"a": {"b": "x"}}),
    ({"a": [{"prefix": "1"}]}, {"a": 12}),
    ({"a": [{"equals-ignore-case": ""}]}, {"a": "x"}),
    ({"a": [{"anything-but": "x"}]}, {}),
    ({"a": [{"anything-but": "x"}]}, {"a": []}),
    ({"a": [{"anything-but": "x"}]}, {"a": ["x", "x"]}),
    ({"a": [{"exists": True}]}, {"a": []}),
    ({"a": [{"exists": True}]}, {"a": {"b": 1}}),
    ({"a": [{"exists": False}]}, {"a": None}),
    ({"a": [{"numeric": [">", 1]}]}, {"a": "5"}),
    ({"a": [{"numeric": ["=", 1]}]}, {"a": True}),
    ({"a": [{"numeric": [">", 1, "<", 5]}]}, {"a": 5}),
    ({"c": [3], "$or": [{"a": [1]}, {"b": [2]}]}, {"a": 1, "c": 4}),
    ({"$or": [{"a": [1]}, {"b": [2]}]}, {}),
]


@pytest.mark.parametrize("pattern, event", YES)
def test_it_matches(pattern: Any, event: Any) -> None:
    assert compile_pattern(pattern)(event) is True


@pytest.mark.parametrize("pattern, event", NO)
def test_it_does_not_match(pattern: Any, event: Any) -> None:
    assert compile_pattern(pattern)(event) is False


def test_the_fields_of_objects_in_an_array_are_matched_within_one_element() -> None:
    pattern = compile_pattern({"containers": {"name": ["web"], "exitCode": [{"anything-but": 0}]}})
    assert pattern({"containers": [{"name": "web", "exitCode": 1}, {"name": "side", "exitCode": 0}]})
    assert not pattern({"containers": [{"name": "web", "exitCode": 0}, {"name": "side", "exitCode": 1}]})
    assert not pattern({"containers": [{"name": "web"}, {"name": "side", "exitCode": 1}]})
    absent = compile_pattern({"containers": {"name": ["web"], "exitCode": [{"exists": False}]}})
    assert absent({"containers": [{"name": "web"}, {"name": "side", "exitCode": 0}]})
    assert not absent({"containers": [{"name": "web", "exitCode": 0}, {"name": "side"}]})


def test_the_same_holds_for_arrays_within_arrays() -> None:
    pattern = compile_pattern({"a": {"x": [1], "b": {"y": [2], "z": [3]}}})
    assert pattern({"a": [{"x": 0}, {"x": 1, "b": [{"y": 0}, {"y": 2, "z": 3}]}]})
    assert not pattern({"a": [{"x": 1, "b": [{"y": 2}, {"z": 3}]}]})
    assert not pattern({"a": [{"x": 1, "b": []}, {"x": 0, "b": [{"y": 2, "z": 3}]}]})
    assert pattern({"a": [[{"x": 1, "b": {"y": 2, "z": 3}}]]})


def test_or_holds_within_one_element_too() -> None:
    pattern = compile_pattern({"c": {"n": [1], "$or": [{"a": [1]}, {"b": [1]}]}})
    assert pattern({"c": [{"n": 1, "b": 1}]})
    assert not pattern({"c": [{"n": 1}, {"n": 2, "a": 1}]})


@pytest.mark.parametrize(
    "pattern, text",
    [
        ([], "pattern: must be an object"),
        ({"a": "x"}, "pattern.a: must be a non-empty object or a non-empty array of values"),
        ({"a": []}, "pattern.a: must be a non-empty object or a non-empty array of values"),
        ({"a": {"b": {}}}, "pattern.a.b: must be a non-empty object or a non-empty array of values"),
        ({"a": [["x"]]}, "pattern.a[0]: an array cannot stand inside an array of values"),
        ({"a": ["x", {}]}, "pattern.a[1]: a matcher has exactly one key"),
        ({"a": [{"prefix": "x", "suffix": "y"}]}, "pattern.a[0]: a matcher has exactly one key"),
        ({"a": [{"wildcard": "*"}]}, "pattern.a[0]: 'wildcard' is not a matcher that Hinoban knows yet"),
        ({"a": [{"cidr": "10.0.0.0/24"}]}, "'cidr' is not a matcher that Hinoban knows yet"),
        ({"a": [{"EXISTS": True}]}, "'EXISTS' is not a matcher"),
        ({"a": [{"prefix": 1}]}, "pattern.a[0]: must be a string"),
        ({"a": [{"prefix": {"equals-ignore-case": "x"}}]}, "pattern.a[0]: must be a string"),
        ({"a": [{"anything-but": None}]}, "pattern.a[0]: must be a string, a number, or a list of them"),
        ({"a": [{"anything-but": []}]}, "pattern.a[0]: must be a string, a number, or a list of them"),
        ({"a": [{"anything-but": ["x", 1]}]}, "pattern.a[0]: must be all strings or all numbers"),
        ({"a": [{"anything-but": {"prefix": "x"}}]}, "pattern.a[0]: must be a string, a number, or a list of them"),
        ({"a": [{"exists": "yes"}]}, "pattern.a[0]: must be true or false"),
        ({"a": [{"numeric": ["==", 1]}]}, "pattern.a[0]: operators are"),
        ({"a": [{"numeric": [">", "1"]}]}, "pattern.a[0]: operators are"),
        ({"a": [{"numeric": [">"]}]}, "pattern.a[0]: must be [operator, number]"),
        ({"a": [{"numeric": [">", 5, "<", 1]}]}, "pattern.a[0]: the lower bound comes first and must be less than the upper one"),
        ({"a": [{"numeric": ["<", 5, ">", 1]}]}, "pattern.a[0]: the lower bound comes first and must be less than the upper one"),
        ({"$or": [{"a": [1]}]}, "pattern.$or: needs at least 2 patterns"),
        ({"$or": [{"a": [1]}, 7]}, "pattern.$or[1]: must be an object"),
        ({"$or": [{"a": [1]}, {"b": 2}]}, "pattern.$or[1].b: must be a non-empty object"),
    ],
)  # fmt: skip
def test_a_bad_pattern_is_refused_by_name(pattern: Any, text: str) -> None:
    with pytest.raises(BadPattern) as caught:
        compile_pattern(pattern)
    assert text in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=8,
)


@given(event=st.dictionaries(st.sampled_from("ab"), JSON), value=st.integers() | st.text(max_size=3))
def test_exists_is_true_or_false_and_a_value_that_matches_exists(event: dict[str, Any], value: int | str) -> None:
    there = compile_pattern({"a": [{"exists": True}]})(event)
    assert compile_pattern({"a": [{"exists": False}]})(event) is not there
    for matcher in (value, {"anything-but": value}, None):
        assert there or not compile_pattern({"a": [matcher]})(event)
    assert compile_pattern({"a": [value]})(event | {"a": value})

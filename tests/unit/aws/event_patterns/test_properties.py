"""What holds for any pattern and any event."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinoban.aws.errors import AwsError
from hinoban.aws.event_patterns import BadPattern, compile_pattern, compile_text
from hinoban.aws.event_patterns.wildcards import matches, parse

NAMES = st.text("abc.$é", min_size=1, max_size=3)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=4) | st.ip_addresses().map(str)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=12)
EVENTS = st.dictionaries(NAMES, JSON, min_size=1, max_size=3)
WORDS = st.sampled_from(
    [
        "$or",
        "a",
        "exactly",
        "prefix",
        "suffix",
        "anything-but",
        "equals-ignore-case",
        "wildcard",
        "numeric",
        "exists",
        "cidr",
        "=",
        "<",
        ">",
    ]
)
ALMOST_PATTERNS = st.recursive(
    SCALARS | WORDS | st.sampled_from(["10.0.0.0/8", "a*b", "\\", "::/0"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=15,
)


def scalars_of(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [found for member in value for found in scalars_of(member)]
    return [] if isinstance(value, dict) else [value]


def pattern_of(event: dict[str, Any]) -> dict[str, Any]:
    """A literal pattern of all that an event holds outside of arrays of objects."""
    found: dict[str, Any] = {}
    for name, value in event.items():
        if isinstance(value, dict):
            inner: Any = pattern_of(value)
        else:
            inner = scalars_of(value)
        if inner:
            found[name] = inner
    return found


@given(event=EVENTS)
def test_a_literal_pattern_made_of_an_event_matches_it(event: dict[str, Any]) -> None:
    # Said twice, a path is said by the last: all of an event's values under one path are its values.
    merged: dict[str, list[Any]] = {}

    def gather(prefix: str, value: Any) -> None:
        for name, inner in value.items():
            if isinstance(inner, dict):
                gather(f"{prefix}{name}.", inner)
            elif scalars_of(inner):
                merged.setdefault(prefix + name, []).extend(scalars_of(inner))

    gather("", event)
    # An array that mixes scalars and objects is a set of elements; that a scalar and an object of it both match is asked of no event.
    mixed = any(isinstance(inner, list) and any(isinstance(one, dict) for one in inner) for inner in _values(event))
    pattern = merged if not mixed else dict(list(merged.items())[:1])
    if pattern:
        assert compile_pattern(pattern)(event)
        assert compile_text(msgspec.json.encode(pattern).decode())(event)


def _values(value: Any) -> list[Any]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value, *(found for one in inner for found in _values(one))]


@given(value=SCALARS, other=st.text(max_size=4) | NUMBERS)
def test_anything_but_is_present_and_not_the_literal(value: Any, other: Any) -> None:
    address = isinstance(other, str) and ":" in other  # an address matches its other spellings as a literal, not here
    for event in ({"a": value}, {"a": other}, {"b": value}):
        present = compile_pattern({"a": [{"exists": True}]})(event)
        literal = compile_pattern({"a": [other]})(event)
        assert address or compile_pattern({"a": [{"anything-but": other}]})(event) is (present and not literal)


@given(
    event=EVENTS, matcher=st.sampled_from([None, "", 0, {"prefix": ""}, {"anything-but": "x"}, {"numeric": [">", -1]}, {"wildcard": "*"}])
)
def test_what_matches_a_field_exists(event: dict[str, Any], matcher: Any) -> None:
    for name in ("a", "b", "a.b"):
        there = compile_pattern({name: [{"exists": True}]})(event)
        assert compile_pattern({name: [{"exists": False}]})(event) is not there
        assert there or not compile_pattern({name: [matcher]})(event)


@given(event=EVENTS)
def test_a_pattern_reads_the_same_as_text_and_as_a_document(event: dict[str, Any]) -> None:
    pattern = pattern_of(event)
    if pattern:
        assert compile_text(msgspec.json.encode(pattern).decode())(event) is compile_pattern(pattern)(event)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(pattern=ALMOST_PATTERNS | st.dictionaries(WORDS, ALMOST_PATTERNS, min_size=1, max_size=2), event=JSON)
def test_nothing_but_its_own_errors_comes_out_of_the_compiler(pattern: Any, event: Any) -> None:
    told = []
    for compiler, document in ((compile_pattern, pattern), (compile_text, msgspec.json.encode(pattern).decode())):
        try:
            told.append(str(compiler(document)(event)))
        except BadPattern as error:
            told.append(error.reason.replace("e+", "e"))  # the document's numbers have no text of their own
        except AwsError as error:
            told.append(error.message.split("\n")[0].removeprefix("Event pattern is not valid. Reason: "))
    # Only the empty object is a pattern for one and none for the other.
    assert told[0] == told[1] or pattern == {}


@pytest.mark.slow
@settings(max_examples=400)
@given(text=st.text('{}[]":,\\ \n0123456789.eE+-truefalsn*$oré', max_size=40) | st.text(max_size=20))
def test_no_text_upsets_the_reader(text: str) -> None:
    try:
        compile_text(text)
    except AwsError as error:
        assert error.code == "InvalidEventPatternException"


@settings(max_examples=200)
@given(event=EVENTS, cut=st.integers(0, 200))
def test_a_text_cut_anywhere_is_refused(event: dict[str, Any], cut: int) -> None:
    whole = msgspec.json.encode({"p": {"q": [{"anything-but": {"prefix": ["x", "y"]}}, 1, None]}, **pattern_of(event)}).decode()
    try:
        compile_text(whole[: min(cut, len(whole) - 1)])
    except AwsError as error:
        assert error.code == "InvalidEventPatternException"
    else:
        raise AssertionError("half a pattern was taken")


@given(runs=st.lists(st.text("ab*\\", max_size=4), min_size=1, max_size=4), fill=st.text("ab*\\", max_size=3))
def test_a_wildcard_matches_its_runs_with_anything_between(runs: list[str], fill: str) -> None:
    inner = [run for run in runs[1:-1] if run]
    runs = [runs[0], *inner, *runs[-1:]] if len(runs) > 1 else runs
    escaped = "*".join(run.replace("\\", "\\\\").replace("*", "\\*") for run in runs)
    assert parse(escaped, 0) == tuple(runs)
    assert matches(runs, fill.join(runs)) and matches(runs, "".join(runs))

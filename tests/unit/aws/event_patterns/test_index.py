"""The index answers what a scan of all patterns answers, and asks few of them; a scan answers what the definition says."""

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinoban.aws.event_patterns import Pattern, PatternIndex, compile_pattern
from hinoban.aws.event_patterns.events import View
from hinoban.aws.event_patterns.grammar import Conjunction
from hinoban.aws.event_patterns.values import Leaf, leaf

# Whole patterns and events are drawn by one seed: hypothesis's own recursive draws take most of a minute here.
SEEDS = st.integers(0, 2**64)
NAMES = ["a", "b", "c", "a.b"]
SCALARS = ["x", "y", "10.0.0.1", "", 0, 1, 1.5, 2**60 + 1, True, False, None]
MATCHERS: list[Any] = [
    {"exists": True},
    {"exists": False},
    {"exists": False},
    {"prefix": "x"},
    {"anything-but": "x"},
    {"anything-but": [1, 0]},
    {"numeric": [">", 0]},
    {"wildcard": "*y"},
    {"cidr": "10.0.0.0/8"},
    {"exactly": "y"},
]


def a_pattern(dice: random.Random, depth: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in dice.sample(NAMES, dice.randint(1, 3)):
        if depth < 2 and dice.random() < 0.4:
            found[name] = a_pattern(dice, depth + 1)
        else:
            found[name] = [dice.choice(SCALARS + (MATCHERS if dice.random() < 0.4 else [])) for _ in range(dice.randint(1, 3))]
    if depth < 2 and dice.random() < 0.15:
        found["$or"] = [a_pattern(dice, 2) for _ in range(dice.randint(2, 3))]
    return found


def a_value(dice: random.Random, depth: int) -> Any:
    kind = dice.random()
    if depth > 3 or kind < 0.35:
        return dice.choice(SCALARS)
    if kind < 0.7:
        return [a_value(dice, depth + 1) for _ in range(dice.randint(0, 3))]
    return {name: a_value(dice, depth + 1) for name in dice.sample(NAMES, dice.randint(0, 3))}


def an_event(dice: random.Random) -> dict[str, Any]:
    return {name: a_value(dice, 1) for name in dice.sample(NAMES, dice.randint(1, 3))}


Placed = tuple[Leaf, dict[int, int]]
"""A leaf, and which element of which arrays of objects it stands in."""


def leaves_of(event: Any) -> Iterator[tuple[str, Placed]]:
    arrays = itertools.count()

    def walk(value: Any, path: str, where: dict[int, int]) -> Iterator[tuple[str, Placed]]:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from walk(inner, f"{path}.{name}" if path else name, where)
        elif isinstance(value, list):
            members = list(crushed(value))
            array = next(arrays)
            for index, member in enumerate(members):
                yield from walk(member, path, {**where, array: index})
        else:
            yield path, (leaf(value), where)

    yield from walk(event, "", {})


def crushed(value: list[Any]) -> Iterator[Any]:
    for member in value:
        yield from crushed(member) if isinstance(member, list) else [member]


def agree(one: dict[int, int], other: dict[int, int]) -> bool:
    return all(other.get(array, index) == index for array, index in one.items())


def holds(fields: Conjunction, leaves: list[tuple[str, Placed]]) -> bool:
    """The definition, tried out: some choice of a leaf for each field (or of none) agrees in its arrays, and what is absent is absent."""
    choices: list[list[tuple[str, Placed | None]]] = []
    for path, field in fields.items():
        matching: list[tuple[str, Placed | None]] = [
            (path, placed) for name, placed in leaves if name == path and field.passes([placed[0]])
        ]
        choices.append(matching + ([(path, None)] if field.absent else []))
    for choice in itertools.product(*choices):
        chosen = [placed[1] for _, placed in choice if placed is not None]
        together: dict[int, int] = {array: index for where in chosen for array, index in where.items()}
        if not all(agree(where, together) for where in chosen):
            continue
        absent = {path for path, placed in choice if placed is None}
        if not any(path in absent and agree(placed[1], together) for path, placed in leaves):
            return True
    return False


@settings(max_examples=300, deadline=None)
@given(seed=SEEDS)
def test_a_pattern_matches_when_some_choice_of_leaves_does(seed: int) -> None:
    dice = random.Random(seed)
    pattern = compile_pattern(a_pattern(dice))
    for event in [an_event(dice) for _ in range(5)]:
        leaves = list(leaves_of(event))
        assert pattern(event) is any(holds(fields, leaves) for fields in pattern.conjunctions), event


@settings(max_examples=200, deadline=None)
@given(seed=SEEDS)
def test_the_index_answers_as_a_scan_does(seed: int) -> None:
    dice = random.Random(seed)
    index: PatternIndex[int] = PatternIndex()
    kept: dict[int, Pattern] = {}
    for key in range(dice.randint(1, 15)):
        kept[key] = compile_pattern(a_pattern(dice))
        index.add(key, kept[key])
    for key in dice.sample(sorted(kept), dice.randint(0, len(kept))):
        pattern = kept.pop(key)
        if dice.random() < 0.5:
            index.remove(key)
        else:
            kept[key] = pattern
            index.add(key, pattern)
    assert len(index) == len(kept)
    for event in [an_event(dice) for _ in range(5)]:
        assert index.matches(event) == [key for key, pattern in kept.items() if pattern(event)]


def test_an_emptied_index_holds_nothing() -> None:
    index: PatternIndex[str] = PatternIndex()
    index.add("pinned", compile_pattern({"source": ["x"], "detail": {"$or": [{"a": [1]}, {"b": [{"exists": True}]}]}}))
    index.add("open", compile_pattern({"source": [{"prefix": "x"}]}))
    assert index.matches({"source": "x", "detail": {"a": 1}}) == ["pinned", "open"]
    index.remove("pinned")
    index.remove("open")
    assert index.matches({"source": "x", "detail": {"a": 1}}) == []
    assert not index._kept and not index._unpinned and not index._prefixes
    with pytest.raises(KeyError):
        index.remove("open")


def test_an_event_asks_only_the_patterns_it_may_concern(monkeypatch: pytest.MonkeyPatch) -> None:
    index: PatternIndex[int] = PatternIndex()
    for number in range(1000):
        index.add(
            number, compile_pattern({"source": ["aws.ecs"], "detail": {"group": [f"family:{number}"], "code": [{"numeric": [">", 0]}]}})
        )
    index.add(-1, compile_pattern({"source": [{"prefix": "aws."}]}))
    asked: list[Pattern] = []
    matches = Pattern.matches

    def counted(pattern: Pattern, view: View) -> bool:
        asked.append(pattern)
        return matches(pattern, view)

    monkeypatch.setattr(Pattern, "matches", counted)
    assert index.matches({"source": "aws.ecs", "detail": {"group": "family:7", "code": 1}}) == [7, -1]
    assert len(asked) <= 3

"""A pattern as a tree of nodes that know where they stand, whether it came as JSON text or as a document (TOML, decoded JSON)."""

from typing import Any, Literal

from hinoban.aws.event_patterns.errors import Broken, Place

DEEPEST = 100
"""Levels of objects and arrays. Differs from AWS, whose parser allows 1000: more than 100 are a mistake, and cost a recursion each."""

Kind = Literal["object", "array", "string", "number", "boolean", "null", "other", "broken"]


class Node:
    """One JSON value.

    `value` is a list of (name, node) for an object, with doubles, a list of nodes for an array, a number's own text for a number.
    `start` is the place once its first token was looked at (a string's opening quote, an opening bracket), `end` the one behind it:
    AWS's parser reads a string's rest only when it is asked for it, and its errors tell the difference (facts/eventbridge.md §4.4).
    """

    __slots__ = ("end", "kind", "start", "value")

    def __init__(self, kind: Kind, value: Any, start: Place, end: Place) -> None:
        self.kind: Kind = kind
        self.value = value
        self.start = start
        self.end = end


def too_deep(place: Place) -> Broken:
    """The error of a pattern that is nested too deeply."""
    return Broken(f"Document nesting depth ({DEEPEST + 1}) exceeds the maximum allowed ({DEEPEST})", place)


def broken(error: Broken) -> Node:
    """The end of what could be read; whoever comes here raises it."""
    return Node("broken", error, 0, 0)


def from_document(value: Any, path: str, depth: int = 0) -> Node:
    """The nodes of a decoded document; places are paths."""
    if depth > DEEPEST:
        return broken(too_deep(path))
    kind: Kind = "other"
    if isinstance(value, dict):
        return Node("object", [(str(name), from_document(inner, f"{path}.{name}", depth + 1)) for name, inner in value.items()], path, path)
    if isinstance(value, list):
        return Node("array", [from_document(inner, f"{path}[{index}]", depth + 1) for index, inner in enumerate(value)], path, path)
    if isinstance(value, str):
        kind = "string"
    elif isinstance(value, bool):
        kind = "boolean"
    elif isinstance(value, int | float):
        kind, value = "number", repr(value)
    elif value is None:
        kind = "null"
    return Node(kind, value, path, path)

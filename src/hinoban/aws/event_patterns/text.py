"""Reads a pattern's JSON text into nodes that know their offsets, with the words and places of AWS's parser (facts/eventbridge.md §4.4).

What cannot be read becomes a node that says so: AWS compiles while it reads, so an error of the language before it is told first.
"""

import re
from typing import NoReturn

import msgspec

from hinoban.aws.event_patterns.errors import Broken
from hinoban.aws.event_patterns.nodes import DEEPEST, Kind, Node, broken, too_deep

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*"')
_WORD = re.compile(r"[\w$]+")
_VALUES = "was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_LITERALS: dict[str, tuple[Kind, bool | None]] = {"true": ("boolean", True), "false": ("boolean", False), "null": ("null", None)}


class _Stop(Exception):
    """Nothing more can be read; `node` says why, and has a place in what is around it."""

    def __init__(self, node: Node) -> None:
        self.node = node


def from_text(text: str) -> Node:
    """The nodes of a JSON text; never raises. What stands behind the first value is not read, as AWS's compiler leaves it alone."""
    if not text.strip(" \t\n\r"):
        return Node("null", None, len(text), len(text))
    try:
        return _Reader(text).value(0, 0)
    except _Stop as stop:
        return stop.node


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text

    def value(self, at: int, depth: int) -> Node:
        at = self.skip(at)
        first = self.text[at : at + 1]
        if depth > DEEPEST:
            raise _Stop(broken(too_deep(at)))
        if first == "{":
            return self.object(at + 1, depth)
        if first == "[":
            return self.array(at + 1, depth)
        if first == '"':
            value, end = self.string(at)
            return Node("string", value, at + 1, end)
        if (found := _NUMBER.match(self.text, at)) is not None:
            return Node("number", found[0], found.end(), found.end())
        word = _WORD.match(self.text, at)
        if word is not None and word[0] in _LITERALS:
            kind, literal = _LITERALS[word[0]]
            return Node(kind, literal, word.end(), word.end())
        if word is not None:
            self.fail(f"Unrecognized token '{word[0]}': {_VALUES}", word.end())
        self.unexpected(at, "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')")

    def object(self, at: int, depth: int) -> Node:
        """The rest of an object whose brace ends at `at`; an entry without a name is where reading ended."""
        start = at
        entries: list[tuple[str, Node]] = []
        try:
            at = self.skip(at)
            while self.text[at : at + 1] != "}":
                if entries:
                    at = self.skip(self.wanted(at, ",", "was expecting comma to separate Object entries"))
                if self.text[at : at + 1] != '"':
                    self.unexpected(at, "was expecting double-quote to start field name")
                name, at = self.string(at)
                at = self.wanted(self.skip(at), ":", "was expecting a colon to separate field name and value")
                node = self.value(at, depth + 1)
                entries.append((name, node))
                if _cut(node):
                    return Node("object", entries, start, start)
                at = self.skip(_behind(node))
        except _Stop as stop:
            entries.append(("", stop.node))
            return Node("object", entries, start, start)
        return Node("object", entries, start, at + 1)

    def array(self, at: int, depth: int) -> Node:
        """The rest of an array whose bracket ends at `at`."""
        start = at
        members: list[Node] = []
        try:
            at = self.skip(at)
            while self.text[at : at + 1] != "]":
                if members:
                    at = self.wanted(at, ",", "was expecting comma to separate Array entries")
                node = self.value(at, depth + 1)
                members.append(node)
                if _cut(node):
                    return Node("array", members, start, start)
                at = self.skip(_behind(node))
        except _Stop as stop:
            members.append(stop.node)
            return Node("array", members, start, start)
        return Node("array", members, start, at + 1)

    def skip(self, at: int) -> int:
        found = _SPACE.match(self.text, at)
        return found.end() if found else at

    def string(self, at: int) -> tuple[str, int]:
        """The string whose opening quote stands at `at`, and what is behind it."""
        found = _STRING.match(self.text, at)
        try:
            if found is not None:
                decoded: str = msgspec.json.decode(found[0], type=str)
                return decoded, found.end()
        except (msgspec.DecodeError, UnicodeEncodeError):
            self.fail("Unrecognized character escape", at + 1)
        self.fail("Unexpected end-of-input or illegal character in VALUE_STRING", len(self.text))

    def wanted(self, at: int, sign: str, otherwise: str) -> int:
        if self.text[at : at + 1] != sign:
            self.unexpected(at, otherwise)
        return at + 1

    def unexpected(self, at: int, expected: str) -> NoReturn:
        if at >= len(self.text):
            self.fail("Unexpected end-of-input", at)
        sign = self.text[at]
        self.fail(f"Unexpected character ('{sign}' (code {ord(sign)})): {expected}", at)

    def fail(self, reason: str, at: int) -> NoReturn:
        raise _Stop(broken(Broken(reason, at)))


def _behind(node: Node) -> int:
    assert isinstance(node.end, int)
    return node.end


def _cut(node: Node) -> bool:
    """Whether reading ended within this object or array: it has no end of its own then."""
    return node.kind in ("object", "array") and node.start == node.end

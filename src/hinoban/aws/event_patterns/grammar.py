"""Compiles a pattern into conjunctions: each maps joined paths to what their fields must be; one that holds is enough.

A field is known by its path joined with dots, so a path said twice is said by the last one (facts/eventbridge.md §0.5, §0.7), and a
branch of `$or` overrides what was said before it. `$or` multiplies conjunctions.
"""

from typing import Any

from hinoban.aws.event_patterns import wildcards
from hinoban.aws.event_patterns.errors import BadPattern, Broken, invalid_event_pattern
from hinoban.aws.event_patterns.events import View, prefixes_of
from hinoban.aws.event_patterns.matchers import Field, FieldCompiler, readable
from hinoban.aws.event_patterns.nodes import Node, from_document
from hinoban.aws.event_patterns.selection import matches
from hinoban.aws.event_patterns.text import from_text

Conjunction = dict[str, Field]

MOST_CONJUNCTIONS = 1000
_RESERVED = frozenset(
    "exactly equals-ignore-case prefix suffix anything-but exists wildcard numeric cidr = < <= > >= regex not-wildcard "
    "not-equals-ignore-case date-after date-on-or-after date-before date-on-or-before in-date-range ip-address-in-range "
    "ip-address-not-in-range".split()
)


class Pattern:
    """A compiled pattern. Called with an event (a decoded JSON object) it says whether the event matches."""

    __slots__ = ("conjunctions", "prefixes")

    def __init__(self, conjunctions: list[Conjunction]) -> None:
        self.conjunctions = conjunctions
        self.prefixes = frozenset(prefix for fields in conjunctions for path in fields for prefix in prefixes_of(path))

    def __call__(self, event: Any) -> bool:
        return self.matches(View(event, self.prefixes))

    def matches(self, view: View) -> bool:
        """The same for an event that is laid out already, with at least this pattern's prefixes."""
        return any(matches(view.root, fields) for fields in self.conjunctions)


def compile_pattern(pattern: Any, path: str = "pattern") -> Pattern:
    """Compile a document; BadPattern names the path and what is wrong. The empty document, which the API refuses, matches everything."""
    if pattern == {} and isinstance(pattern, dict):
        return Pattern([{}])
    try:
        return _compile(from_document(pattern, path))
    except Broken as broken:
        raise BadPattern(str(broken.place or path), broken.reason) from None


def compile_text(text: str) -> Pattern:
    """Compile the API's JSON text; AwsError InvalidEventPatternException with AWS's text."""
    try:
        return _compile(from_text(text))
    except Broken as broken:
        raise invalid_event_pattern(broken, text) from None


def _compile(root: Node) -> Pattern:
    """First with `$or`, then, where that fails, with `$or` as a field's name (facts §4.2). Which error AWS tells when both fail is
    UNCONFIRMED; ours is the first, which knows what was meant."""
    try:
        return _Compiler(with_or=True).pattern(root)
    except Broken as broken:
        try:
            return _Compiler(with_or=False).pattern(root)
        except Broken:
            raise broken from None


class _Compiler:
    def __init__(self, *, with_or: bool) -> None:
        self._with_or = with_or
        self._fields = FieldCompiler()

    def pattern(self, root: Node) -> Pattern:
        readable(root)
        if root.kind != "object":
            raise Broken("Filter is not an object", root.start)
        conjunctions = self._object(root, "", [{}])
        wildcards.check_complexity(self._fields.wildcards)
        return Pattern(conjunctions)

    def _object(self, node: Node, prefix: str, found: list[Conjunction]) -> list[Conjunction]:
        """What was found so far, with what this object says added to each; `found` is used up."""
        for name, inner in node.value:
            readable(inner)
            if name == "$or" and self._with_or:
                found = self._or(inner, prefix, found)
                continue
            path = f"{prefix}{name}"
            match inner.kind:
                case "object":
                    found = self._object(inner, f"{path}.", found)
                case "array":
                    field = self._fields.field(inner)
                    for fields in found:
                        fields[path] = field
                case _:
                    raise Broken(f'"{name}" must be an object or an array', inner.start)
        if not node.value:
            raise Broken("Empty objects are not allowed", node.end)
        return found

    def _or(self, array: Node, prefix: str, before: list[Conjunction]) -> list[Conjunction]:
        if array.kind != "array":
            raise Broken("It must be an Array followed with $or.", array.start)
        found: list[Conjunction] = []
        for branch in array.value:
            readable(branch)
            if branch.kind != "object":
                raise Broken("Only JSON object is allowed in array of $or relationship.", branch.start)
            for name, inner in branch.value:
                readable(inner)
                if name in _RESERVED:
                    raise Broken(f"{name} is Ruler reserved fieldName which cannot be used inside $or.", inner.start)
            found += self._object(branch, prefix, [dict(fields) for fields in before])
            if len(found) > MOST_CONJUNCTIONS:
                # AWS's wording is UNCONFIRMED; the limit is the user guide's (facts/eventbridge.md §4.5).
                raise Broken(f"Rule is too complex - its $or makes more than {MOST_CONJUNCTIONS} combinations", None)
        if len(array.value) < 2:
            raise Broken("There must have at least 2 Objects in $or relationship.", array.end)
        return found

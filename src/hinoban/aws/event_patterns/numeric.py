"""`numeric`: ranges of numbers (facts/eventbridge.md §4.2). Whether the service still refuses numbers beyond ±5e9 is UNCONFIRMED; we do not."""

import operator
from collections.abc import Callable

from hinoban.aws.event_patterns import values
from hinoban.aws.event_patterns.errors import Broken
from hinoban.aws.event_patterns.nodes import Node
from hinoban.aws.event_patterns.values import Leaf

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compile_range(array: Node) -> Callable[[Leaf], bool]:
    """The test of a leaf; only numbers pass."""
    if array.kind != "array":
        raise array.value if array.kind == "broken" else Broken("Value of numeric must be an array.", array.start)
    members = _Members(array)
    node = members.next()
    if node is None or node.kind != "string":
        raise members.refuse(node, f"Invalid member in numeric match: {members.text(node)}")
    first = str(node.value)
    if first not in _COMPARE:
        raise Broken(f"Unrecognized numeric range operator: {first}", node.end)
    bound = members.number("equals" if first == "=" else first)
    compare = _COMPARE[first]
    node = members.next()
    if node is None:
        return lambda leaf: isinstance(leaf, float) and compare(leaf, bound)
    if not first.startswith(">"):
        raise members.refuse(node, "Too many elements in numeric expression")
    if node.kind != "string":
        raise members.refuse(node, f"Bad value in numeric range: {members.text(node)}")
    second = str(node.value)
    if second not in ("<", "<="):
        raise Broken(f"Bad numeric range operator: {second}", node.end)
    top = members.number(second)
    if (node := members.next()) is not None:
        raise members.refuse(node, "Too many terms in numeric range expression")
    if not bound < top:
        raise Broken("Bottom must be less than top", array.end)
    below = _COMPARE[second]
    return lambda leaf: isinstance(leaf, float) and compare(leaf, bound) and below(leaf, top)


class _Members:
    """The members of a range's array, one after the other."""

    def __init__(self, array: Node) -> None:
        self._array = array
        self._left = iter(array.value)

    def next(self) -> Node | None:
        """The next member, None behind the last."""
        node: Node | None = next(self._left, None)
        if node is not None and node.kind == "broken":
            raise node.value
        return node

    def number(self, name: str) -> float:
        """The next member, which must be a number that can be compared."""
        node = self.next()
        if node is None or node.kind != "number":
            raise self.refuse(node, f"Value of {name} must be numeric")
        found = values.number(node.value)
        if not isinstance(found, float):
            raise Broken(f"Cannot compare number : {node.value}", node.end)
        return found

    def refuse(self, node: Node | None, reason: str) -> Broken:
        return Broken(reason, self._array.end if node is None else node.start)

    def text(self, node: Node | None) -> str:
        """A member as AWS's parser tells it."""
        if node is None:
            return "]"
        match node.kind:
            case "object":
                return "{"
            case "array":
                return "["
            case "boolean":
                return "true" if node.value else "false"
            case "null":
                return "null"
        return str(node.value)

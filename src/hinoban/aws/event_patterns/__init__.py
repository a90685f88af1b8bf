"""EventBridge event patterns (facts/eventbridge.md §4): the one query language of policies, routes, mutes and faults.

So far: exact values, `prefix`, `suffix`, `equals-ignore-case`, `anything-but` (values), `exists`, `numeric` and `$or`, over
nested fields and arrays. Whatever else EventBridge knows is refused by name, never silently unmatched.
"""

from collections.abc import Callable, Iterable
from typing import Any

Matcher = Callable[[Any], bool]
Leaf = Callable[[list[Any]], bool]

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class BadPattern(ValueError):
    """The pattern breaks the language's rules; the text says where and how."""


def compile_pattern(pattern: Any, path: str = "pattern") -> Matcher:
    """A function that says whether an event (a JSON object) matches; BadPattern names what is wrong."""
    if not isinstance(pattern, dict):
        raise BadPattern(f"{path}: must be an object")
    fields: list[tuple[str, Matcher, bool]] = []
    branches: list[Matcher] = []
    for name, wanted in pattern.items():
        here = f"{path}.{name}"
        if name == "$or" and isinstance(wanted, list):
            if len(wanted) < 2:
                raise BadPattern(f"{here}: needs at least 2 patterns")
            branches = [compile_pattern(branch, f"{here}[{index}]") for index, branch in enumerate(wanted)]
        elif isinstance(wanted, dict) and wanted:
            fields.append((name, compile_pattern(wanted, here), True))
        elif isinstance(wanted, list) and wanted:
            fields.append((name, _compile_leaf(wanted, here), False))
        else:
            raise BadPattern(f"{here}: must be a non-empty object or a non-empty array of values")

    def matches(event: Any) -> bool:
        if isinstance(event, list) and event:
            # All fields must come from one element (facts/eventbridge.md §4.3). An empty array contributes nothing, like a missing field.
            return any(matches(element) for element in event)
        found = event if isinstance(event, dict) else {}
        for name, matcher, nested in fields:
            value = found.get(name)
            if not matcher(value if nested else (list(_leaves(value)) if name in found else [])):
                return False
        return not branches or any(branch(found) for branch in branches)

    return matches


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, list):
        for element in value:
            yield from _leaves(element)
    elif not isinstance(value, dict):
        yield value


def _compile_leaf(wanted: list[Any], path: str) -> Leaf:
    tests = [_compile_value(value, f"{path}[{index}]") for index, value in enumerate(wanted)]
    return lambda leaves: any(test(leaves) for test in tests)


def _compile_value(value: Any, path: str) -> Leaf:
    if not isinstance(value, dict):
        if isinstance(value, list):
            raise BadPattern(f"{path}: an array cannot stand inside an array of values")
        return lambda leaves: any(_same(value, leaf) for leaf in leaves)
    if len(value) != 1:
        raise BadPattern(f"{path}: a matcher has exactly one key")
    ((kind, operand),) = value.items()
    compiler = _MATCHERS.get(kind)
    if compiler is None:
        raise BadPattern(f"{path}: {kind!r} is not a matcher that Hinoban knows yet; it knows {', '.join(sorted(_MATCHERS))}")
    return compiler(operand, path)


def _same(wanted: Any, leaf: Any) -> bool:
    if isinstance(wanted, bool) or isinstance(leaf, bool):
        return wanted is leaf
    return bool(wanted == leaf)


def _text(operand: Any, path: str) -> str:
    if not isinstance(operand, str):
        raise BadPattern(f"{path}: must be a string")
    return operand


def _prefix(operand: Any, path: str) -> Leaf:
    text = _text(operand, path)
    return lambda leaves: any(isinstance(leaf, str) and leaf.startswith(text) for leaf in leaves)


def _suffix(operand: Any, path: str) -> Leaf:
    text = _text(operand, path)
    return lambda leaves: any(isinstance(leaf, str) and leaf.endswith(text) for leaf in leaves)


def _ignore_case(operand: Any, path: str) -> Leaf:
    text = _text(operand, path).casefold()
    return lambda leaves: any(isinstance(leaf, str) and leaf.casefold() == text for leaf in leaves)


def _anything_but(operand: Any, path: str) -> Leaf:
    unwanted = operand if isinstance(operand, list) else [operand]
    if not unwanted or any(isinstance(item, bool) or not isinstance(item, str | int | float) for item in unwanted):
        raise BadPattern(f"{path}: must be a string, a number, or a list of them")
    if len({isinstance(item, str) for item in unwanted}) > 1:
        raise BadPattern(f"{path}: must be all strings or all numbers")
    return lambda leaves: any(all(not _same(item, leaf) for item in unwanted) for leaf in leaves)


def _exists(operand: Any, path: str) -> Leaf:
    if not isinstance(operand, bool):
        raise BadPattern(f"{path}: must be true or false")
    return lambda leaves: bool(leaves) is operand


def _numeric(operand: Any, path: str) -> Leaf:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        raise BadPattern(f"{path}: must be [operator, number] or [operator, number, operator, number]")
    bounds: list[tuple[Callable[[float, float], bool], float]] = []
    for operator, bound in zip(operand[::2], operand[1::2], strict=True):
        if operator not in _COMPARE or isinstance(bound, bool) or not isinstance(bound, int | float):
            raise BadPattern(f"{path}: operators are {', '.join(_COMPARE)}, each followed by a number")
        bounds.append((_COMPARE[operator], bound))
    if len(operand) == 4 and not (operand[0][0] == ">" and operand[2][0] == "<" and operand[1] < operand[3]):
        raise BadPattern(f"{path}: the lower bound comes first and must be less than the upper one")
    return lambda leaves: any(
        isinstance(leaf, int | float) and not isinstance(leaf, bool) and all(compare(leaf, bound) for compare, bound in bounds)
        for leaf in leaves
    )


_MATCHERS: dict[str, Callable[[Any, str], Leaf]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignore_case,
    "anything-but": _anything_but,
    "exists": _exists,
    "numeric": _numeric,
}

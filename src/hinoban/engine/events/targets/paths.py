"""JSONPath as EventBridge reads it: dot notation, indexes, `*` (AWS's page "Amazon EventBridge input transformation"). PURE.

Keys may hold letters, digits, dashes, underscores and slashes. Bracket notation of keys is none of it (facts/eventbridge.md §6.1).
"""

import functools
import re
from typing import Any, Final

_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+|\*)\]")


class _Missing:
    """Nothing was selected; null is something."""


MISSING: Final = _Missing()


@functools.lru_cache(maxsize=2048)
def _steps(path: str) -> tuple[str | int, ...] | None:
    """Keys and indexes, `*` for every element; None where it is no path."""
    if not path.startswith("$"):
        return None
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            return None
        at = found.end()
        index = found["index"]
        steps.append(found["key"] if index is None else "*" if index == "*" else int(index))
    return tuple(steps)


def select(path: str, document: Any) -> Any:
    """What the path leads to, MISSING where it leads nowhere. With `*` always a list."""
    steps = _steps(path)
    return MISSING if steps is None else _walk(steps, document)


def _walk(steps: tuple[str | int, ...], value: Any) -> Any:
    for at, step in enumerate(steps):
        if step == "*":
            inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            found = [_walk(steps[at + 1 :], each) for each in inside]
            return [each for each in found if each is not MISSING] or MISSING
        if isinstance(step, int):
            if not isinstance(value, list) or step >= len(value):
                return MISSING
            value = value[step]
        elif isinstance(value, dict) and step in value:
            value = value[step]
        else:
            return MISSING
    return value

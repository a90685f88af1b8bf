"""JSON objects that come as text inside a call, and are kept."""

from typing import Any

import msgspec

DEEPEST = 500
"""Levels. Differs from AWS: 1000 there (facts/eventbridge.md §3). What is deeper could be read, but not surely written again."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def json_object(text: str) -> dict[str, Any] | None:
    """The object that the text is; None where it is none, or too deep."""
    try:
        found = _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    # Most texts have not even that many brackets.
    return None if text.count("{") + text.count("[") > DEEPEST and _is_deep(found) else found


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for one in level:
            below += [inner for inner in (one.values() if isinstance(one, dict) else one) if isinstance(inner, dict | list)]
        if not below:
            return False
        level = below
    return True

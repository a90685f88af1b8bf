"""The identity of leaves (facts/eventbridge.md §4.2): every scalar of an event or pattern becomes one hashable value.

Strings stay strings; numbers that a double holds exactly become floats, so 300 == 300.0 == 3.0e2; other numbers are known by their
text; true, false and null are themselves and nothing else.
"""

import ipaddress
import math
import re
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

Leaf = str | float | tuple[str, ...]
"""A leaf's identity. Literals and unusual numbers are tuples, so that they never equal a string or 1.0."""
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

TRUE: Leaf = ("true",)
FALSE: Leaf = ("false",)
NULL: Leaf = ("null",)
_EXACT = 2**53
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*")


class NumberText(str):
    """A number that kept its text, for decoders that can keep it: digits beyond a double's are compared then, too."""

    __slots__ = ()


def leaf(value: Any) -> Leaf:
    """The identity of a scalar of an event."""
    if isinstance(value, str):
        return number(value) if type(value) is NumberText else value
    if value is None:
        return NULL
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and -_EXACT <= value <= _EXACT:
        return float(value)
    # Other objects (a moment in TOML) are leaves that no pattern can name.
    return number(repr(value)) if isinstance(value, int | float) else ("other", repr(value))


def number(text: str) -> Leaf:
    """The identity of a number by its text: the double whose shortest decimal it is, else the text."""
    try:
        near = float(text)
        if math.isfinite(near) and Decimal(repr(near)) == Decimal(text):
            return near
    except (ValueError, InvalidOperation):
        pass
    return ("number", text)


@lru_cache(maxsize=4096)
def address(text: str) -> Address | None:
    """The IP address that a string spells, if it spells one."""
    if not _ADDRESS.fullmatch(text):
        return None
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def fold(text: str) -> str:
    """A string without its case, character by character: what a prefix folds to is a prefix of what the whole folds to."""
    if text.isascii():
        return text.lower()
    return "".join(upper.lower() if len(upper := one.upper()) == 1 else one for one in text)

"""Holds a pattern's names against those that its events can have: a misspelt one would compile, and never match. PURE."""

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Names = Mapping[str, "Names | None"]
"""The names of one level, each with those of the level below; None: whatever stands there is not held against anything."""


class UnknownName(NamedTuple):
    """A name that no event has: its path in the pattern, and what stands there instead."""

    path: str
    allowed: tuple[str, ...]
    near: str | None

    @property
    def todo(self) -> str:
        """The way out, in a sentence."""
        return f"Did you mean {self.near!r}?" if self.near else f"Allowed here: {', '.join(self.allowed)}."


def unknown_name(pattern: Any, known: Names, path: str) -> UnknownName | None:
    """The first name of a compiled pattern's document that is not known, in the branches of `$or` too; None where all are."""
    return next(_unknown(pattern, known, path), None)


def _unknown(here: Any, known: Names, path: str) -> Iterator[UnknownName]:
    for name, inner in here.items():
        if name == "$or" and isinstance(inner, list) and all(isinstance(branch, dict) for branch in inner):
            for index, branch in enumerate(inner):
                yield from _unknown(branch, known, f"{path}.$or[{index}]")
            continue
        below: Names | None = known
        at = path
        # A field is known by its joined path (grammar.py), so `detail.group` may be one name.
        for part in name.split("."):
            if below is None:
                break
            at = f"{at}.{part}"
            if part not in below:
                allowed = (*below, "$or")
                yield UnknownName(at, allowed, _near(part, allowed))
                break
            below = below[part]
        else:
            if isinstance(inner, dict) and below is not None:
                yield from _unknown(inner, below, at)


def _near(name: str, allowed: tuple[str, ...]) -> str | None:
    """The allowed name that was probably meant; capitals do not count."""
    lowered = {one.lower(): one for one in allowed}
    found = difflib.get_close_matches(name.lower(), lowered, 1)
    return lowered[found[0]] if found else None

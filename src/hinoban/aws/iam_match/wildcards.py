"""PURE: IAM's `*` and `?`, in actions, in texts and in ARNs, and `${...}` in them."""

import re
from collections.abc import Mapping
from functools import lru_cache

_PARTS = 6
_PIECE = re.compile(r"\$\{([^}]*)\}|\*|\?|[^*?$]+|\$")


class UnknownVariable(Exception):
    """A `${...}` whose value nobody has here."""


def text_matches(pattern: str, text: str, variables: Mapping[str, str] | None = None) -> bool:
    """Whether the whole text matches, case and all; `variables` None: `${...}` is a text like any other."""
    return _compiled(pattern, _frozen(pattern, variables)).fullmatch(text) is not None


def action_matches(pattern: str, action: str) -> bool:
    """Whether an action matches; services' names and actions have no case ("IAM JSON policy elements: Action")."""
    return _compiled(pattern.lower(), None).fullmatch(action.lower()) is not None


def arn_matches(pattern: str, arn: str, variables: Mapping[str, str] | None = None) -> bool:
    """ArnLike and ArnEquals, which are the same: each of the six parts on its own ("ARN condition operators")."""
    theirs, ours = pattern.split(":", _PARTS - 1), arn.split(":", _PARTS - 1)
    if len(theirs) != _PARTS or len(ours) != _PARTS:
        return False
    return all(text_matches(one, other, variables) for one, other in zip(theirs, ours, strict=True))


def resource_matches(pattern: str, arn: str, variables: Mapping[str, str] | None = None) -> bool:
    """A Resource: `*` alone is all; a `*` goes over a colon's bounds like any other character.

    UNCONFIRMED: "IAM JSON policy elements: Resource" says so of a `*` at the end of a part; here it holds for each."""
    return text_matches(pattern, arn, variables)


def substituted(text: str, variables: Mapping[str, str] | None) -> str:
    """The text with its `${...}` replaced; its stars mean themselves. UnknownVariable where one has no value here."""
    if variables is None or "${" not in text:
        return text
    values = {name.lower(): value for name, value in variables.items()}
    return _PIECE.sub(lambda found: found[0] if found[1] is None else _value(found[1], values), text)


Values = tuple[tuple[str, str], ...]


def _frozen(pattern: str, variables: Mapping[str, str] | None) -> Values | None:
    if variables is None:
        return None
    return tuple(sorted((name.lower(), value) for name, value in variables.items())) if "${" in pattern else ()


@lru_cache(maxsize=4096)
def _compiled(pattern: str, variables: Values | None) -> re.Pattern[str]:
    out = []
    values = dict(variables or ())
    for found in _PIECE.finditer(pattern):
        piece, name = found[0], found[1]
        if name is not None and variables is not None:
            out.append(re.escape(_value(name, values)))
        elif piece == "*":
            # Runs of stars are one: they cost without meaning more.
            if not out or out[-1] != ".*":
                out.append(".*")
        elif piece == "?":
            out.append(".")
        else:
            out.append(re.escape(piece))
    return re.compile("".join(out), re.DOTALL)


def _value(name: str, values: Mapping[str, str]) -> str:
    if name in ("*", "?", "$"):
        return name
    key, comma, default = name.partition(",")
    found = values.get(key.strip().lower())
    if found is not None:
        return found
    if comma and len(default := default.strip()) >= 2 and default[0] == default[-1] == "'":
        return default[1:-1]
    raise UnknownVariable(name)

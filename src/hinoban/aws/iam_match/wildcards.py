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
    return _matches(_compiled(pattern, _frozen(pattern, variables)), text)


def action_matches(pattern: str, action: str) -> bool:
    """Whether an action matches; services' names and actions have no case ("IAM JSON policy elements: Action")."""
    return _matches(_compiled(pattern.lower(), None), action.lower())


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


# A pattern's letters, of which these two are none.
_ONE, _ANY = "one", "any"


@lru_cache(maxsize=4096)
def _compiled(pattern: str, variables: Values | None) -> tuple[str, ...]:
    out: list[str] = []
    values = dict(variables or ())
    for found in _PIECE.finditer(pattern):
        piece, name = found[0], found[1]
        if name is not None and variables is not None:
            out += _value(name, values)
        elif piece == "*":
            out.append(_ANY)
        elif piece == "?":
            out.append(_ONE)
        else:
            out += piece
    return tuple(out)


def _matches(letters: tuple[str, ...], text: str) -> bool:
    """Goes back to the last star only, so that no pattern takes longer than its length times the text's."""
    at = of = 0
    star, tried = -1, 0
    while of < len(text):
        if at < len(letters) and letters[at] == _ANY:
            star, tried = at, of
            at += 1
        elif at < len(letters) and letters[at] in (_ONE, text[of]):
            at += 1
            of += 1
        elif star >= 0:
            tried += 1
            at, of = star + 1, tried
        else:
            return False
    return all(letter == _ANY for letter in letters[at:])


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

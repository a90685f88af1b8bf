"""PURE: a policy document's text as its statements."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

_VERSIONS = ("2008-10-17", "2012-10-17")
_STATEMENT = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)  # fmt: skip
_KINDS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})

Principals = dict[str, tuple[str, ...]]
Conditions = dict[str, dict[str, tuple[str, ...]]]


class BadPolicy(ValueError):
    """A document that is no policy; its message says why."""


class Statement(Struct, frozen=True):
    """One statement. `negated` holds which of Principal, Action and Resource are given as Not..."""

    allow: bool
    principals: Principals
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Conditions
    negated: frozenset[str] = frozenset()


class Policy(Struct, frozen=True):
    """The statements in their order; `variables` is whether `${...}` means something in them (version 2012-10-17)."""

    statements: tuple[Statement, ...]
    variables: bool


def parse(document: str | Mapping[str, Any]) -> Policy:
    """The policy of a document; BadPolicy where it is none. A resource policy needs a principal in each statement."""
    if isinstance(document, str):
        try:
            document = msgspec.json.decode(document)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise BadPolicy(f"it is not JSON: {error}") from None
    if not isinstance(document, Mapping):
        raise BadPolicy("it is not a JSON object")
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise BadPolicy(f"Version is {version!r}; it can be 2012-10-17 or 2008-10-17")
    if strange := sorted(document.keys() - {"Version", "Id", "Statement"}):
        raise BadPolicy(f"nothing in a policy is called {strange[0]}")
    given = document.get("Statement")
    statements = given if isinstance(given, list) else [given]
    if not statements:
        raise BadPolicy("it has no Statement")
    return Policy(tuple(_statement(one) for one in statements), version == "2012-10-17")


def _statement(given: Any) -> Statement:
    if not isinstance(given, Mapping):
        raise BadPolicy("a Statement is not an object")
    if strange := sorted(given.keys() - _STATEMENT):
        raise BadPolicy(f"nothing in a Statement is called {strange[0]}")
    effect = given.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise BadPolicy("a Statement's Effect must be Allow or Deny")
    negated = frozenset(name for name in ("Principal", "Action", "Resource") if f"Not{name}" in given)
    return Statement(
        effect == "Allow",
        _principals(_one_of(given, "Principal")),
        _texts(_one_of(given, "Action"), "Action"),
        _texts(_one_of(given, "Resource"), "Resource"),
        _conditions(given.get("Condition", {})),
        negated,
    )


def _one_of(given: Mapping[str, Any], name: str) -> Any:
    """The value of `name` or of `Not...`, of which there must be one."""
    if (name in given) == (f"Not{name}" in given):
        raise BadPolicy(f"a Statement needs either {name} or Not{name}")
    return given.get(name, given.get(f"Not{name}"))


def _principals(given: Any) -> Principals:
    if given == "*":
        return {"AWS": ("*",)}
    if not isinstance(given, Mapping) or not given:
        raise BadPolicy('a Principal is "*" or an object')
    if strange := sorted(given.keys() - _KINDS):
        raise BadPolicy(f"no kind of Principal is called {strange[0]}")
    found = {kind: _texts(value, f"Principal.{kind}") for kind, value in given.items()}
    for account in found.get("AWS", ()):
        # What AWS's check refuses: a service's name is no ARN and no account (terraform-provider-aws#32260).
        if not (account == "*" or account.startswith("arn:") or (account.isdecimal() and len(account) == 12) or account.isalnum()):
            raise BadPolicy(f"{account!r} is no account, user or role; a service stands under Service")
    return found


def _conditions(given: Any) -> Conditions:
    if not isinstance(given, Mapping) or not all(isinstance(keys, Mapping) for keys in given.values()):
        raise BadPolicy("a Condition is an object of objects")
    return {
        operator: {key: _texts(values, f"Condition.{operator}.{key}") for key, values in keys.items()}
        for operator, keys in given.items()
    }  # fmt: skip


def _texts(given: Any, where: str) -> tuple[str, ...]:
    values = given if isinstance(given, list) else [given]
    found = []
    for value in values:
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, bool | int | float) and where.startswith("Condition."):
            found.append(str(value).lower())
        else:
            raise BadPolicy(f"{where} is not text")
    if not found:
        raise BadPolicy(f"{where} is empty")
    return tuple(found)

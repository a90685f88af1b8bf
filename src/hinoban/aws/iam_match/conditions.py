"""PURE: a statement's Condition against what is known of a request.

All operators and keys of a statement must hold; of a key's values one is enough, or, for an operator with Not, none may match
("Evaluation logic for multiple context keys or values"). A key that the request does not have fails, but holds for Not... and ...IfExists.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_network

from hinoban.aws.iam_match.policy import Conditions
from hinoban.aws.iam_match.wildcards import UnknownVariable, arn_matches, substituted, text_matches
from hinoban.base.units import parse_iso

# What a call of a service for a resource may carry; whoever calls with others gives them in its context.
KNOWN = frozenset(
    {
        *("aws:sourcearn", "aws:sourceaccount", "aws:sourceowner", "aws:sourceorgid", "aws:principalorgid", "aws:principalarn"),
        *("aws:principalaccount", "aws:principaltype", "aws:principalisawsservice", "aws:principalservicename", "aws:securetransport"),
        *("aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:userid", "aws:username", "aws:calledvia", "aws:viaawsservice"),
    }
)

Variables = Mapping[str, str] | None
Test = Callable[[str, str, Variables], bool]


def unmet(conditions: Conditions, context: Mapping[str, str], variables: Variables) -> str | None:
    """None where all of it holds; else why not, e.g. `aws:SourceArn does not match ArnEquals`."""
    known = {key.lower(): value for key, value in context.items()}
    for operator, keys in conditions.items():
        for key, values in keys.items():
            why = _one(operator, key, values, known, variables)
            if why is not None:
                return why
    return None


def _one(operator: str, key: str, values: tuple[str, ...], known: Mapping[str, str], variables: Variables) -> str | None:
    base, if_exists = operator.removesuffix("IfExists"), operator.endswith("IfExists")
    # A request of a service has one value for each key: the prefixes for sets of values change little.
    prefix, colon, rest = base.partition(":")
    every = colon and prefix == "ForAllValues"
    if colon and prefix in ("ForAllValues", "ForAnyValue"):
        base = rest
    if base != "Null" and base not in _TESTS:
        return f"the condition operator {operator} is not known here"
    if key.lower() not in KNOWN and key.lower() not in known:
        return f"the condition key {key} is not known here"
    value = known.get(key.lower())
    if base == "Null":
        return None if any((one.lower() == "true") == (value is None) for one in values) else f"{key} does not match Null"
    negated, test = _TESTS[base]
    if value is None:
        return None if if_exists or negated or every else f"the request has no {key}"
    try:
        found = any(test(one, value, variables) for one in values)
    except UnknownVariable as unknown:
        return f"the variable {unknown} is not known here"
    return None if found is not negated else f"{key} does not match {operator}"


def _equals(wanted: str, value: str, variables: Variables) -> bool:
    return substituted(wanted, variables) == value


def _equals_in_any_case(wanted: str, value: str, variables: Variables) -> bool:
    return substituted(wanted, variables).lower() == value.lower()


def _like(wanted: str, value: str, variables: Variables) -> bool:
    return text_matches(wanted, value, variables)


def _bool(wanted: str, value: str, variables: Variables) -> bool:
    return wanted.lower() == value.lower()


def _binary(wanted: str, value: str, variables: Variables) -> bool:
    try:
        return base64.b64decode(wanted, validate=True) == base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False


def _address(wanted: str, value: str, variables: Variables) -> bool:
    try:
        return ip_address(value) in ip_network(wanted, strict=False)
    except ValueError:
        return False


def _number(compare: Callable[[float, float], bool]) -> Test:
    def test(wanted: str, value: str, variables: Variables) -> bool:
        try:
            return compare(float(value), float(wanted))
        except ValueError:
            return False

    return test


def _moment(compare: Callable[[float, float], bool]) -> Test:
    def read(text: str) -> float:
        try:
            return float(text)
        except ValueError:
            return parse_iso(text)

    def test(wanted: str, value: str, variables: Variables) -> bool:
        try:
            return compare(read(value), read(wanted))
        except ValueError:
            return False

    return test


# Operator: whether it is a Not..., and the test of one value.
_TESTS: dict[str, tuple[bool, Test]] = {
    "StringEquals": (False, _equals),
    "StringNotEquals": (True, _equals),
    "StringEqualsIgnoreCase": (False, _equals_in_any_case),
    "StringNotEqualsIgnoreCase": (True, _equals_in_any_case),
    "StringLike": (False, _like),
    "StringNotLike": (True, _like),
    "ArnEquals": (False, arn_matches),
    "ArnLike": (False, arn_matches),
    "ArnNotEquals": (True, arn_matches),
    "ArnNotLike": (True, arn_matches),
    "Bool": (False, _bool),
    "BinaryEquals": (False, _binary),
    "IpAddress": (False, _address),
    "NotIpAddress": (True, _address),
}
_COMPARISONS: dict[str, tuple[bool, Callable[[float, float], bool]]] = {
    "Equals": (False, lambda value, wanted: value == wanted),
    "NotEquals": (True, lambda value, wanted: value == wanted),
    "LessThan": (False, lambda value, wanted: value < wanted),
    "LessThanEquals": (False, lambda value, wanted: value <= wanted),
    "GreaterThan": (False, lambda value, wanted: value > wanted),
    "GreaterThanEquals": (False, lambda value, wanted: value >= wanted),
}
for _name, (_negated, _compare) in _COMPARISONS.items():
    _TESTS[f"Numeric{_name}"] = (_negated, _number(_compare))
    _TESTS[f"Date{_name}"] = (_negated, _moment(_compare))

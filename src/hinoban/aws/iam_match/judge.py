"""PURE: a resource policy's judgement of one call by a service: a Deny that matches wins, else an Allow that matches lets it in."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from hinoban.aws.iam_match import conditions
from hinoban.aws.iam_match.policy import BadPolicy, Policy, Statement, parse
from hinoban.aws.iam_match.wildcards import UnknownVariable, action_matches, resource_matches

Document = str | Mapping[str, Any]
_ENDS = ("/*:*", "/*", ":*")
_GROUP = ":log-group:"
_STREAM = ":log-stream:"


class Judgement(Struct, frozen=True):
    """Whether the call is allowed, whether a Deny says no, and why statements meant for it did not count (`notes`)."""

    allowed: bool
    denied: bool = False
    notes: tuple[str, ...] = ()


def judge(document: Document, *, service: str, action: str, resource: str, context: Mapping[str, str]) -> Judgement:
    """What the policy says to `service` (e.g. `events.amazonaws.com`) doing `action` (`logs:PutLogEvents`) to the ARN `resource`.

    `context` holds condition keys of the call (`aws:SourceArn`). A document that is no policy allows nothing."""
    try:
        policy = parse(document)
    except BadPolicy as error:
        return Judgement(False, notes=(f"the document is no policy: {error}",))
    notes: list[str] = []
    allowed = denied = False
    for statement in policy.statements:
        if not (
            _for_service(statement, service) and _for_action(statement, action) and _for_resource(policy, statement, resource, context)
        ):
            continue
        why = conditions.unmet(statement.conditions, context, context if policy.variables else None)
        if why is not None:
            notes.append(why)
        elif statement.allow:
            allowed = True
        else:
            denied = True
    return Judgement(allowed and not denied, denied, tuple(dict.fromkeys(notes)))


def allows(document: Document, *, service: str, action: str, resource: str, context: Mapping[str, str]) -> bool:
    """Whether the policy lets the service do it; see `judge`."""
    return judge(document, service=service, action=action, resource=resource, context=context).allowed


def nearly(document: Document, *, service: str, action: str, resource: str, context: Mapping[str, str]) -> str | None:
    """The Resource of a statement that was meant to allow this and by IAM's rules does not: its principal, action and condition are right,
    and without a `/*:*`, `/*` or `:*` at its end it is the log group's ARN (seed 002's policy; facts/eventbridge.md §10).

    `resource` is a log stream's ARN or its group's. None where the policy allows it, denies it, or meant something else."""
    judgement = judge(document, service=service, action=action, resource=resource, context=context)
    if judgement.allowed or judgement.denied or _GROUP not in resource:
        return None
    try:
        policy = parse(document)
    except BadPolicy:
        return None
    group = resource.partition(_STREAM)[0].removesuffix(":*")
    for statement in policy.statements:
        if not statement.allow or "Resource" in statement.negated:
            continue
        if not (_for_service(statement, service) and _for_action(statement, action)):
            continue
        if conditions.unmet(statement.conditions, context, context if policy.variables else None) is None:
            for pattern in statement.resources:
                if any(_names(one, group) for one in _shortened(pattern)):
                    return pattern
    return None


def _shortened(pattern: str) -> list[str]:
    return [pattern, *(pattern.removesuffix(end) for end in _ENDS if pattern.endswith(end))]


def _names(pattern: str, group: str) -> bool:
    """Whether it is this group's ARN, the group spelled out; region and account may be wildcards."""
    theirs, _, their_name = pattern.partition(_GROUP)
    ours, _, our_name = group.partition(_GROUP)
    return their_name == our_name and resource_matches(theirs, ours)


def _for_service(statement: Statement, service: str) -> bool:
    principals = statement.principals
    # "*" is everybody, also a service; a wildcard in a part of a name is none ("IAM JSON policy elements: Principal").
    named = service in principals.get("Service", ()) or "*" in principals.get("AWS", ()) or "*" in principals.get("Service", ())
    return named is not ("Principal" in statement.negated)


def _for_action(statement: Statement, action: str) -> bool:
    return any(action_matches(one, action) for one in statement.actions) is not ("Action" in statement.negated)


def _for_resource(policy: Policy, statement: Statement, resource: str, context: Mapping[str, str]) -> bool:
    variables = context if policy.variables else None

    def matches(pattern: str) -> bool:
        try:
            return resource_matches(pattern, resource, variables)
        except UnknownVariable:
            return False

    return any(matches(one) for one in statement.resources) is not ("Resource" in statement.negated)

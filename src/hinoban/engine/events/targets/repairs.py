"""Commands that repair what kept a delivery from its target; each works as pasted. PURE."""

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from hinoban.aws import arns
from hinoban.aws.iam_match import BadPolicy, needed, parse
from hinoban.engine.events.targets.queue import Delivery

_POLICY = "EventBridgeCloudWatchLogs"
# Who and what the policy that we print allows: a policy that says more than this must not be written over.
_PRINCIPALS = frozenset({"events.amazonaws.com", "delivery.logs.amazonaws.com"})
# AWS CLI 1 sends `aws sqs` to the real AWS unless it is told the endpoint (docs/compatibility.md).
_SQS = 'aws sqs --endpoint-url "$AWS_ENDPOINT_URL"'
_ACTIONS = frozenset({"logs:createlogstream", "logs:putlogevents"})


def in_region(command: str, region: str) -> str:
    """The command with its region, which the reader's own settings may not name."""
    return f"{command} --region {shlex.quote(region)}"


def log_policy(delivery: Delivery, policies: Mapping[str, str], near: str | None = None) -> str:
    """Put the policy that the rule's log groups need, and take nothing from anybody: over the policy `near`, which was meant for it,
    where that allows nothing else, else under a name that none of `policies` (documents by name) has."""
    name = near if near is not None and _means_one_group(policies[near]) else _free_name(delivery, policies)
    put = f"aws logs put-resource-policy --policy-name {shlex.quote(name)} --policy-document file:///dev/stdin"
    rule = delivery.owner_name if delivery.bus == "default" else f"{delivery.bus}/{delivery.owner_name}"
    return in_region(f"hinoban rules {shlex.quote(rule)} --policy | {put}", delivery.region)


def _free_name(delivery: Delivery, policies: Mapping[str, str]) -> str:
    base = "-".join((_POLICY, *((delivery.bus,) if delivery.bus != "default" else ()), delivery.owner_name))
    return next(name for name in (base, *(f"{base}-{number}" for number in range(2, len(policies) + 3))) if name not in policies)


def _means_one_group(document: str) -> bool:
    """Whether it is one statement that lets events into one log group, and nothing more."""
    try:
        statements = parse(document).statements
    except BadPolicy:
        return False
    one = statements[0]
    return (
        len(statements) == len(one.resources) == 1
        and not one.negated
        and one.principals.keys() == {"Service"}
        and _PRINCIPALS.issuperset(one.principals["Service"])
        and _ACTIONS.issuperset(action.lower() for action in one.actions)
    )


def log_group(group: str, region: str) -> str:
    """Make the log group."""
    return in_region(f"aws logs create-log-group --log-group-name {shlex.quote(group)}", region)


def topic(name: str, region: str) -> str:
    """Make the topic."""
    return in_region(f"aws sns create-topic --name {shlex.quote(name)}", region)


def queue(name: str, region: str) -> str:
    """Make the queue."""
    attributes = " --attributes FifoQueue=true,ContentBasedDeduplication=true" if name.endswith(".fifo") else ""
    return in_region(f"{_SQS} create-queue --queue-name {shlex.quote(name)}{attributes}", region)


def topic_policy(arn: str, present: str | None, *, rule_arn: str, account: str) -> str:
    """Add to the topic's policy what lets the rule in."""
    document = shlex.quote(_joined(present, needed(arn, rule_arn=rule_arn, account=account)))
    command = f"aws sns set-topic-attributes --topic-arn {shlex.quote(arn)} --attribute-name Policy --attribute-value {document}"
    return in_region(command, arns.parse(arn).region)


def queue_policy(arn: str, url: str, present: str | None, *, rule_arn: str, account: str) -> str:
    """Add to the queue's policy what lets the rule in."""
    document = _joined(present, needed(arn, rule_arn=rule_arn, account=account))
    attributes = shlex.quote(msgspec.json.encode({"Policy": document}).decode())
    return in_region(f"{_SQS} set-queue-attributes --queue-url {shlex.quote(url)} --attributes {attributes}", arns.parse(arn).region)


def _joined(present: str | None, wanted: dict[str, Any]) -> str:
    """The policy that is there with the statements that lack; one of the same Sid is replaced."""
    try:
        document = msgspec.json.decode(present or "{}")
        statements = document.get("Statement", [])
    except (msgspec.DecodeError, AttributeError):
        document, statements = {}, []
    sids = {statement["Sid"] for statement in wanted["Statement"]}
    given = statements if isinstance(statements, list) else [statements]
    kept = [each for each in given if isinstance(each, dict) and each.get("Sid") not in sids]
    return msgspec.json.encode({**wanted, **document, "Statement": [*kept, *wanted["Statement"]]}).decode()

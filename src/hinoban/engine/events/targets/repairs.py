"""Commands that repair what kept a delivery from its target; each works as pasted. PURE."""

import shlex
from typing import Any

import msgspec

from hinoban.aws import arns
from hinoban.aws.iam_match import needed
from hinoban.engine.events.targets.queue import Delivery

_DEFAULT_POLICY = "EventBridgeCloudWatchLogs"


def in_region(command: str, region: str) -> str:
    """The command with its region, which the reader's own settings may not name."""
    return f"{command} --region {region}"


def log_policy(delivery: Delivery, policy: str = _DEFAULT_POLICY) -> str:
    """Put the policy that the rule's log group needs, over the one of that name."""
    put = f"aws logs put-resource-policy --policy-name {shlex.quote(policy)} --policy-document file:///dev/stdin"
    return f"hinoban rules {shlex.quote(delivery.owner_name)} --policy | {put}"


def log_group(group: str, region: str) -> str:
    """Make the log group."""
    return in_region(f"aws logs create-log-group --log-group-name {shlex.quote(group)}", region)


def topic(name: str, region: str) -> str:
    """Make the topic."""
    return in_region(f"aws sns create-topic --name {shlex.quote(name)}", region)


def queue(name: str, region: str) -> str:
    """Make the queue."""
    attributes = " --attributes FifoQueue=true,ContentBasedDeduplication=true" if name.endswith(".fifo") else ""
    return in_region(f"aws sqs create-queue --queue-name {shlex.quote(name)}{attributes}", region)


def topic_policy(arn: str, present: str | None, *, rule_arn: str, account: str) -> str:
    """Add to the topic's policy what lets the rule in."""
    document = shlex.quote(_joined(present, needed(arn, rule_arn=rule_arn, account=account)))
    command = f"aws sns set-topic-attributes --topic-arn {arn} --attribute-name Policy --attribute-value {document}"
    return in_region(command, arns.parse(arn).region)


def queue_policy(arn: str, url: str, present: str | None, *, rule_arn: str, account: str) -> str:
    """Add to the queue's policy what lets the rule in."""
    document = _joined(present, needed(arn, rule_arn=rule_arn, account=account))
    attributes = shlex.quote(msgspec.json.encode({"Policy": document}).decode())
    return in_region(f"aws sqs set-queue-attributes --queue-url {shlex.quote(url)} --attributes {attributes}", arns.parse(arn).region)


def _joined(present: str | None, wanted: dict[str, Any]) -> str:
    """The policy that is there with the statements that lack; one of the same Sid is replaced."""
    try:
        document = msgspec.json.decode(present or "{}")
        statements = document.get("Statement", [])
    except (msgspec.DecodeError, AttributeError):
        document, statements = {}, []
    sids = {statement["Sid"] for statement in wanted["Statement"]}
    kept = [each for each in (statements if isinstance(statements, list) else [statements]) if each.get("Sid") not in sids]
    return msgspec.json.encode({**wanted, **document, "Statement": [*kept, *wanted["Statement"]]}).decode()

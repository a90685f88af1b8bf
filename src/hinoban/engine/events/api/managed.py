"""The rule that EventBridge itself puts on a bus for each of its archives, as it is listed and described. PURE.

It is shown only: the archive keeps its events without it. Its shape is the one that moto's test of archives was verified with on AWS.
"""

from typing import Any

import msgspec

from hinoban.aws import arns
from hinoban.engine.events.model import Archive, Rule, rule_arn
from hinoban.engine.events.state import EventsState

MANAGED_BY = "prod.vhs.events.aws.internal"
_NOT_REPLAYED = [{"exists": False}]
_TEMPLATE = '{"archive-arn": "%s", "event": <aws.events.event.json>, "ingestion-time": <aws.events.event.ingestion-time>}'


def managed_rules(state: EventsState, region: str, bus: str) -> dict[str, Rule]:
    """The managed rules of a bus by name."""
    rules = [_rule(one, state.account) for one in state.archives.archives.values() if (one.region, one.bus) == (region, bus)]
    return {rule.name: rule for rule in rules}


def _rule(archive: Archive, account: str) -> Rule:
    """It matches what the archive keeps: nothing that is replayed. Its target is a place within EventBridge; the Id is UNCONFIRMED."""
    name = f"Events-Archive-{archive.name}"
    pattern: dict[str, Any] = msgspec.json.decode(archive.pattern) if archive.pattern else {}
    target = {
        "Id": name,
        "Arn": f"arn:{arns.partition_of(archive.region)}:events:{archive.region}:::",
        "InputTransformer": {"InputPathsMap": {}, "InputTemplate": _TEMPLATE % archive.arn},
    }
    return Rule(
        region=archive.region,
        bus=archive.bus,
        name=name,
        arn=rule_arn(archive.region, account, archive.bus, name),
        pattern=msgspec.json.encode(pattern | {"replay-name": _NOT_REPLAYED}).decode(),
        created_at=archive.created_at,
        created_by=account,
        managed_by=MANAGED_BY,
        targets={name: target},
    )

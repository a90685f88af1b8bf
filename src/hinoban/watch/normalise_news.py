"""The engine's own lines on slots and deliveries, and CloudTrail's on who changed what a scheduled run stands on. Pure."""

from collections.abc import Mapping
from typing import Any

from hinoban.base import units
from hinoban.watch.model import DeliveryNews, Doing, SlotNews

SLOT = "Hinoban Slot"
DELIVERIES = {
    "Hinoban Delivery Failed": "failed",
    "Hinoban Delivery Recovered": "recovered",
    "Hinoban Policy Mismatch": "mismatch",
    "Hinoban Policy Covers": "covered",
    "Hinoban Mail Unsent": "unsent",
}

_RULE_CALLS = frozenset({"PutRule", "DeleteRule", "EnableRule", "DisableRule", "PutTargets", "RemoveTargets"})
_SCHEDULE_CALLS = frozenset({"CreateSchedule", "UpdateSchedule", "DeleteSchedule"})


def doing(record: Mapping[str, Any], account: str) -> Doing | None:
    """A write that schedules depend on, where it was accepted; None for every other call."""
    if record.get("errorCode"):
        return None
    identity = record.get("userIdentity") or {}
    subject = _subject(str(record.get("eventName")), record.get("requestParameters") or {}, record.get("responseElements") or {})
    caller = identity.get("arn") or identity.get("invokedBy")
    if subject is None or not caller:
        return None
    return Doing(
        event_id=record["eventID"],
        at=units.parse_iso(record["eventTime"]),
        account=account,
        region=record["awsRegion"],
        name=record["eventName"],
        subject=subject,
        caller=caller,
    )


def _subject(name: str, asked: Mapping[str, Any], answered: Mapping[str, Any]) -> str | None:
    """CloudTrail spells members with a small first letter (facts/cloudtrail_sns_lambda.md §1.3); the engine, as they were sent."""

    def sent(member: str) -> str:
        return str(asked.get(member) or asked.get(member[0].lower() + member[1:]) or "")

    if name in _RULE_CALLS:
        return f"rule/{sent('Name') or sent('Rule')}"
    if name in _SCHEDULE_CALLS:
        return f"schedule/{sent('GroupName') or 'default'}/{sent('Name')}"
    if name == "DeleteScheduleGroup":
        return f"group/{sent('Name')}"
    if name in ("RegisterTaskDefinition", "DeregisterTaskDefinition"):
        arn = str((answered.get("taskDefinition") or {}).get("taskDefinitionArn") or sent("TaskDefinition"))
        return f"definition/{arn.rpartition('/')[2]}"
    if name in ("CreateCluster", "DeleteCluster"):
        cluster = sent("Cluster") or sent("ClusterName") or "default"
        return f"cluster/{cluster.rpartition('/')[2]}"
    return None


def slot_news(event_id: str, time: str, account: str, region: str, detail: Mapping[str, Any]) -> SlotNews:
    """A "Hinoban Slot" line."""
    fired = detail["decision"] == "fired"
    first = units.parse_iso(detail["slot"] if fired else detail["first"])
    ecs = [one for one in detail.get("targets") or () if ":ecs:" in one["arn"] and ":cluster/" in one["arn"]]
    return SlotNews(
        event_id=event_id,
        at=units.parse_iso(time),
        account=account,
        region=region,
        arn=detail["arn"],
        kind=detail["kind"],
        name=detail["name"],
        group=detail.get("group"),
        expression=detail.get("expression") or "",
        timezone=detail.get("timezone") or "UTC",
        fired=fired,
        first=first,
        last=first if fired else units.parse_iso(detail["last"]),
        count=1 if fired else int(detail["count"]),
        reason=str(detail.get("reason") or ""),
        tokens={one["id"]: one.get("token") or "" for one in ecs},
        clusters={one["id"]: one["arn"].rpartition("/")[2] for one in ecs},
    )


def delivery_news(what: Any, event_id: str, time: str, account: str, region: str, detail: dict[str, Any]) -> DeliveryNews:
    """A line on a delivery, or on a mail that could not go out."""
    return DeliveryNews(
        event_id=event_id,
        at=units.parse_iso(time),
        account=account,
        region=region,
        what=what,
        arn=str(detail.get("arn") or detail.get("topic") or ""),
        name=str(detail.get("name") or str(detail.get("topic") or "").rpartition(":")[2]),
        target_id=str((detail.get("target") or {}).get("id") or detail.get("to") or ""),
        detail=detail,
    )

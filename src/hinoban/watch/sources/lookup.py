"""CloudTrail's event history as envelopes: what LookupEvents tells of RunTask, in the shape EventBridge would have given it. PURE.

Shape: facts/cloudtrail_sns_lambda.md §1.5. `CloudTrailEvent` is the record as a JSON string; one that is none is left out.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from hinoban.watch.normalise import CALL_EVENT

_record = msgspec.json.Decoder(dict[str, Any]).decode
SOURCES = {"ecs.amazonaws.com": "aws.ecs", "events.amazonaws.com": "aws.events", "scheduler.amazonaws.com": "aws.scheduler"}
"""CloudTrail's names of services -> EventBridge's, of those whose calls matter."""
LAUNCH = "RunTask"
STANDING = (LAUNCH, "StopTask")
"""What a watch that stays asks for each minute: what was launched or refused, and who stopped what."""
DOINGS = (
    *("PutRule", "EnableRule", "DisableRule", "DeleteRule", "PutTargets", "RemoveTargets"),
    *("CreateSchedule", "UpdateSchedule", "DeleteSchedule", "DeleteScheduleGroup"),
    *("RegisterTaskDefinition", "DeregisterTaskDefinition", "DeleteCluster"),
)
"""And every quarter of an hour: who changed what scheduled runs stand on. What is changed is seen by the inventory, sooner."""


class Look(msgspec.Struct):
    """One kind of call: how often it is asked for, when next, and up to when everything was read; `made` once there was an answer."""

    name: str
    every: float
    watermark: float
    at: float = 0.0
    deep_at: float = 0.0
    made: bool = False


def asked(event_name: str, since: float, until: float) -> dict[str, Any]:
    """LookupEvents' parameters; it takes one attribute, so that the event's source is looked at here."""
    attribute = {"AttributeKey": "EventName", "AttributeValue": event_name}
    return {"LookupAttributes": [attribute], "StartTime": since, "EndTime": until, "MaxResults": 50}


def looked_up(event: Mapping[str, Any]) -> bytes | None:
    """The envelope of one event of `SOURCES`; None for another service's, and for what is no record."""
    try:
        record = _record(event.get("CloudTrailEvent") or "")
        if (source := SOURCES.get(str(record.get("eventSource")))) is None:
            return None
        envelope = {
            "version": "0",
            "id": record["eventID"],
            "detail-type": CALL_EVENT,
            "source": source,
            "account": record.get("recipientAccountId") or (record.get("userIdentity") or {}).get("accountId") or "",
            "time": record["eventTime"],
            "region": record["awsRegion"],
            "resources": [],
            "detail": record,
        }
    except (msgspec.DecodeError, KeyError, TypeError):
        return None
    return msgspec.json.encode(envelope)

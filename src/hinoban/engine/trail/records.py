"""A CloudTrail record of an API call, and the event that carries it (facts/cloudtrail_sns_lambda.md §1). PURE but for its ids.

Writes and errors are recorded in the journal, reads that succeed in the ring. There are two views of a record: the journal's has ECS's
environments, which a retry needs; what leaves by CloudTrail's roads (LookupEvents, the default bus, a log group) is `outgoing`, in
which they are hidden. Differs from AWS: the journal and the feed hold the values of ECS's environments.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from hinoban.aws.call import Call, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.base.ids import Ids
from hinoban.base.units import iso_seconds
from hinoban.engine.journal import Journal
from hinoban.engine.trail import printing
from hinoban.engine.trail.identity import user_identity
from hinoban.engine.trail.ring import Read, Ring

DETAIL_TYPE = "AWS API Call via CloudTrail"
_READS = ("Describe", "List", "Get", "Filter", "Test", "Lookup")
# Data events (facts/cloudtrail_sns_lambda.md §1.1: management events only): what is put into a log or on a bus is not the trail's matter.
_NOT_RECORDED = frozenset({"PutLogEvents", "PutEvents"})
_DENIED = "AccessDenied"
# Their members begin small on the wire as in a record, and nothing of theirs must be kept from our own journal.
_AS_ON_THE_WIRE = frozenset({"ecs", "logs"})
_LONGEST_TEXT = 1024
_MOMENT = re.compile(rb'("\w*At"):(\d+)\.\d+')
_encode = msgspec.json.Encoder().encode


def is_read(operation: str) -> bool:
    """Whether the operation only reads."""
    return operation.startswith(_READS)


class Trail:
    """Writes the records of calls into the journal, in the transaction of what the call did. `told` is called after each record."""

    def __init__(self, journal: Journal, ids: Ids, ring: Ring, told: Callable[[], None] | None = None) -> None:
        self._journal = journal
        self._ids = ids
        self._ring = ring
        self._told = told

    def audit(self, call: Call, params: Params | None, outcome: Result | AwsError) -> None:
        """Record a write, or an error of any call; remember a read."""
        if call.operation in _NOT_RECORDED:
            return
        if is_read(call.operation) and not isinstance(outcome, AwsError):
            self._ring.add(call, params, self._journal.written)
        else:
            made = envelope(call, params, outcome, event_id=self._ids.uuid(), envelope_id=self._ids.uuid())
            self._journal.write(made, call.operation)
        if self._told is not None:
            self._told()


def of_read(read: Read, ring: Ring) -> dict[str, Any]:
    """The envelope of a read that was answered, as plain JSON."""
    event_id, envelope_id = ring.envelope_ids(read)
    made: dict[str, Any] = msgspec.json.decode(_encode(envelope(read.call, read.params, {}, event_id=event_id, envelope_id=envelope_id)))
    return made


def outgoing(made: dict[str, Any]) -> dict[str, Any]:
    """The decoded envelope of a record as it leaves by CloudTrail's roads.

    A refused ECS call with a ClientException has no parameters there (facts/ecs.md §6.7, measured); our journal keeps them.
    """
    detail = dict(made["detail"])
    service = detail["eventSource"].partition(".")[0]
    if service == "ecs":
        asked, answered = detail["requestParameters"], detail["responseElements"]
        if detail.get("errorCode") == "ClientException":
            asked = None
        detail["requestParameters"] = printing.request(service, detail["eventName"], asked) if asked else None
        detail["responseElements"] = printing.response(service, detail["eventName"], answered) if answered else None
    return made | {"detail": detail}


def envelope(call: Call, params: Params | None, outcome: Result | AwsError, *, event_id: str, envelope_id: str) -> dict[str, Any]:
    """The record in its EventBridge envelope; `resources` is always empty there (facts/eventbridge.md §2)."""
    return {
        "version": "0",
        "id": envelope_id,
        "detail-type": DETAIL_TYPE,
        "source": f"aws.{call.service}",
        "account": call.account,
        "time": iso_seconds(call.now),
        "region": call.region,
        "resources": [],
        "detail": record(call, params, outcome, event_id),
    }


def record(call: Call, params: Params | None, outcome: Result | AwsError, event_id: str) -> dict[str, Any]:
    """One record: success, 200 with failures[], or an error whose responseElements are null (facts/ecs.md §6.7)."""
    found: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": user_identity(call.caller, call.account, call.now),
        "eventTime": iso_seconds(call.now),
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": call.operation,
        "awsRegion": call.region,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent[:_LONGEST_TEXT],
    }
    if isinstance(outcome, AwsError):
        denied = outcome.code.startswith(_DENIED)
        # AccessDenied, whichever of its two names the service answered (facts/cloudtrail_sns_lambda.md §1.3).
        found["errorCode"] = _DENIED if denied else outcome.code
        params = None if denied else params
        found["errorMessage"] = outcome.message[:_LONGEST_TEXT]
    found["requestParameters"] = _parameters(call, params) if params else None
    found["responseElements"] = None if isinstance(outcome, AwsError) or is_read(call.operation) else _elements(call, outcome)
    found["requestID"] = call.request_id
    found["eventID"] = event_id
    found["readOnly"] = is_read(call.operation)
    found["eventType"] = "AwsApiCall"
    found["managementEvent"] = True
    found["recipientAccountId"] = call.account
    found["eventCategory"] = "Management"
    return found


def _parameters(call: Call, params: Params) -> Any:
    return params if call.service in _AS_ON_THE_WIRE else printing.request(call.service, call.operation, params)


def _elements(call: Call, result: Result) -> Any:
    """The answer as CloudTrail prints it: moments as words, in UTC; null where the answer is empty.

    As JSON already, in which a member's name cannot stand inside a text: there its quotes would be escaped.
    """
    if not result:
        return None
    if call.service not in _AS_ON_THE_WIRE:
        return printing.response(call.service, call.operation, result)
    return msgspec.Raw(_MOMENT.sub(_in_words, _encode(result)))


def _in_words(found: re.Match[bytes]) -> bytes:
    return b'%b:"%b"' % (found[1], printing.in_words(int(found[2])).encode())

"""A CloudTrail record of an API call, and the event that carries it (facts/cloudtrail_sns_lambda.md §1). PURE but for its ids.

Writes and errors are recorded in the journal; reads that succeed are not. Differs from AWS: the record holds the values of
environment overrides, because it never leaves this machine and a retry needs them.
"""

import functools
import re
from datetime import UTC, datetime
from typing import Any

import msgspec

from hinoban.aws.call import Call, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.base.ids import Ids
from hinoban.base.units import iso_seconds
from hinoban.engine.journal import Journal

_READS = ("Describe", "List", "Get", "Filter", "Test")
# Data events (facts/cloudtrail_sns_lambda.md §1.1: management events only): what is put into a log is not the trail's matter.
_NOT_RECORDED = frozenset({"PutLogEvents"})
_LONGEST_TEXT = 1024
_MOMENT = re.compile(rb'("\w*At"):(\d+)\.\d+')
_encode = msgspec.json.Encoder().encode


def is_read(operation: str) -> bool:
    """Whether the operation only reads."""
    return operation.startswith(_READS)


class Trail:
    """Writes the records of calls into the journal, in the transaction of what the call did."""

    def __init__(self, journal: Journal, ids: Ids) -> None:
        self._journal = journal
        self._ids = ids

    def audit(self, call: Call, params: Params | None, outcome: Result | AwsError) -> None:
        """Record a write, or an error of any call."""
        if call.operation in _NOT_RECORDED or (is_read(call.operation) and not isinstance(outcome, AwsError)):
            return
        self._journal.write(envelope(call, params, outcome, event_id=self._ids.uuid(), envelope_id=self._ids.uuid()))


def envelope(call: Call, params: Params | None, outcome: Result | AwsError, *, event_id: str, envelope_id: str) -> dict[str, Any]:
    """The record in its EventBridge envelope; `resources` is always empty there (facts/eventbridge.md §2)."""
    return {
        "version": "0",
        "id": envelope_id,
        "detail-type": "AWS API Call via CloudTrail",
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
        "userIdentity": {
            "type": call.caller.principal_type,
            "principalId": call.caller.access_key_id,
            "arn": call.caller.principal_arn,
            "accountId": call.account,
            "accessKeyId": call.caller.access_key_id,
            "userName": call.caller.principal_arn.rpartition("/")[2],
        },
        "eventTime": iso_seconds(call.now),
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": call.operation,
        "awsRegion": call.region,
        "sourceIPAddress": call.source_ip,
        "userAgent": call.user_agent[:_LONGEST_TEXT],
    }
    if isinstance(outcome, AwsError):
        found["errorCode"] = outcome.code
        found["errorMessage"] = outcome.message[:_LONGEST_TEXT]
    found["requestParameters"] = params or None
    found["responseElements"] = None if isinstance(outcome, AwsError) or is_read(call.operation) else _elements(outcome)
    found["requestID"] = call.request_id
    found["eventID"] = event_id
    found["readOnly"] = is_read(call.operation)
    found["eventType"] = "AwsApiCall"
    found["managementEvent"] = True
    found["recipientAccountId"] = call.account
    found["eventCategory"] = "Management"
    return found


def _elements(result: Result) -> Any:
    """The answer as CloudTrail prints it: moments as words, in UTC; null where the answer is empty.

    As JSON already, in which a member's name cannot stand inside a text: there its quotes would be escaped.
    """
    return msgspec.Raw(_MOMENT.sub(_in_words, _encode(result))) if result else None


def _in_words(found: re.Match[bytes]) -> bytes:
    return b'%b:"%b"' % (found[1], _worded(int(found[2])))


@functools.lru_cache(maxsize=1024)
def _worded(second: int) -> bytes:
    moment = datetime.fromtimestamp(second, UTC)
    return f"{moment:%b} {moment.day}, {moment.year}, {int(moment.strftime('%I'))}:{moment:%M:%S %p}".encode()

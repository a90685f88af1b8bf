"""A log group as a target: one log event for each event, if a resource policy lets EventBridge write (facts/eventbridge.md §6.2, logs.md §4)."""

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from hinoban.aws import arns, iam_match
from hinoban.base.units import parse_iso
from hinoban.engine.events.targets import repairs
from hinoban.engine.events.targets.failure import Failure
from hinoban.engine.events.targets.parcel import Mismatch, Parcel
from hinoban.engine.events.targets.queue import Delivery
from hinoban.engine.events.targets.transform import compact

_SERVICE = "events.amazonaws.com"
_END = 1 << 63  # of a log event's timestamp (botocore's model of `logs`)
_ACTIONS = ("logs:CreateLogStream", "logs:PutLogEvents")


class LogStore(Protocol):
    """As much of engine.logs.service.Logs as a delivery needs."""

    def group_exists(self, region: str, group: str) -> bool: ...

    def policies(self, region: str) -> Mapping[str, str]: ...

    def put_event(self, region: str, group: str, stream: str, timestamp_ms: int, message: str) -> None: ...


class LogsTarget:
    """Writes events. With `strict` a policy that does not cover its group by IAM's rules refuses, also where its author meant it to.

    Differs from AWS (unless `strict`): a policy for `GROUP/*:*` lets through to GROUP itself, and that is told (seed 002, whose author
    saw events arrive: facts/eventbridge.md §10).
    """

    def __init__(self, logs: LogStore, account: str, *, strict: bool) -> None:
        self._logs = logs
        self._account = account
        self._strict = strict

    async def deliver(self, parcel: Parcel) -> Mismatch | None:
        delivery = parcel.delivery
        region = delivery.region
        # Whether AWS delivers to an ARN that ends in `:*` is disputed: here it does (facts/eventbridge.md §6.2).
        group_arn = delivery.target_arn.removesuffix(":*")
        group = arns.parse(group_arn).resource.removeprefix("log-group:")
        if not self._logs.group_exists(region, group):
            why = f"the log group {group} does not exist"
            raise Failure("NO_RESOURCE", why, why, repair=repairs.log_group(group, region), target_code="ResourceNotFoundException")
        stream = stream_name(delivery)
        mismatch = self._admit(delivery, group, group_arn, stream)
        moment, message = _log_event(parcel)
        try:
            self._logs.put_event(region, group, stream, moment, message)
        except OSError as error:
            raise Failure("ERROR_FROM_TARGET", str(error), f"writing to {group} failed: {error}", transient=True) from error
        return mismatch

    def _admit(self, delivery: Delivery, group: str, group_arn: str, stream: str) -> Mismatch | None:
        """Whether EventBridge may write here: None, a Mismatch where it was meant to, or a Failure."""
        policies = self._logs.policies(delivery.region)
        asked: dict[str, Any] = {
            "service": _SERVICE,
            "resource": f"{group_arn}:log-stream:{stream}",
            "context": {"aws:SourceArn": delivery.owner_arn, "aws:SourceAccount": self._account},
        }
        judged = [[iam_match.judge(document, action=action, **asked) for document in policies.values()] for action in _ACTIONS]
        if any(one.denied for each in judged for one in each):
            raise _refused(f"a resource policy denies {_SERVICE} to write to {group}", None)
        if all(any(one.allowed for one in each) for each in judged):
            return None
        for name, document in policies.items():
            meant = [iam_match.nearly(document, action=action, **asked) for action in _ACTIONS]
            if (allows := meant[1]) is not None and meant[0] is not None:
                repair = repairs.log_policy(delivery, policies, name)
                if self._strict:
                    raise _refused(f"the resource policy {name} allows {_short(allows)} but the group is {_short(group_arn)}:*", repair)
                return Mismatch(policy=name, document=document, allows=allows, needs=f"{group_arn}:*", repair=repair)
        raise _refused(f"no resource policy lets {_SERVICE} write to {group}", repairs.log_policy(delivery, policies))


def stream_name(delivery: Delivery) -> str:
    """An opaque name as EventBridge gives: here one for each rule, target and day, so that a month of events is not a stream each."""
    day = int(delivery.created_at // 86400)
    digest = hashlib.sha256(f"{delivery.owner_arn}\x1f{delivery.target_id}\x1f{day}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"


def _log_event(parcel: Parcel) -> tuple[int, str]:
    """Timestamp in milliseconds and message. A constant or a template must spell both (facts/eventbridge.md §6.2)."""
    event = parcel.delivery.event or {}
    moment = _milliseconds(event.get("time")) or round(parcel.delivery.created_at * 1000)
    if "Input" not in parcel.delivery.target and "InputTransformer" not in parcel.delivery.target:
        return moment, parcel.text
    try:
        given = msgspec.json.decode(parcel.text)
    except (msgspec.DecodeError, RecursionError):
        given = None
    at = _milliseconds(given.get("timestamp")) if isinstance(given, dict) else None
    if not isinstance(given, dict) or at is None or "message" not in given:
        why = 'the input for a log group must be {"timestamp": <timestamp>, "message": <message>}'
        raise Failure("INVALID_JSON", why, why)
    message = given["message"]
    return at, message if isinstance(message, str) else compact(message)


def _milliseconds(moment: object) -> int | None:
    """Of milliseconds, or of an ISO 8601 moment; None for what is no moment of a log event."""
    try:
        if isinstance(moment, str):
            found = int(moment) if moment.isdigit() else round(parse_iso(moment) * 1000)
        elif isinstance(moment, int | float) and not isinstance(moment, bool):
            found = round(moment)
        else:
            return None
    except ValueError:
        return None
    return found if 0 <= found < _END else None


def _refused(why: str, repair: str | None) -> Failure:
    return Failure("NO_PERMISSIONS", why, why, repair=repair, target_code="AccessDeniedException")


def _short(arn: str) -> str:
    """`…/ECSStatus/*:*`: as much of a resource as tells it from its neighbours."""
    name = arn.rpartition(":log-group:")[2] or arn
    bare = next((name.removesuffix(end) for end in ("/*:*", "/*", ":*") if name.endswith(end)), name)
    head, slash, _ = bare.rpartition("/")
    return f"…{slash}{name[len(head) + 1 :]}" if head else name

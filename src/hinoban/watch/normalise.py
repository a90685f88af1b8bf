"""Turns what AWS or our engine sent into an observation, or None where the watch has no use for it. Pure.

Shapes: facts/ecs.md §6.2 (task event), facts/cloudtrail_sns_lambda.md §1 (RunTask's record), §1.3 of ecs.md (DescribeTasks' answer).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from hinoban.base import units
from hinoban.base.ids import derived_id
from hinoban.watch.model import DeliveryNews, Doing, Launch, LaunchFailure, News, Observation, Older, SlotNews, Stop, TaskChange
from hinoban.watch.normalise_news import DELIVERIES, SLOT, delivery_news, doing, slot_news
from hinoban.watch.normalise_services import KINDS, service_news
from hinoban.watch.normalise_shapes import MOMENTS, MOST_VERSION, Unreadable, check_launch, check_task
from hinoban.watch.service_model import ServiceNews

_STATES = ("PROVISIONING", "PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED", "DELETED")
TASK_EVENT = "ECS Task State Change"
CALL_EVENT = "AWS API Call via CloudTrail"

_SOURCES = frozenset({"aws.ecs", "aws.events", "aws.scheduler"})


class Envelope(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """What we read of an EventBridge envelope; the detail is decoded only where it is of use."""

    id: str
    detail_type: str
    source: str
    account: str
    region: str
    time: str
    detail: msgspec.Raw


class _Named(msgspec.Struct, frozen=True, rename="camel"):
    """What names a task event; any other detail has no taskArn."""

    task_arn: str = ""
    version: int = 0
    last_status: str = ""


class _Glimpse(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    """An envelope read only as far as to know which task it is about: half the time of reading all of it."""

    detail_type: str
    source: str
    account: str
    region: str
    detail: _Named


_glance = msgspec.json.Decoder(_Glimpse).decode
_decode_envelope = msgspec.json.Decoder(Envelope).decode
_decode_detail = msgspec.json.Decoder(dict[str, Any]).decode


def observations(
    events: Sequence[bytes], broken: list[tuple[bytes, str]] | None = None
) -> list[tuple[bytes, Observation | Stop | News | ServiceNews | Older]]:
    """What envelopes that came together tell, each with its bytes, in the order in which it happened: queues keep none. Within a second,
    which is all that CloudTrail knows, what brings about other things comes first. Of a task's events only the latest is read whole; the others stand
    behind everything else, as `Older`. What is of a kind that we know and cannot be read goes into `broken`, with the reason."""
    broken = [] if broken is None else broken
    names = [_task_event(raw) for raw in events]
    latest: dict[tuple[str, str, str], int] = {}
    for place, older in enumerate(names):
        if older is not None:
            name = (older.task_arn, older.region, older.account)
            if (before := names[latest.get(name, place)]) is None or older.version >= before.version:
                latest[name] = place
    told: list[tuple[bytes, Observation | Stop | News | ServiceNews | Older]] = []
    behind: list[tuple[bytes, Observation | Stop | News | ServiceNews | Older]] = []
    for place, (raw, older) in enumerate(zip(events, names, strict=True)):
        if older is not None and latest[(older.task_arn, older.region, older.account)] != place:
            behind.append((raw, older))
            continue
        try:
            if (seen := read(raw)) is not None:
                told.append((raw, seen))
        except Unreadable as error:
            if older is not None:
                # The latest cannot be read: its elders are read as if it had not come.
                broken.clear()
                return sorted(_each(events, broken), key=_happened)
            broken.append((raw, str(error)))
    told.sort(key=_happened)
    return told + behind


def _each(events: Sequence[bytes], broken: list[tuple[bytes, str]]) -> Iterator[tuple[bytes, Observation | Stop | News | ServiceNews]]:
    for raw in events:
        try:
            if (seen := read(raw)) is not None:
                yield raw, seen
        except Unreadable as error:
            broken.append((raw, str(error)))


_IN_A_SECOND: tuple[type, ...] = (Doing, SlotNews, Launch, Stop, TaskChange, DeliveryNews)
"""What brings about what: a call its tasks, a slot its call. All others come last."""
_RANKS = {kind: rank for rank, kind in enumerate(_IN_A_SECOND)}


def _happened(told: tuple[bytes, Observation | Stop | News | ServiceNews | Older]) -> tuple[int, int, float, str]:
    seen = told[1]
    if isinstance(seen, Older):
        return 0, 0, 0.0, ""
    return int(seen.at), _RANKS.get(type(seen), len(_RANKS)), seen.at, seen.event_id


def _task_event(raw: bytes) -> Older | None:
    """Which task event this is; None for everything else."""
    try:
        seen = _glance(raw)
    except msgspec.DecodeError:
        return None
    if seen.source != "aws.ecs" or seen.detail_type != TASK_EVENT or not seen.detail.task_arn:
        return None
    if not 0 < seen.detail.version <= MOST_VERSION:
        return None
    return Older(seen.account, seen.region, seen.detail.task_arn, seen.detail.version, seen.detail.last_status == "STOPPED")


def observation(raw: bytes | msgspec.Raw) -> Observation | Stop | News | ServiceNews | None:
    """What an envelope (JSON bytes) tells; None for kinds we do not know and for what cannot be read."""
    try:
        return read(raw)
    except Unreadable:
        # One broken event must not end the watch; AWS may add or change kinds at any time (facts/ecs.md §6.1).
        return None


def read(raw: bytes | msgspec.Raw) -> Observation | Stop | News | ServiceNews | None:
    """What an envelope (JSON bytes) tells; None for kinds we do not know. Unreadable says why it cannot be read."""
    try:
        envelope = _decode_envelope(raw)
        if envelope.detail_type == TASK_EVENT and envelope.source == "aws.ecs":
            return task_change(envelope, _decode_detail(envelope.detail))
        if envelope.detail_type == CALL_EVENT and envelope.source in _SOURCES:
            record = _decode_detail(envelope.detail)
            return launch(envelope, record) or stop(record) or doing(record, envelope.account)
        if envelope.detail_type in KINDS:
            return service_news(raw)
        if envelope.source.startswith("hinoban."):
            if envelope.detail_type == SLOT:
                return slot_news(envelope.id, envelope.time, envelope.account, envelope.region, _decode_detail(envelope.detail))
            if (what := DELIVERIES.get(envelope.detail_type)) is not None:
                detail = _decode_detail(envelope.detail)
                return delivery_news(what, envelope.id, envelope.time, envelope.account, envelope.region, detail)
    except KeyError as error:
        raise Unreadable(f"it has no {error}") from None
    except (msgspec.DecodeError, AttributeError, TypeError, ValueError, ArithmeticError) as error:
        raise Unreadable(str(error)) from None
    return None


def task_change(envelope: Envelope, detail: dict[str, Any]) -> TaskChange:
    """A task event; its moment is `updatedAt` (milliseconds), else the envelope's whole second."""
    check_task(detail)
    return TaskChange(
        event_id=envelope.id,
        at=units.parse_iso(detail.get("updatedAt") or envelope.time),
        account=envelope.account,
        region=envelope.region,
        task_arn=detail["taskArn"],
        version=detail["version"],
        detail=detail,
    )


def launch(envelope: Envelope, record: dict[str, Any]) -> Launch | None:
    """RunTask's three outcomes (facts/ecs.md §6.7); None for every other call."""
    if record.get("eventName") != "RunTask" or record.get("eventSource") != "ecs.amazonaws.com":
        return None
    check_launch(record)
    identity = record.get("userIdentity") or {}
    answer = record.get("responseElements") or {}
    event_id = record["eventID"]
    return Launch(
        event_id=event_id,
        launch_id=derived_id("lch", event_id),
        at=units.parse_iso(record["eventTime"]),
        account=envelope.account,
        region=record.get("awsRegion") or envelope.region,
        request=record.get("requestParameters"),
        task_arns=tuple(task["taskArn"] for task in answer.get("tasks") or ()),
        failures=tuple(LaunchFailure(f.get("reason", ""), f.get("arn"), f.get("detail")) for f in answer.get("failures") or ()),
        error_code=record.get("errorCode"),
        error_message=record.get("errorMessage"),
        caller_arn=identity.get("arn"),
        invoked_by=identity.get("invokedBy"),
    )


def stop(record: dict[str, Any]) -> Stop | None:
    """A StopTask call that was accepted, with its caller; None for every other call."""
    if record.get("eventName") != "StopTask" or record.get("eventSource") != "ecs.amazonaws.com" or record.get("errorCode"):
        return None
    identity = record.get("userIdentity") or {}
    caller = identity.get("arn") or identity.get("invokedBy")
    arn = ((record.get("responseElements") or {}).get("task") or {}).get("taskArn")
    if not caller or not arn:
        return None
    return Stop(event_id=record["eventID"], at=units.parse_iso(record["eventTime"]), task_arn=arn, caller=caller)


def versioned(task: dict[str, Any]) -> dict[str, Any]:
    """DescribeTasks' task with a version that grows with its state, where an endpoint that stands in for AWS tells none."""
    if "version" in task:
        return task
    status = task.get("lastStatus")
    return {**task, "version": _STATES.index(status) + 1 if status in _STATES else 1}


def described(task: dict[str, Any], region: str) -> bytes:
    """DescribeTasks' answer for one task as the envelope of its newest event: same (arn, version), moments spelt as events do."""
    arn = task["taskArn"]
    detail = {key: value for key, value in task.items() if key not in ("tags", "healthStatus", "platformFamily", "inferenceAccelerators")}
    for name in MOMENTS:
        if isinstance(detail.get(name), int | float):
            detail[name] = units.iso(detail[name])
    detail["containers"] = [
        {key: value for key, value in container.items() if key != "healthStatus"} for container in task.get("containers") or ()
    ]
    moment = detail.get("stoppedAt") or detail.get("startedAt") or detail.get("createdAt") or units.iso(0)
    detail.setdefault("updatedAt", moment)
    return msgspec.json.encode(
        {
            "version": "0",
            "id": f"described-{arn.rpartition('/')[2]}-{task['version']}",
            "detail-type": TASK_EVENT,
            "source": "aws.ecs",
            "account": arn.split(":")[4],
            "time": units.iso_seconds(units.parse_iso(moment)),
            "region": region,
            "resources": [arn],
            "detail": detail,
        }
    )

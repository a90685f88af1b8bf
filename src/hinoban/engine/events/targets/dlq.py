"""The dead-letter queue: what could not be delivered, with AWS's message attributes (facts/eventbridge.md §6.3, §8.3)."""

from typing import Any

from hinoban.aws.call import Params
from hinoban.base.units import iso_seconds
from hinoban.engine.events.targets.failure import Failure
from hinoban.engine.events.targets.kinds import SQS, kind_of
from hinoban.engine.events.targets.parcel import Parcel, scheduled_time
from hinoban.engine.events.targets.queues import SqsTarget
from hinoban.engine.events.targets.transform import compact

_LONGEST_TEXT = 1024  # of an attribute, so that a long answer does not cost the letter


class DeadLetters:
    """Sends what failed for good to the queue that its target names."""

    def __init__(self, queues: SqsTarget) -> None:
        self._queues = queues

    async def send(self, parcel: Parcel, failure: Failure, exhausted: str | None) -> str:
        """`sent`, `none` where the target names no queue, `failed: <why>`."""
        delivery = parcel.delivery
        arn = delivery.target.get("DeadLetterConfig", {}).get("Arn")
        if not arn:
            return "none"
        if kind_of(arn) != SQS:
            return f"failed: {arn} is no queue"
        if arn.endswith(".fifo"):
            return "failed: a dead-letter queue must be a standard queue"
        message = {"MessageBody": _body(parcel, failure), "MessageAttributes": _attributes(parcel, failure, exhausted)}
        try:
            # A rule's queue must let events.amazonaws.com in; Scheduler comes with its role (facts/eventbridge.md §6.3, §8.3).
            await self._queues.send(delivery, arn, message, checked=delivery.kind == "rule")
        except Failure as refusal:
            return f"failed: {refusal.why}"
        return "sent"


def _body(parcel: Parcel, failure: Failure) -> str:
    """A rule's event as it came; of a schedule the request that its target was asked."""
    if parcel.delivery.kind == "rule":
        return compact(parcel.delivery.event or {})
    return parcel.text if failure.request is None else compact(failure.request)


def _attributes(parcel: Parcel, failure: Failure, exhausted: str | None) -> Params:
    delivery = parcel.delivery
    values = {"TARGET_ARN": delivery.target_arn, "RETRY_ATTEMPTS": str(parcel.attempt - 1)}
    if delivery.kind == "rule":
        values |= {"RULE_ARN": delivery.owner_arn, "ERROR_CODE": failure.code, "ERROR_MESSAGE": failure.message}
    else:
        values |= {
            "SCHEDULE_ARN": delivery.owner_arn,
            "SCHEDULED_TIME": iso_seconds(scheduled_time(delivery)),
            "EXECUTION_ID": parcel.execution_id,
            "IS_PAYLOAD_TRUNCATED": "false",
            "ERROR_CODE": failure.target_code,
            "ERROR_MESSAGE": failure.target_message,
        }
    if exhausted is not None:
        values["EXHAUSTED_RETRY_CONDITION"] = exhausted
    return {name: _text(value) for name, value in values.items()}


def _text(value: str) -> dict[str, Any]:
    return {"DataType": "String", "StringValue": value[:_LONGEST_TEXT] or "-"}

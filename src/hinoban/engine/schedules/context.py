"""What a schedule's target is given: Input with its context attributes filled in, or the notification AWS sends where there is none."""

import re
from typing import Any

import msgspec

from hinoban.base.units import iso_seconds

# "Adding context attributes in EventBridge Scheduler" (user guide); facts/eventbridge.md §8.3.
_ATTRIBUTE = re.compile(r"<aws\.scheduler\.(schedule-arn|scheduled-time|execution-id|attempt-number)>")


def fill_context(text: str, *, schedule_arn: str, slot: float, execution_id: str, attempt: int) -> str:
    """`text` with every `<aws.scheduler...>` keyword replaced; a keyword that AWS does not have stays as it is.

    `slot` is the scheduled moment, not the one of a flexible window; `attempt` counts from 1; `execution_id` is new for each attempt.
    """
    values = {
        "schedule-arn": schedule_arn,
        "scheduled-time": iso_seconds(slot),
        "execution-id": execution_id,
        "attempt-number": str(attempt),
    }
    return _ATTRIBUTE.sub(lambda found: values[found[1]], text)


def default_input(*, schedule_arn: str, slot: float, execution_id: str, account: str, region: str) -> str:
    """The notification that a target without Input is given: an event's envelope whose `detail` is the text `{}`.

    UNCONFIRMED: the API Reference says only "a default notification"; the shape is the one that functions log.
    """
    notification: dict[str, Any] = {
        "version": "0",
        "id": execution_id,
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": account,
        "time": iso_seconds(slot),
        "region": region,
        "resources": [schedule_arn],
        "detail": "{}",
    }
    return msgspec.json.encode(notification).decode()

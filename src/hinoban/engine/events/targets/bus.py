"""Another event bus as a target (facts/eventbridge.md §6.2).

An event travels from one bus to one other: AWS routes nothing that came from a bus to a third one, in the same account neither (EventBridge
User Guide, "Sending and receiving events between event buses in the same account and Region"; re:Post "eventbridge max eventbuses on event
path"). Here such a delivery fails and says so, which AWS does across accounts only (THIRD_ACCOUNT_HOP_DETECTED).
"""

import shlex
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Params
from hinoban.base.ids import Ids
from hinoban.base.units import iso_seconds
from hinoban.engine.events.targets.failure import Failure
from hinoban.engine.events.targets.parcel import Mismatch, Parcel, scheduled_time
from hinoban.engine.events.targets.repairs import in_region

HasBus = Callable[[str, str], bool]
"""Whether a region has a bus of that name."""


class Publish(Protocol):
    """engine.events.router.Router.publish."""

    def __call__(self, region: str, bus: str, event: Params, *, forwarded: bool = False) -> int: ...


class BusTarget:
    """Publishes an event on another bus of this account, or a Scheduler's input as a new event."""

    def __init__(self, publish: Publish, has_bus: HasBus, account: str, ids: Ids) -> None:
        self._publish = publish
        self._has_bus = has_bus
        self._account = account
        self._ids = ids

    async def deliver(self, parcel: Parcel) -> Mismatch | None:
        delivery = parcel.delivery
        arn = arns.parse(delivery.target_arn)
        bus = arn.resource.removeprefix("event-bus/")
        if delivery.forwarded:
            why = f"the event came from another bus already, and EventBridge takes no event to a third one ({bus})"
            raise Failure("THIRD_ACCOUNT_HOP_DETECTED", why, why)
        if arn.account != self._account:
            # Differs from AWS: there is one account here.
            why = f"the bus {bus} belongs to the account {arn.account}, and Hinoban has {self._account} alone"
            raise Failure("NO_RESOURCE", why, why)
        if not self._has_bus(arn.region, bus):
            why = f"the event bus {bus} does not exist"
            repair = in_region(f"aws events create-event-bus --name {shlex.quote(bus)}", arn.region)
            raise Failure("NO_RESOURCE", why, why, repair=repair, target_code="ResourceNotFoundException")
        if delivery.kind == "schedule":
            self._publish(arn.region, bus, self._put(parcel))
        else:
            self._publish(arn.region, bus, delivery.event or {}, forwarded=True)
        return None

    def _put(self, parcel: Parcel) -> Params:
        """The event of Scheduler's templated PutEvents; its detail is the schedule's input."""
        delivery = parcel.delivery
        names = delivery.target.get("EventBridgeParameters", {})
        detail = _object(parcel.text)
        return {
            "version": "0",
            "id": self._ids.uuid(),
            "detail-type": names.get("DetailType", "Scheduled Event"),
            "source": names.get("Source", "aws.scheduler"),
            "account": self._account,
            "time": iso_seconds(scheduled_time(delivery)),
            "region": delivery.region,
            "resources": [delivery.owner_arn],
            "detail": detail,
        }


def _object(text: str) -> dict[str, Any]:
    try:
        detail = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        detail = None
    if not isinstance(detail, dict):
        raise Failure("INVALID_JSON", "Detail is malformed.", "the schedule's Input is not a JSON object", target_code="MalformedDetail")
    return detail

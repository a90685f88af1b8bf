"""What the journal is told of deliveries: lines for people and for the watch, in EventBridge's envelope. PURE but for the event's id."""

from typing import Any

from hinoban.base.ids import Ids
from hinoban.base.units import iso, iso_seconds
from hinoban.engine.events.targets.failure import Failure
from hinoban.engine.events.targets.parcel import Mismatch
from hinoban.engine.events.targets.queue import Delivery

SOURCE = "hinoban.events"


class Teller:
    """Makes the lines."""

    def __init__(self, account: str, ids: Ids) -> None:
        self._account = account
        self._ids = ids

    def failed(self, delivery: Delivery, failure: Failure, attempts: int, dlq: str, now: float) -> dict[str, Any]:
        """A delivery failed for good; `attempts` were made."""
        event = delivery.event
        detail = _about(delivery) | {
            "bus": delivery.bus,
            "code": failure.code,
            "message": failure.message,
            "why": failure.why,
            "repair": failure.repair,
            "attempts": attempts,
            "event": None if event is None else {name: event.get(name) for name in ("id", "detail-type", "source")},
            "slot": None if delivery.slot is None else iso(delivery.slot),
            "token": delivery.token,
            "dlq": dlq,
        }
        return self._line("Hinoban Delivery Failed", delivery, detail, now)

    def recovered(self, delivery: Delivery, now: float) -> dict[str, Any]:
        """The first success after a failure."""
        return self._line("Hinoban Delivery Recovered", delivery, _about(delivery) | {"bus": delivery.bus}, now)

    def mismatched(self, delivery: Delivery, mismatch: Mismatch, now: float) -> dict[str, Any]:
        """Delivered although the policy does not cover it."""
        detail = _about(delivery) | {
            "policy": mismatch.policy,
            "allows": mismatch.allows,
            "needs": mismatch.needs,
            "repair": mismatch.repair,
        }
        return self._line("Hinoban Policy Mismatch", delivery, detail, now)

    def covered(self, delivery: Delivery, now: float) -> dict[str, Any]:
        """The first success, after a mismatch, that a policy covers."""
        return self._line("Hinoban Policy Covers", delivery, _about(delivery), now)

    def _line(self, detail_type: str, delivery: Delivery, detail: dict[str, Any], now: float) -> dict[str, Any]:
        return {
            "version": "0",
            "id": self._ids.uuid(),
            "detail-type": detail_type,
            "source": SOURCE,
            "account": self._account,
            "time": iso_seconds(now),
            "region": delivery.region,
            "resources": [delivery.owner_arn],
            "detail": detail,
        }


def _about(delivery: Delivery) -> dict[str, Any]:
    return {
        "kind": delivery.kind,
        "name": delivery.owner_name,
        "arn": delivery.owner_arn,
        "target": {"id": delivery.target_id, "arn": delivery.target_arn},
    }

"""One attempt: the delivery, and the text that its target is sent this time."""

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from hinoban.aws.call import Caller, Params, Result
from hinoban.base.ids import Ids
from hinoban.base.units import iso_seconds
from hinoban.engine.events.targets.queue import Delivery
from hinoban.engine.events.targets.transform import is_transformed, target_input

_SERVICES = {"rule": "events.amazonaws.com", "schedule": "scheduler.amazonaws.com"}
_NO_ROLE = "ecsEventsRole"


class Parcel(Struct, frozen=True, kw_only=True):
    """`given`: the text comes of an Input, InputPath or InputTransformer. `execution_id` and `attempt` (from 1) are this attempt's."""

    delivery: Delivery
    text: str
    given: bool
    execution_id: str
    attempt: int


class Mismatch(Struct, frozen=True, kw_only=True):
    """What was delivered although its policy, by IAM's rules, does not cover it; `document` is the policy's text."""

    policy: str
    document: str
    allows: str
    needs: str
    repair: str


class Adapter(Protocol):
    """Delivers to one kind of target."""

    async def deliver(self, parcel: Parcel) -> Mismatch | None:
        """Return when the target has it; Failure where it has not."""
        ...


class Invoke(Protocol):
    """aws.server.Endpoint.invoke."""

    def __call__(self, service: str, operation_name: str, params: Params, *, region: str, caller: Caller) -> Result: ...


class FillContext(Protocol):
    """engine.schedules.context.fill_context."""

    def __call__(self, text: str, *, schedule_arn: str, slot: float, execution_id: str, attempt: int) -> str: ...


class DefaultInput(Protocol):
    """engine.schedules.context.default_input."""

    def __call__(self, *, schedule_arn: str, slot: float, execution_id: str, account: str, region: str) -> str: ...


class Packer:
    """Makes parcels, and says as whom their targets are called."""

    def __init__(self, account: str, ids: Ids, fill_context: FillContext, default_input: DefaultInput) -> None:
        self._account = account
        self._ids = ids
        self._fill_context = fill_context
        self._default_input = default_input

    def pack(self, delivery: Delivery) -> Parcel:
        """The next attempt of a delivery."""
        execution_id, attempt = self._ids.uuid(), delivery.attempts + 1
        text, given = self._rule_text(delivery) if delivery.kind == "rule" else self._schedule_text(delivery, execution_id, attempt)
        return Parcel(delivery=delivery, text=text, given=given, execution_id=execution_id, attempt=attempt)

    def caller(self, delivery: Delivery) -> Caller:
        """The role of the target, taken on by the service that delivers (facts/eventbridge.md §6.2).

        Differs from AWS: a target without a role, which AWS refuses for what needs one, is called as ecsEventsRole.
        """
        role = (delivery.target.get("RoleArn") or _NO_ROLE).rpartition("/")[2]
        key = f"ASIA{self._ids.hex32()[:16].upper()}"
        principal = f"arn:aws:sts::{self._account}:assumed-role/{role}/{self._ids.hex32()}"
        return Caller(key, principal, "AssumedRole", invoked_by=_SERVICES[delivery.kind])

    def _rule_text(self, delivery: Delivery) -> tuple[str, bool]:
        text = target_input(
            delivery.target,
            delivery.event or {},
            rule_arn=delivery.owner_arn,
            rule_name=delivery.owner_name,
            ingested_at=iso_seconds(delivery.created_at),
        )
        return text, is_transformed(delivery.target)

    def _schedule_text(self, delivery: Delivery, execution_id: str, attempt: int) -> tuple[str, bool]:
        slot = scheduled_time(delivery)
        if delivery.input is None:
            text = self._default_input(
                schedule_arn=delivery.owner_arn, slot=slot, execution_id=execution_id, account=self._account, region=delivery.region
            )
            return text, False
        text = self._fill_context(delivery.input, schedule_arn=delivery.owner_arn, slot=slot, execution_id=execution_id, attempt=attempt)
        return text, True


def scheduled_time(delivery: Delivery) -> float:
    """The slot; of a run by hand without one, the moment at which it was asked for."""
    return delivery.created_at if delivery.slot is None else delivery.slot


Ours = Callable[[str, str], bool]
"""Whether our endpoint has an operation of a service."""

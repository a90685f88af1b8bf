"""Scheduler's universal targets: `arn:aws:scheduler:::aws-sdk:<service>:<action>`, whose Input is the request (facts/eventbridge.md §8.3)."""

import re
from typing import Any

import msgspec

from hinoban.aws import models
from hinoban.aws.call import Params
from hinoban.aws.errors import AwsError
from hinoban.engine.events.targets.failure import Failure, of_answer
from hinoban.engine.events.targets.parcel import Invoke, Mismatch, Ours, Packer, Parcel
from hinoban.engine.events.targets.queues import Ask, asked

_TARGET = re.compile(r"arn:[^:]+:scheduler:::aws-sdk:(?P<service>[^:]+):(?P<action>[^:]+)")
# The SDK for Java's names, which these ARNs use, where botocore has another.
_NAMES = {"eventbridge": "events", "cloudwatchlogs": "logs", "cloudwatchevents": "events", "sfn": "stepfunctions"}


class UniversalTarget:
    """Calls any operation: of our services in process, of the others at the neighbours'."""

    def __init__(self, invoke: Invoke, ours: Ours, ask: Ask, packer: Packer) -> None:
        self._invoke = invoke
        self._ours = ours
        self._ask = ask
        self._packer = packer

    async def deliver(self, parcel: Parcel) -> Mismatch | None:
        delivery = parcel.delivery
        service, operation = called(delivery.target_arn)
        request = _request(service, operation, parcel)
        try:
            if self._ours(service, operation):
                caller = self._packer.caller(delivery)
                self._invoke(service, operation, request, region=delivery.region, caller=caller)
            else:
                await asked(self._ask, service, operation, request, delivery.region)
        except AwsError as error:
            raise of_answer(error, operation, request=request) from error
        return None


def called(arn: str) -> tuple[str, str]:
    """botocore's service and operation names; a Failure where there is no such operation. CreateSchedule takes none that only reads."""
    found = _TARGET.fullmatch(arn)
    service = _NAMES.get(found["service"].lower(), found["service"].lower()) if found else ""
    operation = found["action"][:1].upper() + found["action"][1:] if found else ""
    if service not in models.service_names() or models.service(service).operation(operation) is None:
        why = f"{arn} names no operation of AWS"
        raise Failure("INVALID_PARAMETER", why, why)
    return service, operation


def _request(service: str, operation: str, parcel: Parcel) -> Params:
    try:
        given = msgspec.json.decode(parcel.text) if parcel.given else {}
    except (msgspec.DecodeError, RecursionError) as error:
        raise Failure("INVALID_JSON", f"The input is not JSON: {error}", f"the schedule's Input is not JSON: {error}") from error
    if not isinstance(given, dict):
        raise Failure("INVALID_JSON", "The input is not a JSON object.", "the schedule's Input is not a JSON object")
    model = models.service(service)
    known = model.operation(operation)
    shape = known.input_shape if known else None
    request: Params = _as_spelt(given, shape, model.shapes) if shape else {}
    if (service, operation) == ("ecs", "RunTask"):
        # So that a slot launches once also when its delivery is made again.
        request.setdefault("clientToken", parcel.delivery.token)
    return request


def _as_spelt(value: Any, name: str, shapes: dict[str, Any]) -> Any:
    """`value` with its members spelt as the service does: Input has them with a capital letter (facts/eventbridge.md §8.3)."""
    shape = shapes[name]
    if shape["type"] == "structure" and isinstance(value, dict):
        spelt = {member[:1].lower() + member[1:]: member for member in shape.get("members", {})}
        named = {spelt.get(key[:1].lower() + key[1:], key): each for key, each in value.items()}
        members = shape.get("members", {})
        return {key: _as_spelt(each, members[key]["shape"], shapes) if key in members else each for key, each in named.items()}
    if shape["type"] == "list" and isinstance(value, list):
        return [_as_spelt(each, shape["member"]["shape"], shapes) for each in value]
    if shape["type"] == "map" and isinstance(value, dict):
        return {key: _as_spelt(each, shape["value"]["shape"], shapes) for key, each in value.items()}
    return value

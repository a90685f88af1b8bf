"""What RunTask a schedule makes of a slot: for `schedules run`, for catching up, and for a retry of a slot that launched nothing. PURE.

An InputTransformer or InputPath works on the event, which only EventBridge has: of these there is no request, and `Schedule.problem` says so.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from hinoban.aws.definitions.targets import run_task_request, task_override
from hinoban.aws.errors import AwsError
from hinoban.base.units import iso_seconds
from hinoban.watch.schedules.model import Kind, Schedule

_CONTEXT = "<aws.scheduler."


def request_of(kind: Kind, target: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str | None]:
    """(RunTask's parameters, None), or (None, why there are none). Overrides that hold a slot's own values are left to `request_at`."""
    for member in ("InputTransformer", "InputPath"):
        if target.get(member):
            return None, f"its overrides come from an {member}, which only EventBridge can fill in"
    path = next((name for name, value in target["EcsParameters"].items() if isinstance(value, str) and value.startswith("$.")), None)
    if path is not None:
        return None, f"its {path} is taken from the event, which only EventBridge has"
    text = target.get("Input") or ""
    dynamic = kind == "schedule" and _CONTEXT in text
    try:
        override = task_override(_filled(text, arn="", slot=0.0)) if text else None
    except AwsError as error:
        return None, f"its Input cannot be RunTask's overrides: {error.message}"
    request = run_task_request(dict(target), started_by="", token="", override=None if dynamic else override)
    return {name: value for name, value in request.items() if name not in ("startedBy", "clientToken")}, None


def request_at(schedule: Schedule, slot: float) -> dict[str, Any] | None:
    """RunTask's parameters of this slot, without startedBy and clientToken; None where `schedule.problem` says why.

    Scheduler's context attributes are filled in as for its first attempt (facts/eventbridge.md §8.3); the execution's id is the slot's.
    """
    if schedule.request is None or schedule.kind == "rule" or _CONTEXT not in (schedule.overrides or ""):
        return schedule.request
    return {**schedule.request, "overrides": task_override(_filled(schedule.overrides or "", arn=schedule.arn, slot=slot))}


def _filled(text: str, *, arn: str, slot: float) -> str:
    at = iso_seconds(slot)
    values = {"schedule-arn": arn, "scheduled-time": at, "execution-id": f"{arn.rpartition('/')[2]}-{slot:.0f}", "attempt-number": "1"}
    for name, value in values.items():
        # The value stands inside a JSON string: escaped, without the quotes.
        text = text.replace(f"{_CONTEXT}{name}>", msgspec.json.encode(value).decode()[1:-1])
    return text

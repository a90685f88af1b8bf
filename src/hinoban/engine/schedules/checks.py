"""What CreateSchedule and UpdateSchedule refuse beyond botocore's model: expression, zone, dates, window and target. PURE.

The model itself has the limits of names, TaskCount (10), retries, and an EventBridge Source that begins with `aws.`.
"""

import re

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Params
from hinoban.aws.schedules import At, BadExpression, BadZone, parse, zone
from hinoban.base.clock import MINUTES
from hinoban.base.units import parse_size
from hinoban.engine.schedules.errors import invalid, invalid_expression

_EARLIEST_START = 5 * MINUTES
_LARGEST_INPUT = parse_size("256KiB")

# "Managing targets" and "Using universal targets" of the user guide; facts/eventbridge.md §8.3.
_TEMPLATED = frozenset("codebuild codepipeline ecs events firehose inspector kinesis lambda sagemaker sns sqs states".split())
_UNIVERSAL = re.compile(r"aws-sdk:([a-z0-9]+):([A-Za-z0-9]+)")
_READ_ONLY = (
    "get describe list poll receive search scan query select read lookup discover validate batchGet batchDescribe batchRead transactGet"
    " adminGet adminList testMigration retrieve testConnection translateDocument isAuthorized invokeModel"
).split()
# The parameters that a templated target cannot do without, and the member that a target of another service cannot have.
_NEEDED = {"ecs": "EcsParameters", "events": "EventBridgeParameters", "kinesis": "KinesisParameters"}
_JSON_INPUT = frozenset(("lambda", "states", "events"))


def check_timing(params: Params, now: float, *, known_start: float | None = None) -> None:
    """The expression, its zone, its dates and its window; `known_start` is the StartDate that the schedule has and may keep."""
    expression = params["ScheduleExpression"]
    try:
        once = isinstance(parse(expression, dialect="scheduler"), At)
    except BadExpression:
        raise invalid_expression(expression) from None
    try:
        zone(params.get("ScheduleExpressionTimezone", "UTC"))
    except BadZone:
        # The text is UNCONFIRMED.
        raise invalid(f"Invalid ScheduleExpressionTimezone {params['ScheduleExpressionTimezone']}.") from None
    if not once:
        _check_dates(params.get("StartDate"), params.get("EndDate"), now, known_start)
    window = params["FlexibleTimeWindow"]
    if window["Mode"] == "FLEXIBLE" and "MaximumWindowInMinutes" not in window:
        # The text is UNCONFIRMED.
        raise invalid("MaximumWindowInMinutes is required when the FlexibleTimeWindow Mode is FLEXIBLE.")


def _check_dates(start: float | None, end: float | None, now: float, known_start: float | None) -> None:
    """A one-time schedule's dates are ignored (facts/eventbridge.md §8.1)."""
    if start is not None and start != known_start and start < now - _EARLIEST_START:
        raise invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if start is not None and end is not None and end <= start:
        # The text is UNCONFIRMED.
        raise invalid("The EndDate you specify cannot be earlier than the StartDate.")


def check_target(target: Params) -> None:
    """Where it goes and what goes there.

    Differs from AWS: whether the role exists and may be assumed is not asked, and of a universal target only the form of its ARN and
    whether it reads only; AWS also knows which services and actions there are.
    """
    try:
        arn = arns.parse(target["Arn"])
    except ValueError:
        raise invalid("Provided Arn is not in correct format.") from None
    text = target.get("Input")
    if text is not None and len(text.encode()) > _LARGEST_INPUT:
        # The limit is facts/eventbridge.md §8.3's, the text is UNCONFIRMED.
        raise invalid("The Input of the target is larger than 256 KB.")
    if arn.service == "scheduler" and arn.resource.startswith("aws-sdk:"):
        _check_universal(arn.resource, text)
        return
    if arn.service not in _TEMPLATED:
        raise invalid(f"{arn.service} is not a supported service for a target.")
    # The texts below are UNCONFIRMED.
    needed = _NEEDED.get(arn.service)
    if needed is not None and needed not in target:
        raise invalid(f"{needed} is required for a target of the service {arn.service}.")
    if arn.service in _JSON_INPUT and text is not None and not _is_json(text):
        raise invalid(f"The Input of a target of the service {arn.service} must be well-formed JSON.")


def _check_universal(resource: str, text: str | None) -> None:
    found = _UNIVERSAL.fullmatch(resource)
    if found is None:
        raise invalid("Provided Arn is not in correct format.")
    action = found[2][:1].lower() + found[2][1:]
    # The texts are UNCONFIRMED.
    if any(re.match(rf"{verb}(?![a-z])", action) for verb in _READ_ONLY):
        raise invalid(f"{action} is not a supported API action for a target: it only reads.")
    if text is not None and not _is_json(text):
        raise invalid("The Input of a universal target must be well-formed JSON.")


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False
    return True

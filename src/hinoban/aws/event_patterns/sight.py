"""Whether a pattern sees anything of standalone tasks, and one that sees them fail (facts/eventbridge.md §10, row 000). PURE.

ECS tells "ECS Service Action" and "ECS Deployment State Change" of services only. A task that a schedule starts belongs to none: one that
was made and failed is an "ECS Task State Change", and a launch that ECS refused is nothing but a CloudTrail record of RunTask (§6.3).
"""

from typing import Any

from hinoban.aws.errors import AwsError
from hinoban.aws.event_patterns.grammar import Pattern, compile_text

OF_SERVICES = ("ECS Service Action", "ECS Deployment State Change")
NOT_OF_SERVICES = ("ECS Task State Change", "ECS Container Instance State Change", "AWS API Call via CloudTrail")
"""The other events that ECS is the source of."""

_TASK_FAILED = {
    "detail-type": ["ECS Task State Change"],
    "detail": {
        "lastStatus": ["STOPPED"],
        "group": [{"anything-but": {"prefix": "service:"}}],
        "$or": [{"stopCode": ["TaskFailedToStart"]}, {"containers": {"exitCode": [{"anything-but": 0}]}}],
    },
}
_LAUNCH_REFUSED = {
    "detail-type": ["AWS API Call via CloudTrail"],
    "detail": {
        "eventSource": ["ecs.amazonaws.com"],
        "eventName": ["RunTask"],
        "$or": [{"errorCode": [{"exists": True}]}, {"responseElements": {"failures": {"reason": [{"exists": True}]}}}],
    },
}
PATTERN_THAT_SEES_TASKS: dict[str, Any] = {"source": ["aws.ecs"], "$or": [_TASK_FAILED, _LAUNCH_REFUSED]}
"""Standalone tasks that failed to start or ended with another code than 0, and launches that ECS refused (these need a trail that logs)."""

_NAMED = ("source", "detail-type")


def sees_only_services(pattern_text: str) -> bool:
    """Whether, by its source and detail-type, the pattern can match events of ECS services and no other event of ECS.

    What it says of `detail` does not matter. A text that is no pattern matches nothing, so the answer is False.
    """
    try:
        ways = compile_text(pattern_text).conjunctions
    except AwsError:
        return False
    matches = Pattern([{name: field for name, field in fields.items() if name in _NAMED} for fields in ways])
    return any(matches(_event(one)) for one in OF_SERVICES) and not any(matches(_event(one)) for one in NOT_OF_SERVICES)


def _event(detail_type: str) -> dict[str, Any]:
    return {"source": "aws.ecs", "detail-type": detail_type}

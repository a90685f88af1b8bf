"""The answers of EventBridge and Scheduler, read into schedules. PURE: `inventory` asks, this understands."""

from collections.abc import Mapping
from typing import Any

from hinoban.aws import arns
from hinoban.aws.definitions.targets import started_by
from hinoban.base.units import parse_iso
from hinoban.watch.model import family_of, revision_of
from hinoban.watch.schedules.model import Kind, Schedule
from hinoban.watch.schedules.requests import request_of

Params = Mapping[str, Any]
NO_TARGET = "no target"
SCHEDULER_TARGET = "target"
"""Scheduler's schedules have one target without an id."""

# What the last part of an ARN's service means to people; others go by the service's own name.
_KINDS = {
    "batch": "Batch",
    "codebuild": "CodeBuild",
    "codepipeline": "CodePipeline",
    "firehose": "Firehose",
    "kinesis": "Kinesis",
    "lambda": "Lambda",
    "logs": "CloudWatch Logs",
    "redshift": "Redshift",
    "sagemaker": "SageMaker",
    "sns": "SNS",
    "sqs": "SQS",
    "ssm": "Systems Manager",
    "states": "Step Functions",
}
# UpdateSchedule takes what GetSchedule gives, but for these.
_ANSWER_ONLY = ("Arn", "CreationDate", "LastModificationDate")


def is_ecs(arn: str) -> bool:
    """Whether a target of this ARN is a cluster, on which RunTask is called (facts/eventbridge.md §6.2)."""
    return arn.startswith("arn:") and ":ecs:" in arn and arn.rpartition(":")[2].startswith("cluster/")


def kind_of(arn: str) -> str:
    """What a target that is no cluster is, for people: `Lambda`, `Step Functions`, `event bus`, `ecs:runTask` of a universal target (§8.3)."""
    try:
        parsed = arns.parse(arn)
    except ValueError:
        return "unknown"
    if parsed.service == "scheduler" and parsed.resource.startswith("aws-sdk:"):
        return parsed.resource.removeprefix("aws-sdk:")
    if parsed.service == "events":
        return "API destination" if parsed.resource.startswith("api-destination") else "event bus"
    return _KINDS.get(parsed.service, parsed.service)


def of_rule(rule: Params, target: Params) -> Schedule:
    """One ECS target of a scheduled rule, as ListRules and ListTargetsByRule tell them. Rules know only UTC (§7)."""
    return _schedule(
        "rule",
        arn=rule["Arn"],
        name=rule["Name"],
        target_id=target["Id"],
        target=target,
        expression=rule["ScheduleExpression"],
        enabled=rule.get("State") != "DISABLED",
        role=target.get("RoleArn") or rule.get("RoleArn"),
        bus=rule.get("EventBusName") or "default",
    )


def of_schedule(answer: Params) -> Schedule:
    """One schedule with an ECS target, as GetSchedule tells it."""
    window, target = answer.get("FlexibleTimeWindow") or {}, answer["Target"]
    return _schedule(
        "schedule",
        arn=answer["Arn"],
        name=answer["Name"],
        target_id=SCHEDULER_TARGET,
        target=target,
        expression=answer["ScheduleExpression"],
        enabled=answer.get("State") != "DISABLED",
        role=target.get("RoleArn"),
        group=answer.get("GroupName") or "default",
        timezone=answer.get("ScheduleExpressionTimezone") or "UTC",
        start=moment(answer.get("StartDate")),
        end=moment(answer.get("EndDate")),
        window_seconds=60.0 * (window.get("MaximumWindowInMinutes") or 0) if window.get("Mode") == "FLEXIBLE" else 0.0,
        created_at=moment(answer.get("CreationDate")),
        modified_at=moment(answer.get("LastModificationDate")),
        members=tuple(name for name, value in answer.items() if value is not None and name not in _ANSWER_ONLY),
    )


def moment(value: Any) -> float | None:
    """Seconds since the epoch of a timestamp, which REST-JSON writes as a number; None of none."""
    return value if value is None else parse_iso(value) if isinstance(value, str) else float(value)


def _schedule(kind: Kind, *, arn: str, name: str, target: Params, target_id: str, enabled: bool, **words: Any) -> Schedule:
    parsed, parameters = arns.parse(arn), target["EcsParameters"]
    request, problem = request_of(kind, target)
    definition: str = parameters["TaskDefinitionArn"]
    return Schedule(
        key=f"{arn}#{target_id}",
        arn=arn,
        kind=kind,
        name=name,
        group=words.pop("group", None),
        bus=words.pop("bus", None),
        region=parsed.region,
        account=parsed.account,
        state="ENABLED" if enabled else "DISABLED",
        target_id=target_id,
        cluster=target["Arn"].rpartition("/")[2],
        task_definition=definition,
        family=family_of(definition),
        revision=revision_of(definition),
        count=parameters.get("TaskCount") or 1,
        request=request,
        problem=problem,
        overrides=target.get("Input"),
        started_by=started_by(kind, name),
        **words,
    )

"""How each service words a broken limit: a table of codes and a table of ECS's own sentences, kept as data."""

from collections.abc import Sequence

from hinoban.aws.errors import AwsError

DEFAULT_CODE = "ValidationException"

# service -> code of "1 validation error detected: ...".
CODES = {
    "ecs": "ClientException",  # no ValidationException in ECS's captures (facts/ecs.md §11.1); nested members of definitions answer so
    "logs": "InvalidParameterException",  # facts/logs.md §1, §3
    "sns": "InvalidParameter",  # facts/cloudtrail_sns_lambda.md
}

# (service, missing top-level member, also as Operation.member) -> code, text, source.
MISSING: dict[tuple[str, str], tuple[str, str, str]] = {
    ("ecs", "taskDefinition"): ("InvalidParameterException", "TaskDefinition can not be blank.", "captures of CreateService"),
    ("ecs", "DescribeTaskDefinition.taskDefinition"): (
        "ClientException",
        "Task Definition can not be blank.",
        "client libraries' fixtures",
    ),
    ("ecs", "DeregisterTaskDefinition.taskDefinition"): (
        "ClientException",
        "Task Definition can not be blank.",
        "client libraries' fixtures",
    ),
    ("ecs", "family"): ("ClientException", "Family can not be blank.", "amazon-ecs-deploy-task-definition issue 630"),
    ("ecs", "containerDefinitions"): ("ClientException", "Container list cannot be empty.", "facts/ecs.md §4.2"),
    ("ecs", "tasks"): ("InvalidParameterException", "Tasks cannot be empty.", "facts/ecs.md §3.3"),
    ("ecs", "clusters"): ("InvalidParameterException", "Clusters can not be blank.", "blox issue 170"),
}

# service -> code of "<Member> can not be blank.", for services that word a missing member so.
BLANK_CODES = {"ecs": "InvalidParameterException"}

Broken = tuple[str | None, str, str]
"""The value as text (None: missing), its place, the limit."""


def validation_error(service: str, operation: str, problems: Sequence[Broken]) -> AwsError:
    """The error for all broken limits of one call."""
    blank_code = BLANK_CODES.get(service)
    for value, place, _ in problems:
        if blank_code and value is None and "." not in place:
            known = MISSING.get((service, f"{operation}.{place}")) or MISSING.get((service, place))
            code, text, _ = known or (blank_code, f"{place[:1].upper()}{place[1:]} can not be blank.", "")
            return AwsError(code, text)
    told = "; ".join(f"{_value(value)} at '{place}' failed to satisfy constraint: {limit}" for value, place, limit in problems)
    count = len(problems)
    return AwsError(CODES.get(service, DEFAULT_CODE), f"{count} validation error{'s' if count > 1 else ''} detected: {told}")


def _value(value: str | None) -> str:
    return "Value null" if value is None else f"Value '{value}'"

"""Rules on log drivers: which there are, and what each needs (facts/ecs.md §4.2, §9.1, §9.2)."""

from typing import Any

from hinoban.aws.definitions.refusal import Draft, Rule, of_each_container, refuse
from hinoban.aws.errors import AwsError

FARGATE_DRIVERS = ("awslogs", "splunk", "awsfirelens")
DRIVERS = (*FARGATE_DRIVERS, "fluentd", "gelf", "json-file", "journald", "syslog")
AWSLOGS_REQUIRED = ("awslogs-region", "awslogs-group")


def driver(draft: Draft, container: dict[str, Any]) -> AwsError | None:
    """Fargate has three drivers, EC2 eight."""
    configuration = container.get("logConfiguration")
    allowed = FARGATE_DRIVERS if draft.fargate else DRIVERS
    if not configuration or configuration["logDriver"] in allowed:
        return None
    return refuse(f"{configuration['logDriver']} is not a valid log driver. Must be one of [{', '.join(allowed)}]")


def awslogs(draft: Draft, container: dict[str, Any]) -> AwsError | None:
    """Region and group always; on Fargate a stream prefix and an execution role that may write."""
    configuration = container.get("logConfiguration") or {}
    if configuration.get("logDriver") != "awslogs":
        return None
    options = configuration.get("options") or {}
    if missing := [each for each in AWSLOGS_REQUIRED if not options.get(each)]:
        return refuse(f"Log driver awslogs requires options: {', '.join(missing)}")
    if not draft.fargate:
        return None
    if not options.get("awslogs-stream-prefix"):
        return refuse("Fargate requires log configuration options to include awslogs-stream-prefix")
    if not draft.request.get("executionRoleArn"):
        return refuse("Fargate requires task definition to have execution role ARN to support log driver awslogs.")
    return None


def firelens(draft: Draft) -> AwsError | None:
    """Who sends to FireLens needs a container that is the router."""
    sends = any((each.get("logConfiguration") or {}).get("logDriver") == "awsfirelens" for each in draft.containers)
    if not sends or any(each.get("firelensConfiguration") for each in draft.containers):
        return None
    return refuse("When awsfirelens log driver is specified in log configuration, a firelens configuration object must be specified")


RULES: tuple[Rule, ...] = (of_each_container(driver, awslogs), firelens)

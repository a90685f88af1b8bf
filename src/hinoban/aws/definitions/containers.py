"""Rules on each container and on how they stand together: names, images, sizes, timeouts, checks, secrets (facts/ecs.md §§1.6-1.8, §4.2, §9)."""

import re
from typing import Any

from hinoban.aws.definitions.refusal import ContainerRule, Draft, Rule, of_each_container, refuse
from hinoban.aws.errors import AwsError

MAX_ENVIRONMENT_FILES = 10
MAX_IGNORED_EXIT_CODES = 50
MIN_TIMEOUT_SECONDS = 2
RESTART_ATTEMPT_SECONDS = range(60, 1800 + 1)
HEALTH_CHECK_LIMITS = {"interval": (5, 300), "timeout": (2, 60), "retries": (1, 10), "startPeriod": (0, 300)}

_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_IMAGE = re.compile(r"[A-Za-z0-9_:./#@-]{1,255}")
_S3_OBJECT = re.compile(r"arn:aws[a-z-]*:s3:::[^/]+/.+")


def name(_: Draft, container: dict[str, Any]) -> AwsError | None:
    """1-255 letters, digits, hyphens, underscores (facts/ecs.md §11.4); the second text: terraform-provider-aws issue 5950."""
    given = container.get("name")
    if not given:
        return refuse("Container.name should not be null or empty.")
    return None if _NAME.fullmatch(given) else refuse("Container.name contains invalid characters.")


def image(_: Draft, container: dict[str, Any]) -> AwsError | None:
    """A name of up to 255 characters, perhaps with registry, tag or digest."""
    given = container.get("image")
    if not given:
        return refuse("Container.image should not be null or empty.")
    return None if _IMAGE.fullmatch(given) else refuse("Container.image contains invalid characters")


def unique_names(draft: Draft) -> AwsError | None:
    """No two containers of one name."""
    return refuse("Container names must be unique within a task definition") if len(draft.names) < len(draft.containers) else None


def an_essential_one(draft: Draft) -> AwsError | None:
    """At least one container is essential, which is the default (facts/ecs.md §1.4)."""
    if any(each.get("essential", True) for each in draft.containers):
        return None
    return refuse("Task definition doesn't have any essential container")


def sizes(_: Draft, container: dict[str, Any]) -> AwsError | None:
    """Neither negative nor, for memory, zero; the texts are UNCONFIRMED."""
    for member, least in (("cpu", 0), ("memory", 1), ("memoryReservation", 1)):
        given = container.get(member)
        if given is not None and given < least:
            return refuse(f"Invalid '{member}' setting for container '{container['name']}'.")
    return None


def memory(draft: Draft, container: dict[str, Any]) -> AwsError | None:
    """Given somewhere, not below its reservation, not above the task's."""
    limit, reservation = container.get("memory"), container.get("memoryReservation")
    setting = f"Invalid setting for container '{container['name']}'. "
    if limit is None and reservation is None and draft.memory is None:
        return refuse(setting + "At least one of 'memory' or 'memoryReservation' must be specified.")
    if limit is not None and reservation is not None and limit < reservation:
        return refuse(setting + "'memory' must be greater than or equal to 'memoryReservation'")
    if draft.memory is not None and (limit or 0) > draft.memory:
        return refuse(f"The 'memory' setting for container '{container['name']}' is greater than for the task")
    return None


def sum_of_cpu(draft: Draft) -> AwsError | None:
    """The containers share the task's cpu."""
    if draft.cpu is not None and sum(each.get("cpu") or 0 for each in draft.containers) > draft.cpu:
        return refuse("The sum of all container 'cpu' values cannot be greater than the task-level 'cpu' value")
    return None


def timeouts(draft: Draft, container: dict[str, Any]) -> AwsError | None:
    """From 2 s; on Fargate to 120 s, which AWS's text calls "less than" (facts/ecs.md §1.6). Fargate's start text is UNCONFIRMED."""
    for member, word in (("startTimeout", "start"), ("stopTimeout", "stop")):
        given = container.get(member)
        if given is None:
            continue
        if given < MIN_TIMEOUT_SECONDS:
            return refuse(f"Granular {word} timeout on container '{container['name']}' must be at least {MIN_TIMEOUT_SECONDS} seconds.")
        if draft.fargate and given > 120:
            return refuse(f"Tasks using the Fargate launch type must have a container {word} timeout of less than 120 seconds.")
    return None


def restart_policy(_: Draft, container: dict[str, Any]) -> AwsError | None:
    """An attempt period of 60-1800 s, at most 50 exit codes (facts/ecs.md §1.7); the second text is UNCONFIRMED."""
    policy = container.get("restartPolicy") or {}
    period = policy.get("restartAttemptPeriod")
    if period is not None and period not in RESTART_ATTEMPT_SECONDS:
        return refuse(f"the 'restartAttemptPeriod' setting for container '{container['name']}' must be between 60 and 1800")
    if len(policy.get("ignoredExitCodes") or ()) > MAX_IGNORED_EXIT_CODES:
        return refuse(
            f"the 'ignoredExitCodes' setting for container '{container['name']}' must have at most {MAX_IGNORED_EXIT_CODES} values"
        )
    return None


def health_check(_: Draft, container: dict[str, Any]) -> AwsError | None:
    """A command, and numbers within their limits (facts/ecs.md §1.8: limits confirmed, texts UNCONFIRMED)."""
    check = container.get("healthCheck")
    if check is None:
        return None
    if not check.get("command"):
        return refuse(f"The health check command of container '{container['name']}' must not be empty.")
    for member, (low, high) in HEALTH_CHECK_LIMITS.items():
        given = check.get(member)
        if given is not None and not low <= given <= high:
            return refuse(f"The health check {member} of container '{container['name']}' must be between {low} and {high}.")
    return None


def ulimits(_: Draft, container: dict[str, Any]) -> AwsError | None:
    """A soft limit is not above its hard limit; -1 is without limit."""
    for each in container.get("ulimits") or ():
        if each["hardLimit"] != -1 and not 0 <= each["softLimit"] <= each["hardLimit"]:
            return refuse(f"Soft limit exceeds hard limit for ulimit {each['name']}")
    return None


def environment_files(_: Draft, container: dict[str, Any]) -> AwsError | None:
    """Ten S3 objects at the most (facts/ecs.md §9.4)."""
    files = container.get("environmentFiles") or ()
    if len(files) > MAX_ENVIRONMENT_FILES:
        return refuse("The maximum number of environment files was exceeded. Specify ten or less and try again")
    return None if all(_S3_OBJECT.fullmatch(each["value"]) for each in files) else refuse("Invalid arn syntax")


def secrets(draft: Draft, container: dict[str, Any]) -> AwsError | None:
    """Somebody must be allowed to read them (facts/ecs.md §9.3); that a log driver's secrets count as well is UNCONFIRMED."""
    asked = container.get("secrets") or (container.get("logConfiguration") or {}).get("secretOptions")
    if asked and not draft.request.get("executionRoleArn"):
        return refuse("When you are specifying container secrets, you must also specify a value for 'executionRoleArn'.")
    return None


OF_EACH: tuple[ContainerRule, ...] = (
    sizes,
    memory,
    timeouts,
    restart_policy,
    health_check,
    ulimits,
    environment_files,
    secrets,
)

FIRST: tuple[Rule, ...] = (of_each_container(name, image), unique_names, an_essential_one)
"""Without names the others could not say which container they mean."""

RULES: tuple[Rule, ...] = (of_each_container(*OF_EACH), sum_of_cpu)

"""Which `[[policy]]` speaks for a task or a launch. Pure: patterns are compiled once, then asked."""

from collections.abc import Callable
from typing import Any

import msgspec

from hinoban.aws.event_patterns import compile_pattern
from hinoban.watch.config import CatchUp, OnOverlap, Policy, RetryRule, WatchConfig
from hinoban.watch.model import Launch, TaskChange

RETRY_TAG = "hinoban:retry"
RETRY_TAG_VALUE = "on-start-failure"
STARTED_BY_TAG = "hinoban:started-by"
_SCHEDULES = ("events-rule/", "chronos-schedule/")


class Limits(msgspec.Struct, frozen=True):
    """How long a task may run, and when it is stopped; seconds from its start, None: no such limit."""

    max_runtime: float | None
    stop_after: float | None


class Policies:
    """The configured policies with their patterns compiled; BadPattern names what is wrong in one."""

    def __init__(self, config: WatchConfig) -> None:
        self._config = config
        self._policies: list[tuple[Callable[[Any], bool], Policy]] = [
            (compile_pattern(policy.match, f"policy[{index}].match"), policy) for index, policy in enumerate(config.policies)
        ]

    def limits(self, change: TaskChange) -> Limits:
        """The default for tasks that no service owns; what a policy says, wins, also for a service's task."""
        max_runtime = None if change.service_owned else self._config.max_runtime
        stop_after = None
        if self._policies:
            seen = task_view(change)
            for matches, policy in self._policies:
                if (policy.max_runtime or policy.stop_after) and matches(seen):
                    max_runtime = policy.max_runtime or max_runtime
                    stop_after = policy.stop_after or stop_after
        return Limits(max_runtime, stop_after)

    def retry_rule(self, launch: Launch) -> RetryRule | None:
        """How this launch's failures to start are retried; None: they are told only."""
        found: RetryRule | None = None
        if self._policies:
            seen = launch_view(launch)
            for matches, policy in self._policies:
                if policy.retry is not None and matches(seen):
                    found = policy.retry
        if found is not None:
            return found
        by_schedule = (launch.started_by or "").startswith(_SCHEDULES)
        asked = tags_of(launch).get(RETRY_TAG) == RETRY_TAG_VALUE
        return self._config.retry if by_schedule or asked else None

    def catch_up(self, launch: Launch) -> CatchUp:
        """Which missed runs of a schedule are made up for; `launch` is the RunTask that it would have been."""
        seen, found = launch_view(launch) if self._policies else None, None
        for matches, policy in self._policies:
            if policy.catch_up is not None and matches(seen):
                found = policy.catch_up
        return found or "none"

    def keep(self, change: TaskChange) -> float | None:
        """How long this task, which has ended, is remembered; None where no policy speaks of it."""
        found = None
        if any(policy.keep is not None for _, policy in self._policies):
            seen = task_view(change)
            for matches, policy in self._policies:
                if policy.keep is not None and matches(seen):
                    found = policy.keep
        return found

    def overlap(self, change: TaskChange) -> OnOverlap | None:
        """What is done when this task runs beside another of its family; None where no policy speaks of it."""
        seen, found = task_view(change) if self._policies else None, None
        for matches, policy in self._policies:
            if policy.overlap is not None and matches(seen):
                found = policy.overlap
        return found


def tags_of(launch: Launch) -> dict[str, str]:
    """The tags that the launch's request gives its tasks."""
    return {str(tag.get("key")): str(tag.get("value", "")) for tag in (launch.request or {}).get("tags") or ()}


def task_view(change: TaskChange) -> dict[str, Any]:
    """What patterns see of a task: the envelope, and our words."""
    return {
        "source": "aws.ecs",
        "detail-type": "ECS Task State Change",
        "account": change.account,
        "region": change.region,
        "resources": [change.task_arn],
        "detail": change.detail,
        "hinoban": {
            "family": change.family,
            "cluster": str(change.detail.get("clusterArn", "")).rpartition("/")[2],
            "started_by": change.detail.get("startedBy"),
        },
    }


def launch_view(launch: Launch) -> dict[str, Any]:
    """What patterns see of a launch: the envelope of its record, and our words."""
    return {
        "source": "aws.ecs",
        "detail-type": "AWS API Call via CloudTrail",
        "account": launch.account,
        "region": launch.region,
        "resources": [],
        "detail": {
            "eventSource": "ecs.amazonaws.com",
            "eventName": "RunTask",
            "requestParameters": launch.request or {},
            "errorCode": launch.error_code,
            # As on the task that it asks for, so that one pattern matches both.
            "group": (launch.request or {}).get("group") or f"family:{launch.family}",
            "startedBy": launch.started_by,
        },
        "hinoban": {"family": launch.family, "cluster": launch.cluster, "started_by": launch.started_by, "tags": tags_of(launch)},
    }

"""Which `[[policy]]` speaks for a task or a launch. Pure: patterns are compiled once, then asked."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from hinoban.aws.event_patterns import compile_pattern
from hinoban.watch.config import CatchUp, OnOverlap, Policy, RetryRule, WatchConfig
from hinoban.watch.model import Launch, TaskChange

RETRY_TAG = "hinoban:retry"
RETRY_TAG_VALUE = "on-start-failure"
STARTED_BY_TAG = "hinoban:started-by"
NO_TAGS: Mapping[str, str] = MappingProxyType({})
_SCHEDULES = ("events-rule/", "chronos-schedule/")


class Limits(msgspec.Struct, frozen=True):
    """How long a task may run, and when it is stopped; seconds from its start, None: no such limit."""

    max_runtime: float | None
    stop_after: float | None
    remind_after: float | None = None
    """From the warning to the first reminder; each later one takes twice as long. None: as long as `max_runtime`."""
    stop_orphans: bool = False
    """Whether it is stopped once its lease has run out."""
    by_policy: bool = False
    """Whether a policy said `max_runtime`, and not the default."""


NO_LIMITS = Limits(None, None)


class Policies:
    """The configured policies with their patterns compiled; BadPattern names what is wrong in one."""

    def __init__(self, config: WatchConfig) -> None:
        self._config = config
        self._default = Limits(config.max_runtime, None, config.remind_after, config.stop_orphans)
        self._policies: list[tuple[Callable[[Any], bool], Policy]] = [
            (compile_pattern(policy.match, f"policy[{index}].match"), policy) for index, policy in enumerate(config.policies)
        ]

        self._of_time = [(matches, policy) for matches, policy in self._policies if _speaks_of_time(policy)]

    def limits(self, change: TaskChange, tags: Mapping[str, str] = NO_TAGS) -> Limits:
        """Of a task that no service owns: the default, and over it what policies say. A service's task lives for ever and is never stopped.

        `tags` are the task's own, as far as they are known.
        """
        if change.service_owned:
            return NO_LIMITS
        found = self._default
        if self._of_time:
            seen = task_view(change, tags)
            for matches, policy in self._of_time:
                if matches(seen):
                    found = Limits(
                        policy.max_runtime or found.max_runtime,
                        policy.stop_after or found.stop_after,
                        policy.remind_after or found.remind_after,
                        found.stop_orphans if policy.stop_orphans is None else policy.stop_orphans,
                        found.by_policy or policy.max_runtime is not None,
                    )
        return found

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

    def overlap(self, change: TaskChange, tags: Mapping[str, str] = NO_TAGS) -> OnOverlap | None:
        """What is done when this task runs beside another of its family; None where no policy speaks of it."""
        seen, found = task_view(change, tags) if self._policies else None, None
        for matches, policy in self._policies:
            if policy.overlap is not None and matches(seen):
                found = policy.overlap
        return found


def tags_of(launch: Launch) -> dict[str, str]:
    """The tags that the launch's request gives its tasks."""
    return {str(tag.get("key")): str(tag.get("value", "")) for tag in (launch.request or {}).get("tags") or ()}


def _speaks_of_time(policy: Policy) -> bool:
    return (policy.max_runtime, policy.stop_after, policy.remind_after, policy.stop_orphans) != (None, None, None, None)


def task_view(change: TaskChange, tags: Mapping[str, str] = NO_TAGS) -> dict[str, Any]:
    """What patterns see of a task: the envelope, and our words. No event tells a task's tags: they are read beside it."""
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
            "tags": dict(tags),
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

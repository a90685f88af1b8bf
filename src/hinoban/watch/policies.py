"""Which `[[policy]]` speaks for a task or a launch. Pure: patterns are compiled once, then asked."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from hinoban.aws.event_patterns import PatternIndex, compile_pattern
from hinoban.watch.config import CatchUp, OnCrashLoop, OnOverlap, Policy, RetryRule, Right, WatchConfig
from hinoban.watch.model import Launch, TaskChange

RETRY_TAG = "hinoban:retry"
RETRY_TAG_VALUE = "on-start-failure"
STARTED_BY_TAG = "hinoban:started-by"
SCHEDULES = ("events-rule/", "chronos-schedule/")
NO_TAGS: Mapping[str, str] = MappingProxyType({})


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
        self._index: PatternIndex[int] = PatternIndex()
        for number, policy in enumerate(config.policies):
            self._index.add(number, compile_pattern(policy.match, f"policy[{number}].match"))
        self._forgets = any(policy.keep is not None for policy in config.policies)
        self._speaks_of_time = any(map(_speaks_of_time, config.policies))
        self.needs_tags_of_services = any(_speaks_of_services(policy) and _looks_at_tags(policy.match) for policy in config.policies)
        """Whether what is done about a service hangs on tags of its tasks: else nobody reads them."""

    def matching(self, view: Any) -> list[Policy]:
        """The policies that match what `task_view` or `launch_view` shows, in their order; one look at it, however many there are."""
        return [self._config.policies[number] for number in self._index.matches(view)]

    def limits(self, change: TaskChange, tags: Mapping[str, str] = NO_TAGS) -> Limits:
        """Of a task that no service owns: the default, and over it what policies say. A service's task lives for ever and is never stopped.

        `tags` are the task's own, as far as they are known.
        """
        if change.service_owned:
            return NO_LIMITS
        found = self._default
        for policy in self._of_task(change, tags) if self._speaks_of_time else ():
            found = Limits(
                policy.max_runtime or found.max_runtime,
                policy.stop_after or found.stop_after,
                policy.remind_after or found.remind_after,
                found.stop_orphans if policy.stop_orphans is None else policy.stop_orphans,
                found.by_policy or policy.max_runtime is not None,
            )
        return found

    def retry_rule(self, launch: Launch) -> RetryRule | None:
        """How this launch's failures are retried; None: they are told only."""
        if (found := self._rule(self._of_launch(launch))) is not None:
            return found
        by_schedule = (launch.started_by or "").startswith(SCHEDULES)
        asked = tags_of(launch).get(RETRY_TAG) == RETRY_TAG_VALUE
        return self._config.retry if by_schedule or asked else None

    @property
    def retry_exits(self) -> bool:
        """Whether any policy retries ended programs: else nobody needs to know their launches."""
        return any(policy.retry is not None and policy.retry.on_exit for policy in self._config.policies)

    def exit_rule(self, change: TaskChange, launch: Launch | None, tags: Mapping[str, str]) -> RetryRule | None:
        """How a task that ended badly is retried: what a policy says of the task, else of its launch."""
        found = self._rule(self._of_task(change, tags))
        return found if found is not None or launch is None else self.retry_rule(launch)

    def start_rule(self, change: TaskChange) -> RetryRule | None:
        """How a task that failed to start will be retried, as far as that can be told without the record of its launch."""
        by_schedule = str(change.detail.get("startedBy") or "").startswith(SCHEDULES)
        return self._rule(self._of_task(change)) or (self._config.retry if by_schedule else None)

    def _rule(self, matching: Sequence[Policy]) -> RetryRule | None:
        return next((policy.retry for policy in reversed(matching) if policy.retry is not None), None)

    def on_crash_loop(self, change: TaskChange, tags: Mapping[str, str]) -> OnCrashLoop:
        """What is done about the crash loop of the service that this task belongs to."""
        said = (policy.on_crash_loop for policy in reversed(self._of_task(change, tags)) if policy.on_crash_loop is not None)
        return next(said, OnCrashLoop())

    def catch_up(self, launch: Launch) -> CatchUp:
        """Which missed runs of a schedule are made up for; `launch` is the RunTask that it would have been."""
        found: CatchUp = "none"
        for policy in self._of_launch(launch):
            found = policy.catch_up or found
        return found

    def keep(self, change: TaskChange, tags: Mapping[str, str]) -> float | None:
        """How long this task, which has ended, is remembered; None where no policy speaks of it."""
        found: float | None = None
        for policy in self._of_task(change, tags) if self._forgets else ():
            found = policy.keep or found
        return found

    def allowed(self, view: dict[str, Any]) -> frozenset[Right]:
        """What the policies that match this view let us do about it."""
        return frozenset(right for policy in self.matching(view) for right in policy.allow)

    def overlap(self, change: TaskChange, tags: Mapping[str, str] = NO_TAGS) -> OnOverlap | None:
        """What is done when this task runs beside another of its family; None where no policy speaks of it."""
        found: OnOverlap | None = None
        for policy in self._of_task(change, tags):
            found = policy.overlap or found
        return found

    def _of_task(self, change: TaskChange, tags: Mapping[str, str] = NO_TAGS) -> list[Policy]:
        return self.matching(task_view(change, tags)) if self._config.policies else []

    def _of_launch(self, launch: Launch) -> list[Policy]:
        return self.matching(launch_view(launch)) if self._config.policies else []


def service_view(arn: str, family: str, tags: Mapping[str, str]) -> dict[str, Any]:
    """What patterns see of a service that is to be changed; `tags` are those of its task."""
    _, _, _, region, account, _ = arn.split(":", 5)
    parts = arn.split(":service/")[-1].split("/")
    return {
        "source": "aws.ecs",
        "detail-type": "ECS Service Action",
        "account": account,
        "region": region,
        "resources": [arn],
        "detail": {"group": f"service:{parts[-1]}"},
        "hinoban": {"family": family, "cluster": parts[0], "tags": dict(tags)},
    }


def tags_of(launch: Launch) -> dict[str, str]:
    """The tags that the launch's request gives its tasks."""
    return {str(tag.get("key")): str(tag.get("value", "")) for tag in (launch.request or {}).get("tags") or ()}


def _speaks_of_time(policy: Policy) -> bool:
    return (policy.max_runtime, policy.stop_after, policy.remind_after, policy.stop_orphans) != (None, None, None, None)


def _speaks_of_services(policy: Policy) -> bool:
    return policy.on_crash_loop is not None or "update_service" in policy.allow


def _looks_at_tags(pattern: Any) -> bool:
    if isinstance(pattern, Mapping):
        return "tags" in pattern or any(map(_looks_at_tags, pattern.values()))
    return isinstance(pattern, list | tuple) and any(map(_looks_at_tags, pattern))


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


def launch_view(launch: Launch, tags: Mapping[str, str] = NO_TAGS) -> dict[str, Any]:
    """What patterns see of a launch: the envelope of its record, and our words; `tags` are what its tasks have besides the request's."""
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
        "hinoban": {
            "family": launch.family,
            "cluster": launch.cluster,
            "started_by": launch.started_by,
            "tags": {**tags, **tags_of(launch)},
        },
    }

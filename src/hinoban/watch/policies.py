"""Which `[[policy]]` speaks for a task or a launch. Pure: patterns are compiled once, then asked."""

from collections.abc import Sequence
from typing import Any

import msgspec

from hinoban.aws.event_patterns import PatternIndex, compile_pattern
from hinoban.watch.config import CatchUp, OnCrashLoop, OnOverlap, Policy, RetryRule, Right, WatchConfig
from hinoban.watch.model import Launch, TaskChange

RETRY_TAG = "hinoban:retry"
RETRY_TAG_VALUE = "on-start-failure"
STARTED_BY_TAG = "hinoban:started-by"
SCHEDULES = ("events-rule/", "chronos-schedule/")


class Limits(msgspec.Struct, frozen=True):
    """How long a task may run, and when it is stopped; seconds from its start, None: no such limit."""

    max_runtime: float | None
    stop_after: float | None


class Policies:
    """The configured policies with their patterns compiled; BadPattern names what is wrong in one."""

    def __init__(self, config: WatchConfig) -> None:
        self._config = config
        self._index: PatternIndex[int] = PatternIndex()
        for number, policy in enumerate(config.policies):
            self._index.add(number, compile_pattern(policy.match, f"policy[{number}].match"))

    def matching(self, view: Any) -> list[Policy]:
        """The policies that match what `task_view` or `launch_view` shows, in their order; one look at it, however many there are."""
        return [self._config.policies[number] for number in self._index.matches(view)]

    def limits(self, change: TaskChange) -> Limits:
        """The default for tasks that no service owns; what a policy says, wins, also for a service's task."""
        max_runtime = None if change.service_owned else self._config.max_runtime
        stop_after = None
        for policy in self._of_task(change):
            max_runtime = policy.max_runtime or max_runtime
            stop_after = policy.stop_after or stop_after
        return Limits(max_runtime, stop_after)

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
        return any(policy.retry is not None and policy.retry.on_exit for _, policy in self._policies)

    def exit_rule(self, change: TaskChange, launch: Launch | None) -> RetryRule | None:
        """How a task that ended badly is retried: what a policy says of the task, else of its launch."""
        found = self._rule(self._of_task(change))
        return found if found is not None or launch is None else self.retry_rule(launch)

    def _rule(self, matching: Sequence[Policy]) -> RetryRule | None:
        return next((policy.retry for policy in reversed(matching) if policy.retry is not None), None)

    def on_crash_loop(self, change: TaskChange) -> OnCrashLoop:
        """What is done about the crash loop of the service that this task belongs to."""
        said = (policy.on_crash_loop for policy in reversed(self._of_task(change)) if policy.on_crash_loop is not None)
        return next(said, OnCrashLoop())

    def catch_up(self, launch: Launch) -> CatchUp:
        """Which missed runs of a schedule are made up for; `launch` is the RunTask that it would have been."""
        found: CatchUp = "none"
        for policy in self._of_launch(launch):
            found = policy.catch_up or found
        return found

    def allowed(self, view: dict[str, Any]) -> frozenset[Right]:
        """What the policies that match this view let us do about it."""
        return frozenset(right for policy in self.matching(view) for right in policy.allow)

    def overlap(self, change: TaskChange) -> OnOverlap | None:
        """What is done when this task runs beside another of its family; None where no policy speaks of it."""
        found: OnOverlap | None = None
        for policy in self._of_task(change):
            found = policy.overlap or found
        return found

    def _of_task(self, change: TaskChange) -> list[Policy]:
        return self.matching(task_view(change)) if self._config.policies else []

    def _of_launch(self, launch: Launch) -> list[Policy]:
        return self.matching(launch_view(launch)) if self._config.policies else []


def service_view(arn: str, family: str) -> dict[str, Any]:
    """What patterns see of a service that is to be changed."""
    _, _, _, region, account, _ = arn.split(":", 5)
    parts = arn.split(":service/")[-1].split("/")
    return {
        "source": "aws.ecs",
        "detail-type": "ECS Service Action",
        "account": account,
        "region": region,
        "resources": [arn],
        "detail": {"group": f"service:{parts[-1]}"},
        "hinoban": {"family": family, "cluster": parts[0]},
    }


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

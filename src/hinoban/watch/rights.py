"""What may be done about whom: what this watch is allowed at all, and what the policies add for what they match. PURE."""

from collections.abc import Mapping

from hinoban.watch.allow import EVERYTHING
from hinoban.watch.config import Right
from hinoban.watch.model import Launch, TaskChange
from hinoban.watch.policies import NO_TAGS, Policies, launch_view, service_view, task_view

Allowed = frozenset[Right]


class Rights:
    """`base` holds for all: everything beside our own engine, nothing elsewhere."""

    def __init__(self, base: Allowed, policies: Policies) -> None:
        self._base = base
        self._policies = policies

    def of_launch(self, launch: Launch, tags: Mapping[str, str] = NO_TAGS) -> Allowed:
        """About a launch that is to be made, or made again: then `tags` are those of the task that failed."""
        return self._base if self._base == EVERYTHING else self._base | self._policies.allowed(launch_view(launch, tags))

    def of_task(self, change: TaskChange, tags: Mapping[str, str]) -> Allowed:
        """About a task that is to be stopped."""
        return self._base if self._base == EVERYTHING else self._base | self._policies.allowed(task_view(change, tags))

    def of_service(self, arn: str, family: str, tags: Mapping[str, str]) -> Allowed:
        """About a service that is to be changed; `family` is what its findings are named by, `tags` are those of its task."""
        return self._base if self._base == EVERYTHING else self._base | self._policies.allowed(service_view(arn, family, tags))

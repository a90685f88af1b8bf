"""Detector overdue: a task that runs longer than its limit and that nothing will end. Asked by time, not by an event."""

from hinoban.base.clock import HOURS
from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain.exits import moment_of
from hinoban.watch.model import Explanation, Finding, TaskChange, task_id_of

DEFAULT_LIMIT = 24 * HOURS

_SERVICE_GROUP, _SERVICE_LAUNCH = "service:", "ecs-svc/"
_ENDING = ("STOPPED", "DEPROVISIONING", "STOPPING", "DEACTIVATING", "DELETED")


def overdue(change: TaskChange, now: float, limit_seconds: float = DEFAULT_LIMIT) -> Finding | None:
    """A finding when the task has been there for longer than the limit: since `startedAt`, or since `createdAt` if it never got to run.

    Not for tasks of a service (facts/ecs.md §3.7), which live for ever, nor for those that are being stopped already.
    """
    detail = change.detail
    if owned_by_service(change) or detail.get("lastStatus") in _ENDING or detail.get("desiredStatus") == "STOPPED":
        return None
    due = overdue_at(change, limit_seconds)
    if due is None or now < due:
        return None
    since = due - limit_seconds
    facts = {
        "limit_seconds": limit_seconds,
        "ran_seconds": round(now - since, 3),
        "started_at": since,
        "last_status": detail.get("lastStatus"),
    }
    return about_task(change, "overdue", "OVERDUE", _explanation(change), at=due, facts=facts)


def overdue_at(change: TaskChange, limit_seconds: float = DEFAULT_LIMIT) -> float | None:
    """When the task will be overdue: what a loop sleeps until. None if it tells no time it began."""
    began = moment_of(change.detail, "startedAt") or moment_of(change.detail, "createdAt")
    return None if began is None else began + limit_seconds


def owned_by_service(change: TaskChange) -> bool:
    """Whether a service looks after the task."""
    group, started_by = str(change.detail.get("group") or ""), str(change.detail.get("startedBy") or "")
    return group.startswith(_SERVICE_GROUP) or started_by.startswith(_SERVICE_LAUNCH)


def _explanation(change: TaskChange) -> Explanation:
    task = task_id_of(change.task_arn)[:8]
    return Explanation(
        code="overdue",
        cause="Nothing will end it: no service owns it, no lease was taken.",
        next=f'Stop it: hinoban stop {task} --reason "overdue"',
        said=(),
        retryable=False,
    )

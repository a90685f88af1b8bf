"""Detector overdue: a task that runs longer than its limit and that nothing will end. Asked by time, not by an event."""

from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain.exits import moment_of
from hinoban.watch.model import Explanation, Finding, TaskChange, task_id_of

_ENDING = ("STOPPED", "DEPROVISIONING", "STOPPING", "DEACTIVATING", "DELETED")


def overdue(change: TaskChange, now: float, limit_seconds: float, *, stop_at: float | None = None, stop_words: str = "") -> Finding | None:
    """A finding when the task has been there for longer than the limit: since `startedAt`, or since `createdAt` if it never got to run.

    `stop_at` is when a policy's `stop_after` ends it, `stop_words` the same for people.
    Not for tasks of a service, which live for ever, nor for those that are being stopped already.
    """
    detail = change.detail
    if change.service_owned or detail.get("lastStatus") in _ENDING or detail.get("desiredStatus") == "STOPPED":
        return None
    since = moment_of(detail, "startedAt") or moment_of(detail, "createdAt")
    if since is None or now < since + limit_seconds:
        return None
    facts = {
        "limit_seconds": limit_seconds,
        "ran_seconds": round(now - since, 3),
        "started_at": since,
        "last_status": detail.get("lastStatus"),
        "stop_at": stop_at,
    }
    return about_task(change, "overdue", "OVERDUE", _explanation(change, stop_words), at=since + limit_seconds, facts=facts)


def _explanation(change: TaskChange, stop_words: str) -> Explanation:
    task = task_id_of(change.task_arn)[:8]
    if stop_words:
        return Explanation(
            code="overdue",
            cause="Nothing but Hinoban will end it: no service owns it, no lease was taken.",
            next=f"Hinoban stops it at {stop_words}.",
            said=(),
            retryable=False,
        )
    return Explanation(
        code="overdue",
        cause="Nothing will end it: no service owns it, no lease was taken.",
        next=f'Stop it: hinoban stop {task} --reason "overdue"',
        said=(),
        retryable=False,
    )

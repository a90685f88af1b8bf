"""Detector stuck: a task that stays on the way, to running or to its end, for longer than the way takes. Asked by time. Pure (facts/ecs.md §1.1)."""

from collections.abc import Mapping

from hinoban.base.clock import MINUTES
from hinoban.base.units import format_duration
from hinoban.watch.detect.judge import is_failure
from hinoban.watch.detect.services import Over
from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain import explain_finding
from hinoban.watch.explain.exits import moment_of
from hinoban.watch.explain.filling import facts_of_task
from hinoban.watch.model import Finding, TaskChange

VERDICT = "STUCK"
LIMITS: Mapping[str, float] = {
    # A capacity provider that scales from zero needs some minutes for an instance (facts/ecs.md §8.7).
    "PROVISIONING": 15 * MINUTES,
    # Images of many GiB are pulled here; the agent itself would wait for two hours (§1.6).
    "PENDING": 15 * MINUTES,
    "ACTIVATING": 15 * MINUTES,
    # A target group's deregistration delay is five minutes unless set.
    "DEACTIVATING": 15 * MINUTES,
    # stopTimeout is two minutes at the most on Fargate (§1.6).
    "STOPPING": 10 * MINUTES,
    "DEPROVISIONING": 10 * MINUTES,
}
"""How long a task may be in a status, in seconds; the others it may be in for ever."""
_STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")
_CODES = {"PROVISIONING": "stuck_provisioning", "PENDING": "stuck_pending", "ACTIVATING": "stuck_pending"}


def stuck(change: TaskChange, now: float, limits: Mapping[str, float] = LIMITS) -> Finding | None:
    """A finding for a task whose latest known status is too old, also for one that should have stopped and is RUNNING as before.

    It is the same matter as the end of that task, should it fail: its subject is the task.
    """
    moment = stuck_at(change, limits)
    if moment is None or now < moment:
        return None
    status = _status(change)
    since = _since(change, status)
    texts = {**facts_of_task(change.detail, None), "status": change.detail.get("lastStatus"), "span": format_duration(now - since)}
    explanation = explain_finding(_CODES.get(status, "stuck_stopping"), texts)
    facts = {"status": change.detail.get("lastStatus"), "since": since, "limit_seconds": limits[status]}
    return about_task(change, "stuck", VERDICT, explanation, at=moment, facts=facts)


def moved_on(finding: Finding, change: TaskChange) -> Over | None:
    """The end of it: the task is seen in another status. Not where it failed: then its failure is the same matter, and changes it."""
    status = change.detail.get("lastStatus")
    if change.task_arn != finding.task_arn or status == finding.facts.get("status") or is_failure(change):
        return None
    return Over(finding.subject, change.at, f"The task moved on: it is {status}.")


def stuck_at(change: TaskChange, limits: Mapping[str, float] = LIMITS) -> float | None:
    """When to ask about a task if nothing more is heard of it; None where it may stay as it is."""
    status = _status(change)
    return None if status not in limits else _since(change, status) + limits[status]


def _status(change: TaskChange) -> str:
    status = str(change.detail.get("lastStatus") or "")
    if change.detail.get("desiredStatus") == "STOPPED" and status in ("RUNNING", *_STARTING):
        return "STOPPING"
    return status


def _since(change: TaskChange, status: str) -> float:
    """Since when it is on this way. A start is counted as a whole; events do not tell when a status began."""
    if status in _STARTING:
        return moment_of(change.detail, "createdAt") or change.at
    if status == "DEPROVISIONING" and (ended := moment_of(change.detail, "executionStoppedAt")):
        return ended
    return moment_of(change.detail, "stoppingAt") or change.at

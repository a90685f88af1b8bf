"""Detector stuck: a task that stays on the way, to running or to its end, for longer than the way takes. Asked by time. Pure (facts/ecs.md §1.1)."""

from typing import Literal

from hinoban.base.clock import MINUTES
from hinoban.base.units import format_duration
from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain import explain_finding
from hinoban.watch.explain.exits import moment_of
from hinoban.watch.explain.filling import facts_of_task
from hinoban.watch.model import Finding, TaskChange

VERDICT = "STUCK"
STOPPING_AT_LEAST, STOPPING_OVER = 10 * MINUTES, 5 * MINUTES
"""An end is waited for so long, or for so long after the containers' stopTimeout. Fargate's is two minutes at the most (facts/ecs.md §1.6);
a target group takes five minutes to let go, unless it is set otherwise (§1.1)."""
Way = Literal["starting", "stopping"]
_STARTING = ("PROVISIONING", "PENDING", "ACTIVATING")
_STOPPING = ("DEACTIVATING", "STOPPING", "DEPROVISIONING")
_CODES = {"PROVISIONING": "stuck_provisioning", "PENDING": "stuck_pending", "ACTIVATING": "stuck_pending"}


def way_of(change: TaskChange) -> Way | None:
    """On which way a task is; None where it may stay for ever as it is: it runs, or has ended."""
    status = str(change.detail.get("lastStatus") or "")
    if status in _STOPPING or (change.detail.get("desiredStatus") == "STOPPED" and status in ("RUNNING", *_STARTING)):
        return "stopping"
    return "starting" if status in _STARTING else None


def stuck_at(change: TaskChange, start_limit: float, stop_timeout: float | None = None) -> float | None:
    """When to ask about a task if nothing more is heard of it; None where it may stay as it is.

    `start_limit` in seconds; `stop_timeout` is the longest of its containers, where it is known.
    """
    way = way_of(change)
    if way is None:
        return None
    return _since(change, way) + (start_limit if way == "starting" else max(STOPPING_AT_LEAST, (stop_timeout or 0.0) + STOPPING_OVER))


def stuck(change: TaskChange, now: float, start_limit: float, stop_timeout: float | None = None) -> Finding | None:
    """A finding for a task that is on its way for too long, also for one that should have stopped and is RUNNING as before. A start is counted
    as a whole: events do not tell when a status began.

    It is the same matter as the end of that task, should it fail: its subject is the task.
    """
    moment, way = stuck_at(change, start_limit, stop_timeout), way_of(change)
    if moment is None or way is None or now < moment:
        return None
    status, since = str(change.detail.get("lastStatus")), _since(change, way)
    texts = {**facts_of_task(change.detail, None), "status": status, "span": format_duration(now - since)}
    code = _CODES[status] if way == "starting" else "stuck_stopping"
    facts = {"way": way, "last_status": status, "since": since, "limit_seconds": moment - since}
    return about_task(change, "stuck", VERDICT, explain_finding(code, texts), at=moment, facts=facts)


def moved_on(finding: Finding, change: TaskChange) -> str | None:
    """The end of it, in a sentence: the task is not on that way any more; None where it still is."""
    if way_of(change) == finding.facts.get("way"):
        return None
    return f"The task moved on: it is {change.detail.get('lastStatus')}."


def _since(change: TaskChange, way: Way) -> float:
    """Since when it is on this way."""
    detail = change.detail
    if way == "starting":
        return moment_of(detail, "createdAt") or change.at
    ended = moment_of(detail, "executionStoppedAt") if detail.get("lastStatus") == "DEPROVISIONING" else None
    return ended or moment_of(detail, "stoppingAt") or change.at

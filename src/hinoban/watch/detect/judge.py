"""How a task ended, and whether that is a failure: the one rule that all detectors of ended tasks share. Pure (facts/ecs.md §2.1, §2.2, §2.4).

No failures are a stop by somebody, a service's own doing (scale-in, deployment, balance, the replacement of a lost or unhealthy task) and
a good exit. A task that stands alone and that AWS ended is one, whatever its exit code: nothing replaces it.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal

from hinoban.watch.explain.catalogue import find, find_stop
from hinoban.watch.explain.exits import containers_of, culprits
from hinoban.watch.model import TaskChange

End = Literal["start", "user", "spot", "host", "health", "scheduler", "itself"]
"""It never ran · somebody called StopTask · Spot took it back · its host went, or AWS maintains it · its service found it unhealthy ·
its service did not want it any more · it ended by itself."""

_BY_CODE: Mapping[str, End] = {
    "UserInitiated": "user",
    "SpotInterruption": "spot",
    "TerminationNotice": "host",
    "InfrastructureHealth": "host",
    "ServiceSchedulerInitiated": "scheduler",
}
_HEALTH = ("elb_health_check_failed", "container_health_check_failed")
_OF_HOST = ("spot_interruption", "host_maintenance", "instance_draining", "host_terminated")
_WANTED = ("scale_in_or_deployment", "zone_rebalancing")
OUT_OF_MEMORY = "outofmemoryerror"


def how_it_ended(detail: Mapping[str, Any]) -> End:
    """How the STOPPED task of this detail ended. Once it ran, the reason goes before the code: the same end had other codes in other
    years. A code we do not know, or none, leaves it to the exit codes."""
    return _ended(str(detail.get("stoppedReason") or ""), detail.get("stopCode"))


@lru_cache(maxsize=2048)
def _ended(reason: str, code: str | None) -> End:
    if code == "TaskFailedToStart":
        # Of a task that never ran nobody can have taken anything away.
        return "start"
    match = find_stop(reason, code, frozenset({"spot", "host", "user", "program", "scheduler"}))
    if match is not None:
        entry = match.entry
        if entry.code == "instance_deregistered":
            # Somebody took the instance away, not the task: for the task it is the loss of its host.
            return "host"
        if entry.code in _HEALTH:
            return "health"
        if entry.code in _OF_HOST:
            return "spot" if entry.kind == "spot" else "host"
    return _BY_CODE.get(str(code), "itself")


def is_failure(change: TaskChange) -> bool:
    """Whether this task, once STOPPED, failed. A single replacement for bad health is none: `health_replacements` counts them."""
    if not change.finished:
        return False
    match how_it_ended(change.detail):
        case "start":
            return True
        case "user":
            return False
        case "spot" | "host" | "scheduler" | "health":
            return ended_by_aws(change)
        case "itself":
            return out_of_memory_said(change.detail) or ended_badly(change.detail)


def ended_by_aws(change: TaskChange) -> bool:
    """Whether AWS ended a task that no service owns, so that nothing replaces it."""
    if change.service_owned or not change.finished:
        return False
    end = how_it_ended(change.detail)
    if end == "scheduler":
        # A scheduler's words for what it did on purpose name its own task, whoever the group says it is.
        match = find("stop_reason", str(change.detail.get("stoppedReason") or ""))
        return match is None or match.entry.code not in _WANTED
    return end in ("spot", "host", "health")


def ended_badly(detail: Mapping[str, Any]) -> bool:
    """Whether exit codes speak of a failure: a bad one, or none at all (facts/ecs.md §2.4 steps 4 and 5)."""
    codes = [code for one in containers_of(detail) if isinstance(code := one.get("exitCode"), int)]
    return not codes or (any(codes) and bool(culprits(detail)))


def out_of_memory_said(detail: Mapping[str, Any]) -> bool:
    """Whether AWS says that memory ran out, of the task or of a container."""
    texts = [detail.get("stoppedReason"), *(one.get("reason") for one in containers_of(detail))]
    return any(OUT_OF_MEMORY in str(text or "").lower() for text in texts)


def stopped_by(detail: Mapping[str, Any], caller: str | None) -> str | None:
    """`stopped by s.tanaka`: how the slot of a run is closed whose STOPPED task somebody stopped; None where nobody did.

    `caller` is who called StopTask by CloudTrail's record, where that has come: of a role the session is named, which is who took it.
    """
    if how_it_ended(detail) != "user":
        return None
    if caller is not None:
        return f"stopped by {caller.rpartition('/')[2].rpartition(':')[2] or caller}"
    return "stopped by somebody"

"""Which container is to blame for the end of a task. Events do not say which containers are essential, nor which ended first.

Follows facts/ecs.md §2.4: the others get 137 or 143 from being stopped, so prefer the container whose exit is neither; tie: all of them.
"""

from collections.abc import Mapping
from typing import Any

from hinoban.base.clock import SECONDS
from hinoban.base.units import parse_iso

Container = Mapping[str, Any]

STOP_TIMEOUT = 30 * SECONDS
"""ECS's default stopTimeout (facts/ecs.md §1.6): before it has passed, ECS kills nobody with SIGKILL."""

KILLED, TERMINATED = 137, 143
_INJECTED = ("aws-guardduty-agent", "ecs-service-connect")


def containers_of(detail: Mapping[str, Any]) -> list[Container]:
    """The user's containers; the sidecars that AWS puts in (facts/ecs.md §6.2) only when there is nothing else."""
    every = [one for one in detail.get("containers") or () if isinstance(one, Mapping)]
    return [one for one in every if not str(one.get("name") or "").startswith(_INJECTED)] or every


def culprits(detail: Mapping[str, Any]) -> list[Container]:
    """The containers whose exit code is the failure; empty when every known exit is a good one.

    An exit that is neither 0, 137 nor 143 is its container's own. With only those three: 143 beside a 0 is a sidecar that was told
    to stop after the program had ended well. 137 beside a 0 is that too, when ECS had the time to lose patience (STOP_TIMEOUT);
    ended sooner, nobody but the kernel or a person can have killed it. Without any 0, all that were killed are named.
    """
    ended = [one for one in containers_of(detail) if isinstance(one.get("exitCode"), int)]
    own = [one for one in ended if one["exitCode"] not in (0, KILLED, TERMINATED)]
    if own:
        return own
    killed = [one for one in ended if one["exitCode"] == KILLED]
    if any(one["exitCode"] == 0 for one in ended):
        return killed if killed and not _had_patience(detail) else []
    return killed or [one for one in ended if one["exitCode"] == TERMINATED]


def moment_of(detail: Mapping[str, Any], name: str) -> float | None:
    """A timestamp of an event's detail; None where it is absent or not a moment."""
    value = detail.get(name)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return parse_iso(value) if isinstance(value, str) else None
    except ValueError:
        return None


def ran_seconds(detail: Mapping[str, Any]) -> float | None:
    """How long the program ran: RUNNING until the execution ended (facts/ecs.md §1.2); None where it never ran."""
    start = moment_of(detail, "startedAt")
    end = moment_of(detail, "executionStoppedAt") or moment_of(detail, "stoppedAt")
    return None if start is None or end is None else max(0.0, round(end - start, 3))


def _had_patience(detail: Mapping[str, Any]) -> bool:
    began = moment_of(detail, "executionStoppedAt") or moment_of(detail, "stoppingAt")
    ended = moment_of(detail, "stoppedAt")
    return began is not None and ended is not None and ended - began >= STOP_TIMEOUT

"""Detector spot_interrupted: a task that stands alone and whose Spot capacity AWS took back (facts/ecs.md §2.1, §2.2). Pure."""

from hinoban.watch.detect.judge import ended_by_aws, how_it_ended
from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain import explain_stop
from hinoban.watch.model import Finding, Observation, TaskChange

VERDICT = "SPOT INTERRUPTED"


def spot_interrupted(observation: Observation) -> Finding | None:
    """A finding whatever the exit code: a program that heeds SIGTERM ends with 0 half-way. A service's task is replaced, and none."""
    if not isinstance(observation, TaskChange) or not ended_by_aws(observation) or how_it_ended(observation.detail) != "spot":
        return None
    return about_task(observation, "spot_interrupted", VERDICT, explain_stop(observation.detail), facts=_exit(observation))


def _exit(change: TaskChange) -> dict[str, object]:
    codes = [one["exitCode"] for one in change.detail.get("containers") or () if isinstance(one.get("exitCode"), int)]
    return {"exit_code": max(codes, default=None)}

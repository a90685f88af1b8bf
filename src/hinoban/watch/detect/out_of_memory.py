"""Detector out_of_memory: a container that was killed at its memory limit and says so (facts/ecs.md §2.3, §2.4 step 3)."""

from hinoban.watch.detect.judge import OUT_OF_MEMORY, how_it_ended, out_of_memory_said
from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain import explain_stop
from hinoban.watch.explain.exits import containers_of
from hinoban.watch.explain.filling import memory_limit
from hinoban.watch.model import Finding, Observation, TaskChange


def out_of_memory(observation: Observation) -> Finding | None:
    """A finding for a STOPPED task with `OutOfMemoryError` in a container's reason or its own, unless somebody else stopped the task."""
    if not isinstance(observation, TaskChange) or not observation.finished:
        return None
    detail = observation.detail
    if how_it_ended(detail) != "itself" or not out_of_memory_said(detail):
        return None
    killed = next((one for one in containers_of(detail) if OUT_OF_MEMORY in str(one.get("reason") or "").lower()), None)
    container = killed or {}
    facts = {
        "exit_code": container.get("exitCode"),
        "container": container.get("name"),
        "image": container.get("image"),
        "memory_mib": memory_limit(detail, container),
    }
    return about_task(observation, "out_of_memory", "OUT OF MEMORY", explain_stop(detail), facts=facts)

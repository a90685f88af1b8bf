"""Detector out_of_memory: a container that was killed at its memory limit and says so (facts/ecs.md §2.3, §2.4 step 3)."""

from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain import explain_stop
from hinoban.watch.explain.exits import containers_of
from hinoban.watch.explain.filling import memory_limit
from hinoban.watch.model import Finding, Observation, TaskChange

_NAME = "outofmemoryerror"
_ENDED_OTHERWISE = ("UserInitiated", "ServiceSchedulerInitiated", "SpotInterruption")


def out_of_memory(observation: Observation) -> Finding | None:
    """A finding for a STOPPED task with `OutOfMemoryError` in a container's reason or its own, unless somebody else stopped the task."""
    if not isinstance(observation, TaskChange) or not observation.finished:
        return None
    detail = observation.detail
    if detail.get("stopCode") in _ENDED_OTHERWISE:
        return None
    killed = next((one for one in containers_of(detail) if _NAME in str(one.get("reason") or "").lower()), None)
    if killed is None and _NAME not in str(detail.get("stoppedReason") or "").lower():
        return None
    container = killed or {}
    facts = {
        "exit_code": container.get("exitCode"),
        "container": container.get("name"),
        "image": container.get("image"),
        "memory_mib": memory_limit(detail, container),
    }
    return about_task(observation, "out_of_memory", "OUT OF MEMORY", explain_stop(detail), facts=facts)

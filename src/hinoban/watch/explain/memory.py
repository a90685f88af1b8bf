"""How much memory to try next after a container was killed at its limit: twice as much, in a size that Fargate has."""

from collections.abc import Mapping
from typing import Any

from hinoban.watch.explain.filling import memory_limit

_LARGEST = {256: 2048, 512: 4096, 1024: 8192, 2048: 16384, 4096: 30720, 8192: 61440, 16384: 122880}
"""MiB that Fargate gives at most beside these CPU units (facts/ecs.md §4.1)."""
_STEP = {8192: 4096, 16384: 8192}


def memory_advice(detail: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, Any]:
    """The names `next_memory_mib` and `valid_with` of the text; empty where the limit is not known."""
    limit = memory_limit(detail, container)
    if limit is None:
        return {}
    cpu, task = str(detail.get("cpu")), memory_limit(detail, {})
    if limit * 2 <= (task or 0):
        return {"next_memory_mib": limit * 2, "valid_with": f" (the task has {task})"}
    if detail.get("launchType") != "FARGATE" or not cpu.isdecimal() or int(cpu) not in _LARGEST:
        return {"next_memory_mib": limit * 2}
    units = int(cpu)
    step = _STEP.get(units, 1024)
    wanted = -(-limit * 2 // step) * step
    if wanted <= _LARGEST[units]:
        return {"next_memory_mib": wanted, "valid_with": f" (valid with cpu {units})"}
    larger = next((size for size in sorted(_LARGEST) if size > units and _LARGEST[size] >= wanted), None)
    if larger is None:
        return {"next_memory_mib": _LARGEST[units], "valid_with": f" (the most that cpu {units} allows)"}
    return {"next_memory_mib": wanted, "valid_with": f" and cpu to {larger}"}

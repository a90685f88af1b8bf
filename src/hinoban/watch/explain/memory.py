"""How much memory to try next after a container was killed at its limit: twice as much, in a size that Fargate has (facts/ecs.md §4.1)."""

from collections.abc import Mapping
from typing import Any

from hinoban.aws.definitions.sizes import fargate_sizes
from hinoban.watch.config import Lang
from hinoban.watch.explain.filling import memory_limit

_WORDS: Mapping[Lang, Mapping[str, str]] = {
    "en": {
        "room": " (the task has {})",
        "valid": " (valid with cpu {})",
        "cpu": " and cpu to {}",
        "most": " (the most that cpu {} allows)",
    },
    "ja": {"room": "(タスク全体は {})", "valid": "(cpu {} で有効)", "cpu": "、cpu を {}", "most": "(cpu {} での上限)"},
}


def memory_advice(detail: Mapping[str, Any], container: Mapping[str, Any], lang: Lang) -> dict[str, Any]:
    """The names `next_memory_mib` and `valid_with` of the text; empty where the limit is not known."""
    limit = memory_limit(detail, container)
    if limit is None:
        return {}
    words = _WORDS[lang]
    wanted, task, cpu = limit * 2, memory_limit(detail, {}), str(detail.get("cpu"))
    if wanted <= (task or 0):
        return {"next_memory_mib": wanted, "valid_with": words["room"].format(task)}
    sizes = fargate_sizes()
    if detail.get("launchType") != "FARGATE" or not cpu.isdecimal() or int(cpu) not in sizes:
        return {"next_memory_mib": wanted}
    for units in sorted(each for each in sizes if each >= int(cpu)):
        size = next((each for each in sizes[units] if each >= wanted), None)
        if size is not None:
            return {"next_memory_mib": size, "valid_with": words["valid" if units == int(cpu) else "cpu"].format(units)}
    return {"next_memory_mib": max(sizes[int(cpu)]), "valid_with": words["most"].format(cpu)}

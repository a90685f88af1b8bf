"""Which capacity provider each task of a launch gets (facts/ecs.md §3.5)."""

from collections.abc import Sequence
from typing import Any


def distribute(strategy: Sequence[dict[str, Any]], count: int) -> list[str]:
    """The provider of each of `count` tasks: the base first, then by weight, always the one furthest behind its share."""
    chosen: list[str] = []
    for item in strategy:
        chosen += [item["capacityProvider"]] * min(item.get("base", 0), count - len(chosen))
    weighted = [(item["capacityProvider"], item.get("weight", 0)) for item in strategy if item.get("weight", 0) > 0]
    given = dict.fromkeys((name for name, _ in weighted), 0)
    while len(chosen) < count and weighted:
        name = min(weighted, key=lambda pair: (given[pair[0]] + 1) / pair[1])[0]
        given[name] += 1
        chosen.append(name)
    return chosen

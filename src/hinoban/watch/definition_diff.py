"""What two revisions of a task definition differ in, by name: never a value of the environment, which may be a secret. Pure."""

from collections.abc import Mapping
from typing import Any

_VALUES_SHOWN = (
    "cpu",
    "memory",
    "memoryReservation",
    "networkMode",
    "essential",
    "stopTimeout",
    "startTimeout",
    "user",
    "workingDirectory",
)
"""Members whose values are short and no secrets: told with both."""
_OF_REVISION = frozenset(
    "taskDefinitionArn family revision status registeredAt registeredBy deregisteredAt requiresAttributes compatibilities".split()
)
"""What every revision has of its own."""
_NAMED = {
    "environment": "name",
    "secrets": "name",
    "dockerLabels": None,
    "environmentFiles": "value",
    "ulimits": "name",
    "mountPoints": "sourceVolume",
}
"""Members that are lists (or a map) of named things, and the member that names one."""


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What changed, each in a few words: `image v1.8.2 → v1.8.3`, `environment DB_HOST`; with the container's name where there are several."""
    old, new = _containers(before), _containers(after)
    found = _members({**before, "containerDefinitions": None}, {**after, "containerDefinitions": None}, "")
    several = max(len(old), len(new)) > 1
    for name in dict.fromkeys([*old, *new]):
        if name not in old:
            found.append(f"container {name} added")
        elif name not in new:
            found.append(f"container {name} removed")
        else:
            found += _members(old[name], new[name], f"{name} " if several else "")
    return found


def _containers(definition: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(one.get("name")): one for one in definition.get("containerDefinitions") or ()}


def _members(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str) -> list[str]:
    found: list[str] = []
    for member in sorted({*before, *after} - _OF_REVISION):
        old, new = before.get(member), after.get(member)
        if (old or None) == (new or None):
            continue
        if member == "image":
            found.insert(0, f"{prefix}image {_image(str(old), str(new))}")
        elif member in _NAMED:
            found += [f"{prefix}{member} {name}" for name in _names_changed(old, new, _NAMED[member])]
        elif member in _VALUES_SHOWN:
            found.append(f"{prefix}{member} {_shown(old)} → {_shown(new)}")
        else:
            found.append(f"{prefix}{member}")
    return found


def _names_changed(before: Any, after: Any, name: str | None) -> list[str]:
    def by_name(given: Any) -> dict[str, Any]:
        if name is None:
            return dict(given or {})
        return {str(one.get(name)): one for one in given or ()}

    old, new = by_name(before), by_name(after)
    return sorted(one for one in {*old, *new} if old.get(one) != new.get(one))


def _image(before: str, after: str) -> str:
    """Both tags where only these differ, else both images."""
    (old, _, old_tag), (new, _, new_tag) = before.rpartition(":"), after.rpartition(":")
    if old and old == new and "/" not in old_tag + new_tag:
        return f"{old_tag} → {new_tag}"
    return f"{before} → {after}"


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)

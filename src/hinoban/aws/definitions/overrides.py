"""Overrides of RunTask and StartTask: what a definition becomes with them, and how answers and events show them (facts/ecs.md §3.4)."""

from typing import Any

import msgspec

from hinoban.aws.definitions.refusal import NO_FARGATE_CONFIGURATION
from hinoban.aws.definitions.sizes import is_fargate_size, parse_cpu, parse_memory
from hinoban.aws.errors import AwsError

MAX_CHARACTERS = 8192

_REPLACED = ("command", "environmentFiles", "cpu", "memory", "memoryReservation", "resourceRequirements")
_TASK_LEVEL = ("executionRoleArn", "taskRoleArn", "ephemeralStorage")


def effective(definition: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """A copy of the normalised `definition` with `overrides` applied; `definition` stays as it was.

    A container's environment is added to, by name; everything else that is given replaces (facts/ecs.md §3.4, §9.4).
    Raises AwsError InvalidParameterException: more than 8192 characters of JSON, a container that the definition does not have, a size
    that is none.
    """
    if not overrides:
        return definition.copy()
    _check_length(overrides)
    given = _by_container(definition, overrides)
    result = {
        **definition,
        "containerDefinitions": [_container(each, given.get(each["name"])) for each in definition["containerDefinitions"]],
    }
    result.update((member, overrides[member]) for member in _TASK_LEVEL if member in overrides)
    _resize(result, overrides)
    return result


def listed(definition: dict[str, Any], overrides: dict[str, Any], *, for_event: bool = False) -> dict[str, Any]:
    """The `overrides` object of a task: every container by name, with what was given for it; other given members are kept.

    The API's answers also have `inferenceAcceleratorOverrides: []` (facts/ecs.md seed 002f); events do not (facts/ecs.md §6.2).
    """
    given = _by_container(definition, overrides)
    shown = {**overrides, "containerOverrides": [given.get(name) or {"name": name} for name in _names(definition)]}
    if for_event:
        shown.pop("inferenceAcceleratorOverrides", None)
    else:
        shown.setdefault("inferenceAcceleratorOverrides", [])
    return shown


def _check_length(overrides: dict[str, Any]) -> None:
    """The text as clients report it, e.g. Netflix/metaflow issue 1482.

    Entries that override nothing do not count (UNCONFIRMED), so that what `listed` shows passes whenever the request did.
    """
    given = {member: value for member, value in overrides.items() if value}
    if containers := [each for each in given.pop("containerOverrides", ()) if each.keys() != {"name"}]:
        given["containerOverrides"] = containers
    if len(msgspec.json.encode(given).decode()) > MAX_CHARACTERS:
        raise AwsError("InvalidParameterException", f"Container Overrides length must be at most {MAX_CHARACTERS}")


def _names(definition: dict[str, Any]) -> list[str]:
    return [each["name"] for each in definition["containerDefinitions"]]


def _by_container(definition: dict[str, Any], overrides: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What is given for each container; of two entries for one container the later one's members win (UNCONFIRMED)."""
    names = set(_names(definition))
    given: dict[str, dict[str, Any]] = {}
    for each in overrides.get("containerOverrides") or ():
        name = each.get("name")
        if name not in names:
            raise AwsError("InvalidParameterException", f"Override for container named {name} is not a container in the TaskDefinition.")
        given[name] = {**given.get(name, {}), **each}
    return given


def _container(container: dict[str, Any], given: dict[str, Any] | None) -> dict[str, Any]:
    if not given:
        return container.copy()
    result = {**container, **{member: given[member] for member in _REPLACED if member in given}}
    if given.get("environment"):
        values = {each.get("name"): each for each in (*container.get("environment", ()), *given["environment"])}
        result["environment"] = list(values.values())
    return result


def _resize(result: dict[str, Any], overrides: dict[str, Any]) -> None:
    for member, parse in (("cpu", parse_cpu), ("memory", parse_memory)):
        if overrides.get(member):
            try:
                result[member] = str(parse(overrides[member]))
            except ValueError:
                # The text of registration (facts/ecs.md §4.2); that RunTask words it the same is UNCONFIRMED.
                raise AwsError("InvalidParameterException", f"Invalid '{member}' setting for task.") from None
    asked = overrides.get("cpu") or overrides.get("memory")
    if asked and "FARGATE" in result.get("requiresCompatibilities", ()) and not _is_a_fargate_size(result):
        raise AwsError("InvalidParameterException", NO_FARGATE_CONFIGURATION.format(cpu=result.get("cpu"), memory=result.get("memory")))


def _is_a_fargate_size(definition: dict[str, Any]) -> bool:
    family = (definition.get("runtimePlatform") or {}).get("operatingSystemFamily") or "LINUX"
    return is_fargate_size(int(definition["cpu"]), int(definition["memory"]), "windows" if family.startswith("WINDOWS") else "linux")

"""Task definition files: what may be in one, and whether a registered revision already says the same."""

from pathlib import Path
from typing import Any

import msgspec

from hinoban.base.errors import HinobanError

RESPONSE_ONLY = (
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "deleteRequestedAt",
)
# What AWS fills in where a file says nothing (facts/ecs.md §4); empty values need no entry.
DEFAULTS: dict[str, Any] = {"essential": True, "protocol": "tcp", "networkMode": "bridge"}


def load(path: Path) -> dict[str, Any]:
    """A RegisterTaskDefinition request from a file; describe-task-definition's output is taken too."""
    try:
        body = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        raise HinobanError(f"Cannot read {path}", error.strerror or str(error), "Name an existing file.", exit_code=2) from error
    except msgspec.DecodeError as error:
        raise HinobanError(f"{path} is not JSON", str(error), "Correct the file; examples/ holds some.", exit_code=2) from error
    if isinstance(body, dict) and isinstance(body.get("taskDefinition"), dict):
        body = {**body["taskDefinition"], **({"tags": body["tags"]} if body.get("tags") else {})}
    if not isinstance(body, dict) or "family" not in body or "containerDefinitions" not in body:
        raise HinobanError(
            f"{path} is not a task definition",
            "it has no family or no containerDefinitions",
            "Write what `aws ecs register-task-definition --cli-input-json` takes; examples/ holds some.",
            exit_code=2,
        )
    return {key: value for key, value in body.items() if key not in RESPONSE_ONLY}


def says_the_same(registered: Any, wanted: Any) -> bool:
    """Whether a described definition holds all of `wanted` and beyond that only what AWS fills in."""
    if isinstance(registered, dict) and isinstance(wanted, dict):
        extra = (key for key in registered if key not in wanted)
        return all(_same_member(registered.get(key), value) for key, value in wanted.items()) and all(
            _filled_in(key, registered[key], registered) for key in extra
        )
    if isinstance(registered, list) and isinstance(wanted, list):
        pairs = zip(_sorted(registered), _sorted(wanted), strict=False)
        return len(registered) == len(wanted) and all(says_the_same(one, other) for one, other in pairs)
    return bool(registered == wanted) or (str(registered) == str(wanted) and not isinstance(registered, bool))


def essential_containers(definition: dict[str, Any]) -> list[str]:
    """Names of the containers whose end ends the task, in the definition's order."""
    return [container["name"] for container in definition["containerDefinitions"] if container.get("essential", True)]


def _same_member(registered: Any, wanted: Any) -> bool:
    return _empty(registered) if _empty(wanted) else says_the_same(registered, wanted)


def _filled_in(key: str, value: Any, beside: dict[str, Any]) -> bool:
    if key in RESPONSE_ONLY or _empty(value) or DEFAULTS.get(key) == value:
        return True
    return key == "hostPort" and value == beside.get("containerPort")


def _empty(value: Any) -> bool:
    return value is None or value is False or (not isinstance(value, bool) and value in (0, "", [], {}))


def _sorted(items: list[Any]) -> list[Any]:
    """Lists of named things (environment, secrets, containers) are sets: their order says nothing."""
    if all(isinstance(item, dict) and "name" in item for item in items):
        return sorted(items, key=lambda item: str(item["name"]))
    return items

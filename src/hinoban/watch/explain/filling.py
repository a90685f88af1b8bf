"""Fills an entry's text with what is known of the task or launch; what is not known reads as unknown, never as an error."""

import re
from collections.abc import Mapping
from typing import Any

from hinoban.base.units import format_mib
from hinoban.watch.config import Lang
from hinoban.watch.model import Launch, family_of, revision_of, task_id_of

_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_THE_CONTAINER = re.compile(r"\b([Cc])ontainer \{container\}")
_THE_CONTAINER_JA = re.compile(r"コンテナ \{container\} ?")

_UNKNOWN = {
    "family": "FAMILY",
    "definition": "FAMILY",
    "task": "TASK",
    "task_id": "TASK",
    "cluster": "CLUSTER",
    "service": "SERVICE",
    "role_name": "ROLE",
    "secret": "SECRET",
    "bucket": "BUCKET",
    "next_memory_mib": "twice as much",
    "valid_with": "",
}
"""What stands for a name in commands when it is not known: the word to replace."""

_UNKNOWN_JA = _UNKNOWN | {"next_memory_mib": "現在の 2 倍"}


def fill(template: str, facts: Mapping[str, Any], lang: Lang = "en") -> str:
    """`template` with its `{names}` filled; an unknown one reads `unknown`, or as a word in capitals where it stands in a command."""
    words, otherwise = (_UNKNOWN_JA, "不明") if lang == "ja" else (_UNKNOWN, "unknown")

    def value(found: re.Match[str]) -> str:
        name = found[1]
        known = facts.get(name)
        return str(known) if known not in (None, "") else words.get(name, otherwise)

    if facts.get("container") in (None, ""):
        template = _THE_CONTAINER.sub(lambda found: "A container" if found[1] == "C" else "a container", template)
        template = _THE_CONTAINER_JA.sub("コンテナ", template)
    return _PLACEHOLDER.sub(value, template)


def facts_of_task(detail: Mapping[str, Any], container: Mapping[str, Any] | None) -> dict[str, Any]:
    """The names a stop's text may use: of the task, and of the container that is to blame."""
    arn, definition = str(detail.get("taskArn") or ""), str(detail.get("taskDefinitionArn") or "")
    group = str(detail.get("group") or "")
    task_id = task_id_of(arn)
    blamed = container or {}
    image = str(blamed.get("image") or "")
    memory = memory_limit(detail, blamed)
    return {
        **_definition_facts(definition),
        "task": task_id[:8],
        "task_id": task_id,
        "cluster": str(detail.get("clusterArn") or "").rpartition("/")[2],
        "service": group.removeprefix("service:") if group.startswith("service:") else "",
        "container": blamed.get("name"),
        "image": image,
        "exit_code": blamed.get("exitCode"),
        "memory_mib": memory,
        "memory": format_memory(memory),
        "cpu": detail.get("cpu"),
    }


def facts_of_launch(launch: Launch) -> dict[str, Any]:
    """The names a refused launch's text may use."""
    definition = str((launch.request or {}).get("taskDefinition") or "")
    return {
        **_definition_facts(definition),
        "cluster": launch.cluster if launch.request is not None else "",
        "caller": launch.caller_arn,
        "count": launch.count,
        "refused": launch.refused,
    }


def with_names(facts: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """`facts` and what the entry's expression took out of AWS's words, with what follows from them."""
    merged = {**facts, **names}
    if role := merged.get("role"):
        merged["role_name"] = str(role).rpartition("/")[2]
    return merged


def memory_limit(detail: Mapping[str, Any], container: Mapping[str, Any]) -> int | None:
    """The limit in MiB that a container runs into: its own, else the task's (facts/ecs.md §1.3: both are strings)."""
    for value in (container.get("memory"), detail.get("memory")):
        if str(value).isdecimal() and int(str(value)) > 0:
            return int(str(value))
    return None


def format_memory(mib: int | None) -> str | None:
    """`512 MiB`; sizes of a definition are said in the unit that is typed there."""
    return None if mib is None else f"{mib} MiB" if mib < 4096 else format_mib(mib)


def _definition_facts(definition: str) -> dict[str, Any]:
    family, revision = family_of(definition), revision_of(definition)
    return {"family": family, "revision": revision, "definition": family if revision is None else f"{family}:{revision}"}

"""How CloudTrail prints a call's parameters and answer: names beginning small, moments in words, what is sensitive hidden. PURE.

What AWS's service models mark `sensitive` reads HIDDEN_DUE_TO_SECURITY_REASONS in a record, as a whole: RunTask's `environment` is that
text and no list (siem-on-amazon-opensearch-service issue 430, aws-batch-runtime-monitoring issue 20). In ECS these are the environments
of overrides and of container definitions, in EventBridge the secrets of connections; a target's Input is not marked, and stays.
That RegisterTaskDefinition's environment is hidden, too, follows from its being the same shape; UNCONFIRMED by a sample.
"""

import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from hinoban.aws import models

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


def request(service: str, operation: str, value: Mapping[str, Any]) -> Any:
    """An operation's parameters as they are recorded."""
    found = models.service(service).operation(operation)
    return _member(models.service(service).shapes, found.input_shape if found else None, value)


def response(service: str, operation: str, value: Mapping[str, Any]) -> Any:
    """An operation's answer as it is recorded."""
    found = models.service(service).operation(operation)
    return _member(models.service(service).shapes, found.output_shape if found else None, value)


def _member(shapes: Mapping[str, Any], name: str | None, value: Any) -> Any:
    if name is None or value is None:
        return value
    shape = shapes[name]
    if shape.get("sensitive"):
        return HIDDEN
    match shape["type"]:
        case "structure" if isinstance(value, Mapping):
            members = {_small(member): target["shape"] for member, target in shape["members"].items()}
            return {_small(key): _member(shapes, members.get(_small(key)), inner) for key, inner in value.items()}
        case "list" if isinstance(value, list):
            return [_member(shapes, shape["member"]["shape"], inner) for inner in value]
        case "map" if isinstance(value, Mapping):
            return {key: _member(shapes, shape["value"]["shape"], inner) for key, inner in value.items()}
        case "timestamp" if isinstance(value, int | float):
            return in_words(int(value))
    return value


@functools.lru_cache(maxsize=1024)
def in_words(second: int) -> str:
    """`Oct 1, 2026, 3:00:05 AM`: how a moment stands inside parameters and answers (facts/ecs.md §6.7)."""
    moment = datetime.fromtimestamp(second, UTC)
    return f"{moment:%b} {moment.day}, {moment.year}, {int(moment.strftime('%I'))}:{moment:%M:%S %p}"


@functools.lru_cache(maxsize=4096)
def _small(name: str) -> str:
    return name[:1].lower() + name[1:]

"""What the rules of registration look at and what they answer: a draft of the definition, and the error that refuses it or None."""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from hinoban.aws.errors import AwsError

NO_FARGATE_CONFIGURATION = (
    "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the Amazon ECS documentation for the valid values."
)


class Draft(Struct, frozen=True):
    """A RegisterTaskDefinition request with what most rules ask about it.

    `containers` are the request's own; `network_mode` is `bridge` where the request names none; `cpu` and `memory` are in CPU units
    and MiB, None where they are not given or unreadable.
    """

    request: dict[str, Any]
    containers: list[dict[str, Any]]
    names: frozenset[str]
    network_mode: str
    fargate: bool
    windows: bool
    cpu: int | None
    memory: int | None


Rule = Callable[[Draft], AwsError | None]
"""Looks at the whole definition."""

ContainerRule = Callable[[Draft, dict[str, Any]], AwsError | None]
"""Looks at one container."""


def refuse(message: str) -> AwsError:
    """The error of nearly every registration that is refused (facts/ecs.md §4.2)."""
    return AwsError("ClientException", message)


def of_each_container(*rules: ContainerRule) -> Rule:
    """One rule of several: container by container, each one's rules in order."""

    def first_refusal(draft: Draft) -> AwsError | None:
        for container in draft.containers:
            for rule in rules:
                if (refusal := rule(draft, container)) is not None:
                    return refusal
        return None

    return first_refusal

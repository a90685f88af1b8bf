"""A cluster, as a value."""

from typing import Any

import msgspec

DEFAULT_CLUSTER = "default"


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A boundary for names and running tasks (facts/ecs.md §11.5)."""

    region: str
    name: str
    arn: str
    status: str = "ACTIVE"
    settings: tuple[dict[str, Any], ...] = ()
    configuration: dict[str, Any] | None = None
    capacity_providers: tuple[str, ...] = ()
    default_strategy: tuple[dict[str, Any], ...] = ()
    tags: tuple[dict[str, Any], ...] = ()
    deleted_at: float | None = None

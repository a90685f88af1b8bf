"""A registered revision of a task definition, as a value."""

from typing import Any

import msgspec


class TaskDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """One revision: `body` is the normalised definition in AWS's member names (aws/definitions/register)."""

    region: str
    family: str
    revision: int
    arn: str
    body: dict[str, Any]
    status: str = "ACTIVE"
    registered_at: float
    registered_by: str
    deregistered_at: float | None = None
    tags: tuple[dict[str, Any], ...] = ()

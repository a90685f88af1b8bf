"""What the rest of the watch relies on in an event's details: types, and the ranges that AWS itself keeps to. Pure."""

from typing import Annotated, Any

import msgspec

from hinoban.base import units

MOST_VERSION = 100_000
"""A task's version grows by one with each change of its state; the history keeps a bit for each."""
MOST_TASKS = 10_000
"""RunTask launches 10 at the most; who asks for more is refused, and told so."""
_Code = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**32)]
MOMENTS = (
    "connectivityAt",
    "createdAt",
    "executionStoppedAt",
    "pullStartedAt",
    "pullStoppedAt",
    "startedAt",
    "stoppedAt",
    "stoppingAt",
    "updatedAt",
)


class Unreadable(ValueError):
    """Why an event of a kind that we know cannot be read."""


class _Container(msgspec.Struct, rename="camel"):
    name: str = ""
    exit_code: _Code | None = None
    reason: str | None = None
    image_digest: str | None = None
    runtime_id: str | None = None


class _Task(msgspec.Struct, rename="camel"):
    task_arn: Annotated[str, msgspec.Meta(min_length=1)]
    version: Annotated[int, msgspec.Meta(ge=1, le=MOST_VERSION)]
    cluster_arn: str = ""
    task_definition_arn: str = ""
    last_status: str = ""
    desired_status: str | None = None
    containers: list[_Container] | None = None
    group: str | None = None
    started_by: str | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    launch_type: str | None = None
    capacity_provider_name: str | None = None
    attributes: list[dict[str, Any]] | None = None
    attachments: list[dict[str, Any]] | None = None
    overrides: dict[str, Any] | None = None


class _Asked(msgspec.Struct, rename="camel"):
    task_definition: str = ""
    count: Annotated[int, msgspec.Meta(ge=0, le=MOST_TASKS)] | None = None
    cluster: str | None = None
    group: str | None = None
    started_by: str | None = None
    client_token: str | None = None
    tags: list[dict[str, Any]] | None = None


class _Placed(msgspec.Struct, rename="camel"):
    task_arn: str


class _Answered(msgspec.Struct):
    tasks: list[_Placed] | None = None
    failures: list[dict[str, str | None]] | None = None


class _Identity(msgspec.Struct, rename="camel"):
    arn: str | None = None
    invoked_by: str | None = None


class _Call(msgspec.Struct, rename="camel"):
    event_id: Annotated[str, msgspec.Meta(min_length=1)] = msgspec.field(name="eventID")
    user_identity: _Identity | None = None
    request_parameters: _Asked | None = None
    response_elements: _Answered | None = None
    error_code: str | None = None
    error_message: str | None = None


def check_task(detail: dict[str, Any]) -> None:
    """A task event's detail (facts/ecs.md §6.2); msgspec.ValidationError or ValueError says what is wrong with it."""
    msgspec.convert(detail, _Task)
    for name in MOMENTS:
        if (text := detail.get(name)) is not None:
            units.parse_iso(text)


def check_launch(record: dict[str, Any]) -> None:
    """The record of a RunTask call (facts/ecs.md §6.7); msgspec.ValidationError says what is wrong with it."""
    msgspec.convert(record, _Call)

"""What EventBridge Scheduler keeps, and how far the slots of a schedule or a scheduled rule are decided."""

from typing import Any, Literal

import msgspec
from msgspec import Struct

DEFAULT_GROUP = "default"
MINUTE = 60.0

ScheduleState = Literal["ENABLED", "DISABLED"]
Completion = Literal["NONE", "DELETE"]
Kind = Literal["rule", "schedule"]


class Group(Struct, frozen=True, kw_only=True):
    """A schedule group; `token` is the ClientToken it was made with."""

    region: str
    name: str
    arn: str
    created_at: float
    modified_at: float
    tags: dict[str, str] = {}
    token: str | None = None


class Schedule(Struct, frozen=True, kw_only=True, gc=False):
    """A schedule as it was given, defaults filled in. Moments are seconds since the epoch, `window_minutes` 0 means Mode OFF.

    The target stays JSON until it is asked for: 100,000 schedules are then read in half the time, and no garbage collection walks them.
    """

    region: str
    group: str
    name: str
    arn: str
    expression: str
    timezone: str
    state: ScheduleState
    target_json: msgspec.Raw
    window_minutes: int
    after_completion: Completion
    created_at: float
    modified_at: float
    start: float | None = None
    end: float | None = None
    description: str | None = None
    kms_key: str | None = None
    token: str | None = None

    @property
    def target(self) -> dict[str, Any]:
        """Target, as it was given, with its RetryPolicy."""
        target: dict[str, Any] = msgspec.json.decode(self.target_json)
        return target


class Mark(Struct, frozen=True, array_like=True, gc=False):
    """How far a schedule is decided: no slot up to `decided` is ever looked at again; `due` is when to look (None: there is nothing left).

    `anchor` is a rate's phase. `ending` is the last delivery of a completed schedule, which is deleted once that is over.
    """

    decided: float
    due: float | None
    anchor: float
    ending: str | None = None


class Timing(Struct, frozen=True, kw_only=True):
    """When something is due: all that a decision needs of a rule or a schedule. `window` is in seconds."""

    kind: Kind
    expression: str
    timezone: str = "UTC"
    start: float | None = None
    end: float | None = None
    window: float = 0.0


def timing_of(schedule: Schedule) -> Timing:
    """A one-time schedule's dates are ignored (facts/eventbridge.md §8.1)."""
    once = schedule.expression.startswith("at(")
    return Timing(
        kind="schedule",
        expression=schedule.expression,
        timezone=schedule.timezone,
        start=None if once else schedule.start,
        end=None if once else schedule.end,
        window=schedule.window_minutes * MINUTE,
    )

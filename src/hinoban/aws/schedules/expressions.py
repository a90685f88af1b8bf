"""Schedule expressions as values: frozen, hashable, and cheap to ask.

Sets of small numbers are bits of an int: hashing one is quick, and so is finding its next member.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from hinoban.aws.schedules.days import Days

FIRST_YEAR = 1970
LAST_YEAR = 2199
"""The years a cron expression may name (facts/eventbridge.md §7.2)."""

Unit = Literal["minute", "hour", "day"]


class Rate(Struct, frozen=True):
    """Every so many seconds of elapsed time, without regard to a zone (facts/eventbridge.md §7.1, §8.2)."""

    value: int
    unit: Unit
    seconds: int
    text: str


class Cron(Struct, frozen=True):
    """Wall times, to the minute. Bit n of `minutes` and `hours` is n; of `months`, month n + 1; of `years`, year 1970 + n."""

    text: str
    minutes: int
    hours: int
    days: Days
    months: int
    years: int


class At(Struct, frozen=True):
    """One wall time; naive, the zone comes from the schedule."""

    wall: datetime
    text: str


Expression = Rate | Cron | At

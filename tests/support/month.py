"""A month of schedules as a person would work it out: every slot by a second reading of its expression, and what must have become of it.

It knows the documentation's rules alone: no marks, heaps or transactions, and none of hinoban.aws.schedules.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from tests.support.schedules import SlowCron

ACCOUNT = "123456789012"
REGIONS = ("ap-northeast-1", "us-west-2", "eu-central-1", "ap-southeast-2")
# Within the month each but UTC and Tokyo changes its hour, in either direction.
ZONES = ("UTC", "Asia/Tokyo", "America/Los_Angeles", "Europe/Berlin", "Australia/Sydney")
# A day more on either side, for whoever is ahead or behind of UTC.
FIRST, LAST = date(2026, 3, 5), date(2026, 4, 7)
START = datetime(2026, 3, 6, 0, 0, 7, tzinfo=UTC).timestamp()
END = START + 31 * 86400
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}


@dataclass(frozen=True)
class Stretch:
    """A schedule as it stands from `begin` on: its slots are those after `low` (a rate's at whole periods from `anchor`)."""

    begin: float
    expression: str
    enabled: bool
    low: float
    anchor: float


@dataclass
class Job:
    """A scheduled rule or a Scheduler schedule, and everything that was done to it."""

    name: str
    kind: Literal["rule", "schedule"]
    region: str
    zone: str
    window: int  # minutes
    stretches: list[Stretch] = field(default_factory=list)

    @property
    def arn(self) -> str:
        if self.kind == "rule":
            return f"arn:aws:events:{self.region}:{ACCOUNT}:rule/{self.name}"
        return f"arn:aws:scheduler:{self.region}:{ACCOUNT}:schedule/default/{self.name}"

    @property
    def grace(self) -> float:
        """Seconds after a slot within which it may still fire: AWS's precision and the flexible window (facts/eventbridge.md §8.2)."""
        return 60.0 * (1 + self.window)

    @property
    def now(self) -> Stretch:
        return self.stretches[-1]

    def make(self, expression: str, enabled: bool, now: float) -> None:
        """Created: a rule's rate counts from now, a schedule's fires at once (facts/eventbridge.md §7.1, §8.2)."""
        low = math.floor(now) - 0.5 if self.kind == "schedule" and expression.startswith("rate") else now
        self.stretches.append(Stretch(now, expression, enabled, low, math.floor(now)))

    def change(self, now: float, *, expression: str | None = None, enabled: bool | None = None) -> None:
        """Updated: what is before now is owed by what it was; a rule that is enabled again counts from now, a schedule keeps its phase."""
        was = self.now
        becomes = expression or was.expression
        switched_on = enabled is True and not was.enabled
        anchor = was.anchor
        if becomes != was.expression or (switched_on and self.kind == "rule"):
            anchor = math.floor(now)
        self.stretches.append(Stretch(now, becomes, was.enabled if enabled is None else enabled, now, anchor))

    def slots(self, until: float) -> Iterator[float]:
        """Every slot that is owed up to `until`."""
        ends = [stretch.begin for stretch in self.stretches[1:]] + [until]
        for stretch, end in zip(self.stretches, ends, strict=True):
            if stretch.enabled:
                yield from (slot for slot in instants(stretch.expression, self.zone, stretch.anchor) if stretch.low < slot <= end)


@cache
def instants(expression: str, zone: str, anchor: float) -> tuple[float, ...]:
    """Every slot of the month, in order; an hour that does not exist has none, one that exists twice has its first."""
    if expression.startswith("rate("):
        number, unit = expression[5:-1].split()
        period = int(number) * _UNITS[unit.removesuffix("s")]
        return tuple(anchor + period * turn for turn in range(int((END - anchor) // period) + 1))
    if expression.startswith("at("):
        walls = [datetime.fromisoformat(expression[3:-1])]
    else:
        walls = [wall.replace(tzinfo=None) for wall in SlowCron(expression).walls(FIRST, LAST)]
    found = (moment_of(wall, zone) for wall in walls)
    return tuple(sorted({moment for moment in found if moment is not None}))


def moment_of(wall: datetime, zone: str) -> float | None:
    moment = wall.replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)
    shown = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return moment.timestamp() if shown == wall else None


def expression_of(dice: random.Random, kind: str) -> str:
    """What people write: mostly once a day or rarer, at any minute and often at the full hour; now and then something hourly."""
    minute = dice.choice([0, 0, 0, 15, 30, 59])
    hour = dice.choice([0, 0, 1, 2, 2, 3, 9, 23])
    day = f"cron({minute} {hour}"
    rare = [
        f"{day} ? * MON *)",
        f"{day} ? * SUN *)",
        f"{day} L * ? *)",
        f"{day} 15W * ? *)",
        f"{day} ? * 6#2 *)",
        f"{day} ? * 2L *)",
        f"{day} 1,10,20 * ? *)",
        f"{day} L-3 * ? *)",
    ]
    if kind == "schedule" and dice.random() < 0.2:
        wall = datetime(FIRST.year, FIRST.month, FIRST.day) + timedelta(days=dice.randrange(1, 32), hours=hour, minutes=minute)
        return f"at({wall.isoformat()})"
    often = [f"cron({minute} * * * ? *)", "rate(1 hour)", "rate(3 hours)", f"cron({minute}/30 9-17 ? * MON-FRI *)"]
    usual = [f"{day} * * ? *)", f"{day} * * ? *)", f"{day} ? * MON-FRI *)", "rate(1 day)", "rate(12 hours)"]
    return dice.choice(dice.choices([rare, usual, often], [80, 19, 1])[0])

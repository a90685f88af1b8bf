"""Which days of a month a cron's day-of-month or day-of-week field means (facts/eventbridge.md §7.2, semantics of Quartz).

Only two things about a month matter: its length and the weekday it begins with. There are 28 such shapes, so the answers fit a table.
Weekdays are AWS's: 1 is Sunday, 7 is Saturday.
"""

from functools import lru_cache
from typing import Literal

from msgspec import Struct

SUNDAY, SATURDAY = 1, 7
SHAPES = 28
EVERY_DATE = (1 << 32) - 2
EVERY_WEEKDAY = (1 << 8) - 2

Kind = Literal["dates", "weekdays", "last", "last-workday", "workday-near", "last-weekday", "nth-weekday"]


class Days(Struct, frozen=True):
    """One day rule. Which members count depends on `kind`:

    dates (`members`: bit n is the nth), weekdays (`members`: bit n is weekday n), last (`number` days before the last day of the month),
    last-workday (LW), workday-near (`number`W), last-weekday (`weekday`L), nth-weekday (`weekday`#`number`).
    """

    kind: Kind
    members: int = 0
    weekday: int = 0
    number: int = 0

    @property
    def every_day(self) -> bool:
        """True if no day is left out."""
        return self in (Days("dates", EVERY_DATE), Days("weekdays", EVERY_WEEKDAY))


def shape(length: int, first_weekday: int) -> int:
    """The number of a month's shape, 0..27."""
    return (length - 28) * 7 + first_weekday - 1


@lru_cache(maxsize=4096)
def table(days: Days) -> tuple[int, ...]:
    """For each shape the days it means, as bits: bit n is the nth."""
    return tuple(_of_month(days, 28 + number // 7, number % 7 + 1) for number in range(SHAPES))


def _of_month(days: Days, length: int, first: int) -> int:
    def weekday(day: int) -> int:
        return (first + day - 2) % 7 + 1

    everything = range(1, length + 1)
    match days.kind:
        case "dates":
            chosen = [day for day in everything if days.members >> day & 1]
        case "weekdays":
            chosen = [day for day in everything if days.members >> weekday(day) & 1]
        case "last":
            chosen = [length - days.number]
        case "last-workday":
            chosen = [_workday_near(length, length, weekday(length))]
        case "workday-near":
            # A month without that day has no run, instead of one near its end.
            chosen = [_workday_near(days.number, length, weekday(days.number))] if days.number <= length else []
        case "last-weekday":
            chosen = [day for day in everything if weekday(day) == days.weekday][-1:]
        case "nth-weekday":
            chosen = [day for day in everything if weekday(day) == days.weekday][days.number - 1 : days.number]
    return sum(1 << day for day in chosen if day >= 1)


def _workday_near(day: int, length: int, weekday: int) -> int:
    """The nearest of Monday to Friday; never in another month, even where that one is nearer."""
    if weekday == SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == SUNDAY:
        return day + 1 if day < length else day - 2
    return day

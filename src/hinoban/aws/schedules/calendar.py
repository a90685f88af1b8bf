"""Finds a cron's next wall time without walking minute by minute, nor day by day.

Wall times are minutes since 1970-01-01 00:00 on the zone's clocks. What is looked at is months: at most 2,760 from 1970 to 2199.
"""

from calendar import monthrange
from datetime import date
from functools import lru_cache

from hinoban.aws.schedules import days
from hinoban.aws.schedules.expressions import FIRST_YEAR, LAST_YEAR, Cron

MINUTES_OF_DAY = 24 * 60
_EPOCH_DAY = date(FIRST_YEAR, 1, 1).toordinal()
_MONTHS = (LAST_YEAR + 1 - FIRST_YEAR) * 12
_LAST_DAY = date(LAST_YEAR, 12, 31).toordinal() - _EPOCH_DAY


def next_wall(cron: Cron, start: int) -> int | None:
    """The first wall minute that the cron means, at or after `start`; None if there is none."""
    day, minute = divmod(max(start, 0), MINUTES_OF_DAY)
    found = _next_day(cron, day)
    if found == day:
        in_day = _next_minute(cron, minute)
        if in_day is not None:
            return day * MINUTES_OF_DAY + in_day
        found = _next_day(cron, day + 1)
    return None if found is None else found * MINUTES_OF_DAY + first_of_day(cron)


def first_of_day(cron: Cron) -> int:
    """The first minute of a day on which it runs."""
    return _lowest(cron.hours) * 60 + _lowest(cron.minutes)


def last_of_day(cron: Cron) -> int:
    """The last minute of a day on which it runs."""
    return (cron.hours.bit_length() - 1) * 60 + cron.minutes.bit_length() - 1


def runs_of_day(cron: Cron) -> int:
    """How often it runs on a day on which it runs."""
    return cron.hours.bit_count() * cron.minutes.bit_count()


def _next_minute(cron: Cron, start: int) -> int | None:
    hour, minute = divmod(start, 60)
    if cron.hours >> hour & 1 and (left := cron.minutes >> minute):
        return start + _lowest(left)
    hour += 1
    later = cron.hours >> hour
    return (hour + _lowest(later)) * 60 + _lowest(cron.minutes) if later else None


def _next_day(cron: Cron, start: int) -> int | None:
    """The first day (since 1970-01-01) at or after `start` on which it runs."""
    if start > _LAST_DAY:
        return None
    day = date.fromordinal(start + _EPOCH_DAY)
    month = (day.year - FIRST_YEAR) * 12 + day.month - 1
    shapes, first_days = _months()
    table = days.table(cron.days)
    if cron.years >> day.year - FIRST_YEAR & 1 and cron.months >> day.month - 1 & 1:
        left = table[shapes[month]] >> day.day
        if left:
            return start + _lowest(left)
    month += 1
    while month < _MONTHS:
        year, month_of_year = divmod(month, 12)
        years = cron.years >> year
        if not years:
            return None
        months = cron.months >> month_of_year
        if not years & 1:
            month = (year + _lowest(years)) * 12
        elif not months:
            month = (year + 1) * 12
        else:
            month += _lowest(months)
            if chosen := table[shapes[month]]:
                return first_days[month] + _lowest(chosen) - 1
            month += 1
    return None


def _lowest(bits: int) -> int:
    """The lowest member of a set that has one."""
    return (bits & -bits).bit_length() - 1


@lru_cache(maxsize=1)
def _months() -> tuple[bytes, tuple[int, ...]]:
    """Of each month since 1970-01: its shape (`days.shape`), and its first day as a number of days since 1970-01-01."""
    shapes, first_days, day = bytearray(), [], 0
    for month in range(_MONTHS):
        first, length = monthrange(FIRST_YEAR + month // 12, month % 12 + 1)
        shapes.append(days.shape(length, (first + 1) % 7 + 1))
        first_days.append(day)
        day += length
    return bytes(shapes), tuple(first_days)

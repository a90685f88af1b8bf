"""When an expression is due: its next instant, its instants within a window, and how many they are.

A wall time that a zone leaves out is skipped, one that it has twice counts once, at its first occurrence. The documentation says so of
fixed times (facts/eventbridge.md §8.2); for wildcards over the gap we hold each wall time to the same rule, which is UNCONFIRMED.
"""

import math
from datetime import UTC, datetime, tzinfo

from hinoban.aws.schedules.calendar import MINUTES_OF_DAY, first_of_day, last_of_day, next_wall, runs_of_day
from hinoban.aws.schedules.expressions import LAST_YEAR, At, Cron, Expression, Rate
from hinoban.aws.schedules.zones import instant_of, wall_of

_DAY = 86400
_END = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC).timestamp() + _DAY
"""Nothing is due later; a zone's last day of 2199 may reach into the next one."""


def next_after(expression: Expression, after: float, *, zone: tzinfo = UTC, anchor: float = 0.0) -> float | None:
    """The first instant strictly after `after` (seconds since the epoch) at which it is due; None if there is none.

    A rate is due at `anchor` and every so many seconds after it: of a rule ask from its creation on (facts/eventbridge.md §7.1), of the
    Scheduler from just before StartDate, where the first invocation is (§8.2). `zone` is of no concern to it.
    """
    if after >= _END:
        return None
    match expression:
        case Rate():
            return _next_of_rate(expression, after, anchor)
        case At():
            moment = _moment_of(expression, zone)
            return moment if moment is not None and moment > after else None
        case Cron():
            found = _next_of_cron(expression, after, zone)
            return None if found is None else float(found[1])


def slots(
    expression: Expression, after: float, until: float, *, zone: tzinfo = UTC, anchor: float = 0.0, limit: int | None = None
) -> list[float]:
    """The instants in (after, until] at which it is due, in order; at most `limit` of them."""
    found: list[float] = []
    while limit is None or len(found) < limit:
        moment = next_after(expression, after, zone=zone, anchor=anchor)
        if moment is None or moment > until:
            break
        found.append(moment)
        after = moment
    return found


def count(expression: Expression, after: float, until: float, *, zone: tzinfo = UTC, anchor: float = 0.0) -> int:
    """How many `slots` there are in (after, until], without walking through each."""
    if until <= after:
        return 0
    match expression:
        case Rate():
            return _rate_slots_until(expression, until, anchor) - _rate_slots_until(expression, after, anchor)
        case At():
            return len(slots(expression, after, until, zone=zone))
        case Cron():
            return _count_of_cron(expression, after, until, zone)


def _next_of_rate(rate: Rate, after: float, anchor: float) -> float | None:
    moment = _rate_moment(rate, _rate_slots_until(rate, after, anchor), anchor)
    return moment if moment < _END else None


def _rate_moment(rate: Rate, number: int, anchor: float) -> float:
    """Milliseconds, as every moment (base.clock)."""
    return round(anchor + number * rate.seconds, 3)


def _rate_slots_until(rate: Rate, moment: float, anchor: float) -> int:
    """How many instants of the rate are not after `moment`; also the number of the first one that is."""
    moment = min(moment, _END)
    if moment < anchor:
        return 0
    number = math.floor((moment - anchor) / rate.seconds) + 1
    # The division may err by one where `moment` is one of the instants.
    while number > 0 and _rate_moment(rate, number - 1, anchor) > moment:
        number -= 1
    while _rate_moment(rate, number, anchor) <= moment:
        number += 1
    return number


def _moment_of(at: At, zone: tzinfo) -> float | None:
    moment = instant_of(round((at.wall - datetime(1970, 1, 1)).total_seconds()), zone)
    return None if moment is None else float(moment)


def _next_of_cron(cron: Cron, after: float, zone: tzinfo) -> tuple[int, int] | None:
    """Its next wall minute, and the instant of that."""
    wall = wall_of(math.floor(max(after, -2.0 * _DAY)), zone) // 60
    while (due := next_wall(cron, wall + 1)) is not None:
        wall = due
        moment = instant_of(wall * 60, zone)
        # None: left out by the zone. Not after: its clocks show this wall time for the second time.
        if moment is not None and moment > after:
            return wall, moment
    return None


def _count_of_cron(cron: Cron, after: float, until: float, zone: tzinfo) -> int:
    """Whole days at a time where the clocks of the zone stay as they are, else one by one."""
    total = 0
    while (found := _next_of_cron(cron, after, zone)) is not None and found[1] <= until:
        wall, moment = found
        day, minute = divmod(wall, MINUTES_OF_DAY)
        last = moment + (last_of_day(cron) - first_of_day(cron)) * 60
        if minute == first_of_day(cron) and last <= until and _is_plain(day, zone):
            total, after = total + runs_of_day(cron), last
        else:
            total, after = total + 1, moment
    return total


def _is_plain(day: int, zone: tzinfo) -> bool:
    """True if the zone's clocks run through this day without a change."""
    start = instant_of(day * _DAY, zone)
    return start is not None and instant_of((day + 1) * _DAY, zone) == start + _DAY

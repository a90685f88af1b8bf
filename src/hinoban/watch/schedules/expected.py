"""When a schedule should run: its slots, computed from what AWS's API tells of it, and when each must have happened. PURE.

A slot that is expected here and does not run becomes an alert: where AWS leaves room, less is expected rather than more.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

from hinoban.aws.schedules import At, BadExpression, BadZone, Expression, Rate, parse, slots, words, zone
from hinoban.base.clock import MINUTES, SECONDS
from hinoban.watch.schedules.model import Kind, Schedule

GRACE = 5 * MINUTES
AGREE = 90 * SECONDS
"""Two runs of one rate() rule lie this near to whole periods of each other: AWS is exact to the minute (facts/eventbridge.md §8.2)."""
_SEEN = 20
_TICK = 0.001


@lru_cache(maxsize=16384)
def expression_of(text: str, kind: Kind) -> Expression:
    """The expression in its dialect; BadExpression where it is none."""
    return parse(text, dialect="rule" if kind == "rule" else "scheduler")


def unreadable(schedule: Schedule) -> str | None:
    """Why no slots of this schedule can be told, although AWS took it; None for a good one."""
    try:
        expression_of(schedule.expression, schedule.kind)
        zone(schedule.timezone)
    except (BadExpression, BadZone) as error:
        return f"{schedule.expression} {schedule.timezone} is not understood: {error}"
    return None


def in_words(schedule: Schedule) -> str:
    """`every day at 00:00`; the expression itself where it cannot be read."""
    if unreadable(schedule) is not None:
        return schedule.expression
    return words(expression_of(schedule.expression, schedule.kind), schedule.timezone)


def is_rate(schedule: Schedule) -> bool:
    """Whether it runs by a period, whose phase the API does not tell."""
    return unreadable(schedule) is None and isinstance(expression_of(schedule.expression, schedule.kind), Rate)


def expected(schedule: Schedule, after: float, until: float, *, phase: float | None = None, limit: int | None = None) -> list[float]:
    """The slots in (after, until] that an enabled schedule should run, oldest first; none of a disabled one.

    `phase` is any slot of a rate(), as `phase` learned it; without one nothing is expected of it. StartDate may be a slot itself, EndDate
    is none (CreateSchedule: "before which the schedule can invoke"); neither counts for at(). Before CreationDate and
    LastModificationDate nothing is expected: what it was then cannot be read.
    """
    if not schedule.enabled or unreadable(schedule) is not None:
        return []
    since = max(after, schedule.created_at or after, schedule.modified_at or after)
    return _slots(schedule, since, until, phase, limit)


def slots_near(schedule: Schedule, after: float, until: float, *, phase: float | None = None) -> list[float]:
    """The slots in (after, until] whatever its state is now and whenever it was modified: a run that is there was of some slot."""
    return [] if unreadable(schedule) is not None else _slots(schedule, after, until, phase, None)


def _slots(schedule: Schedule, after: float, until: float, phase: float | None, limit: int | None) -> list[float]:
    expression = expression_of(schedule.expression, schedule.kind)
    if isinstance(expression, Rate) and phase is None:
        return []
    if not isinstance(expression, At):
        after = after if schedule.start is None else max(after, schedule.start - _TICK)
        until = until if schedule.end is None else min(until, schedule.end - _TICK)
    if until <= after:
        return []
    anchor = 0.0
    if isinstance(expression, Rate) and phase is not None:
        # A phase is any slot: those before it are slots too, while aws.schedules begins at its anchor.
        anchor = phase - max(0, math.ceil((phase - after) / expression.seconds)) * expression.seconds
    return slots(expression, after, until, zone=zone(schedule.timezone), anchor=anchor, limit=limit)


def phase(schedule: Schedule, seen: Sequence[float]) -> float | None:
    """A slot of a rate() schedule: what it tells itself (StartDate, else CreationDate), or what its runs did; None while unknown.

    `seen` holds moments at which it ran, in any order. AWS does not tell when a rule's period began, nor what an update does to it
    (UNCONFIRMED): the newest runs that agree with each other decide, also against the dates. One alone decides when it is the only one.
    """
    if not is_rate(schedule):
        return None
    told = _told(schedule)
    runs = sorted(seen)[-_SEEN:]
    expression = expression_of(schedule.expression, schedule.kind)
    period = expression.seconds if isinstance(expression, Rate) else 0.0
    sure = told if _unmodified(schedule) else None
    if told is not None and any(_agree(run, told, period) for run in runs[-2:]):
        return told
    if sure is not None and len(runs) < 2:
        return sure
    for run in reversed(runs):
        # Runs come late, never early: the earliest of those that agree is the nearest to the slot.
        alike = [_apart(other, run, period) for other in runs if _agree(other, run, period)]
        if len(alike) > 1 or len(runs) == 1:
            return run + min(alike)
    return sure


def in_phase(schedule: Schedule, phase: float | None, run: float, *, within: float = AGREE) -> bool:
    """Whether a rate()'s run, or slot, fits this phase."""
    expression = expression_of(schedule.expression, schedule.kind)
    return phase is not None and isinstance(expression, Rate) and _agree(run, phase, expression.seconds, within)


def is_over(schedule: Schedule, now: float) -> bool:
    """Whether no run of it was to come any more: its one moment, or its EndDate, has passed."""
    ended = schedule.end is not None and schedule.end <= now
    once = unreadable(schedule) is None and isinstance(expression_of(schedule.expression, schedule.kind), At)
    return ended or (once and not slots_near(schedule, now, math.inf))


def due_by(slot: float, window_seconds: float = 0.0) -> float:
    """The moment from which on a slot without a run is missed: its flexible window may be used up, and AWS may be late."""
    return slot + window_seconds + GRACE


def _told(schedule: Schedule) -> float | None:
    """StartDate, else CreationDate, as whole seconds: slots have no fractions, and none is before the StartDate."""
    if schedule.start is not None:
        return float(math.ceil(schedule.start))
    return None if schedule.created_at is None else float(math.floor(schedule.created_at))


def _unmodified(schedule: Schedule) -> bool:
    return schedule.modified_at is None or schedule.created_at is None or schedule.modified_at <= schedule.created_at + SECONDS


def _apart(one: float, other: float, period: float) -> float:
    """How far `one` lies from the nearest slot that `other` would make: -period/2 ... period/2."""
    return (one - other + period / 2) % period - period / 2


def _agree(one: float, other: float, period: float, within: float = AGREE) -> bool:
    return abs(_apart(one, other, period)) <= min(within, period / 2)

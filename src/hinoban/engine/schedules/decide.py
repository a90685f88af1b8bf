"""Which slots of a schedule fire now, which were missed, and when to look again: a function of its timing, its mark and the time. PURE."""

import math

from msgspec import Struct, structs

from hinoban.aws.schedules import Expression, Rate, count, next_after, parse, slots, zone
from hinoban.engine.schedules.model import Mark, Timing

# How late a slot may be decided and still fire, AWS's own precision (facts/eventbridge.md §8.2: 1:00 means 1:00:00 to 1:00:59).
LATENESS = 60.0
# Moments have milliseconds: "from this one on" is "after the one before".
_TICK = 0.001
_LOOK_BACK = 3600.0


class Missed(Struct, frozen=True):
    """A run of slots that nobody decided in time."""

    first: float
    last: float
    count: int


class Decided(Struct, frozen=True):
    """Slots to fire, in order, a run of missed ones, and the mark to keep."""

    fired: tuple[float, ...]
    missed: Missed | None
    mark: Mark


def decide(timing: Timing, mark: Mark, now: float) -> Decided:
    """Decide every slot in (mark.decided, now]; a clock that was set back finds nothing there.

    A slot fires up to LATENESS after its moment or, with a flexible window, after the window's end: AWS invokes within it (§8.2).
    """
    asked = _Asked(timing, mark.anchor)
    low = mark.decided if timing.start is None else max(mark.decided, timing.start - _TICK)
    high = now if timing.end is None else min(now, timing.end)
    cut = min(now - LATENESS - timing.window - _TICK, high)
    missed = asked.run(low, cut)
    fired = asked.within(max(low, cut), high)
    decided = max(mark.decided, now)
    return Decided(tuple(fired), missed, structs.replace(mark, decided=decided, due=asked.after(decided)))


def first_mark(timing: Timing, now: float) -> Mark:
    """The mark of something made or enabled now: nothing before now is owed.

    A rule's rate counts from now (facts/eventbridge.md §7.1). The Scheduler's first invocation by a rate is at StartDate or, without
    one, at once (§8.2). Whole seconds, as the slots are told in.
    """
    if timing.kind == "rule":
        return _marked(timing, now, math.floor(now))
    anchor = math.floor(now) if timing.start is None else math.ceil(timing.start)
    at_once = isinstance(parse_of(timing), Rate) and 0 <= now - anchor <= LATENESS
    return _marked(timing, anchor - _TICK if at_once else now, anchor)


def next_mark(before: Timing, after: Timing, mark: Mark, now: float) -> Mark:
    """The mark after an update: slots after now, by the new expression (a rate that stays keeps its phase).

    UNCONFIRMED: that a new rate does not fire at once, as a new schedule does.
    """
    decided = max(mark.decided, now)
    same_phase = before.expression == after.expression and before.start == after.start
    if same_phase:
        return _marked(after, decided, mark.anchor)
    return _marked(after, decided, math.floor(now) if after.start is None else math.ceil(after.start))


def disabled_mark(mark: Mark, now: float) -> Mark:
    """Nothing is due while disabled. That slots were decided is remembered: a clock that is set back meanwhile must not fire them again."""
    return Mark(max(mark.decided, now), None, mark.anchor)


def enabled_mark(timing: Timing, known: Mark | None, now: float, created_at: float) -> Mark:
    """The mark of what is enabled again: nothing before now is owed. A rule's rate counts from now, a schedule's keeps its phase."""
    decided = now if known is None else max(known.decided, now)
    if timing.kind == "rule":
        return _marked(timing, decided, math.floor(now))
    return _marked(timing, decided, math.floor(created_at) if timing.start is None else math.ceil(timing.start))


def _marked(timing: Timing, decided: float, anchor: float) -> Mark:
    return Mark(decided, _Asked(timing, anchor).after(decided), anchor)


def parse_of(timing: Timing) -> Expression:
    return parse(timing.expression, dialect="rule" if timing.kind == "rule" else "scheduler")


class _Asked:
    """The questions that a timing answers."""

    def __init__(self, timing: Timing, anchor: float) -> None:
        self._timing = timing
        self._anchor = anchor
        self._expression = parse_of(timing)
        self._zone = zone(timing.timezone)

    def after(self, moment: float) -> float | None:
        """The first slot after `moment` and within the dates."""
        start, end = self._timing.start, self._timing.end
        from_here = moment if start is None else max(moment, start - _TICK)
        found = next_after(self._expression, from_here, zone=self._zone, anchor=self._anchor)
        return None if found is None or (end is not None and found > end) else found

    def within(self, low: float, high: float) -> list[float]:
        """The slots in (low, high]."""
        return slots(self._expression, low, high, zone=self._zone, anchor=self._anchor) if high > low else []

    def run(self, low: float, high: float) -> Missed | None:
        """The slots in (low, high], counted and not walked through."""
        if high <= low:
            return None
        first = next_after(self._expression, low, zone=self._zone, anchor=self._anchor)
        if first is None or first > high:
            return None
        number = count(self._expression, low, high, zone=self._zone, anchor=self._anchor)
        return Missed(first, self._last(first, high), number)

    def _last(self, first: float, high: float) -> float:
        """The last slot in [first, high]: looked for in ever longer stretches before `high`."""
        stretch = _LOOK_BACK
        while high - stretch > first:
            if found := self.within(high - stretch, high):
                return found[-1]
            stretch *= 4
        return self.within(first - _TICK, high)[-1]

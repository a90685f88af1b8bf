"""The pure decision: what it tells does not depend on how often it is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws.schedules import count, parse, zone
from hinoban.engine.schedules.decide import decide, disabled_mark, enabled_mark, first_mark, next_mark
from hinoban.engine.schedules.model import Mark, Timing

START = 1_795_705_200.0
TIMINGS = st.sampled_from(
    [
        Timing(kind="rule", expression="rate(7 minutes)"),
        Timing(kind="rule", expression="cron(0/3 8-17 ? * MON-FRI *)"),
        Timing(kind="schedule", expression="rate(1 hour)", start=START + 100.5, end=START + 90_000),
        Timing(kind="schedule", expression="cron(0 0 * * ? *)", timezone="Europe/Paris", window=900.0),
        Timing(kind="schedule", expression="at(2026-11-27T10:00:00)"),
    ]
)
moments = st.lists(st.floats(0, 10 * 86_400).map(lambda seconds: round(START + seconds, 3)), min_size=1, max_size=12)


@given(timing=TIMINGS, asked=moments)
def test_every_slot_up_to_the_last_question_is_told_once(timing, asked):
    mark = first = first_mark(timing, START)
    told = 0
    fired: list[float] = []
    for now in asked:
        decided = decide(timing, mark, now)
        told += len(decided.fired) + (decided.missed.count if decided.missed else 0)
        fired += decided.fired
        assert decided.mark.decided == max(mark.decided, now)
        assert all(0 <= now - slot <= 60 + timing.window for slot in decided.fired)
        assert decided.missed is None or decided.missed.first <= decided.missed.last < now - 60 - timing.window
        mark = decided.mark
    low = max(first.decided, (timing.start or START) - 0.001)
    high = min(max(asked), timing.end or max(asked))
    dialect = "rule" if timing.kind == "rule" else "scheduler"
    assert told == count(parse(timing.expression, dialect=dialect), low, high, zone=zone(timing.timezone), anchor=first.anchor)
    assert len(fired) == len(set(fired))
    assert mark.due is None or mark.due > mark.decided


@pytest.mark.parametrize("seconds", [1.0, 40_000.0])
def test_an_earlier_moment_finds_nothing(seconds):
    timing = Timing(kind="rule", expression="rate(1 minute)")
    mark = decide(timing, first_mark(timing, START), START + 50_000).mark
    again = decide(timing, mark, START + 50_000 - seconds)
    assert (again.fired, again.missed, again.mark) == ((), None, mark)


def test_being_disabled_forgets_nothing_that_was_decided():
    timing = Timing(kind="rule", expression="rate(1 minute)")
    mark = disabled_mark(Mark(START + 600, START + 660, START), START)
    assert mark == Mark(START + 600, None, START)
    assert enabled_mark(timing, mark, START + 30, START) == Mark(START + 600, START + 630, START + 30)


def test_a_new_start_moves_a_rates_phase_and_a_new_end_does_not():
    timing = Timing(kind="schedule", expression="rate(1 hour)", start=START)
    mark = Mark(START + 10, START + 3600, START)
    ended = Timing(kind="schedule", expression="rate(1 hour)", start=START, end=START + 4000)
    moved = Timing(kind="schedule", expression="rate(1 hour)", start=START + 50)
    assert next_mark(timing, ended, mark, START + 20) == Mark(START + 20, START + 3600, START)
    assert next_mark(timing, moved, mark, START + 20) == Mark(START + 20, START + 50, START + 50)

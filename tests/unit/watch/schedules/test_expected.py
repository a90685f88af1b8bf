"""The slots that should run: within their dates, in their zone, and of a rate() only once its phase is known."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.watch.schedules.expected import due_by, expected, in_words, is_rate, phase, slots_near, unreadable
from tests.unit.watch.schedules.samples import MIDNIGHT, rule, schedule

EXPRESSIONS = st.sampled_from(
    ["cron(0 0 * * ? *)", "cron(*/7 * * * ? *)", "cron(30 9 ? * MON-FRI *)", "cron(0 12 L * ? *)", "rate(5 minutes)"]
)
ZONES = st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles"])
MOMENTS = st.floats(MIDNIGHT, MIDNIGHT + 20 * DAYS).map(lambda moment: round(moment, 3))


def test_a_daily_rule_has_one_slot_a_day() -> None:
    assert expected(rule(), MIDNIGHT, MIDNIGHT + 2 * DAYS) == [MIDNIGHT + DAYS, MIDNIGHT + 2 * DAYS]


def test_a_schedule_keeps_its_zones_wall_time_over_a_change_of_its_clocks() -> None:
    zone = ZoneInfo("America/Los_Angeles")
    created = datetime(2027, 3, 1, tzinfo=UTC).timestamp()
    found = schedule(
        expression="cron(0 9 * * ? *)", ScheduleExpressionTimezone=zone.key, CreationDate=created, LastModificationDate=created
    )
    slots = expected(found, created, created + 30 * DAYS)
    assert len(slots) == 30
    assert {datetime.fromtimestamp(slot, zone).hour for slot in slots} == {9}
    assert {after - before for before, after in itertools.pairwise(slots)} == {DAYS, 23 * HOURS}


def test_a_wall_time_that_does_not_exist_is_not_expected() -> None:
    start = datetime(2027, 3, 13, 12, tzinfo=UTC).timestamp()
    found = schedule(expression="cron(30 2 * * ? *)", ScheduleExpressionTimezone="America/Los_Angeles")
    (slot,) = expected(found, start, start + 2 * DAYS)
    assert datetime.fromtimestamp(slot, ZoneInfo("America/Los_Angeles")) == datetime(
        2027, 3, 15, 2, 30, tzinfo=ZoneInfo("America/Los_Angeles")
    )


def test_a_disabled_schedule_expects_nothing_but_its_earlier_runs_still_have_slots() -> None:
    found = rule(State="DISABLED")
    assert expected(found, MIDNIGHT, MIDNIGHT + DAYS) == []
    assert slots_near(found, MIDNIGHT, MIDNIGHT + DAYS) == [MIDNIGHT + DAYS]


def test_the_start_date_may_be_a_slot_and_the_end_date_is_none() -> None:
    found = schedule(expression="cron(0 0 * * ? *)", StartDate=MIDNIGHT + DAYS, EndDate=MIDNIGHT + 3 * DAYS)
    assert expected(found, MIDNIGHT - DAYS, MIDNIGHT + 9 * DAYS) == [MIDNIGHT + DAYS, MIDNIGHT + 2 * DAYS]


def test_dates_do_not_count_for_a_one_time_schedule() -> None:
    found = schedule(expression="at(2026-11-28T10:00:00)", StartDate=MIDNIGHT + 9 * DAYS, EndDate=MIDNIGHT)
    assert expected(found, MIDNIGHT, MIDNIGHT + 9 * DAYS) == [MIDNIGHT + DAYS + 10 * HOURS]


def test_nothing_is_expected_of_the_time_before_it_was_last_modified() -> None:
    found = schedule(expression="cron(0 * * * ? *)", LastModificationDate=MIDNIGHT + 90 * MINUTES)
    assert expected(found, MIDNIGHT, MIDNIGHT + 3 * HOURS) == [MIDNIGHT + 2 * HOURS, MIDNIGHT + 3 * HOURS]


def test_an_expression_that_is_not_understood_is_said_and_expects_nothing() -> None:
    for found in (rule(expression="cron(nonsense)"), schedule(ScheduleExpressionTimezone="Mars/Olympus")):
        assert unreadable(found) is not None
        assert expected(found, MIDNIGHT, MIDNIGHT + DAYS) == []
        assert in_words(found) == found.expression
    assert unreadable(rule()) is None


def test_a_rules_rate_expects_nothing_before_a_run_was_seen() -> None:
    found = rule(expression="rate(1 hour)")
    assert is_rate(found)
    assert phase(found, []) is None
    assert expected(found, MIDNIGHT, MIDNIGHT + DAYS) == []


def test_a_rules_rate_is_learned_from_the_least_late_of_its_runs() -> None:
    found = rule(expression="rate(1 hour)")
    slot = MIDNIGHT + 17 * MINUTES
    learned = phase(found, [slot + 2 * HOURS + 4, slot + 31, slot + HOURS + 9])
    assert learned == pytest.approx(slot + 2 * HOURS + 4)
    assert expected(found, MIDNIGHT, MIDNIGHT + 2 * HOURS, phase=learned) == [slot + 4, slot + HOURS + 4]


def test_runs_by_hand_do_not_move_the_phase_and_a_new_phase_is_learned() -> None:
    found = rule(expression="rate(1 hour)")
    slots = [MIDNIGHT + number * HOURS for number in range(4)]
    learned = phase(found, [*slots, MIDNIGHT + 3 * HOURS + 40 * MINUTES])
    assert learned is not None
    assert learned % HOURS == MIDNIGHT % HOURS
    moved = [MIDNIGHT + 5 * HOURS + 20 * MINUTES + number * HOURS for number in range(2)]
    learned = phase(found, [*slots, *moved])
    assert learned is not None
    assert learned % HOURS == (MIDNIGHT + 20 * MINUTES) % HOURS


def test_two_runs_that_disagree_leave_the_phase_unknown() -> None:
    assert phase(rule(expression="rate(1 hour)"), [MIDNIGHT, MIDNIGHT + 90 * MINUTES]) is None


def test_schedulers_own_dates_tell_the_phase() -> None:
    created = MIDNIGHT + 5.25
    found = schedule(expression="rate(1 hour)", CreationDate=created, LastModificationDate=created)
    assert phase(found, []) == MIDNIGHT + 5
    assert expected(found, MIDNIGHT, MIDNIGHT + 2.5 * HOURS, phase=MIDNIGHT + 5) == [MIDNIGHT + HOURS + 5, MIDNIGHT + 2 * HOURS + 5]
    assert phase(schedule(expression="rate(1 hour)", StartDate=MIDNIGHT + 8.5), []) == MIDNIGHT + 9


def test_an_update_puts_the_phase_in_doubt_until_runs_confirm_or_move_it() -> None:
    found = schedule(expression="rate(1 hour)", CreationDate=MIDNIGHT, LastModificationDate=MIDNIGHT + DAYS)
    later = MIDNIGHT + 2 * DAYS
    assert phase(found, []) is None
    assert phase(found, [later + 3]) == MIDNIGHT
    assert phase(found, [later + 10 * MINUTES, later + 70 * MINUTES]) == later + 70 * MINUTES


def test_runs_that_agree_with_each_other_are_believed_more_than_a_date() -> None:
    found = schedule(expression="rate(1 hour)", CreationDate=MIDNIGHT, LastModificationDate=MIDNIGHT)
    ten_past = MIDNIGHT + DAYS + 10 * MINUTES
    assert phase(found, [ten_past]) == MIDNIGHT
    assert phase(found, [ten_past, ten_past + HOURS]) == ten_past + HOURS
    assert phase(found, [ten_past, ten_past + 90 * MINUTES]) == MIDNIGHT


def test_a_cron_has_no_phase() -> None:
    assert phase(rule(), [MIDNIGHT]) is None


def test_a_slot_is_missed_after_its_window_and_grace() -> None:
    found = schedule(FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15})
    assert due_by(MIDNIGHT, found.window_seconds) == MIDNIGHT + 20 * MINUTES
    assert due_by(MIDNIGHT) == MIDNIGHT + 5 * MINUTES


@settings(deadline=None, max_examples=50)
@given(expression=EXPRESSIONS, zone=ZONES, cuts=st.lists(MOMENTS, min_size=2, max_size=6), anchor=MOMENTS)
def test_windows_that_adjoin_have_the_slots_of_the_whole(expression: str, zone: str, cuts: list[float], anchor: float) -> None:
    found = schedule(expression=expression, ScheduleExpressionTimezone=zone)
    cuts.sort()
    parts = [slot for after, until in itertools.pairwise(cuts) for slot in expected(found, after, until, phase=anchor)]
    whole = expected(found, cuts[0], cuts[-1], phase=anchor)
    assert parts == whole
    assert whole == sorted(set(whole))
    assert all(cuts[0] < slot <= cuts[-1] for slot in whole)


@settings(deadline=None, max_examples=50)
@given(minutes=st.integers(2, 3000), first=MOMENTS, delays=st.lists(st.floats(0, 59), min_size=1, max_size=10))
def test_a_learned_phase_is_never_early_and_at_most_as_late_as_the_runs(minutes: int, first: float, delays: list[float]) -> None:
    period = minutes * 60.0
    found = rule(expression=f"rate({minutes} minutes)")
    late = [min(delay, period / 4) for delay in delays]
    learned = phase(found, [first + number * period + delay for number, delay in enumerate(late)])
    assert learned is not None
    off = (learned - first + 0.001) % period
    assert off <= max(late) + 0.01


@settings(deadline=None, max_examples=50)
@given(after=MOMENTS, length=st.floats(0, 40 * 3600))
def test_every_slot_of_a_daily_schedule_stands_where_the_zone_says(after: float, length: float) -> None:
    zone = ZoneInfo("Asia/Tokyo")
    found = schedule(expression="cron(30 7 * * ? *)", ScheduleExpressionTimezone=zone.key)
    day = datetime.fromtimestamp(after, zone).replace(hour=7, minute=30, second=0, microsecond=0) - timedelta(days=1)
    candidates = [(day + timedelta(days=number)).timestamp() for number in range(5)]
    assert expected(found, after, after + length) == [slot for slot in candidates if after < slot <= after + length]

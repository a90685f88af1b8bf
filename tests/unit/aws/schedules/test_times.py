"""The next instant, the instants of a window and their number; and how long a search takes that finds nothing."""

from datetime import UTC, datetime
from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinoban.aws.schedules import Expression, count, next_after, parse, slots, zone
from tests.support.schedules import PLAIN_DAYS, SPECIAL_DAYS, crons

NOW = datetime(2026, 11, 22, 1, 40, 30, 500_000, tzinfo=UTC).timestamp()
MILLISECONDS = st.integers(0, 4_000_000_000_000).map(lambda number: number / 1000)
DAYS = 86400.0


def read(text: str) -> Expression:
    return parse(text, dialect="scheduler")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_rate_is_due_at_its_anchor_and_every_so_often_after_it() -> None:
    rate = read("rate(5 minutes)")
    assert next_after(rate, 900.0, anchor=1000.25) == 1000.25
    assert next_after(rate, 1000.25, anchor=1000.25) == 1300.25
    assert next_after(rate, 1299.0, anchor=1000.25) == 1300.25
    assert slots(rate, 1000.25, 1900.25, anchor=1000.25) == [1300.25, 1600.25, 1900.25]


def test_a_day_of_a_rate_is_24_hours_whatever_the_clocks_do() -> None:
    before = at("2026-10-31T12:00:00-07:00")
    moment = next_after(read("rate(1 days)"), before, zone=zone("America/Los_Angeles"), anchor=before)
    assert moment == at("2026-11-01T11:00:00-08:00")


@given(st.integers(1, 100_000), st.sampled_from(["minutes", "hours", "days"]), MILLISECONDS, MILLISECONDS)
def test_a_rates_next_instant_is_the_first_one_after(value: int, unit: str, anchor: float, after: float) -> None:
    rate = read(f"rate({value} {unit})")
    moment = next_after(rate, after, anchor=anchor)
    seconds = value * {"minutes": 60, "hours": 3600, "days": 86400}[unit]
    if moment is None:
        assert max(after, anchor) + seconds > at("2200-01-01T00:00:00Z")
        return
    assert moment > after
    steps = round((moment - anchor) / seconds)
    assert steps >= 0
    assert moment == pytest.approx(anchor + steps * seconds, abs=0.001)
    assert steps == 0 or round(anchor + (steps - 1) * seconds, 3) <= after
    assert next_after(rate, moment - 0.001, anchor=anchor) == moment


@given(st.integers(1, 600), MILLISECONDS, MILLISECONDS, st.integers(0, 100_000))
def test_a_rate_is_counted_by_arithmetic_as_it_is_listed(value: int, anchor: float, after: float, length: int) -> None:
    rate = read(f"rate({value} minutes)")
    assert count(rate, after, after + length, anchor=anchor) == len(slots(rate, after, after + length, anchor=anchor))


def test_counting_a_rate_takes_no_longer_for_centuries() -> None:
    assert count(read("rate(1 minute)"), 0.0, at("2100-01-01T00:00:00Z")) == at("2100-01-01T00:00:00Z") // 60


@settings(deadline=None)
@given(
    crons(PLAIN_DAYS | SPECIAL_DAYS),
    st.datetimes(datetime(2020, 1, 1), datetime(2029, 12, 31), timezones=st.just(UTC)),
    st.floats(0, 6 * DAYS),
    st.sampled_from(["UTC", "Europe/London", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Tokyo"]),
)
def test_a_crons_slots_are_rising_counted_and_the_next_of_each_other(text: str, start: datetime, length: float, name: str) -> None:
    cron, after, there = read(text), start.timestamp(), zone(name)
    found = slots(cron, after, after + length, zone=there)
    assert all(after < moment <= after + length for moment in found)
    assert all(earlier < later for earlier, later in pairwise(found))
    assert count(cron, after, after + length, zone=there) == len(found)
    following = next_after(cron, found[-1] if found else after, zone=there)
    assert following is None or following > after + length


def test_a_slot_is_strictly_after_and_a_window_holds_its_end() -> None:
    cron, slot = read("cron(0 12 * * ? *)"), at("2026-11-22T12:00:00Z")
    assert next_after(cron, slot - 0.001) == slot
    assert next_after(cron, slot) == slot + DAYS
    assert next_after(cron, slot + 59.999) == slot + DAYS
    assert slots(cron, slot, slot + DAYS) == [slot + DAYS]
    assert slots(cron, slot - 1, slot) == [slot]
    assert count(cron, slot - 1, slot) == 1
    assert slots(cron, slot, slot) == [] and count(cron, slot, slot) == 0 and count(cron, slot, slot - DAYS) == 0


def test_a_limit_ends_the_list() -> None:
    assert slots(read("cron(* * * * ? *)"), NOW, NOW + 10 * DAYS, limit=2) == [at("2026-11-22T01:41:00Z"), at("2026-11-22T01:42:00Z")]
    assert slots(read("rate(1 minute)"), NOW, NOW + DAYS, limit=0) == []


def test_one_moment_is_due_once() -> None:
    once = read("at(2026-12-01T10:00:00)")
    moment = at("2026-12-01T10:00:00Z")
    assert slots(once, NOW, NOW + 100 * DAYS) == [moment]
    assert next_after(once, moment) is None
    assert count(once, NOW, moment) == 1 and count(once, moment, moment + 1) == 0


NEVER = [
    "cron(0 0 30 2 ? *)",
    "cron(0 0 31 4,6,9,11 ? *)",
    "cron(0 0 31W 2 ? *)",
    "cron(0 0 L-30 2,4 ? *)",
    "cron(15 10 ? * 6L 2002-2005)",
    "cron(0 0 29 2 ? 2027)",
    "cron(* * * * ? 1970)",
]


@pytest.mark.parametrize("name", ["UTC", "Europe/London"])
@pytest.mark.parametrize("text", NEVER)
def test_what_never_comes_is_known_soon(text: str, name: str) -> None:
    """Where walking over days would take a second; measured at a fifth of a millisecond."""
    cron, there = read(text), zone(name)
    assert next_after(cron, NOW, zone=there) is None
    start = perf_counter()
    for _ in range(5):
        next_after(cron, NOW, zone=there)
    assert perf_counter() - start < 0.5
    assert count(cron, NOW, NOW + 3000 * DAYS, zone=there) == 0


SPARSE = [
    ("cron(0 0 29 2 ? *)", "2026-03-01T00:00:00Z", "2028-02-29T00:00:00Z"),
    ("cron(0 0 ? 2 1#5 *)", "2026-11-22T00:00:00Z", "2032-02-29T00:00:00Z"),  # a Sunday the 29th
    ("cron(59 23 31 12 ? 2199)", "1999-01-01T00:00:00Z", "2199-12-31T23:59:00Z"),
    ("cron(0 0 L-30 * ? *)", "2026-11-22T00:00:00Z", "2026-12-01T00:00:00Z"),
    ("cron(0 0 1 1 ? 2100,2150)", "2100-01-01T00:00:00Z", "2150-01-01T00:00:00Z"),
    ("cron(0 0 1 1 ? 1970)", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"),
    ("cron(0 0 1 1 ? 1970)", "0001-01-02T00:00:00Z", "1970-01-01T00:00:00Z"),
]


@pytest.mark.parametrize(("text", "after", "expected"), SPARSE)
def test_what_comes_seldom_is_found(text: str, after: str, expected: str) -> None:
    assert next_after(read(text), at(after)) == at(expected)


@pytest.mark.parametrize("text", ["cron(* * * * ? *)", "rate(1 minute)", "rate(9999999999999999 days)", "at(2026-12-01T10:00:00)"])
def test_nothing_is_due_after_the_last_year(text: str) -> None:
    for after in (at("2200-01-02T12:00:00Z"), 1e18, float("inf")):
        assert next_after(read(text), after, zone=zone("Asia/Tokyo")) is None
        assert count(read(text), after, float("inf")) == 0


def test_the_last_minute_of_2199_comes_where_the_day_ends_last() -> None:
    last = read("cron(59 23 31 12 ? 2199)")
    there = zone("Pacific/Honolulu")
    assert next_after(last, at("2200-01-01T09:00:00Z"), zone=there) == at("2200-01-01T09:59:00Z")
    assert next_after(last, at("2200-01-01T09:59:00Z"), zone=there) is None


@pytest.mark.parametrize("after", [-DAYS, -1e18, float("-inf")])
def test_asked_from_long_ago_it_begins_with_1970(after: float) -> None:
    there = zone("Asia/Tokyo")
    assert next_after(read("cron(0 12 * * ? *)"), after, zone=there) == at("1970-01-01T12:00:00+09:00")
    assert next_after(read("rate(1 hour)"), after, zone=there, anchor=600.0) == 600.0

"""Which days of a month a cron means: against a slow reading of our own, and against two libraries that know nothing of ours.

aws-croniter reads AWS's dialect. It differs from AWS's documentation in four points: `L` as a day of the week never comes (it is
Saturday), `LW` is an error (EventBridge's console takes it), a step of years must itself be a year, and it gives up after looking ten
times. The first three are left out where we compare; where it gives up, the slow reading goes on.
cronsim reads Unix's dialect with L, LW, #, and no W and no years; it stops after fifty years.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile

import pytest
from aws_croniter import AwsCroniter
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from hinoban.aws.schedules import next_after, parse, slots
from tests.support.schedules import PLAIN_DAYS, SPECIAL_DAYS, SlowCron, crons, days, few, lists

TEN_YEARS = datetime(2020, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2029, 12, 31)).map(lambda moment: moment.replace(tzinfo=UTC))
PATIENT = settings(deadline=None)  # the slow readings are slow
LAST_OF_2199 = datetime(2200, 1, 1, tzinfo=UTC)


def due(text: str, after: datetime, until: datetime, limit: int | None = None) -> list[datetime]:
    found = slots(parse(text, dialect="rule"), after.timestamp(), until.timestamp(), limit=limit)
    return [datetime.fromtimestamp(moment, UTC) for moment in found]


def just_before(moment: datetime) -> datetime:
    return moment - timedelta(seconds=1)


@PATIENT
@given(
    crons(SPECIAL_DAYS, minutes=few(range(60)), hours=few(range(24)), years=st.just("*") | lists(range(2020, 2030), wraps=False)), MOMENTS
)
def test_l_w_and_hash_are_as_in_a_slow_reading_of_every_minute(text: str, after: datetime) -> None:
    until = after.replace(hour=23, minute=59) + timedelta(days=366)
    assert due(text, after, until) == [wall for wall in SlowCron(text).walls(after.date(), until.date()) if wall > after]


@pytest.mark.parametrize("days_of_month", ["L", "LW", "L-1", "L-3", "L-30", *(f"{day}W" for day in range(1, 32))])
def test_each_last_and_nearest_day_of_ten_years(days_of_month: str) -> None:
    start, end = TEN_YEARS
    text = f"cron(30 9 {days_of_month} * ? *)"
    assert due(text, start, end) == SlowCron(text).walls(start.date(), date(2029, 12, 31))


@pytest.mark.parametrize("weekday", ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"])
@pytest.mark.parametrize("which", ["L", "#1", "#2", "#3", "#4", "#5"])
def test_each_nth_weekday_of_ten_years(weekday: str, which: str) -> None:
    start, end = TEN_YEARS
    text = f"cron(30 9 ? * {weekday}{which} *)"
    assert due(text, start, end) == SlowCron(text).walls(start.date(), date(2029, 12, 31))


@PATIENT
@given(crons(PLAIN_DAYS), MOMENTS)
def test_lists_ranges_and_steps_are_as_in_a_slow_reading(text: str, after: datetime) -> None:
    until = after.replace(hour=23, minute=59) + timedelta(days=10)
    walls = SlowCron(text).walls(after.date(), until.date())
    assert due(text, after, until, 200) == [wall for wall in walls if wall > after][:200]


def theirs(text: str, after: datetime, number: int) -> list[datetime]:
    found = AwsCroniter(text.removeprefix("cron(").removesuffix(")")).get_next(after, number)
    return [moment for moment in found if moment is not None]


def first_slow(text: str, after: datetime, until: datetime) -> datetime | None:
    slow = SlowCron(text)
    for day in days(after.date(), until.date()):
        if slow.means_day(day):
            later = [wall for wall in slow.walls(day, day) if wall > after]
            if later:
                return later[0]
    return None


@PATIENT
@given(crons(PLAIN_DAYS | SPECIAL_DAYS, years=st.just("*") | lists(range(2020, 2035), wraps=False, steps=False)), MOMENTS)
def test_aws_croniter_finds_the_same(text: str, after: datetime) -> None:
    expected = theirs(text, after, 20)
    found = due(text, after, LAST_OF_2199, 20)
    assert found[: len(expected)] == expected
    if len(found) > len(expected):
        # It gave up, or it has come to the end: the next one stands only if a slow reading has it.
        last = expected[-1] if expected else after
        assert found[len(expected)] == first_slow(text, last, found[len(expected)])


@PATIENT
@given(crons(SPECIAL_DAYS, minutes=few(range(60)), hours=few(range(24))))
def test_aws_croniter_finds_the_same_l_w_and_hash_through_ten_years(text: str) -> None:
    start, end = TEN_YEARS
    found = due(text, just_before(start), end)
    expected = [moment for moment in theirs(text, just_before(start), len(found) + 1) if moment <= end]
    if len(expected) < len(found):
        last = expected[-1] if expected else just_before(start)
        expected += [wall for wall in SlowCron(text).walls(last.date(), date(2029, 12, 31)) if wall > last]
    assert found == expected


@pytest.mark.parametrize(
    ("ours", "unix"),
    [
        ("0 21 LW * ? *", "0 21 LW * *"),
        ("0 21 L * ? *", "0 21 L * *"),
        ("15 10 ? * 6L *", "15 10 * * 5L"),
        ("15 10 ? * SUN#5 *", "15 10 * * 0#5"),
        ("0 0 29 2 ? *", "0 0 29 2 *"),
        ("0 0 ? 2 7#5 *", "0 0 * 2 6#5"),
        ("*/17 3-9/2 ? 1,4,7 MON-FRI *", "*/17 3-9/2 * 1,4,7 1-5"),
        ("59 23 31 * ? *", "59 23 31 * *"),
    ],
)
def test_cronsim_finds_the_same_through_leap_years(ours: str, unix: str) -> None:
    """To 2050; #5 in February asks for a 29th on one weekday, which comes every 28 years."""
    start, end = datetime(1999, 12, 31, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)
    expected = list(islice(takewhile(lambda moment: moment < end, CronSim(unix, start)), 500))
    assert due(f"cron({ours})", start, just_before(end), 500) == expected


def test_saturday_is_the_weeks_last_day() -> None:
    """aws-croniter never finds one."""
    assert due("cron(0 0 ? * L *)", *TEN_YEARS) == due("cron(0 0 ? * SAT *)", *TEN_YEARS)
    assert theirs("cron(0 0 ? * L *)", TEN_YEARS[0], 1) == []


def test_the_nearest_weekday_never_leaves_its_month() -> None:
    year = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC)
    first = {moment.month: moment.day for moment in due("cron(0 12 1W * ? *)", *year)}
    assert first[8] == 3  # Saturday the 1st: Monday, for Friday is July's
    last = {moment.month: moment.day for moment in due("cron(0 12 31W * ? *)", *year)}
    assert last == {1: 30, 3: 31, 5: 29, 7: 31, 8: 31, 10: 30, 12: 31}  # no run in shorter months; Sunday the 31st of May: Friday


def test_the_century_that_has_no_leap_day_is_left_out() -> None:
    after = datetime(2096, 3, 1, tzinfo=UTC).timestamp()
    assert next_after(parse("cron(0 0 29 2 ? *)", dialect="rule"), after) == datetime(2104, 2, 29, tzinfo=UTC).timestamp()

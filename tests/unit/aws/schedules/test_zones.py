"""Wall times in a zone (facts/eventbridge.md §8.2): what its clocks leave out is skipped, what they show twice counts once, the first time.

The oracle goes the other way round: it walks over instants, minute by minute, and asks zoneinfo what the clocks show.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hinoban.aws.schedules import At, BadZone, count, next_after, parse, slots, zone
from tests.support.schedules import PLAIN_DAYS, SlowCron, crons

CHANGES = [
    ("America/Los_Angeles", "2026-03-08"),
    ("America/Los_Angeles", "2026-11-01"),
    ("Europe/London", "2026-03-29"),
    ("Europe/London", "2026-10-25"),
    ("Australia/Lord_Howe", "2026-04-05"),  # half an hour
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Asia/Tokyo", "2026-03-29"),  # none
    ("America/Sao_Paulo", "2018-11-04"),  # midnight does not exist
    ("America/Sao_Paulo", "2018-02-18"),  # 23:00-24:00 comes twice
    ("America/Havana", "2026-03-08"),
    ("America/Havana", "2026-11-01"),  # 00:00-01:00 comes twice
    ("Pacific/Apia", "2011-12-30"),  # a day that does not exist
    ("Africa/Monrovia", "1972-01-07"),  # by 44 minutes and 30 seconds
    ("Europe/Dublin", "2026-10-25"),  # where winter time is the exception
]


@settings(deadline=None)
@given(st.sampled_from(CHANGES), crons(PLAIN_DAYS))
@example(CHANGES[0], "cron(30 2 * * ? *)")
@example(CHANGES[1], "cron(30 1 * * ? *)")
@example(CHANGES[4], "cron(*/10 * * * ? *)")
@example(CHANGES[5], "cron(*/10 * * * ? *)")
@example(CHANGES[7], "cron(0 0 * * ? *)")
@example(CHANGES[8], "cron(* 23 * * ? *)")
@example(CHANGES[10], "cron(* 0 * * ? *)")
@example(CHANGES[11], "cron(* * * * ? *)")
@example(CHANGES[12], "cron(* * * * ? *)")
def test_the_days_around_a_change_are_as_zoneinfo_shows_them(change: tuple[str, str], text: str) -> None:
    name, day = change
    there, middle = zone(name), datetime.fromisoformat(f"{day}T12:00:00+00:00")
    # Off the whole minutes by as much as the zone is, so that the walk lands on whole minutes of its clocks.
    middle -= timedelta(seconds=(middle.astimezone(there).utcoffset() or timedelta(0)).seconds % 60)
    first, last = middle - timedelta(hours=36), middle + timedelta(hours=36)
    if name == "Africa/Monrovia":
        first = datetime(1972, 1, 7, 0, 45, tzinfo=UTC)  # before it, minutes of the clocks are no whole minutes of UTC
    expected = SlowCron(text).instants(first, last, there)
    cron = parse(text, dialect="scheduler")
    before = (first - timedelta(seconds=1)).timestamp()
    assert slots(cron, before, last.timestamp(), zone=there) == expected
    assert count(cron, before, last.timestamp(), zone=there) == len(expected)


def local(name: str, text: str, after: str, number: int = 2) -> list[str]:
    there, moment = zone(name), datetime.fromisoformat(after).astimezone(UTC).timestamp()
    found = slots(parse(text, dialect="scheduler"), moment, moment + 3 * 366 * 86400, zone=there, limit=number)
    return [datetime.fromtimestamp(one, there).isoformat(timespec="minutes") for one in found]


def test_a_time_that_does_not_exist_is_skipped_that_day() -> None:
    assert local("America/Los_Angeles", "cron(30 2 * * ? *)", "2026-03-07T12:00:00-08:00") == [
        "2026-03-09T02:30-07:00",
        "2026-03-10T02:30-07:00",
    ]


def test_a_time_that_comes_twice_runs_the_first_time() -> None:
    assert local("America/Los_Angeles", "cron(30 1 * * ? *)", "2026-10-31T12:00:00-07:00") == [
        "2026-11-01T01:30-07:00",
        "2026-11-02T01:30-08:00",
    ]


def test_asked_within_the_repeated_hour_it_does_not_run_again() -> None:
    """Between the two 01:30s, and at 01:10 the second time."""
    for after in ("2026-11-01T01:45:00-07:00", "2026-11-01T01:10:00-08:00"):
        assert local("America/Los_Angeles", "cron(30 1 * * ? *)", after, 1) == ["2026-11-02T01:30-08:00"]
    assert local("America/Los_Angeles", "cron(* * * * ? *)", "2026-11-01T01:10:00-08:00", 1) == ["2026-11-01T02:00-08:00"]


def test_every_minute_goes_on_after_the_gap() -> None:
    assert local("America/Los_Angeles", "cron(* * * * ? *)", "2026-03-08T01:58:30-08:00", 3) == [
        "2026-03-08T01:59-08:00",
        "2026-03-08T03:00-07:00",
        "2026-03-08T03:01-07:00",
    ]


def test_a_yearly_time_in_a_gap_waits_for_a_year_that_has_it() -> None:
    """02:30 on 8 March in Los Angeles: in 2026 the clocks go forward then."""
    assert local("America/Los_Angeles", "cron(30 2 8 3 ? *)", "2025-12-01T00:00:00-08:00", 1) == ["2027-03-08T02:30-08:00"]


def test_one_moment_is_read_in_its_zone() -> None:
    there = zone("America/Los_Angeles")

    def moment(text: str) -> float | None:
        expression = parse(f"at({text})", dialect="scheduler")
        assert isinstance(expression, At)
        return next_after(expression, 0.0, zone=there)

    assert moment("2026-12-01T10:00:30") == datetime(2026, 12, 1, 18, 0, 30, tzinfo=UTC).timestamp()
    assert moment("2026-11-01T01:30:00") == datetime(2026, 11, 1, 8, 30, tzinfo=UTC).timestamp()
    assert moment("2026-03-08T02:30:00") is None


@pytest.mark.parametrize("name", sorted(available_timezones())[::25])
def test_a_zone_is_found_by_its_name(name: str) -> None:
    moment = datetime(2026, 7, 1, tzinfo=UTC)
    assert moment.astimezone(zone(name)).utcoffset() == moment.astimezone(ZoneInfo(name)).utcoffset()


@pytest.mark.parametrize("name", ["", "JST+9", "asia/tokyo", "America", "../etc/passwd", "/etc/passwd", "Mars/Olympus_Mons", "UTC ", "\0"])
def test_a_name_that_is_none_of_ianas_is_refused(name: str) -> None:
    with pytest.raises(BadZone, match="is no IANA time zone"):
        zone(name)


def test_a_misspelt_zone_gets_a_hint() -> None:
    with pytest.raises(BadZone, match=r"did you mean Asia/Tokyo\?"):
        zone("Asia/Tokio")


@pytest.mark.parametrize("wall", ["9999-12-31T23:59:59", "0001-01-01T00:00:00"])
@pytest.mark.parametrize("name", ["UTC", "Asia/Tokyo", "America/New_York"])
def test_a_wall_time_at_the_end_of_all_calendars_is_no_slot_and_no_error(wall: str, name: str) -> None:
    assert slots(parse(f"at({wall})", dialect="scheduler"), 0, 1e10, zone=zone(name)) == []

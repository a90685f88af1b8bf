"""Durations and moments as people read them."""

from zoneinfo import ZoneInfo

import pytest

from hinoban.base.units import format_duration, iso, iso_minutes, iso_seconds, local_day_time, local_time, parse_iso


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.04, "40 ms"), (0.24, "0.2 s"), (1.96, "2 s"), (2.0, "2 s"), (2.04, "2 s"), (9.96, "10 s"), (372, "6 m 12 s")],
)
def test_a_duration_is_spelt_in_one_way(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words


FAR = (float("inf"), 9e18, 8.64e12, parse_iso("9999-12-31T23:59:59Z"), parse_iso("0001-01-01T00:00:00Z"), -8.64e12, float("-inf"))


@pytest.mark.parametrize("moment", FAR)
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/Los_Angeles"])
def test_a_moment_that_no_calendar_shows_is_spelt_as_the_nearest_that_all_do(moment: float, zone: str) -> None:
    year = "9999-12-" if moment > 0 else "0001-01-"
    assert iso_minutes(moment, zone).startswith(year)
    assert iso(moment) == iso_seconds(moment) and iso(moment).startswith(year)
    assert local_day_time(moment, ZoneInfo(zone)).split()[2] == ("Dec" if moment > 0 else "Jan")
    assert len(local_time(moment, ZoneInfo(zone))) == 8


def test_a_duration_without_end_is_spelt_too() -> None:
    assert format_duration(float("inf")).endswith(" d 0 h")

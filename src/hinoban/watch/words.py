"""Small wordings that several parts of the watch share."""

from zoneinfo import ZoneInfo

from hinoban.base import units


def clock_time(moment: float, tz: str) -> str:
    """`00:00:07` in the time zone of the configuration."""
    return units.local_time(moment, ZoneInfo(tz))

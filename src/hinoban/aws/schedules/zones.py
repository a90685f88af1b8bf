"""Time zones by their IANA name, and the instant of a wall time in one (facts/eventbridge.md §8.2)."""

from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from hinoban.aws.schedules.errors import BadZone
from hinoban.base.units import FIRST_MOMENT, LAST_MOMENT

_EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)


@lru_cache(maxsize=1024)
def zone(name: str) -> tzinfo:
    """The zone of this name, exactly as IANA spells it. Raises BadZone."""
    if name == "UTC":
        return UTC
    if name not in _names():
        near = get_close_matches(name, _names(), n=1)
        raise BadZone(f"{name!r} is no IANA time zone; " + (f"did you mean {near[0]}?" if near else "write one like UTC or Asia/Tokyo"))
    return ZoneInfo(name)


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones())


def wall_of(moment: int, zone: tzinfo) -> int:
    """What the clocks of a zone show at an instant, in seconds since 1970-01-01 00:00 on those clocks."""
    return moment if zone is UTC else moment + _offset(datetime.fromtimestamp(moment, zone))


def instant_of(wall: int, zone: tzinfo) -> int | None:
    """The instant (seconds) at which a zone's clocks show `wall` (seconds) for the first time; None if they leave it out, or no calendar goes that far."""
    if zone is UTC:
        return wall
    offset = _offset((_EPOCH + wall * _SECOND).replace(tzinfo=zone))
    moment = wall - offset
    if not FIRST_MOMENT <= moment <= LAST_MOMENT:
        return None
    # Inside a gap the offset before it leads to an instant after it, when another one holds.
    return moment if _offset(datetime.fromtimestamp(moment, zone)) == offset else None


def _offset(moment: datetime) -> int:
    offset = moment.utcoffset()
    assert offset is not None  # every moment here has a zone
    return offset.days * 86400 + offset.seconds

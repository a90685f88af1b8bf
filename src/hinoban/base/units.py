"""Durations, sizes and moments as people write and read them."""

import functools
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_SIZE_UNITS = {
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)", re.IGNORECASE)
FIRST_MOMENT, LAST_MOMENT = datetime(1, 1, 2, tzinfo=UTC).timestamp(), datetime(9999, 12, 30, tzinfo=UTC).timestamp()
"""Between these a calendar shows every moment, in any time zone; what lies beyond is spelt as the nearer of them."""


def parse_duration(text: str) -> float:
    """Seconds of `30s`, `1h30m`, `250ms`, `2d`; ValueError names what is allowed."""
    rest = text.strip()
    total, position = 0.0, 0
    while position < len(rest) and (found := _DURATION.match(rest, position)):
        total += float(found[1]) * _DURATION_UNITS[found[2]]
        position = found.end()
    if not rest or position != len(rest):
        raise ValueError(f"{text!r} is not a duration; write e.g. 30s, 5m, 1h30m, 24h, 7d")
    return total


def parse_size(text: str) -> int:
    """Bytes of `512MiB`, `8GB`, `1.5GiB`; ValueError names what is allowed."""
    found = _SIZE.fullmatch(text.strip())
    if not found or found[2].lower() not in _SIZE_UNITS:
        raise ValueError(f"{text!r} is not a size; write e.g. 512MiB, 8GB, 1.5GiB")
    return int(float(found[1]) * _SIZE_UNITS[found[2].lower()])


def format_duration(seconds: float) -> str:
    """Two units at the most, as in `6 m 12 s`, `26 h 03 m`, `0.2 s`, `12 s`, `3 d 4 h`, `40 ms`."""
    seconds = min(max(0.0, seconds), LAST_MOMENT)
    if 0 < seconds < 0.1:
        return f"{max(1, round(seconds * 1000))} ms"
    tenths = round(seconds, 1)
    if tenths < 10 and tenths != int(tenths):
        return f"{tenths:.1f} s"
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s" if whole % 60 else f"{whole // 60} m"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} m" if whole % 3600 // 60 else f"{whole // 3600} h"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def format_mib(mib: int) -> str:
    """`512 MiB`, `8 GiB`, `1.5 GiB`."""
    if mib >= 1024:
        return f"{mib / 1024:g} GiB" if mib % 512 == 0 else f"{mib / 1024:.1f} GiB"
    return f"{mib} MiB"


_UTC_MOMENT = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")


# Many events of one second are spelt, and each of a task's moments again in every later event: a cache is 10 times faster.
@functools.lru_cache(maxsize=8192)
def iso(moment: float) -> str:
    """`2026-10-01T03:00:05.1Z`: UTC, milliseconds with trailing zeros trimmed, as inside ECS events (facts/ecs.md §6.2)."""
    second, millis = divmod(round(_showable(moment) * 1000), 1000)
    return f"{_second(second)}.{millis:03d}".rstrip("0") + "Z" if millis else f"{_second(second)}Z"


def iso_seconds(moment: float) -> str:
    """`2026-10-01T03:00:05Z`: whole seconds, as in an event's envelope (facts/eventbridge.md §2)."""
    return f"{_second(int(_showable(moment)))}Z"


@functools.lru_cache(maxsize=4096)
def _second(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()[:19]


def _showable(moment: float) -> float:
    return min(max(moment, FIRST_MOMENT), LAST_MOMENT)


def local(moment: float, zone: ZoneInfo) -> datetime:
    """The moment in a time zone."""
    return datetime.fromtimestamp(_showable(moment), zone)


@functools.lru_cache(maxsize=4096)
def parse_iso(text: str) -> float:
    """Seconds since the epoch of an ISO 8601 moment with a zone; ValueError otherwise."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    return round(moment.timestamp(), 3)


def iso_minutes(moment: float, zone: str) -> str:
    """`2026-11-27T00:00+09:00`: a minute in a time zone, as commands take it; with its seconds where it has any."""
    there = local(moment, ZoneInfo(zone))
    return there.isoformat(timespec="seconds" if there.second else "minutes")


def with_local_moments(text: str, zone: ZoneInfo) -> str:
    """A text of a machine with its moments in UTC spelt as people of a time zone read them."""
    return _UTC_MOMENT.sub(lambda found: local_day_time(parse_iso(found[0]), zone), text)


def local_day_time(moment: float, zone: ZoneInfo) -> str:
    """`Fri 27 Nov 00:00 JST`: the day, the minute and the zone's name."""
    there = local(moment, zone)
    return f"{there:%a} {there.day} {there:%b %H:%M} {there.tzname()}"


def local_time(moment: float, zone: ZoneInfo) -> str:
    """`00:00:07`: the second within its day."""
    return f"{local(moment, zone):%H:%M:%S}"

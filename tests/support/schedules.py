"""A second, slow reading of cron expressions: what their documentation says, tried on one minute after the other; and a strategy for them."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache

from hypothesis import strategies as st

WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


class SlowCron:
    """Answers whether a wall minute is meant, by looking at it."""

    def __init__(self, text: str) -> None:
        minutes, hours, self.dates, months, self.weekdays, years = text.removeprefix("cron(").removesuffix(")").split()
        self.minutes = numbers(minutes, range(60))
        self.hours = numbers(hours, range(24))
        self.months = numbers(months, range(1, 13), MONTHS)
        self.years = numbers(years, range(1970, 2200))
        every_minute = [timedelta(minutes=minute) for minute in range(24 * 60)]
        self.times = [time for time in every_minute if self.means_time(datetime(2000, 1, 1) + time)]

    def means(self, wall: datetime) -> bool:
        return self.means_time(wall) and self.means_day(wall.date())

    def means_time(self, wall: datetime) -> bool:
        return wall.minute in self.minutes and wall.hour in self.hours

    def means_day(self, day: date) -> bool:
        return day.month in self.months and day.year in self.years and self._by_field(day)

    def _by_field(self, day: date) -> bool:
        month, workdays = month_of(day.year, day.month)
        if self.dates == "L":
            return day == month[-1]
        if self.dates == "LW":
            return day == workdays[-1]
        if self.dates.startswith("L-"):
            return (month[-1] - day).days == int(self.dates[2:])
        if self.dates.endswith("W"):
            wanted = int(self.dates[:-1])
            return wanted <= len(month) and day == min(workdays, key=lambda other: abs(other.day - wanted))
        if self.dates != "?":
            return day.day in numbers(self.dates, range(1, 32))
        name, same = WEEKDAYS[day.isoweekday() % 7], month[(day.day - 1) % 7 :: 7]
        if "#" in self.weekdays:
            which, number = self.weekdays.split("#")
            return name == weekday_name(which) and same.index(day) + 1 == int(number)
        if self.weekdays == "L":
            return name == "SAT"
        if self.weekdays.endswith("L"):
            return name == weekday_name(self.weekdays[:-1]) and day == same[-1]
        return WEEKDAYS.index(name) + 1 in numbers(self.weekdays, range(1, 8), WEEKDAYS)

    def walls(self, first: date, last: date) -> list[datetime]:
        """Every minute of the days from first to last that is meant."""
        return [midnight(day) + time for day in days(first, last) if self.means_day(day) for time in self.times]

    def instants(self, first: datetime, last: datetime, zone: tzinfo) -> list[float]:
        """Every instant, a minute apart, whose wall time is meant and shown for the first time."""
        found, moment = [], first
        while moment <= last:
            wall = moment.astimezone(zone)
            if wall.fold == 0 and self.means(wall):
                found.append(moment.timestamp())
            moment += timedelta(minutes=1)
        return found


def weekday_name(text: str) -> str:
    return WEEKDAYS[int(text) - 1] if text.isdigit() else text


@cache
def numbers(text: str, allowed: range, names: tuple[str, ...] = ()) -> frozenset[int]:
    """The members of a list of values, ranges and steps: each item is a walk around the field."""

    def number(one: str) -> int:
        return names.index(one) + allowed[0] if one in names else int(one)

    found: set[int] = set()
    for item in text.split(","):
        span, _, step = item.partition("/")
        first, _, last = span.partition("-")
        start = allowed[0] if first == "*" else number(first)
        end = number(last) if last else (allowed[-1] if step or first == "*" else start)
        walk, at = [start], start
        while at != end:
            at = at + 1 if at < allowed[-1] else allowed[0]
            walk.append(at)
        found.update(walk[:: int(step or 1)])
    return frozenset(found)


def days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)


@cache
def month_of(year: int, month: int) -> tuple[list[date], list[date]]:
    """The days of a month, and those of them from Monday to Friday."""
    start = date(year, month, 1)
    everything = [day for day in days(start, start + timedelta(days=30)) if day.month == month]
    return everything, [day for day in everything if day.isoweekday() <= 5]


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


@st.composite
def items(draw: st.DrawFn, allowed: range, names: tuple[str, ...] = (), *, steps: bool = True, wraps: bool = True) -> str:
    """One value, range or step of a field."""

    def shown(number: int) -> str:
        return draw(st.sampled_from([str(number), *([names[number - allowed[0]]] if names else [])]))

    low, high = draw(st.sampled_from(allowed)), draw(st.sampled_from(allowed))
    if not wraps and high < low:
        low, high = high, low
    forms = [shown(low), f"{shown(low)}-{shown(high)}"]
    step = draw(st.integers(1, min(len(allowed), 59, allowed[-1])))
    stepped = [f"{shown(low)}/{step}", f"{shown(low)}-{shown(high)}/{step}", f"*/{step}"]
    return draw(st.sampled_from(forms + (stepped if steps else [])))


def lists(allowed: range, names: tuple[str, ...] = (), *, steps: bool = True, wraps: bool = True) -> st.SearchStrategy[str]:
    return st.just("*") | st.lists(items(allowed, names, steps=steps, wraps=wraps), min_size=1, max_size=3).map(",".join)


def few(allowed: range) -> st.SearchStrategy[str]:
    """One or two values, so that ten years are looked at in no time."""
    return st.lists(st.sampled_from(allowed).map(str), min_size=1, max_size=2).map(",".join)


ANY_MINUTES, ANY_HOURS, ANY_YEAR = lists(range(60)), lists(range(24)), st.just("*")
DATES = lists(range(1, 32))
SPECIAL_DATES = st.just("L") | st.integers(1, 30).map("L-{}".format) | st.integers(1, 31).map("{}W".format)
A_WEEKDAY = st.integers(1, 7).map(str) | st.sampled_from(WEEKDAYS)
SPECIAL_WEEKDAYS = A_WEEKDAY.map("{}L".format) | st.tuples(A_WEEKDAY, st.integers(1, 5)).map(lambda pair: f"{pair[0]}#{pair[1]}")
PLAIN_DAYS = st.tuples(DATES, st.just("?")) | st.tuples(st.just("?"), lists(range(1, 8), WEEKDAYS, steps=False))
SPECIAL_DAYS = st.tuples(SPECIAL_DATES, st.just("?")) | st.tuples(st.just("?"), SPECIAL_WEEKDAYS)


@st.composite
def crons(
    draw: st.DrawFn,
    days: st.SearchStrategy[tuple[str, str]],
    *,
    minutes: st.SearchStrategy[str] = ANY_MINUTES,
    hours: st.SearchStrategy[str] = ANY_HOURS,
    years: st.SearchStrategy[str] = ANY_YEAR,
) -> str:
    """A cron expression with these days; all its other fields unless given."""
    dates, weekdays = draw(days)
    minute, hour, month, year = (draw(one) for one in (minutes, hours, lists(range(1, 13), MONTHS), years))
    return f"cron({minute} {hour} {dates} {month} {weekdays} {year})"

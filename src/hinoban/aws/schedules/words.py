"""Says in plain English when an expression is due, for the person on call; an expression without a short sentence stands for itself."""

from hinoban.aws.schedules.calendar import first_of_day, runs_of_day
from hinoban.aws.schedules.days import EVERY_DATE, SATURDAY, SUNDAY, Days
from hinoban.aws.schedules.expressions import FIRST_YEAR, LAST_YEAR, At, Cron, Expression, Rate

_WEEKDAYS = ("", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS = "January February March April May June July August September October November December".split()
_EVERY_MONTH = (1 << 12) - 1
_EVERY_YEAR = (1 << LAST_YEAR + 1 - FIRST_YEAR) - 1
_EVERY_HOUR = (1 << 24) - 1
_MOST_TIMES = 4
_MOST_DAYS = 5


def words(expression: Expression, zone_name: str = "UTC") -> str:
    """One short line without a zone: who prints it knows `zone_name` and says it beside. An expression's own text if no line is short."""
    match expression:
        case Rate():
            return _every(expression.value, expression.unit)
        case At():
            seconds = ":%S" if expression.wall.second else ""
            return f"once, {expression.wall:%Y-%m-%d %H:%M{seconds}}"
        case Cron():
            return _once(expression) or _sentence(expression) or expression.text


def _once(cron: Cron) -> str | None:
    """One date of one year, at one time."""
    dates, months, years = cron.days.members, _members(cron.months), _members(cron.years)
    if cron.days.kind != "dates" or dates.bit_count() != 1 or len(months) != 1 or len(years) != 1 or runs_of_day(cron) != 1:
        return None
    return f"once, {years[0] + FIRST_YEAR}-{months[0] + 1:02}-{_members(dates)[0]:02} {_clock(first_of_day(cron))}"


def _sentence(cron: Cron) -> str | None:
    time, day, years = _time(cron), _day(cron.days, cron.months), _years(cron.years)
    if time is None or day is None or years is None:
        return None
    if time.startswith("at "):
        return f"{day or 'every day'} {time}{years}"
    return f"{time}, {day}{years}" if day else f"{time}{years}"


def _time(cron: Cron) -> str | None:
    """`at 09:30`, `at 09:00 and 18:00`, `every 5 minutes`, `every 5 minutes from 08:00 to 17:55`; None if that gets long."""
    minutes, hours = _members(cron.minutes), _members(cron.hours)
    if runs_of_day(cron) <= _MOST_TIMES:
        return "at " + _list([_clock(hour * 60 + minute) for hour in hours for minute in minutes])
    hour_step = _even_step(hours, 24)
    if len(minutes) == 1 and hour_step is not None and hour_step > 1:
        return _every(hour_step, "hour") + (f", first at {_clock(first_of_day(cron))}" if first_of_day(cron) else "")
    span = _span(cron, minutes, hours)
    rhythm = _of_minutes(minutes, spanned=bool(span))
    return None if span is None or rhythm is None else rhythm + span


def _of_minutes(minutes: list[int], *, spanned: bool) -> str | None:
    """`every hour`, `every 5 minutes`, `every hour at :05 and :35`; where a span follows, that says at which minute it begins."""
    step = _even_step(minutes, 60)
    if step is not None:
        return _every(step, "minute") + (f" from :{minutes[0]:02}" if minutes[0] and not spanned else "")
    if len(minutes) == 1 and (spanned or not minutes[0]):
        return _every(1, "hour")
    if len(minutes) > _MOST_TIMES:
        return None
    return "every hour at " + _list([f":{minute:02}" for minute in minutes])


def _span(cron: Cron, minutes: list[int], hours: list[int]) -> str | None:
    """From when to when; an empty text for all day, None for hours with pauses between them."""
    if cron.hours == _EVERY_HOUR:
        return ""
    first, last = _ends(hours)
    if (last - first) % 24 + 1 != len(hours):
        return None
    return f" from {_clock(first * 60 + minutes[0])} to {_clock(last * 60 + minutes[-1])}"


def _ends(hours: list[int]) -> tuple[int, int]:
    """The first hour after the widest pause, which may lie around midnight, and the last before it."""
    pauses = [((following - hour) % 24 or 24, following, hour) for hour, following in zip(hours, [*hours[1:], hours[0]], strict=True)]
    _, first, last = max(pauses)
    return first, last


def _day(days: Days, months: int) -> str | None:
    """Which days; an empty text for every day, None if there is no short phrase."""
    names = [_MONTHS[month] for month in _members(months)]
    if months != _EVERY_MONTH and len(names) > _MOST_DAYS:
        return None
    where = _list(names) if months != _EVERY_MONTH else "the month"
    if days.every_day:
        return "" if months == _EVERY_MONTH else f"every day in {where}"
    match days.kind:
        case "weekdays":
            return _weekdays(days.members) + ("" if months == _EVERY_MONTH else f" in {where}")
        case "dates":
            return _dates(days.members, names if months != _EVERY_MONTH else [], where)
        case "last" if days.number:
            return f"{days.number} {'day' if days.number == 1 else 'days'} before the last day of {where}"
        case "last":
            return f"on the last day of {where}"
        case "last-workday":
            return f"on the last weekday (Mon-Fri) of {where}"
        case "workday-near":
            return f"on the weekday (Mon-Fri) nearest the {_ordinal(days.number)} of {where}"
        case "last-weekday":
            return f"on the last {_WEEKDAYS[days.weekday]} of {where}"
        case "nth-weekday":
            return f"on the {_ordinal(days.number)} {_WEEKDAYS[days.weekday]} of {where}"


def _weekdays(members: int) -> str:
    """`Mon-Fri`, `Sat and Sun`, `Fri-Mon`; one alone in full."""
    chosen = _members(members)
    if len(chosen) == 1:
        return f"every {_WEEKDAYS[chosen[0]]}"
    # A week is read from Monday, and a run may go over its end.
    for first in (*range(2, SATURDAY + 1), SUNDAY):
        run = [(first + offset - 1) % 7 + 1 for offset in range(len(chosen))]
        if len(chosen) > 2 and sorted(run) == chosen:
            return f"{_WEEKDAYS[run[0]][:3]}-{_WEEKDAYS[run[-1]][:3]}"
    return _list([_WEEKDAYS[day][:3] for day in sorted(chosen, key=lambda day: (day - 2) % 7)])


def _dates(members: int, months: list[str], where: str) -> str | None:
    chosen = _members(members)
    if len(chosen) == 1 and len(months) == 1:
        return f"every year on {chosen[0]} {months[0]}"
    if len(chosen) <= _MOST_DAYS:
        return f"on the {_list([_ordinal(day) for day in chosen])} of {where}"
    if _run(chosen) and members != EVERY_DATE:
        return f"on the {_ordinal(chosen[0])} to {_ordinal(chosen[-1])} of {where}"
    return None


def _years(years: int) -> str | None:
    if years == _EVERY_YEAR:
        return ""
    chosen = [FIRST_YEAR + year for year in _members(years)]
    if chosen == list(range(chosen[0], LAST_YEAR + 1)):
        return f", from {chosen[0]} on"
    if len(chosen) > 1 and _run(chosen):
        return f", in {chosen[0]}-{chosen[-1]}"
    return f", in {_list([str(year) for year in chosen])}" if len(chosen) <= _MOST_TIMES else None


def _every(number: int, unit: str) -> str:
    return f"every {unit}" if number == 1 else f"every {number} {unit}s"


def _even_step(members: list[int], size: int) -> int | None:
    """The step of a set that goes around its field evenly, like 0, 15, 30, 45."""
    step = size // len(members)
    return step if len(members) > 1 and members == list(range(members[0], size, step)) and size % step == 0 and members[0] < step else None


def _run(members: list[int]) -> bool:
    return members == list(range(members[0], members[-1] + 1))


def _members(bits: int) -> list[int]:
    return [number for number in range(bits.bit_length()) if bits >> number & 1]


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _list(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def _ordinal(number: int) -> str:
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"

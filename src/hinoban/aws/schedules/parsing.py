"""Reads the text of a schedule expression, in the dialect of rules (facts/eventbridge.md §7) or of the Scheduler (§8.2)."""

import re
from datetime import datetime
from functools import lru_cache
from typing import Literal, cast

from hinoban.aws.schedules import fields
from hinoban.aws.schedules.days import SATURDAY, Days
from hinoban.aws.schedules.errors import BadExpression
from hinoban.aws.schedules.expressions import FIRST_YEAR, At, Cron, Expression, Rate, Unit

Dialect = Literal["rule", "scheduler"]

LONGEST = 256
"""Characters of an expression; botocore's models of both services."""

_FORMS = {"rule": "rate(5 minutes) or cron(0 12 * * ? *)", "scheduler": "rate(5 minutes), cron(0 12 * * ? *) or at(2026-12-01T10:00:00)"}
_FIELDS = "minutes hours day-of-month month day-of-week year"
_SECONDS: dict[str, int] = {"minute": 60, "hour": 3600, "day": 86400}
_OUTER = re.compile(r"(rate|cron|at)\((.*)\)")
# Spaces next to the brackets are refused (facts §7.1, for rate); for cron, and for several spaces between fields, UNCONFIRMED.
_RATE = re.compile(r"([0-9]+)[ \t]+(minute|hour|day)(s?)")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_NEAREST = re.compile(r"([0-9]{1,2})W")
_BEFORE_LAST = re.compile(r"L-([0-9]{1,2})")


@lru_cache(maxsize=4096)
def parse(text: str, *, dialect: Dialect) -> Expression:
    """The expression that `text` is. Raises BadExpression, whose text says what is wrong and what is allowed."""
    if len(text) > LONGEST:
        raise BadExpression(f"the expression has {len(text)} characters; {LONGEST} are allowed")
    outer = _OUTER.fullmatch(text)
    if outer is None or (outer[1] == "at" and dialect == "rule"):
        raise BadExpression(f"{text!r} is no schedule expression; write {_FORMS[dialect]}, without spaces around it")
    match outer[1]:
        case "rate":
            return _rate(text, outer[2], dialect)
        case "cron":
            return _cron(text, outer[2])
        case _:
            return _at(text, outer[2])


def _rate(text: str, inner: str, dialect: Dialect) -> Rate:
    read = _RATE.fullmatch(inner)
    if read is None:
        raise BadExpression(f"{text} is no rate; write rate(VALUE UNIT), a positive whole number and minute(s), hour(s) or day(s)")
    value, unit, plural = int(read[1]), cast(Unit, read[2]), bool(read[3])
    if value == 0:
        raise BadExpression(f"{text}: the value must be 1 or more")
    # The Scheduler's own guide writes `rate(1 days)`. That it takes `rate(5 minute)` as well is UNCONFIRMED (facts §8.2).
    if dialect == "rule" and plural != (value > 1):
        raise BadExpression(
            f"{text}: the unit of {value} is {unit if value == 1 else unit + 's'}; 1 takes the singular, all else the plural"
        )
    return Rate(value, unit, value * _SECONDS[unit], text)


def _at(text: str, inner: str) -> At:
    try:
        if _AT.fullmatch(inner):
            return At(datetime.fromisoformat(inner), text)
    except ValueError as error:
        raise BadExpression(f"{text} is no date and time: {error}; write at(yyyy-mm-ddThh:mm:ss)") from error
    raise BadExpression(f"{text} is no date and time; write at(yyyy-mm-ddThh:mm:ss), without a zone")


def _cron(text: str, inner: str) -> Cron:
    if inner != inner.strip():
        raise BadExpression(f"{text}: no spaces after ( and before )")
    # Names and letters count in any case: tried on EventBridge's console (github.com/grumBit/aws_cron_expression_validator issue 18).
    parts = inner.upper().split()
    if len(parts) != 6:
        hint = "; AWS wants the year, which may be *" if len(parts) == 5 else ""
        raise BadExpression(f"{text} has {len(parts)} fields; a cron expression has six, {_FIELDS}{hint}")
    minutes, hours, dates, months, weekdays, years = parts
    return Cron(
        text=text,
        minutes=fields.members(fields.MINUTES, minutes),
        hours=fields.members(fields.HOURS, hours),
        days=_days(text, dates, weekdays),
        months=fields.members(fields.MONTH, months) >> 1,
        years=fields.members(fields.YEAR, years) >> FIRST_YEAR,
    )


def _days(text: str, dates: str, weekdays: str) -> Days:
    """Exactly one of the two fields is `?`. UNCONFIRMED that AWS refuses `?` in both (facts/eventbridge.md §7.2)."""
    if (dates == "?") == (weekdays == "?"):
        raise BadExpression(f"{text}: exactly one of day-of-month and day-of-week must be ?; here they are {dates} and {weekdays}")
    return _day_of_week(weekdays) if dates == "?" else _day_of_month(dates)


def _day_of_month(text: str) -> Days:
    """L and W stand alone. LW was tried on EventBridge's console (issue 18, above); L-3 is Quartz's and UNCONFIRMED for AWS."""
    field = fields.DAY_OF_MONTH
    if text == "L":
        return Days("last")
    if text == "LW":
        return Days("last-workday")
    if near := _NEAREST.fullmatch(text):
        return Days("workday-near", number=fields.value(field, near[1]))
    if before := _BEFORE_LAST.fullmatch(text):
        if not 1 <= int(before[1]) <= 30:
            raise field.wrong(f"{text} must count 1-30 days back")
        return Days("last", number=int(before[1]))
    if "L" in text or "W" in text:
        raise field.wrong(f"{text}: L and W stand alone, without a list or a range")
    return Days("dates", members=fields.members(field, text))


def _day_of_week(text: str) -> Days:
    """L alone is Saturday, 6L the month's last Friday, 6#3 its third Friday; one of these and nothing else (facts §7.2)."""
    field = fields.DAY_OF_WEEK
    day, hash_mark, number = text.partition("#")
    if hash_mark:
        if "," in text:
            raise field.wrong(f"{text}: only one expression with # is allowed, and no list")
        if not re.fullmatch("[1-5]", number):
            raise field.wrong(f"{text}: after # comes which one of the month, 1-5")
        return Days("nth-weekday", weekday=fields.value(field, day), number=int(number))
    if text == "L":
        return Days("weekdays", members=1 << SATURDAY)
    if text.endswith("L") and not {",", "-"} & set(text):
        return Days("last-weekday", weekday=fields.value(field, text[:-1]))
    if text.endswith("L") or "L," in text or text.startswith("L-"):
        raise field.wrong(f"{text}: L stands alone or after one day, without a list or a range")
    return Days("weekdays", members=fields.members(field, text))

"""Reads one field of a cron expression into the set it names, as bits (facts/eventbridge.md §7.2)."""

import re

from msgspec import Struct

from hinoban.aws.schedules.errors import BadExpression

_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
_WEEKDAYS = "SUN MON TUE WED THU FRI SAT".split()
_DIGITS = re.compile(r"[0-9]{1,4}")


class Field(Struct, frozen=True):
    """A field's name, its numbers and names, and the words that tell people what it takes."""

    name: str
    low: int
    high: int
    allowed: str
    names: tuple[str, ...] = ()
    wraps: bool = True
    steps: bool = True

    def wrong(self, what: str) -> BadExpression:
        """The error, with what the field takes."""
        return BadExpression(f"{self.name}: {what}; it takes {self.allowed}")


MINUTES = Field("minutes", 0, 59, "0-59 with , - * /")
HOURS = Field("hours", 0, 23, "0-23 with , - * /")
DAY_OF_MONTH = Field("day-of-month", 1, 31, "1-31 with , - * /, or one of ? L LW L-3 15W")
MONTH = Field("month", 1, 12, "1-12 or JAN-DEC with , - * /", names=tuple(_MONTHS))
# AWS's table lists no `/` for this field. UNCONFIRMED: Quartz would take it.
DAY_OF_WEEK = Field(
    "day-of-week", 1, 7, "1-7 or SUN-SAT (1 is Sunday) with , - *, or one of ? L 6L 6#3", names=tuple(_WEEKDAYS), steps=False
)
YEAR = Field("year", 1970, 2199, "1970-2199 with , - * /", wraps=False)


def members(field: Field, text: str) -> int:
    """The numbers that a list of values, ranges and steps names: bit n is n. Raises BadExpression."""
    bits = 0
    for item in text.split(","):
        bits |= _item(field, item)
    return bits


def value(field: Field, text: str) -> int:
    """One number or name, within the field's bounds. Raises BadExpression."""
    if text in field.names:
        return field.names.index(text) + field.low
    if not text:
        raise field.wrong("a value is missing")
    if not _DIGITS.fullmatch(text):
        raise field.wrong(f"{text} is no value of this field")
    number = int(text)
    if not field.low <= number <= field.high:
        raise field.wrong(f"{text} is not within {field.low}-{field.high}")
    return number


def _item(field: Field, item: str) -> int:
    span, slash, step_text = item.partition("/")
    step = _step(field, step_text) if slash else 1
    if span == "*":
        # `*/15` is undocumented, in common use and taken as first/15. UNCONFIRMED (facts/eventbridge.md §7.2).
        return _bits(field, field.low, field.high, step)
    low_text, dash, high_text = span.partition("-")
    low = value(field, low_text)
    if dash:
        return _bits(field, low, value(field, high_text), step)
    return _bits(field, low, field.high if slash else low, step)


def _step(field: Field, text: str) -> int:
    if not field.steps:
        raise field.wrong("it has no steps (/)")
    most = field.high - field.low + 1
    # That a step must fit the field is Quartz's rule. UNCONFIRMED for AWS.
    if not _DIGITS.fullmatch(text) or not 1 <= int(text) <= most:
        raise field.wrong(f"the step {text or 'after /'} must be a number of 1-{most}")
    return int(text)


def _bits(field: Field, low: int, high: int, step: int) -> int:
    """From low to high; a range like 20-2 or FRI-MON goes over the end of its field, as in Quartz (facts/eventbridge.md §7.2)."""
    size = field.high - field.low + 1
    if high < low:
        if not field.wraps:
            raise field.wrong(f"the range {low}-{high} goes backwards")
        high += size
    return sum(1 << (number - field.low) % size + field.low for number in range(low, high + 1, step))

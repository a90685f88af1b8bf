"""What is an expression in which dialect, and what the error says (facts/eventbridge.md §7.1, §7.2, §8.2)."""

from datetime import datetime

import pytest

from hinoban.aws.schedules import At, BadExpression, Cron, Dialect, Rate, parse


def samples(text: str) -> list[str]:
    return text.replace("\n", "|").split("|")


VALID_RATES = [
    ("rate(1 minute)", 60),
    ("rate(5 minutes)", 300),
    ("rate(1 hour)", 3600),
    ("rate(2 hours)", 7200),
    ("rate(1 day)", 86400),
    ("rate(10 days)", 864000),
]
INVALID_RATES = samples("""rate(10 seconds)|rate(10 years)|rate(1 minutes)|rate(1 hours)|rate(1 days)|rate(10 minute)|rate(5 hour)|rate()|rate(10)
rate(10 minutess)|rate(foo minutes)|rate(0 minutes)|rate(-10 minutes)|rate(10 MINUTES)|rate( 10 minutes )| rate(10 minutes)|rate(10 minutes) """)
ACCEPTED_ON_AWS = samples("""cron(0 2 ? * SAT *)|cron(0 12 * * ? *)|cron(5,35 14 * * ? *)|cron(15 10 ? * 6L 2002-2005)|cron(0 2 ? * SAT#3 *)
cron(* * ? * SAT#3 *)|cron(0/5 5 ? JAN 1-5 2022)|cron(0 10 * * ? *)|cron(0 18 ? * MON-FRI *)|cron(0/10 * ? * MON-FRI *)
cron(0/5 8-17 ? * MON-FRI *)""")
DOCUMENTED = samples("""cron(1/10 * * * ? *)|cron(0/15 * * * ? *)|cron(0 0 L * ? *)|cron(0 0 ? * L *)|cron(0 0 3W * ? *)|cron(0 0 31W * ? *)|cron(0 0 ? * 6#3 *)
cron(0/30 20-2 ? * MON-FRI *)|cron(0 0 1 JAN,FEB,MAR ? *)|cron(0 0 1-15 * ? *)|cron(0 0 ? * 3#2 *)|cron(0 0 * * ? 1970-2199)
cron(0 10 * * ? 2027,2029)|cron(0 0 7 * ? *)""")
IN_USE_OR_OF_QUARTZ = samples("""cron(*/15 * * * ? *)|cron(0 8-17/2 * * ? *)|cron(0 21 LW * ? *)|cron(0 0 L-3 * ? *)|cron(0 0 ? * FRI-MON *)
cron(0 0 ? NOV-FEB 2 *)
cron(0 9 ? * mOn-fri *)|cron(0  9\t* * ? *)|cron(00 09 * * ? *)|cron(0 0 30 2 ? *)|cron(0 0 1 * ? 2020/5)|cron(0 0 ? * sun#1 *)""")
REFUSED_BY_AWS = samples("cron(0 1 * * * *)|cron(7 20 * * NOT *)|cron(INVALID)|cron(0 dummy ? * MON-FRI *)|cron(71 8 1 * ? *)")

WRONG = [
    ("cron(0 1 * * * *)", "exactly one of day-of-month and day-of-week must be ?; here they are * and *"),
    ("cron(0 1 ? * ? *)", "exactly one of day-of-month and day-of-week must be ?; here they are ? and ?"),
    ("cron(0 1 1 * MON *)", "here they are 1 and MON"),
    ("cron(INVALID)", "has 1 fields; a cron expression has six, minutes hours day-of-month month day-of-week year"),
    ("cron(0 1 * * ?)", "has 5 fields; a cron expression has six"),
    ("cron(0 1 * * ?)", "AWS wants the year, which may be *"),
    ("cron(0 0 1 * * ? *)", "has 7 fields"),
    ("cron( 0 1 * * ? *)", "no spaces after ( and before )"),
    ("cron(71 8 1 * ? *)", "minutes: 71 is not within 0-59; it takes 0-59 with , - * /"),
    ("cron(0 24 1 * ? *)", "hours: 24 is not within 0-23"),
    ("cron(0 dummy ? * MON-FRI *)", "hours: DUMMY is no value of this field"),
    ("cron(0 ? 1 * ? *)", "hours: ? is no value of this field"),
    ("cron(0 0 0 * ? *)", "day-of-month: 0 is not within 1-31"),
    ("cron(0 0 32W * ? *)", "day-of-month: 32 is not within 1-31"),
    ("cron(0 0 1-5W * ? *)", "day-of-month: 1-5W: L and W stand alone"),
    ("cron(0 0 15,L * ? *)", "day-of-month: 15,L: L and W stand alone"),
    ("cron(0 0 15,?,3 * ? *)", "day-of-month: ? is no value"),
    ("cron(0 0 L-0 * ? *)", "day-of-month: L-0 must count 1-30 days back"),
    ("cron(0 0 L-31 * ? *)", "day-of-month: L-31 must count 1-30 days back"),
    ("cron(0 0 W * ? *)", "day-of-month: W: L and W stand alone"),
    ("cron(0 0 1 13 ? *)", "month: 13 is not within 1-12"),
    ("cron(0 0 1 JANUARY ? *)", "month: JANUARY is no value of this field; it takes 1-12 or JAN-DEC"),
    ("cron(0 0 ? * 0 *)", "day-of-week: 0 is not within 1-7; it takes 1-7 or SUN-SAT (1 is Sunday)"),
    ("cron(0 0 ? * MON/2 *)", "day-of-week: it has no steps (/)"),
    ("cron(0 0 ? * 3#1,6#3 *)", "day-of-week: 3#1,6#3: only one expression with # is allowed"),
    ("cron(0 0 ? * 3#6 *)", "day-of-week: 3#6: after # comes which one of the month, 1-5"),
    ("cron(0 0 ? * #2 *)", "day-of-week: a value is missing"),
    ("cron(0 0 ? * 2,6L *)", "day-of-week: 2,6L: L stands alone or after one day"),
    ("cron(0 0 ? * L-3 *)", "day-of-week: L-3: L stands alone or after one day"),
    ("cron(0 0 ? * 8L *)", "day-of-week: 8 is not within 1-7"),
    ("cron(0 0 1 * ? 1969)", "year: 1969 is not within 1970-2199"),
    ("cron(0 0 1 * ? 2200)", "year: 2200 is not within 1970-2199"),
    ("cron(0 0 1 * ? 2030-2027)", "year: the range 2030-2027 goes backwards"),
    ("cron(0/0 0 1 * ? *)", "minutes: the step 0 must be a number of 1-60"),
    ("cron(0/ 0 1 * ? *)", "minutes: the step after / must be a number of 1-60"),
    ("cron(/5 0 1 * ? *)", "minutes: a value is missing"),
    ("cron(1,,2 0 1 * ? *)", "minutes: a value is missing"),
    ("cron(5- 0 1 * ? *)", "minutes: a value is missing"),
    ("cron(1-2-3 0 1 * ? *)", "minutes: 2-3 is no value of this field"),
    ("rate(1 minutes)", "the unit of 1 is minute; 1 takes the singular, all else the plural"),
    ("rate(10 minute)", "the unit of 10 is minutes"),
    ("rate(0 minutes)", "the value must be 1 or more"),
    ("rate(10 seconds)", "a positive whole number and minute(s), hour(s) or day(s)"),
    ("0 12 * * ? *", "is no schedule expression; write rate(5 minutes) or cron(0 12 * * ? *), without spaces around it"),
    ("Rate(5 minutes)", "is no schedule expression"),
    ("", "'' is no schedule expression"),
    ("rate(" + "1" * 300 + " days)", "the expression has 311 characters; 256 are allowed"),
    ("at(2026-12-01T10:00:00)", "is no schedule expression; write rate(5 minutes) or cron(0 12 * * ? *)"),
]
WRONG_MOMENTS = samples("""at()|at(2026-12-01)|at(2026-12-01 10:00:00)|at(2026-12-01T10:00)|at(2026-12-01T10:00:00Z)|at(2026-12-01T10:00:00+09:00)
at(2026-13-01T10:00:00)|at(2026-02-29T10:00:00)|at(2026-12-01T24:00:00)|at(2026-12-01T10:00:60)|at( 2026-12-01T10:00:00)""")

BOTH: list[Dialect] = ["rule", "scheduler"]


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize(("text", "seconds"), VALID_RATES)
def test_a_rate_is_read_in_both_dialects(text: str, seconds: int, dialect: Dialect) -> None:
    rate = parse(text, dialect=dialect)
    assert isinstance(rate, Rate)
    assert (rate.seconds, rate.text) == (seconds, text)
    assert rate.seconds == rate.value * {"minute": 60, "hour": 3600, "day": 86400}[rate.unit]


@pytest.mark.parametrize("text", INVALID_RATES)
def test_a_rate_that_aws_refuses_is_refused_in_rules(text: str) -> None:
    with pytest.raises(BadExpression):
        parse(text, dialect="rule")


def test_the_scheduler_takes_the_plural_of_one_as_its_guide_writes_it() -> None:
    assert parse("rate(1 days)", dialect="scheduler") == Rate(1, "day", 86400, "rate(1 days)")
    with pytest.raises(BadExpression):
        parse("rate(1 days)", dialect="rule")


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("text", ACCEPTED_ON_AWS + DOCUMENTED + IN_USE_OR_OF_QUARTZ)
def test_a_cron_is_read_in_both_dialects(text: str, dialect: Dialect) -> None:
    cron = parse(text, dialect=dialect)
    assert isinstance(cron, Cron)
    assert cron.text == text
    assert hash(cron) == hash(parse(text, dialect=dialect))


@pytest.mark.parametrize("dialect", BOTH)
@pytest.mark.parametrize("text", REFUSED_BY_AWS)
def test_a_cron_that_aws_refuses_is_refused(text: str, dialect: Dialect) -> None:
    with pytest.raises(BadExpression):
        parse(text, dialect=dialect)


@pytest.mark.parametrize(("text", "says"), WRONG)
def test_the_error_says_what_is_wrong_and_what_is_allowed(text: str, says: str) -> None:
    with pytest.raises(BadExpression) as caught:
        parse(text, dialect="rule")
    assert says in str(caught.value)


def test_names_numbers_and_letter_case_mean_the_same() -> None:
    def sets(text: str) -> tuple[object, ...]:
        cron = parse(text, dialect="rule")
        assert isinstance(cron, Cron)
        return cron.minutes, cron.hours, cron.days, cron.months, cron.years

    assert sets("cron(0 9 ? JAN-MAR MON,WED-FRI *)") == sets("cron(0 9 ? 1,2,3 2,4-6 1970-2199)") == sets("cron(0 9 ? jan-3 mon,4,5,fri *)")
    assert sets("cron(*/20 0/8 * * ? *)") == sets("cron(0,20,40 0,8,16 1-31 1-12 ? *)")


def test_one_moment_is_of_the_scheduler_alone() -> None:
    assert parse("at(2026-12-01T10:00:30)", dialect="scheduler") == At(datetime(2026, 12, 1, 10, 0, 30), "at(2026-12-01T10:00:30)")


@pytest.mark.parametrize("text", WRONG_MOMENTS)
def test_a_wrong_moment_is_refused(text: str) -> None:
    with pytest.raises(BadExpression, match="yyyy-mm-ddThh:mm:ss"):
        parse(text, dialect="scheduler")


def test_the_schedulers_error_names_all_three_forms() -> None:
    with pytest.raises(BadExpression, match=r"rate\(5 minutes\), cron\(0 12 \* \* \? \*\) or at\(2026-12-01T10:00:00\)"):
        parse("daily", dialect="scheduler")

"""What the person on call reads instead of an expression."""

import pytest

from hinoban.aws.schedules import parse, words

SAMPLES = [
    ("rate(1 minute)", "every minute"),
    ("rate(5 minutes)", "every 5 minutes"),
    ("rate(1 hour)", "every hour"),
    ("rate(12 hours)", "every 12 hours"),
    ("rate(1 day)", "every day"),
    ("rate(7 days)", "every 7 days"),
    ("at(2026-12-01T10:00:00)", "once, 2026-12-01 10:00"),
    ("at(2026-12-01T10:00:30)", "once, 2026-12-01 10:00:30"),
    ("cron(0 10 1 12 ? 2026)", "once, 2026-12-01 10:00"),
    ("cron(0 0 * * ? *)", "every day at 00:00"),
    ("cron(0 0 ? * * *)", "every day at 00:00"),
    ("cron(0 0 ? * SUN-SAT *)", "every day at 00:00"),
    ("cron(0 0 1-31 * ? *)", "every day at 00:00"),
    ("cron(5,35 14 * * ? *)", "every day at 14:05 and 14:35"),
    ("cron(0 8,12,18 * * ? *)", "every day at 08:00, 12:00 and 18:00"),
    ("cron(0 0/6 * * ? *)", "every day at 00:00, 06:00, 12:00 and 18:00"),
    ("cron(0 0 * * ? 2027)", "every day at 00:00, in 2027"),
    ("cron(0 0 * * ? 2027,2029)", "every day at 00:00, in 2027 and 2029"),
    ("cron(0 0 1 * ? 2027-2199)", "on the 1st of the month at 00:00, from 2027 on"),
    ("cron(0 10 * 12 ? *)", "every day in December at 10:00"),
    ("cron(* * * * ? *)", "every minute"),
    ("cron(*/5 * * * ? *)", "every 5 minutes"),
    ("cron(0/5 * * * ? *)", "every 5 minutes"),
    ("cron(0,30 * * * ? *)", "every 30 minutes"),
    ("cron(1/10 * * * ? *)", "every 10 minutes from :01"),
    ("cron(0 * * * ? *)", "every hour"),
    ("cron(15 * * * ? *)", "every hour at :15"),
    ("cron(5,20 * * * ? *)", "every hour at :05 and :20"),
    ("cron(0 0/2 * * ? *)", "every 2 hours"),
    ("cron(30 1/2 * * ? *)", "every 2 hours, first at 01:30"),
    ("cron(0/5 8-17 ? * MON-FRI *)", "every 5 minutes from 08:00 to 17:55, Mon-Fri"),
    ("cron(5/30 8-17 ? * MON-FRI *)", "every 30 minutes from 08:05 to 17:35, Mon-Fri"),
    ("cron(0 9-17 ? * MON-FRI *)", "every hour from 09:00 to 17:00, Mon-Fri"),
    ("cron(30 9-17 * * ? *)", "every hour from 09:30 to 17:30"),
    ("cron(0 20-2 * * ? *)", "every hour from 20:00 to 02:00"),
    ("cron(0/30 20-2 ? * FRI-MON *)", "every 30 minutes from 20:00 to 02:30, Fri-Mon"),
    ("cron(0/10 * ? * MON-FRI *)", "every 10 minutes, Mon-Fri"),
    ("cron(0/5 5 ? JAN 1-5 2022)", "every 5 minutes from 05:00 to 05:55, Sun-Thu in January, in 2022"),
    ("cron(30 9 ? * MON-FRI *)", "Mon-Fri at 09:30"),
    ("cron(0 2 ? * SAT *)", "every Saturday at 02:00"),
    ("cron(0 2 ? * L *)", "every Saturday at 02:00"),
    ("cron(0 9 ? * SAT,SUN *)", "Sat and Sun at 09:00"),
    ("cron(0 9 ? * 2,4,6 *)", "Mon, Wed and Fri at 09:00"),
    ("cron(0 10 ? JUL-AUG MON *)", "every Monday in July and August at 10:00"),
    ("cron(0 23 L * ? *)", "on the last day of the month at 23:00"),
    ("cron(0 23 L 2 ? *)", "on the last day of February at 23:00"),
    ("cron(0 23 L-1 * ? *)", "1 day before the last day of the month at 23:00"),
    ("cron(0 23 L-3 * ? *)", "3 days before the last day of the month at 23:00"),
    ("cron(0 21 LW * ? *)", "on the last weekday (Mon-Fri) of the month at 21:00"),
    ("cron(0 9 3W * ? *)", "on the weekday (Mon-Fri) nearest the 3rd of the month at 09:00"),
    ("cron(15 10 ? * 6L 2002-2005)", "on the last Friday of the month at 10:15, in 2002-2005"),
    ("cron(0 2 ? * SAT#3 *)", "on the 3rd Saturday of the month at 02:00"),
    ("cron(* * ? * SAT#3 *)", "every minute, on the 3rd Saturday of the month"),
    ("cron(0 9 1,15 * ? *)", "on the 1st and 15th of the month at 09:00"),
    ("cron(0 9 2,11,12,13,23 * ? *)", "on the 2nd, 11th, 12th, 13th and 23rd of the month at 09:00"),
    ("cron(0 9 1-7 * ? *)", "on the 1st to 7th of the month at 09:00"),
    ("cron(0 9 1 1,4,7,10 ? *)", "on the 1st of January, April, July and October at 09:00"),
    ("cron(0 0 29 2 ? *)", "every year on 29 February at 00:00"),
]

WITHOUT = [
    "cron(3,17,41,52,59 * * * ? *)",
    "cron(0 1,2,9,11,15 * * ? *)",
    "cron(0 0/5 * * ? *)",
    "cron(0 0 1-31/2 * ? *)",
    "cron(0 0 * 1-6 ? *)",
    "cron(0 0 * * ? 2020/3)",
]


@pytest.mark.parametrize(("text", "said"), SAMPLES)
def test_an_expression_is_said_in_words(text: str, said: str) -> None:
    assert words(parse(text, dialect="scheduler")) == said


@pytest.mark.parametrize("text", WITHOUT)
def test_an_expression_without_a_short_sentence_stands_for_itself(text: str) -> None:
    assert words(parse(text, dialect="scheduler")) == text


@pytest.mark.parametrize(("text", "said"), SAMPLES[:12])
def test_the_zone_is_left_to_who_prints_it(text: str, said: str) -> None:
    assert words(parse(text, dialect="scheduler"), "Asia/Tokyo") == said

"""What happened to a schedule is said in one plain sentence, and what does not concern its runs is not said."""

import pytest

from hinoban.base.clock import DAYS
from hinoban.watch.schedules.compare import changes
from hinoban.watch.schedules.model import Schedule
from tests.unit.watch.schedules.samples import MIDNIGHT, rule, schedule


@pytest.mark.parametrize(
    ("before", "after", "what", "sentence"),
    [
        (rule(), rule(State="DISABLED"), ("disabled",), "rule daily-close was disabled"),
        (rule(State="DISABLED"), rule(), ("enabled",), "rule daily-close was enabled"),
        (rule(), None, ("deleted",), "rule daily-close was deleted (every day at 00:00, daily-close:17)"),
        (
            rule(),
            rule(target={"job": "daily-close:18"}),
            ("retargeted",),
            "rule daily-close now starts daily-close:18 instead of daily-close:17",
        ),
        (
            rule(),
            rule(target={"job": "daily-close:17", "cluster": "web", "ecs": {"TaskCount": 3}}),
            ("retargeted",),
            "rule daily-close now starts on cluster web instead of batch and 3 tasks instead of 1",
        ),
        (
            schedule(),
            schedule(expression="rate(5 minutes)"),
            ("rescheduled",),
            "schedule report now runs every 5 minutes instead of every day at 09:00",
        ),
        (
            schedule(),
            schedule(ScheduleExpressionTimezone="Asia/Tokyo"),
            ("rescheduled",),
            "schedule report now runs every day at 09:00 Asia/Tokyo instead of every day at 09:00 UTC",
        ),
        (
            schedule(),
            schedule(FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}),
            ("rescheduled",),
            "schedule report now runs within 15 m instead of no window",
        ),
        (
            schedule(),
            schedule(EndDate=MIDNIGHT + DAYS),
            ("rescheduled",),
            "schedule report now runs until 2026-11-28T00:00:00Z instead of no date",
        ),
        (
            rule(),
            rule(State="DISABLED", expression="cron(0 1 * * ? *)"),
            ("disabled", "rescheduled"),
            "rule daily-close was disabled; now runs every day at 01:00 instead of every day at 00:00",
        ),
    ],
)
def test_a_change_is_said_in_one_sentence(before: Schedule, after: Schedule | None, what: tuple[str, ...], sentence: str) -> None:
    found = changes(before, after)
    assert found is not None
    assert (found.key, found.name, found.what, found.sentence) == (before.key, before.name, what, sentence)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, rule()),
        (None, None),
        (rule(), rule()),
        (rule(), rule(Description="new words")),
        (schedule(), schedule(LastModificationDate=MIDNIGHT)),
    ],
)
def test_what_does_not_concern_its_runs_is_no_change(before: Schedule | None, after: Schedule | None) -> None:
    assert changes(before, after) is None


def test_an_expression_that_says_the_same_in_words_is_shown_as_written() -> None:
    found = changes(rule(expression="cron(0 0 * * ? *)"), rule(expression="cron(00 0 * * ? *)"))
    assert found is not None
    assert found.sentence == "rule daily-close now runs cron(00 0 * * ? *) instead of cron(0 0 * * ? *)"

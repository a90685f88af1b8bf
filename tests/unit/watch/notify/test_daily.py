"""The daily report: once a day whatever the clock does, in the words that people read, and what it counts."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.base.clock import DAYS, HOURS
from hinoban.watch.explain.language import speaking
from hinoban.watch.history.daily import Daily, Matter, Muted, Runs, StillOpen, Unwell
from hinoban.watch.history.ledger import Message, told_of
from hinoban.watch.notify.daily import FARTHEST, LATE_MOST, Last, due_at, first_mark, next_due, out_of_time, to_tell
from hinoban.watch.notify.daily_words import daily_labels, daily_payload, daily_title
from tests.unit.watch.notify.samples import incident

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")
AT = datetime(2026, 11, 28, 0, 30, tzinfo=UTC).timestamp()
RUNS = Runs(due=118, at_once=95, by_retry=21, by_hand=2, by_hand_incidents=("inc-4k2p",))
DAILY = Daily(id="daily-2026-11-28", day="2026-11-28", at=AT, since=AT - DAYS, until=AT, runs=RUNS, disabled=("old-export",))


def test_the_line_of_the_transcript() -> None:
    assert daily_title(DAILY, TOKYO) == (
        "118 of 118 due runs happened: 95 at once, 21 by retry, 2 by hand (inc-4k2p). 0 failed. "
        "Disabled > 7 d: old-export. Watch well 24 h."
    )
    assert daily_labels(DAILY, TOKYO) == ()


def test_the_same_in_japanese() -> None:
    with speaking("ja"):
        said = daily_title(DAILY, TOKYO)
    assert said == (
        "予定 118 件中 118 件が実行済み:即時 95、再試行 21、手動 2(inc-4k2p)。失敗 0 件。無効のまま 7 日超:old-export。監視は 24 時間正常。"
    )


def test_what_went_wrong_is_named_and_what_nobody_saw_too() -> None:
    runs = Runs(due=5, at_once=3, failed=("a", "a", "b"), lost=("nightly",), pending=1)
    unwell = (Unwell(AT - 7 * HOURS, AT - 4 * HOURS, "not running"),)
    told = msgspec.structs.replace(DAILY, runs=runs, disabled=(), others_failed=1, unwell=unwell, since=AT - 2 * DAYS)
    assert daily_title(told, TOKYO) == (
        "Since Thu 26 Nov 09:30 JST: 3 of 5 due runs happened: 3 at once. 1 lost: nightly. 1 not seen yet. 3 failed: a (2), b. "
        "1 other failure of tasks outside of schedules. Watch well 45 h of 48 h: not running 02:30–05:30."
    )
    with speaking("ja"):
        said = daily_title(told, TOKYO)
    for words in ("以降", "未実行 1 件:nightly", "未確認 1 件", "失敗 3 件:a (2), b", "監視は 48 時間中 45 時間が正常"):
        assert words in said


def test_nothing_due_is_said_as_such() -> None:
    told = msgspec.structs.replace(DAILY, runs=Runs(), disabled=())
    assert daily_title(told, TOKYO) == "No scheduled run was due. 0 failed. Watch well 24 h."


def test_the_labels_tell_what_is_open_what_is_minor_and_what_was_muted() -> None:
    told = msgspec.structs.replace(
        DAILY,
        open=(StillOpen("inc-1", "job", "EXIT 1", AT - 3 * DAYS - 2 * HOURS),),
        open_count=3,
        digest=(Matter("too_short", 2, ("a", "b")),),
        muted=(Muted("move", 3, 2),),
    )
    assert daily_labels(told, TOKYO) == (
        ("Open", "job EXIT 1 3 d 2 h (inc-1) · and 2 more"),
        ("Digest", "too_short 2 (a, b)"),
        ("Muted", "move hid 3 messages of 2 incidents"),
    )
    with speaking("ja"):
        assert "「move」が 3 件の通知(2 インシデント)を保留" in dict(daily_labels(told, TOKYO))["Muted"]


def test_a_webhooks_body_has_the_numbers() -> None:
    body = daily_payload(DAILY)
    assert (body["id"], body["change"], body["runs"]["happened"], body["runs"]["by_hand"]) == ("daily-2026-11-28", "daily", 118, 2)
    assert body["since"] == "2026-11-27T00:30:00Z"


def test_a_row_of_the_outbox_is_a_report_or_an_incidents_message() -> None:
    assert told_of(msgspec.json.encode(DAILY)) == DAILY
    message = Message(incident(), "opened")
    assert told_of(msgspec.json.encode(message)) == message


@pytest.mark.parametrize(
    ("day", "at", "moment"),
    [
        (date(2026, 3, 29), "02:30", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),  # never on the clock: 03:30 summer time
        (date(2026, 10, 25), "02:30", datetime(2026, 10, 25, 0, 30, tzinfo=UTC)),  # twice on the clock: the first
        (date(2026, 10, 25), "09:30", datetime(2026, 10, 25, 8, 30, tzinfo=UTC)),
    ],
)
def test_a_day_has_one_moment_where_clocks_are_changed(day: date, at: str, moment: datetime) -> None:
    assert due_at(day, at, BERLIN) == moment.timestamp()


@given(
    start=st.integers(0, 400 * 24 * 60).map(lambda minutes: AT + 60.0 * minutes),
    jumps=st.lists(st.integers(-3 * 24 * 60, 4 * 24 * 60).map(lambda minutes: 60.0 * minutes), max_size=40),
    at=st.sampled_from(["00:00", "02:30", "09:30", "23:59"]),
)
def test_no_day_is_told_twice_whatever_the_clock_does(start: float, jumps: list[float], at: str) -> None:
    """However it is stopped, started, put forward or back by less than a day in all."""
    now, last, told = start, first_mark(start, at, BERLIN), list[str]()
    latest = now
    for jump in jumps:
        now = max(now + jump, latest - 0.9 * DAYS)
        latest = max(now, latest)
        assert not out_of_time(last, now)
        if (day := to_tell(last, now, at, BERLIN)) is not None:
            assert now - due_at(day, at, BERLIN) <= LATE_MOST
            told.append(day.isoformat())
            last = Last(day.isoformat(), due_at(day, at, BERLIN))
        assert next_due(last, now, at, BERLIN) > now
    assert told == sorted(set(told))


def test_a_clock_that_was_years_ahead_does_not_silence_the_report_for_years() -> None:
    last = Last("2031-01-01", AT + 1500 * DAYS)
    assert out_of_time(last, AT)
    again = first_mark(AT, "09:30", TOKYO)
    assert next_due(again, AT, "09:30", TOKYO) == AT + DAYS
    assert FARTHEST == 7 * DAYS

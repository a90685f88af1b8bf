"""The watch's own health: when it was not well is kept over restarts; a brief trouble is nobody's news."""

from hypothesis import given
from hypothesis import strategies as st

from hinoban.base.clock import MINUTES, FakeClock
from hinoban.watch.history.channel_counts import ChannelCounts
from hinoban.watch.history.daily import Unwell
from hinoban.watch.wellness import AWAY, BRIEF, HUNG, REFUSED, WAITS, Health, Steps, checked, stuck_channel, unwell_between

NOW = 1_000_000.0


def test_a_time_in_which_nothing_was_noted_is_a_time_in_which_it_did_not_run() -> None:
    health = checked(checked(None, NOW, None), NOW + 60, None)
    assert health.spans == ()
    later = checked(health, NOW + 60 + AWAY + 1, None)
    assert later.spans == (Unwell(NOW + 60, NOW + 61 + AWAY, "not running"),)
    assert later.first == NOW


def test_a_brief_trouble_is_forgotten_and_a_long_one_kept_to_its_end() -> None:
    health = checked(None, NOW, "starting")
    assert checked(health, NOW + 60, None).spans == ()
    for minute in range(1, 6):
        health = checked(health, NOW + minute * 60, "the feed is silent")
    assert checked(health, NOW + 6 * 60, None).spans == (Unwell(NOW, NOW + 360, "starting"),)


def test_what_is_not_over_counts_until_now() -> None:
    health = Health(first=0.0, checked_at=NOW, spans=(Unwell(NOW - 10 * MINUTES, None, "x"),))
    assert unwell_between(health, NOW - 5 * MINUTES, NOW) == (Unwell(NOW - 5 * MINUTES, NOW, "x"),)
    assert unwell_between(health, NOW - BRIEF / 2, NOW) == ()
    assert unwell_between(None, 0.0, NOW) == ()


@given(st.lists(st.tuples(st.floats(-600, 4000), st.sampled_from([None, "a", "b"])), min_size=1, max_size=60))
def test_spans_never_overlap_and_only_the_last_is_open(looks: list[tuple[float, str | None]]) -> None:
    now, health = NOW, None
    for passed, why in looks:
        now += max(0.0, passed)
        health = checked(health, now, why)
        ends = [one.until for one in health.spans]
        assert all(end is not None for end in ends[:-1])
        assert all(
            before.until is not None and before.until <= after.since for before, after in zip(health.spans, health.spans[1:], strict=False)
        )
        assert health.checked_at == now


def test_people_are_not_reached_when_a_message_waits_or_was_given_up() -> None:
    def stuck(**words: float) -> str | None:
        return stuck_channel([ChannelCounts(channel="slack", **words)], NOW)  # type: ignore[arg-type]

    assert stuck() is None
    assert stuck(oldest_queued_at=NOW - WAITS) is None
    assert "waited for slack" in (stuck(oldest_queued_at=NOW - WAITS - 1) or "")
    assert "given up" in (stuck(gave_up_at=NOW - 1) or "")
    assert stuck(gave_up_at=NOW - REFUSED - 1) is None


async def test_a_step_that_does_not_come_back_is_seen() -> None:
    clock = FakeClock()
    steps = Steps(clock)
    steps.began("outbox")
    assert steps.hung() is None
    await clock.advance(HUNG + 1)
    assert "outbox" in (steps.hung() or "")
    steps.ended("outbox")
    assert steps.hung() is None

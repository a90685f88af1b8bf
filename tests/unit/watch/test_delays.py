"""How late things are seen: the last hour's, by source and kind, within a tenth."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hinoban.base.clock import HOURS
from hinoban.watch.delays import Delays
from hinoban.watch.model import Launch, TaskChange

NOW = 1_000_000.0


def change(delay: float, now: float = NOW) -> TaskChange:
    return TaskChange(event_id="e", at=now - delay, account="1", region="r", task_arn="t", version=1, detail={})


def launch(delay: float) -> Launch:
    return Launch(event_id="e", launch_id="l", at=NOW - delay, account="1", region="r")


def test_events_and_records_are_told_apart() -> None:
    delays = Delays()
    delays.note("sqs", [change(0.8), launch(71), launch(250)], NOW)
    found = delays.of("sqs", NOW)
    assert (found["events"]["count"], found["cloudtrail"]["count"]) == (1, 2)
    assert 71 <= found["cloudtrail"]["p50"] <= 71 * 1.1
    assert 250 <= found["cloudtrail"]["p95"] <= 250 * 1.1
    assert delays.of("journal", NOW) == {}
    assert delays.arrived.keys() == {"task_events", "launch_records"}


def test_after_an_hour_it_is_forgotten() -> None:
    delays = Delays()
    delays.note("journal", [change(30)], NOW)
    later = NOW + 1 * HOURS + 61
    assert delays.of("journal", later) == {}
    delays.note("journal", [change(1, later)], later)
    assert delays.of("journal", later)["events"]["count"] == 1


def test_what_happened_before_the_source_was_watched_says_nothing_of_how_late_it_is() -> None:
    delays = Delays()
    delays.attached("poll", NOW)
    delays.note("poll", [change(400, NOW + 3), launch(90)], NOW + 3)
    assert delays.of("poll", NOW + 3) == {}
    assert delays.arrived.keys() == {"task_events", "launch_records"}
    delays.note("poll", [change(20, NOW + 60)], NOW + 60)
    assert 20 <= delays.of("poll", NOW + 60)["events"]["p50"] <= 22


@given(st.lists(st.floats(-5, 100_000), min_size=1, max_size=200))
def test_a_quantile_is_never_less_and_at_most_a_tenth_more(given_: list[float]) -> None:
    delays = Delays()
    delays.note("x", [change(one) for one in given_], NOW)
    found: Any = delays.of("x", NOW)["events"]
    ordered = sorted(max(one, 0.01) for one in given_)
    for name, share in (("p50", 0.5), ("p95", 0.95)):
        exact = ordered[-(-len(ordered) * int(share * 100) // 100) - 1]
        assert exact * 0.999 - 0.001 <= found[name] <= exact * 1.1 + 0.001

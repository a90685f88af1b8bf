"""The detectors of a service's counts and deployments, which have a memory: what they need to see, and when they fall silent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.base.clock import HOURS, MINUTES
from hinoban.watch.detect import not_steady, zero_running
from hinoban.watch.model import Finding
from hinoban.watch.service_model import ServiceNews, ServiceReading
from tests.unit.watch.detect.world import BACK, NEW, NOW, SERVICE, action, deployment, feed, reading, verdicts

# zero_running


def test_a_service_without_tasks_for_two_minutes_is_told_until_one_runs() -> None:
    readings = [reading(1), reading(0, at=NOW + 60), reading(0, at=NOW + 120), reading(0, at=NOW + 180), reading(2, at=NOW + 240)]
    _, told = feed(zero_running, zero_running.Zero(), readings)
    assert verdicts(told) == ["ZERO RUNNING", "over"]
    assert isinstance(told[0], Finding) and (told[0].at, told[0].facts["since"]) == (NOW + 180, NOW + 60)
    assert "should have 4 tasks and none runs, for 2 m" in told[0].explanation.cause


@pytest.mark.parametrize(
    "readings",
    [
        [reading(0, desired=0), reading(0, desired=0, at=NOW + 600)],
        [reading(0, created=NOW - 60), reading(0, created=NOW - 60, at=NOW + 300)],
        [reading(0, status="DRAINING"), reading(0, status="DRAINING", at=NOW + 600)],
        [reading(0), reading(1, at=NOW + 100), reading(0, at=NOW + 200)],
    ],
)
def test_a_service_that_should_have_none_or_is_new_is_left_alone(readings: list[ServiceReading]) -> None:
    assert feed(zero_running, zero_running.Zero(), readings)[1] == []


def test_an_old_reading_that_comes_late_says_nothing() -> None:
    state, _ = feed(zero_running, zero_running.Zero(), [reading(2, at=NOW + 600)])
    assert zero_running.seen(state, reading(0)) == (state, ())


# not_steady


def test_a_deployment_in_progress_for_half_an_hour_is_told_until_it_ends() -> None:
    state, told = feed(not_steady, not_steady.Steadiness(), [deployment("in_progress")])
    moment = not_steady.due(state)
    assert told == [] and moment == NOW + 30 * MINUTES
    state, (finding,) = not_steady.asked(state, moment)
    assert isinstance(finding, Finding)
    assert (finding.verdict, finding.subject, finding.facts["deployment"]) == ("NOT STEADY", f"not-steady:{SERVICE}", NEW)
    assert not_steady.due(state) is None
    _, told = feed(not_steady, state, [deployment("completed", at=NOW + 3000)])
    assert verdicts(told) == ["over"]


@pytest.mark.parametrize(
    "news", [deployment("completed", at=NOW + 60), deployment("failed", at=NOW + 60), action("SERVICE_STEADY_STATE", "INFO", at=NOW + 60)]
)
def test_a_deployment_that_ended_in_time_is_no_matter(news: ServiceNews) -> None:
    state, _ = feed(not_steady, not_steady.Steadiness(), [deployment("in_progress"), news])
    assert not_steady.due(state) is None
    assert not_steady.asked(state, NOW + HOURS) == (state, ())


def test_only_the_newest_deployment_counts_and_a_poll_that_tells_it_again_does_not_move_its_start() -> None:
    state, _ = feed(
        not_steady,
        not_steady.Steadiness(),
        [deployment("in_progress"), deployment("in_progress", BACK, at=NOW + 600), deployment("in_progress", BACK, at=NOW + 1200)],
    )
    assert not_steady.due(state) == NOW + 600 + 30 * MINUTES


def test_a_newer_deployment_ends_the_matter_of_the_one_before() -> None:
    state, _ = feed(not_steady, not_steady.Steadiness(), [deployment("in_progress")])
    state, _ = not_steady.asked(state, NOW + HOURS)
    state, told = feed(not_steady, state, [deployment("in_progress", BACK, at=NOW + HOURS)])
    assert verdicts(told) == ["over"] and not_steady.due(state) == NOW + 1.5 * HOURS


def test_a_service_off_its_count_for_a_quarter_of_an_hour_is_told_until_it_has_its_tasks() -> None:
    readings = [reading(3), reading(3, at=NOW + 600), reading(3, at=NOW + 900), reading(4, at=NOW + 960)]
    _, told = feed(not_steady, not_steady.Steadiness(), readings)
    assert verdicts(told) == ["NOT STEADY", "over"]
    assert isinstance(told[0], Finding) and "other than its 4 tasks for 15 m: 3 run now" in told[0].explanation.cause


news_of_a_service = st.lists(
    st.one_of(
        st.builds(
            deployment,
            st.sampled_from(["in_progress", "completed", "failed"]),
            st.sampled_from([NEW, BACK, "ecs-svc/4"]),
            at=st.integers(0, 20).map(lambda minutes: NOW + minutes * 60),
        ),
        st.integers(0, 20).map(lambda minutes: action("SERVICE_STEADY_STATE", "INFO", at=NOW + minutes * 60)),
    ),
    max_size=8,
)


@given(news_of_a_service, st.data())
def test_whatever_the_order_the_same_deployment_is_judged(news: list[ServiceNews], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(news)) + data.draw(st.lists(st.sampled_from(news), max_size=3) if news else st.just([]))
    one, _ = feed(not_steady, not_steady.Steadiness(), news)
    other, _ = feed(not_steady, not_steady.Steadiness(), list(shuffled))
    assert (not_steady.due(one), not_steady.newest_unsettled(one)) == (not_steady.due(other), not_steady.newest_unsettled(other))

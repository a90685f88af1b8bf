"""Detectors with a memory: what they need to see before they speak, and when they fall silent."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.base.clock import HOURS, MINUTES
from hinoban.watch.detect import crash_loop, health_replacements, launch_loop, not_steady, too_short, window, zero_running
from hinoban.watch.detect.memory import MEMORIES, fed_by
from hinoban.watch.detect.services import Over, Told
from hinoban.watch.detect.window import Mark
from hinoban.watch.model import Finding, Launch, LaunchFailure, TaskChange
from tests.unit.watch.detect.world import BACK, NEW, NOW, SERVICE, deployment, feed, launch, reading, task, verdicts

HEALTH = {"stopCode": "ServiceSchedulerInitiated", "stoppedReason": "Task failed container health checks"}
NO_ROOM = (LaunchFailure("Capacity is unavailable at this time."),)


def crashes(*waits: float, code: int = 1, lived: float = 12.0) -> list[TaskChange]:
    return [task(number, at=NOW + wait, lived=lived, owned=True, codes={"app": code}) for number, wait in enumerate(waits)]


# crash_loop


@pytest.mark.parametrize("code", [0, 1, 137])
def test_five_tasks_of_a_service_that_end_by_themselves_are_a_loop_whatever_their_exit(code: int) -> None:
    state, told = feed(crash_loop, crash_loop.Crashes(), crashes(0, 60, 120, 180, code=code))
    assert told == []
    _, told = feed(crash_loop, state, [task(9, at=NOW + 240, lived=12, owned=True, codes={"app": code})])
    (finding,) = told
    assert isinstance(finding, Finding)
    assert (finding.verdict, finding.subject, finding.at) == ("CRASH LOOP", f"crash-loop:{SERVICE}", NOW + 240)
    assert (finding.facts["count"], finding.family, finding.revision) == (5, "web-api", 204)
    assert f"5 in 4 m, the last after 12 s with exit {code}" in finding.explanation.cause


def test_ends_that_are_too_far_apart_or_of_long_lives_are_no_loop() -> None:
    assert feed(crash_loop, crash_loop.Crashes(), crashes(*(number * 10 * MINUTES for number in range(20))))[1] == []
    assert feed(crash_loop, crash_loop.Crashes(), crashes(0, 1, 2, 3, 4, 5, lived=HOURS))[1] == []


@pytest.mark.parametrize(
    "change", [task(), task(owned=True, lived=None), task(owned=True, **HEALTH), task(owned=True, lastStatus="RUNNING")]
)
def test_only_the_end_of_a_services_running_task_counts(change: TaskChange) -> None:
    assert crash_loop.key_of(change) is None
    assert crash_loop.seen(crash_loop.Crashes(), change) == (crash_loop.Crashes(), ())


def test_a_policy_may_count_to_another_number() -> None:
    state, told = crash_loop.Crashes(), []
    for one in crashes(0, 1, 2):
        state, more = crash_loop.seen(state, one, after=3)
        told.extend(more)
    assert verdicts(told) == ["CRASH LOOP"]


def test_a_loop_is_over_when_no_task_crashed_for_half_an_hour() -> None:
    state, _ = feed(crash_loop, crash_loop.Crashes(), crashes(0, 1, 2, 3, 4))
    moment = crash_loop.due(state)
    assert moment == NOW + 4 + 30 * MINUTES
    assert crash_loop.asked(state, moment - 1) == (state, ())
    rest, (ended,) = crash_loop.asked(state, moment)
    assert rest == crash_loop.Crashes() and isinstance(ended, Over) and ended.subject == f"crash-loop:{SERVICE}"


def test_what_was_never_a_loop_is_forgotten_without_a_word() -> None:
    state, _ = feed(crash_loop, crash_loop.Crashes(), crashes(0, 1))
    assert crash_loop.asked(state, NOW + HOURS) == (crash_loop.Crashes(), ())


# health_replacements


def test_health_replacements_are_told_from_the_third_in_ten_minutes() -> None:
    sick = [task(number, at=NOW + number * 300, owned=True, codes={"app": 143}, **HEALTH) for number in range(3)]
    state, told = feed(health_replacements, health_replacements.Replacements(), sick[:2])
    assert told == []
    state, told = feed(health_replacements, state, sick[2:])
    (finding,) = told
    assert isinstance(finding, Finding)
    assert (finding.verdict, finding.subject) == ("UNHEALTHY", f"health:{SERVICE}")
    assert finding.explanation.said == ("Task failed container health checks",)
    _, (ended,) = health_replacements.asked(state, NOW + 600 + 15 * MINUTES)
    assert isinstance(ended, Over)


def test_three_replacements_in_an_hour_are_daily_life() -> None:
    sick = [task(number, at=NOW + number * 1200, owned=True, codes={"app": 143}, **HEALTH) for number in range(3)]
    assert feed(health_replacements, health_replacements.Replacements(), sick)[1] == []


def test_scale_in_is_no_replacement() -> None:
    change = task(owned=True, stopCode="ServiceSchedulerInitiated", stoppedReason="Scaling activity initiated by (deployment ecs-svc/1)")
    assert health_replacements.key_of(change) is None


# launch_loop


def refusals(count: int, step: float = 10.0) -> list[Launch]:
    return [launch(number, at=NOW + number * step, failures=NO_ROOM) for number in range(count)]


def test_more_than_ten_refusals_in_ten_minutes_are_a_loop() -> None:
    state, told = feed(launch_loop, launch_loop.Refusals(), refusals(10))
    assert told == []
    _, told = feed(launch_loop, state, [launch(99, at=NOW + 100, error_code="ThrottlingException", error_message="Rate exceeded")])
    (finding,) = told
    assert isinstance(finding, Finding)
    assert (finding.verdict, finding.facts["count"], finding.at) == ("LAUNCH LOOP", 11, NOW + 100)
    assert "nightly:7 by run-1 was refused 11 times in 1 m 40 s" in finding.explanation.cause
    assert finding.explanation.said == ("RunTask ThrottlingException: Rate exceeded",)


def test_a_launch_a_minute_is_no_loop() -> None:
    assert feed(launch_loop, launch_loop.Refusals(), refusals(30, step=61))[1] == []


def test_a_launch_that_succeeds_ends_the_loop_and_what_was_before_it_is_forgotten() -> None:
    state, told = feed(launch_loop, launch_loop.Refusals(), [*refusals(11), launch(99, at=NOW + 200, task_arns=("a",))])
    assert verdicts(told) == ["LAUNCH LOOP", "over"]
    assert feed(launch_loop, state, refusals(11))[1] == []
    assert launch_loop.asked(state, NOW + HOURS) == (launch_loop.Refusals(), ())


def test_a_loop_that_nobody_goes_on_with_is_over() -> None:
    state, _ = feed(launch_loop, launch_loop.Refusals(), refusals(11))
    assert verdicts(list(launch_loop.asked(state, NOW + HOURS)[1])) == ["over"]


def test_the_same_launch_is_the_same_definition_by_the_same_caller() -> None:
    same = launch_loop.key_of(launch(1))
    assert same == launch_loop.key_of(launch(2, at=NOW + 9, request={"count": 3}))
    assert same != launch_loop.key_of(launch(1, request={"taskDefinition": "nightly:8"}))
    assert same != launch_loop.key_of(launch(1, caller_arn="arn:aws:iam::123456789012:user/x"))
    assert same != launch_loop.key_of(launch(1, region="us-east-1"))


# too_short


def runs(*lengths: float, start: float = NOW, **fields: Any) -> list[TaskChange]:
    return [task(number, at=start + number * 86400, lived=lived, **fields) for number, lived in enumerate(lengths)]


def test_a_good_run_in_a_tenth_of_the_usual_time_is_noticed() -> None:
    _, told = feed(too_short, too_short.Lengths(), runs(360, 380, 400, 370, 365, 12))
    (finding,) = told
    assert isinstance(finding, Finding) and (finding.verdict, finding.facts["usual_seconds"]) == ("TOO SHORT", 370)
    assert "after 12 s; its last good runs took 6 m 10 s" in finding.explanation.cause


@pytest.mark.parametrize("lengths", [(360, 380, 400, 370, 12), (20, 20, 20, 20, 20, 1), (360, 360, 360, 360, 360, 37)])
def test_few_runs_short_jobs_and_somewhat_shorter_runs_say_nothing(lengths: tuple[float, ...]) -> None:
    assert feed(too_short, too_short.Lengths(), runs(*lengths))[1] == []


@pytest.mark.parametrize(
    "change", [task(owned=True), task(codes={"app": 1}), task(stopCode="UserInitiated"), task(lived=None), task(lastStatus="RUNNING")]
)
def test_only_good_runs_that_stand_alone_have_a_usual_length(change: TaskChange) -> None:
    assert too_short.key_of(change) is None and too_short.seen(too_short.Lengths(), change) == (too_short.Lengths(), ())


def test_each_schedule_has_its_own_usual_length() -> None:
    keys = {too_short.key_of(task(startedBy=starter)) for starter in ("events-rule/a", "events-rule/b", "x", None)}
    assert len(keys) == 3


# All of them


marked = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 12)), max_size=25)


@given(marked, st.data())
def test_marks_are_the_same_in_any_order_and_however_often(times: list[tuple[int, int]], data: st.DataObject) -> None:
    unique = list({name: Mark(float(at), str(name)) for at, name in times}.values())
    shuffled = [*data.draw(st.permutations(unique)), *unique]
    marks: tuple[Mark, ...] = ()
    for mark in shuffled:
        marks = window.with_mark(marks, mark)
    assert marks == tuple(sorted(unique))
    found = window.latest_run(marks, 3, 600)
    dense = [one for one in marks if sum(1 for other in marks if one.at - 600 <= other.at <= one.at and other <= one) >= 3]
    assert (found.last if found else None) == (dense[-1] if dense else None)


def test_marks_do_not_grow_without_end() -> None:
    marks: tuple[Mark, ...] = ()
    for number in range(500):
        marks = window.with_mark(marks, Mark(float(number), str(number)))
    assert len(marks) == window.KEEP and marks[-1].at == 499


@given(st.permutations(crashes(0, 5, 100, 150, 400, 2000, 4000)), st.permutations(refusals(14)))
def test_a_loop_is_found_in_any_order_of_its_events(ends: list[TaskChange], refused: list[Launch]) -> None:
    state, told = feed(crash_loop, crash_loop.Crashes(), [*ends, *ends])
    assert state == feed(crash_loop, crash_loop.Crashes(), crashes(0, 5, 100, 150, 400, 2000, 4000))[0]
    assert {one.subject for one in told} == {f"crash-loop:{SERVICE}"}
    again, told = feed(launch_loop, launch_loop.Refusals(), [*refused, *refused])
    assert again == feed(launch_loop, launch_loop.Refusals(), refusals(14))[0] and told


def test_every_state_goes_into_a_row_and_back() -> None:
    states = [
        feed(crash_loop, crash_loop.Crashes(), crashes(0, 1, 2, 3, 4))[0],
        feed(launch_loop, launch_loop.Refusals(), refusals(12))[0],
        feed(not_steady, not_steady.Steadiness(), [deployment("in_progress"), deployment("failed", BACK)])[0],
        feed(too_short, too_short.Lengths(), runs(1, 2, 3))[0],
        feed(zero_running, zero_running.Zero(), [reading(0)])[0],
        *(memory.state() for memory in MEMORIES.values()),
    ]
    for state in states:
        assert msgspec.json.decode(msgspec.json.encode(state), type=type(state)) == state


def test_an_observation_is_handed_to_those_it_says_something_to() -> None:
    assert fed_by(task(owned=True)) == [("crash_loop", SERVICE)]
    assert [name for name, _ in fed_by(reading(0))] == ["zero_running", "not_steady"]
    assert [name for name, _ in fed_by(launch())] == ["launch_loop"]
    assert [name for name, _ in fed_by(task())] == ["too_short"]
    assert fed_by(task(stopCode="UserInitiated")) == []


endings = st.sampled_from([{}, {"codes": {"app": 1}}, HEALTH, {"stopCode": "UserInitiated"}, {"stopCode": "SpotInterruption"}])
observed = st.one_of(
    st.builds(
        lambda number, wait, owned, how: task(number, at=NOW + wait, owned=owned, **how),
        st.integers(0, 9),
        st.integers(0, 3000),
        st.booleans(),
        endings,
    ),
    st.builds(
        lambda number, wait, failures: launch(number, at=NOW + wait, failures=failures),
        st.integers(0, 20),
        st.integers(0, 600),
        st.sampled_from([NO_ROOM, ()]),
    ),
    st.builds(
        lambda running, wait, status: reading(running, at=NOW + wait, status=status),
        st.integers(0, 5),
        st.integers(0, 3000),
        st.sampled_from(["ACTIVE", "INACTIVE"]),
    ),
    st.builds(
        lambda state, name, wait: deployment(state, name, at=NOW + wait),
        st.sampled_from(["in_progress", "completed", "failed"]),
        st.sampled_from([NEW, BACK]),
        st.integers(0, 3000),
    ),
)


@given(st.lists(observed, max_size=40), st.integers(0, 10_000))
def test_each_asks_again_only_at_a_later_moment_and_ends_only_what_it_told(observations: list[Any], wait: int) -> None:
    states: dict[tuple[Any, str], Any] = {}
    told_now: set[str] = set()
    for one in observations:
        for name, key in fed_by(one):
            memory = MEMORIES[name]
            states[name, key], told = memory.seen(states.get((name, key), memory.state()), one)
            _keep_book(told, told_now)
    for (name, key), state in states.items():
        memory, now = MEMORIES[name], NOW + wait
        state, told = memory.asked(state, now)
        _keep_book(told, told_now)
        again = memory.due(state)
        assert again is None or again > now, f"{name} of {key} would be asked for ever"
        assert memory.asked(state, now) == (state, ())


def _keep_book(told: tuple[Told, ...], told_now: set[str]) -> None:
    for one in told:
        if isinstance(one, Over):
            assert one.subject in told_now
            told_now.discard(one.subject)
        elif one.detector != "too_short":
            told_now.add(one.subject)

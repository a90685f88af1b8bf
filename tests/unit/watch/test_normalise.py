"""Envelopes become observations; what the watch has no use for becomes nothing."""

import msgspec

from hinoban.watch.model import Launch, Older, TaskChange
from hinoban.watch.normalise import described, observation, observations
from tests.unit.watch.samples import NO_ROOM, REGION, START, envelope, run_task, task_arn, task_event


def test_a_task_event_is_named_by_its_arn_and_version() -> None:
    change = observation(task_event(1, "STOPPED", exit_code=3))
    assert isinstance(change, TaskChange)
    assert (change.task_arn, change.version, change.finished, change.family, change.at) == (task_arn(1), 5, True, "job", START)


def test_a_refused_run_task_is_a_launch_with_its_failures() -> None:
    launch = observation(run_task(1, failures=(NO_ROOM,), count=2, startedBy="events-rule/x"))
    assert isinstance(launch, Launch)
    assert (launch.refused, launch.failures[0].reason, launch.failures[0].arn, launch.started_by) == (2, NO_ROOM, None, "events-rule/x")


def test_a_thrown_error_is_a_launch_without_request_or_answer() -> None:
    launch = observation(run_task(1, error=("AccessDenied", "no")))
    assert isinstance(launch, Launch)
    assert (launch.error_code, launch.refused) == ("AccessDenied", 1)


def test_unknown_kinds_and_broken_events_are_nothing() -> None:
    assert observation(envelope("ECS Service Action", {}, START, "x")) is None
    assert observation(envelope("AWS API Call via CloudTrail", {"eventName": "StopTask"}, START, "x")) is None
    assert observation(envelope("ECS Task State Change", {}, START, "x")) is None
    assert observation(b"[]") is None
    assert observation(b"{") is None


def test_a_described_task_is_the_same_as_its_event() -> None:
    detail = msgspec.json.decode(task_event(1, "RUNNING"))["detail"]
    answer = {**detail, "createdAt": START, "startedAt": START, "tags": [], "healthStatus": "UNKNOWN"}
    del answer["updatedAt"]
    change = observation(described(answer, REGION))
    assert isinstance(change, TaskChange)
    assert (change.task_arn, change.version) == (task_arn(1), 3)
    assert change.detail["createdAt"] == detail["createdAt"]
    assert "tags" not in change.detail


def test_of_a_tasks_events_that_come_together_only_the_latest_is_read_whole() -> None:
    running, stopped, other = task_event(1, "RUNNING"), task_event(1, "STOPPED"), task_event(2, "RUNNING")
    told = observations([stopped, running, run_task(3), other, b"[]"])
    assert [raw for raw, _ in told] == [run_task(3), stopped, other, running]
    assert [type(seen) for _, seen in told] == [Launch, TaskChange, TaskChange, Older]
    older = told[-1][1]
    assert isinstance(older, Older)
    assert (older.task_arn, older.version, older.finished) == (task_arn(1), 3, False)


def test_where_the_latest_cannot_be_read_its_elders_are() -> None:
    broken = msgspec.json.decode(task_event(1, "STOPPED"))
    broken["detail"]["updatedAt"] = "yesterday"
    told = observations([task_event(1, "RUNNING"), msgspec.json.encode(broken)])
    assert [(type(seen), raw) for raw, seen in told] == [(TaskChange, task_event(1, "RUNNING"))]

"""Which patterns can see that a standalone task failed, and the one that is suggested (facts/eventbridge.md §10, row 000)."""

from typing import Any

import msgspec
import pytest

from hinoban.aws.event_patterns import compile_text
from hinoban.aws.event_patterns.sight import PATTERN_THAT_SEES_TASKS, sees_only_services

SEED = {"source": ["aws.ecs"], "detail-type": ["ECS Service Action"], "detail": {"eventType": ["WARN", "ERROR"]}}


def text(pattern: Any) -> str:
    return msgspec.json.encode(pattern).decode()


def task(**detail: Any) -> dict[str, Any]:
    known = {"lastStatus": "STOPPED", "desiredStatus": "STOPPED", "group": "family:nightly", "startedBy": "events-rule/nightly"}
    return {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": known | detail}


def run_task(**detail: Any) -> dict[str, Any]:
    known = {"eventSource": "ecs.amazonaws.com", "eventName": "RunTask", "requestParameters": {"taskDefinition": "nightly"}}
    return {"source": "aws.ecs", "detail-type": "AWS API Call via CloudTrail", "detail": known | detail}


FAILED_TO_START = task(stopCode="TaskFailedToStart", containers=[{"name": "app"}])
EXIT_3 = task(stopCode="EssentialContainerExited", containers=[{"name": "log", "exitCode": 0}, {"name": "app", "exitCode": 3}])
NO_ROOM = run_task(responseElements={"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time."}]})
INACTIVE = run_task(errorCode="InvalidParameterException", errorMessage="TaskDefinition is inactive", responseElements=None)
TROUBLES = (FAILED_TO_START, EXIT_3, NO_ROOM, INACTIVE)


@pytest.mark.parametrize("event", TROUBLES)
def test_the_suggested_pattern_sees_a_scheduled_tasks_trouble_and_the_seeds_does_not(event):
    assert compile_text(text(PATTERN_THAT_SEES_TASKS))(event)
    assert not compile_text(text(SEED))(event)


@pytest.mark.parametrize(
    "event",
    [
        task(stopCode="EssentialContainerExited", containers=[{"name": "app", "exitCode": 0}]),
        task(lastStatus="RUNNING", containers=[{"name": "app"}]),
        task(stopCode="TaskFailedToStart", group="service:web", containers=[{"name": "app"}]),
        run_task(responseElements={"tasks": [{"taskArn": "arn"}], "failures": []}),
        run_task(eventName="StopTask", errorCode="InvalidParameterException"),
        {"source": "aws.ecs", "detail-type": "ECS Service Action", "detail": {"eventType": "ERROR"}},
    ],
)
def test_the_suggested_pattern_is_silent_about_what_went_well_and_about_services(event):
    assert not compile_text(text(PATTERN_THAT_SEES_TASKS))(event)


@pytest.mark.parametrize(
    "pattern",
    [
        SEED,
        {"detail-type": ["ECS Deployment State Change"]},
        {"source": ["aws.ecs"], "detail-type": ["ECS Deployment State Change", "ECS Service Action"], "detail": {"reason": ["x"]}},
        {"detail-type": [{"prefix": "ECS Service"}]},
        {"source": ["aws.ecs"], "$or": [{"detail-type": ["ECS Service Action"]}, {"detail-type": [{"suffix": "Deployment State Change"}]}]},
    ],
)
def test_a_pattern_of_service_events_alone_is_known(pattern):
    assert sees_only_services(text(pattern))


@pytest.mark.parametrize(
    "pattern",
    [
        PATTERN_THAT_SEES_TASKS,
        {"source": ["aws.ecs"]},
        {"detail-type": ["ECS Service Action", "ECS Task State Change"]},
        {"detail-type": [{"prefix": "ECS "}]},
        {"detail-type": [{"anything-but": "ECS Task State Change"}]},
        {"source": ["aws.ecs"], "$or": [{"detail-type": ["ECS Service Action"]}, {"detail": {"lastStatus": ["STOPPED"]}}]},
        {"source": ["aws.s3"], "detail-type": ["Object Created"]},
        {"source": ["aws.s3"], "detail-type": ["ECS Service Action"]},
    ],
)
def test_a_pattern_that_sees_more_or_nothing_of_ecs_is_not_marked(pattern):
    assert not sees_only_services(text(pattern))


@pytest.mark.parametrize("pattern", ["", "{", "[]", '{"detail-type": "ECS Service Action"}'])
def test_what_is_no_pattern_is_not_marked(pattern):
    assert not sees_only_services(pattern)

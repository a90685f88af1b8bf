"""The rule on what a failure is, over every stop code and reason of facts/ecs.md §2.1 and §2.2; and each detector says the same."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hinoban.watch.detect.judge import is_failure, stopped_by
from hinoban.watch.detect.order import OF_TASKS
from tests.unit.watch.detect.world import task

SCALING = "Scaling activity initiated by (deployment ecs-svc/1234567890123456789)"
RETIRED = "ECS is performing maintenance on the underlying infrastructure hosting the task"
HEALTH = "Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:ap-northeast-1:123456789012:targetgroup/web/1)"
OOM = "OutOfMemoryError: Container killed due to memory usage"
SPOT = "Your Spot Task was interrupted."
ITSELF = "Essential container in task exited"

# stop code, reason, exit code (None: none) -> a failure of a task that stands alone, of a service's; the detectors that tell them.
TABLE: list[tuple[str | None, str, int | None, str | None, str | None]] = [
    ("EssentialContainerExited", ITSELF, 0, None, None),
    ("EssentialContainerExited", ITSELF, 3, "failed_exit", "failed_exit"),
    ("EssentialContainerExited", ITSELF, None, "failed_exit", "failed_exit"),
    ("EssentialContainerExited", OOM, 137, "out_of_memory", "out_of_memory"),
    (None, ITSELF, 0, None, None),
    (None, ITSELF, 1, "failed_exit", "failed_exit"),
    ("SomethingNew", "words of another year", 0, None, None),
    ("SomethingNew", "words of another year", 1, "failed_exit", "failed_exit"),
    ("UserInitiated", "Task stopped by user", 143, None, None),
    ("UserInitiated", "CodeDeploy initiated it", 137, None, None),
    ("UserInitiated", SPOT, 137, None, None),
    ("UserInitiated", "Container instance deregistration forced by user", 137, "maintenance", None),
    ("TaskFailedToStart", "ResourceInitializationError: failed to initialize logging driver: x", None, "did_not_start", "did_not_start"),
    ("TaskFailedToStart", "CannotPullContainerError: manifest unknown", None, "cannot_pull", "cannot_pull"),
    ("TaskFailedToStart", "Task failed to start", None, "did_not_start", "did_not_start"),
    ("TaskFailedToStart", HEALTH, None, "did_not_start", "did_not_start"),
    ("TaskFailedToStart", "Host EC2 (instance i-0abc) terminated.", None, "did_not_start", "did_not_start"),
    (
        "TaskFailedToStart",
        "Rate limit exceeded while preparing network interface to be attached to instance",
        None,
        "throttled",
        "throttled",
    ),
    ("ServiceSchedulerInitiated", SCALING, 143, None, None),
    ("ServiceSchedulerInitiated", "Availability-zone rebalancing initiated by (deployment ecs-svc/1)", 143, None, None),
    ("ServiceSchedulerInitiated", HEALTH, 143, "maintenance", None),
    ("ServiceSchedulerInitiated", "Task failed container health checks", 137, "maintenance", None),
    ("ServiceSchedulerInitiated", RETIRED, 143, "maintenance", None),
    ("ServiceSchedulerInitiated", f"Service web-api: {RETIRED}", 0, "maintenance", None),
    ("ServiceSchedulerInitiated", "The container instance is in DRAINING state.", 143, "maintenance", None),
    ("ServiceSchedulerInitiated", "words of another year", 143, "maintenance", None),
    ("SpotInterruption", SPOT, 137, "spot_interrupted", None),
    ("SpotInterruption", SPOT, 0, "spot_interrupted", None),
    ("TerminationNotice", SPOT, 143, "spot_interrupted", None),
    ("TerminationNotice", "Host EC2 (instance i-0abc) terminated.", None, "maintenance", None),
    ("InfrastructureHealth", "", 137, "maintenance", None),
]


def found(change: Any) -> str | None:
    return next((name for name, detector in OF_TASKS.items() if detector(change) is not None), None)


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize(("code", "reason", "exit_code", "alone", "of_service"), TABLE)
def test_the_rule_and_the_detectors_say_the_same_of_each_end(
    owned: bool, code: str | None, reason: str, exit_code: int | None, alone: str | None, of_service: str | None
) -> None:
    ended = task(owned=owned, codes={} if exit_code is None else {"app": exit_code}, stopCode=code, stoppedReason=reason)
    expected = of_service if owned else alone
    assert found(ended) == expected
    assert is_failure(ended) == (expected is not None)


@settings(max_examples=400)
@given(
    owned=st.booleans(),
    code=st.sampled_from([None, "", "SomethingNew", *{row[0] for row in TABLE if row[0]}]),
    reason=st.sampled_from(["", *{row[1] for row in TABLE}]) | st.text(max_size=30),
    codes=st.dictionaries(st.sampled_from(["app", "log", "aws-guardduty-agent-1"]), st.sampled_from([0, 1, 137, 143]), max_size=3),
    said=st.sampled_from([None, OOM, "CannotStartContainerError: x"]),
)
def test_whatever_aws_says_a_failure_is_found_exactly_when_the_rule_says_so(
    owned: bool, code: str | None, reason: str, codes: dict[str, int], said: str | None
) -> None:
    containers = [{"name": name, "exitCode": exit_code, "reason": said} for name, exit_code in codes.items()]
    ended = task(owned=owned, stopCode=code, stoppedReason=reason, containers=containers)
    assert (found(ended) is not None) == is_failure(ended)


def test_a_task_that_still_runs_is_no_failure() -> None:
    assert not is_failure(task(lastStatus="DEPROVISIONING", codes={"app": 1}))


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        ("arn:aws:iam::123456789012:user/s.tanaka", "stopped by s.tanaka"),
        ("arn:aws:sts::123456789012:assumed-role/ops/k.sato", "stopped by k.sato"),
        ("arn:aws:iam::123456789012:root", "stopped by root"),
        ("states.amazonaws.com", "stopped by states.amazonaws.com"),
        (None, "stopped by somebody"),
    ],
)
def test_a_run_that_somebody_stopped_says_by_whom(caller: str | None, words: str) -> None:
    ended = task(codes={"app": 143}, stopCode="UserInitiated", stoppedReason="Task stopped by user")
    assert stopped_by(ended.detail, caller) == words


def test_a_run_that_ended_by_itself_was_stopped_by_nobody() -> None:
    assert stopped_by(task().detail, "arn:aws:iam::123456789012:user/s.tanaka") is None

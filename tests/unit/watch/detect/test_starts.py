"""The detectors of what did not start, in part or in whole, and of runs that AWS cut off."""

import pytest

from hinoban.watch.detect import cannot_get_secret as secrets
from hinoban.watch.detect import cannot_pull as pulls
from hinoban.watch.detect.maintenance import maintenance
from hinoban.watch.detect.order import OF_TASKS
from hinoban.watch.detect.partly_started import partly_started
from hinoban.watch.detect.spot_interrupted import spot_interrupted
from hinoban.watch.detect.throttled import throttled
from hinoban.watch.explain.catalogue import entries
from hinoban.watch.model import Finding, LaunchFailure, Observation
from tests.unit.watch.detect.world import action, launch, task

NO_ROOM = LaunchFailure("Capacity is unavailable at this time. Please try again later or in a different availability zone")


def first(observation: Observation) -> Finding | None:
    return next((finding for detector in OF_TASKS.values() if (finding := detector(observation)) is not None), None)


def not_started(reason: str) -> Finding | None:
    return first(task(lived=None, codes={}, stopCode="TaskFailedToStart", stoppedReason=reason))


def test_a_launch_with_fewer_tasks_than_asked_for_is_told_with_both_numbers() -> None:
    finding = first(launch(task_arns=("a", "b", "c"), failures=(NO_ROOM,) * 2, request={"count": 5}))
    assert finding is not None
    assert (finding.detector, finding.verdict, finding.subject) == ("partly_started", "PARTLY STARTED", "launch:ct-1")
    assert (finding.facts["refused"], finding.facts["count"], finding.facts["launched"]) == (2, 5, ["a", "b", "c"])
    assert finding.explanation.code == "no_capacity" and finding.explanation.retryable


@pytest.mark.parametrize(("arns", "failures"), [((), (NO_ROOM,)), (("a",), ())])
def test_all_or_nothing_is_not_in_part(arns: tuple[str, ...], failures: tuple[LaunchFailure, ...]) -> None:
    assert partly_started(launch(task_arns=arns, failures=failures)) is None


@pytest.mark.parametrize(
    ("reason", "detector", "verdict", "code"),
    [
        ("CannotPullContainerError: manifest unknown", "cannot_pull", "NOT STARTED", "image_missing"),
        (
            "CannotPullContainerError: toomanyrequests: You have reached your pull rate limit",
            "cannot_pull",
            "NOT STARTED",
            "registry_rate_limit",
        ),
        ("ResourceInitializationError: unable to retrieve ecr registry auth: x", "cannot_pull", "NOT STARTED", "ecr_auth"),
        (
            "ResourceInitializationError: execution resource retrieval failed: unable to retrieve secret from asm: AccessDeniedException: x",
            "cannot_get_secret",
            "NOT STARTED",
            "secrets_manager_denied",
        ),
        (
            "ResourceNotFoundException: Secrets Manager can't find the specified secret.",
            "cannot_get_secret",
            "NOT STARTED",
            "resource_not_found",
        ),
        ("ResourceNotFoundException: The specified log group does not exist.", "did_not_start", "NOT STARTED", "resource_not_found"),
        ("Task failed to start", "did_not_start", "NOT STARTED", "task_failed_to_start"),
    ],
)
def test_why_a_task_did_not_start_decides_its_class(reason: str, detector: str, verdict: str, code: str) -> None:
    finding = not_started(reason)
    assert finding is not None
    assert (finding.detector, finding.verdict, finding.explanation.code) == (detector, verdict, code)


def test_the_classes_share_no_code_and_know_every_one_they_name() -> None:
    known = {entry.code for entry in entries()}
    assert pulls.CODES.isdisjoint(secrets.CODES)
    assert known >= pulls.CODES | secrets.CODES


def test_a_throttled_launch_is_told_as_such_and_may_be_retried() -> None:
    finding = first(launch(error_code="ThrottlingException", error_message="Rate exceeded"))
    assert finding is not None and (finding.detector, finding.verdict) == ("throttled", "THROTTLED")
    assert finding.explanation.retryable and finding.facts["refused"] == 1


def test_another_error_is_not_throttling() -> None:
    finding = first(launch(error_code="ClientException", error_message="TaskDefinition not found."))
    assert finding is not None and finding.detector == "did_not_start"


def test_a_service_whose_calls_are_throttled_is_one_matter() -> None:
    finding = throttled(action("ECS_OPERATION_THROTTLED"))
    assert finding is not None and finding.subject.endswith("service/web/web-api#throttled")
    assert throttled(action("SERVICE_TASK_PLACEMENT_FAILURE")) is None


def test_spot_is_told_whatever_the_exit_code() -> None:
    ended = task(codes={"app": 0}, stopCode="SpotInterruption", stoppedReason="Your Spot Task was interrupted.")
    finding = spot_interrupted(ended)
    assert finding is not None and (finding.verdict, finding.facts["exit_code"]) == ("SPOT INTERRUPTED", 0)
    assert finding.explanation.retryable and maintenance(ended) is None


@pytest.mark.parametrize(
    ("code", "reason", "verdict"),
    [
        ("ServiceSchedulerInitiated", "ECS is performing maintenance on the underlying infrastructure hosting the task", "MAINTENANCE"),
        ("ServiceSchedulerInitiated", "The container instance is in DRAINING state", "MAINTENANCE"),
        ("TerminationNotice", "Host EC2 (instance i-0abc) terminated.", "HOST LOST"),
        ("InfrastructureHealth", "", "HOST LOST"),
        ("ServiceSchedulerInitiated", "words of another year", "STOPPED BY AWS"),
    ],
)
def test_what_aws_ended_is_told_with_how(code: str, reason: str, verdict: str) -> None:
    finding = maintenance(task(codes={"app": 143}, stopCode=code, stoppedReason=reason))
    assert finding is not None and finding.verdict == verdict
    assert maintenance(task(owned=True, codes={"app": 143}, stopCode=code, stoppedReason=reason)) is None

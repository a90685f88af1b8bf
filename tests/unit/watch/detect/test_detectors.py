"""What each detector sees, and what it leaves alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch.detect import did_not_start, failed_exit, findings, out_of_memory
from hinoban.watch.model import Launch, LaunchFailure, TaskChange

NOW = 1_795_705_200.0
ARN = "arn:aws:ecs:ap-northeast-1:123456789012:task/batch/91d0c2e71dc5c17a422b4dc4b4933719"
DEFINITION = "arn:aws:ecs:ap-northeast-1:123456789012:task-definition/nightly:7"
OOM = "OutOfMemoryError: Container killed due to memory usage"


def change(*containers: dict[str, Any], **fields: Any) -> TaskChange:
    detail = {
        "taskArn": ARN,
        "taskDefinitionArn": DEFINITION,
        "clusterArn": "arn:aws:ecs:ap-northeast-1:123456789012:cluster/batch",
        "lastStatus": "STOPPED",
        "desiredStatus": "STOPPED",
        "stopCode": "EssentialContainerExited",
        "stoppedReason": "Essential container in task exited",
        "containers": list(containers),
        **fields,
    }
    return TaskChange(event_id="e1", at=NOW, account="123456789012", region="ap-northeast-1", task_arn=ARN, version=6, detail=detail)


def exits(**codes: int) -> list[dict[str, Any]]:
    return [{"name": name, "exitCode": code} for name, code in codes.items()]


def launch(**fields: Any) -> Launch:
    request = {"taskDefinition": "nightly:7", "cluster": "batch", **fields.pop("request", {})}
    return Launch(event_id="ct-1", launch_id="lch-1", at=NOW, account="123456789012", region="ap-northeast-1", request=request, **fields)


def test_a_refused_launch_is_found_with_its_own_subject() -> None:
    finding = did_not_start(
        launch(failures=(LaunchFailure("Capacity is unavailable at this time."),), request={"startedBy": "events-rule/nightly"})
    )
    assert finding is not None
    assert (finding.subject, finding.verdict, finding.launch_id) == ("launch:ct-1", "NOT STARTED", "lch-1")
    assert (finding.family, finding.revision, finding.cluster, finding.started_by) == ("nightly", 7, "batch", "events-rule/nightly")
    assert finding.explanation.retryable


def test_a_launch_refused_in_part_says_how_much() -> None:
    finding = did_not_start(launch(task_arns=("a", "b", "c"), failures=(LaunchFailure("RESOURCE:CPU"),) * 2, request={"count": 5}))
    assert finding is not None and (finding.facts["refused"], finding.facts["count"]) == (2, 5)


def test_a_thrown_error_without_its_request_is_still_found() -> None:
    refused = Launch(
        event_id="ct-2",
        launch_id="l",
        at=NOW,
        account="1",
        region="r",
        error_code="ClientException",
        error_message="TaskDefinition not found.",
    )
    finding = did_not_start(refused)
    assert finding is not None and finding.explanation.code == "definition_unknown"


def test_a_launch_that_came_to_be_is_no_failure() -> None:
    assert findings(launch(task_arns=(ARN,)), NOW) == ()


def test_a_task_that_failed_to_start_is_found() -> None:
    finding = did_not_start(change(stopCode="TaskFailedToStart", stoppedReason="CannotPullContainerError: manifest unknown"))
    assert finding is not None
    assert (finding.subject, finding.explanation.code) == (f"task:{ARN}", "image_missing")


def test_a_bad_exit_is_found_with_what_the_message_needs() -> None:
    containers = [{"name": "job", "exitCode": 3, "image": "job:1"}]
    finding = failed_exit(change(*containers, startedAt="2026-10-01T03:00:21.8Z", executionStoppedAt="2026-10-01T03:00:30.2Z"))
    assert finding is not None
    assert finding.verdict == "EXIT 3"
    assert finding.facts == {"exit_code": 3, "container": "job", "image": "job:1", "ran_seconds": 8.4, "started_at": 1790823621.8}


@pytest.mark.parametrize("stop_code", ["UserInitiated", "ServiceSchedulerInitiated", "SpotInterruption", "TerminationNotice"])
def test_a_stop_from_outside_is_no_failure_of_the_program(stop_code: str) -> None:
    ended = change(*exits(job=143), stopCode=stop_code, stoppedReason="whatever", group="service:web", startedBy="ecs-svc/1")
    assert findings(ended, NOW) == ()


@pytest.mark.parametrize(
    ("stop_code", "detectors"),
    [("UserInitiated", []), ("SpotInterruption", ["spot_interrupted"]), ("TerminationNotice", ["maintenance"])],
)
def test_what_aws_ends_and_nothing_replaces_is_a_failure(stop_code: str, detectors: list[str]) -> None:
    ended = change(*exits(job=143), stopCode=stop_code, stoppedReason="whatever", group="family:job")
    assert [finding.detector for finding in findings(ended, NOW)] == detectors


@pytest.mark.parametrize(
    ("codes", "verdict"),
    [
        ({"app": 0}, None),
        ({"app": 0, "log": 143}, None),
        ({"app": 1, "log": 143}, "EXIT 1"),
        ({"log": 143, "app": 2, "proxy": 137}, "EXIT 2"),
        ({"app": 137}, "EXIT 137"),
        ({"app": 143}, "EXIT 143"),
        ({"app": 137, "log": 143}, "EXIT 137"),
        ({"app": 137, "log": 0}, "EXIT 137"),
        ({"aws-guardduty-agent-x1": 1, "app": 0}, None),
        ({}, "EXIT UNKNOWN"),
    ],
)
def test_the_container_to_blame_is_judged_without_knowing_which_are_essential(codes: dict[str, int], verdict: str | None) -> None:
    finding = failed_exit(change(*exits(**codes)))
    assert (finding.verdict if finding else None) == verdict


@pytest.mark.parametrize(("stopped_at", "seen"), [("2026-10-01T03:00:05Z", True), ("2026-10-01T03:00:41Z", False)])
def test_a_137_beside_a_0_is_forgiven_only_if_ecs_had_time_to_lose_patience(stopped_at: str, seen: bool) -> None:
    found = failed_exit(change(*exits(app=0, proxy=137), executionStoppedAt="2026-10-01T03:00:00Z", stoppedAt=stopped_at))
    assert (found is not None) == seen


def test_out_of_memory_goes_before_failed_exit() -> None:
    observation = change({"name": "app", "exitCode": 137, "reason": OOM, "memory": "128"})
    assert failed_exit(observation) is not None
    (finding,) = findings(observation, NOW)
    assert (finding.detector, finding.verdict, finding.facts["memory_mib"]) == ("out_of_memory", "OUT OF MEMORY", 128)


def test_an_event_before_the_last_one_finds_nothing() -> None:
    assert out_of_memory(change({"name": "app", "reason": OOM}, lastStatus="DEPROVISIONING")) is None
    assert findings(change(*exits(app=1), lastStatus="STOPPING"), NOW) == ()


@given(
    st.dictionaries(st.text(max_size=3), st.sampled_from([0, 1, 137, 143])),
    st.sampled_from([None, "EssentialContainerExited", "UserInitiated"]),
)
def test_at_most_one_finding_and_never_one_when_all_ended_with_0(codes: dict[str, int], stop_code: str | None) -> None:
    found = findings(change(*exits(**codes), stopCode=stop_code), NOW)
    assert len(found) <= 1
    if codes and not any(codes.values()):
        assert found == ()

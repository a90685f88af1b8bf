"""The decision order of facts/ecs.md §2.4."""

from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.engine.ecs.decide.stop_reasons import LOG_GROUP_MISSING
from hinoban.watch.config import Lang
from hinoban.watch.explain import explain_launch_error, explain_launch_failure, explain_stop
from hinoban.watch.explain.language import speaking
from hinoban.watch.model import Launch, LaunchFailure

EXITED = {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited", "lastStatus": "STOPPED"}
OOM = "OutOfMemoryError: Container killed due to memory usage"


def stopped(*containers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {**EXITED, "containers": list(containers), **fields}


def launch(**fields: Any) -> Launch:
    return Launch(event_id="e", launch_id="l", at=0.0, account="123456789012", region="eu-west-1", **fields)


def test_what_a_user_writes_as_reason_is_never_taken_for_a_failure() -> None:
    detail = {"stopCode": "UserInitiated", "stoppedReason": "CannotPullContainerError: just testing"}
    assert explain_stop(detail).code == "stopped_by_caller"


def test_spot_goes_before_the_exit_code() -> None:
    detail = stopped({"name": "app", "exitCode": 137}, stopCode="TerminationNotice", stoppedReason="Your Spot Task was interrupted.")
    assert explain_stop(detail).code == "spot_interruption"
    assert explain_stop(detail).retryable


def test_memory_goes_before_the_exit_code_of_another_container() -> None:
    detail = stopped({"name": "log", "exitCode": 1}, {"name": "app", "exitCode": 137, "reason": OOM, "memory": "128"})
    explanation = explain_stop(detail)
    assert explanation.code == "out_of_memory"
    assert explanation.cause == "Container app reached its limit of 128 MiB and was killed (exit 137)."


def test_the_next_memory_is_a_size_that_fargate_has_beside_the_cpu() -> None:
    sizes = {
        ("256", "512"): "1024 (valid with cpu 256)",
        ("512", "1024"): "2048 (valid with cpu 512)",
        ("256", "2048"): "4096 and cpu to 512",
    }
    for (cpu, memory), advice in sizes.items():
        detail = stopped({"name": "app", "reason": OOM}, cpu=cpu, memory=memory, launchType="FARGATE")
        assert explain_stop(detail).next.startswith(f"Set memory to {advice}")


def test_ec2_hides_the_start_error_in_the_container() -> None:
    detail = {
        "stopCode": "TaskFailedToStart",
        "stoppedReason": "Task failed to start",
        "containers": [{"name": "app", "image": "registry.example.com/team/job:1", "reason": "CannotPullContainerError: manifest unknown"}],
    }
    explanation = explain_stop(detail)
    assert explanation.code == "image_missing"
    assert "registry.example.com/team/job:1" in explanation.cause
    assert explanation.next.endswith("docker manifest inspect registry.example.com/team/job:1")


def test_the_container_that_was_only_stopped_is_not_to_blame() -> None:
    explanation = explain_stop(stopped({"name": "app", "exitCode": 1}, {"name": "log-router", "exitCode": 143}))
    assert explanation.code == "exit_non_zero"
    assert explanation.said == ("Essential container in task exited", "app exit 1", "log-router exit 143 (stopped because app ended)")


def test_several_that_failed_are_all_named() -> None:
    explanation = explain_stop(stopped({"name": "a", "exitCode": 1}, {"name": "b", "exitCode": 2}))
    assert explanation.code == "exit_several"
    assert "a exit 1, b exit 2" in explanation.cause


def test_no_exit_code_anywhere_is_told_as_unknown() -> None:
    assert explain_stop(stopped({"name": "app"})).code == "ended_without_exit_code"


def test_all_zero_is_a_normal_end() -> None:
    assert explain_stop(stopped({"name": "app", "exitCode": 0})).code == "exit_0"


def test_a_reason_nobody_knows_is_quoted_and_not_retried() -> None:
    explanation = explain_stop({"stopCode": "TaskFailedToStart", "stoppedReason": "Brand new trouble"})
    assert explanation.cause == "Unknown to Hinoban: AWS says Brand new trouble"
    assert not explanation.retryable


def test_of_several_refusals_one_that_may_pass_decides() -> None:
    reasons = (LaunchFailure("ATTRIBUTE"), LaunchFailure("RESOURCE:MEMORY", arn="arn:i"), LaunchFailure("ATTRIBUTE"))
    explanation = explain_launch_failure(reasons, launch(request={"taskDefinition": "job:3"}))
    assert explanation.code == "resource_short" and explanation.retryable
    assert explanation.said == ("RunTask failures[0]: ATTRIBUTE (and 1 more of it)", "RunTask failures[1]: RESOURCE:MEMORY (arn:i)")


def test_an_inactive_definition_is_named_and_not_retried() -> None:
    explanation = explain_launch_error(
        "InvalidParameterException", "TaskDefinition is inactive", launch(request={"taskDefinition": "daily:17"})
    )
    assert explanation.cause == "ECS refused: the launch is pinned to daily:17, which somebody deregistered."
    assert explanation.next == "Launch the family without a revision: hinoban run daily --wait"
    assert not explanation.retryable


@given(st.text(), st.one_of(st.none(), st.text()), st.text(), st.one_of(st.none(), st.integers(), st.text()))
def test_no_text_whatever_raises(reason: str, code: str | None, container_reason: str, exit_code: Any) -> None:
    container = {"name": "{app}", "reason": container_reason, "exitCode": exit_code}
    assert explain_stop({"stoppedReason": reason, "stopCode": code, "containers": [container]}).code
    assert explain_stop({"stoppedReason": "CannotPullContainerError: " + reason, "stopCode": code}).code
    assert explain_launch_failure([LaunchFailure(reason)], launch()).code
    assert explain_launch_error(container_reason, reason, launch()).code


def test_a_container_whose_name_is_not_known_is_spoken_of_as_one() -> None:
    detail = {"stopCode": "TaskFailedToStart", "stoppedReason": "CannotStartContainerError: Bind for 0.0.0.0:80: port is already allocated"}
    assert explain_stop(detail).cause.startswith("A port that a container wants on the host is taken")


@pytest.mark.parametrize(
    ("image", "following", "ja"),
    [
        (
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/job:1.2",
            "Its tags: aws ecr describe-images --repository-name team/job",
            "タグの一覧: aws ecr describe-images --repository-name team/job",
        ),
        (
            "registry.example.com/app:v1",
            "Look for it in registry.example.com: docker manifest inspect registry.example.com/app:v1",
            "registry.example.com にあるか確認: docker manifest inspect registry.example.com/app:v1",
        ),
        (
            "localhost:5000/app:v1",
            "Look for it in localhost:5000: docker manifest inspect localhost:5000/app:v1",
            "localhost:5000 にあるか確認: docker manifest inspect localhost:5000/app:v1",
        ),
        (
            "team/app:v1",
            "Look for it in Docker Hub: docker manifest inspect team/app:v1",
            "Docker Hub にあるか確認: docker manifest inspect team/app:v1",
        ),
        (
            "",
            "Read which it is: aws ecs describe-task-definition --task-definition web:3",
            "イメージ名を確認: aws ecs describe-task-definition --task-definition web:3",
        ),
    ],
)
@pytest.mark.parametrize("reason", ["manifest unknown", "The task can't pull the image. Check whether the image exists."])
def test_each_registry_is_asked_for_a_missing_tag_in_its_own_way(image: str, following: str, ja: str, reason: str) -> None:
    detail = {
        "stopCode": "TaskFailedToStart",
        "stoppedReason": f"CannotPullContainerError: {reason}",
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:3",
        "containers": [{"name": "app", "image": image}],
    }
    assert explain_stop(detail).next == f"Push it, or run an earlier revision. {following}"
    with speaking("ja"):
        assert explain_stop(detail).next == f"イメージを push するか、以前のリビジョンで実行。{ja}"


def test_a_missing_log_group_is_nowhere_named_and_the_step_says_where_to_read_it() -> None:
    detail = {
        "stopCode": "TaskFailedToStart",
        "stoppedReason": LOG_GROUP_MISSING,
        "taskDefinitionArn": "arn:aws:ecs:eu-west-1:123456789012:task-definition/web:3",
        "containers": [{"name": "app"}],
    }
    read = (
        'aws ecs describe-task-definition --task-definition web:3 --query "taskDefinition.containerDefinitions[].logConfiguration.options"'
    )
    for lang in get_args(Lang):
        with speaking(lang):
            explanation = explain_stop(detail)
        assert explanation.code == "log_group_missing"
        assert explanation.next.endswith(f": {read}")
        assert "LOG_GROUP" not in explanation.cause + explanation.next

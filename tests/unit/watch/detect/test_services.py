"""The detectors of a service's events, and what ends what they found."""

import pytest

from hinoban.watch.detect.order import service_finding
from hinoban.watch.detect.services import over, service_arn_of
from hinoban.watch.model import Finding
from hinoban.watch.service_model import ServiceNews
from tests.unit.watch.detect.world import BACK, NEW, NOW, OLD, SERVICE, action, deployment, reading, task


def found(news: ServiceNews) -> Finding:
    finding = service_finding(news)
    assert finding is not None
    return finding


FAILED = deployment("failed", reason="ECS deployment circuit breaker: task(s) failed to start.")
ROLLBACK = deployment("in_progress", BACK, at=NOW + 1, reason=f"rolling back to deploymentId {OLD}.", back_to=OLD)


@pytest.mark.parametrize("level", ["WARN", "ERROR", "WARNING", "SOMETHING"])
def test_any_level_but_info_is_told(level: str) -> None:
    finding = found(action("SERVICE_SOMETHING_NEW", level))
    assert (finding.detector, finding.verdict, finding.family) == ("service_impaired", "SERVICE IMPAIRED", "web-api")
    assert "SERVICE_SOMETHING_NEW" in finding.explanation.cause


@pytest.mark.parametrize("name", ["SERVICE_STEADY_STATE", "TASKS_STARTED", "SERVICE_SOMETHING_NEW"])
def test_info_is_daily_work(name: str) -> None:
    assert service_finding(action(name, "INFO")) is None


def test_each_kind_of_trouble_of_a_service_is_one_matter() -> None:
    first, again = (found(action("SERVICE_TASK_PLACEMENT_FAILURE", at=NOW + wait, reason="RESOURCE:FARGATE")) for wait in (0, 60))
    assert first.subject == again.subject != found(action("SERVICE_HEALTH_UNKNOWN")).subject
    assert first.explanation.code == "service_no_capacity"
    assert first.explanation.said == ("SERVICE_TASK_PLACEMENT_FAILURE: RESOURCE:FARGATE",)


def test_a_steady_state_after_it_ends_an_impairment() -> None:
    impaired = found(action("SERVICE_TASK_START_IMPAIRED", "WARN"))
    assert over(impaired, action("SERVICE_STEADY_STATE", "INFO", at=NOW)) is None
    ended = over(impaired, action("SERVICE_STEADY_STATE", "INFO", at=NOW + 1))
    assert ended is not None and (ended.subject, ended.at) == (impaired.subject, NOW + 1)
    assert over(impaired, action("SERVICE_STEADY_STATE", "INFO", at=NOW + 1, service=SERVICE + "-2")) is None


def test_a_failed_deployment_is_told_by_either_of_its_two_events_as_one_matter() -> None:
    by_change, by_action = found(FAILED), found(action("SERVICE_DEPLOYMENT_FAILED"))
    assert by_change.verdict == by_action.verdict == "DEPLOYMENT FAILED"
    assert by_change.subject == by_action.subject


def test_a_rollback_is_the_same_matter_and_says_what_users_have_now() -> None:
    finding = found(ROLLBACK)
    assert (finding.verdict, finding.subject) == ("ROLLED BACK", found(FAILED).subject)
    assert OLD in finding.explanation.cause


@pytest.mark.parametrize("state", ["in_progress", "completed"])
def test_a_deployment_that_goes_on_is_no_matter(state: str) -> None:
    assert service_finding(deployment(state)) is None
    assert service_finding(reading(0)) is None


def test_the_end_of_the_rollback_itself_ends_nothing() -> None:
    finding = found(ROLLBACK)
    assert over(finding, deployment("completed", BACK, at=NOW + 60)) is None
    ended = over(finding, deployment("completed", "ecs-svc/4", at=NOW + 600))
    assert ended is not None and "ecs-svc/4" in ended.why


def test_a_failed_deployment_ends_by_another_that_completes() -> None:
    assert over(found(FAILED), deployment("completed", NEW, at=NOW + 60)) is None
    assert over(found(FAILED), deployment("completed", "ecs-svc/4", at=NOW + 60)) is not None
    assert over(found(FAILED), deployment("completed", "ecs-svc/4", at=NOW - 60)) is None


def test_a_deleted_service_has_no_troubles() -> None:
    assert over(found(FAILED), reading(0, status="INACTIVE", at=NOW + 60)) is not None
    assert over(found(FAILED), reading(0, at=NOW + 60)) is None


def test_a_task_names_its_service() -> None:
    assert service_arn_of(task(owned=True)) == SERVICE
    assert service_arn_of(task()) is None

"""Events of services, and DescribeServices' answer, as the same observations."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.base.units import iso, iso_seconds
from hinoban.watch.normalise import observation
from hinoban.watch.normalise_services import ACTION, DEPLOYMENT, described_service, service_news
from hinoban.watch.service_model import DeploymentChange, ServiceAction, ServiceReading

NOW = 1_795_705_200.0
ARN = "arn:aws:ecs:ap-northeast-1:123456789012:service/web/web-api"
CLUSTER = "arn:aws:ecs:ap-northeast-1:123456789012:cluster/web"
ID = "ecs-svc/4821097730155826001"


def event(kind: str, detail: dict[str, Any], **other: Any) -> bytes:
    return msgspec.json.encode(
        {
            "version": "0",
            "id": "e1",
            "detail-type": kind,
            "source": "aws.ecs",
            "account": "123456789012",
            "time": iso_seconds(NOW),
            "region": "ap-northeast-1",
            "resources": [ARN],
            "detail": detail,
            **other,
        }
    )


def message(text: str, at: float = NOW, name: str = "m1") -> dict[str, Any]:
    return {"id": name, "createdAt": at, "message": text}


def service(**fields: Any) -> dict[str, Any]:
    return {
        "serviceArn": ARN,
        "serviceName": "web-api",
        "clusterArn": CLUSTER,
        "status": "ACTIVE",
        "desiredCount": 4,
        "runningCount": 3,
        "pendingCount": 1,
        "createdAt": NOW - 9000,
        "taskDefinition": "arn:aws:ecs:ap-northeast-1:123456789012:task-definition/web-api:204",
        **fields,
    }


def read(**fields: Any) -> list[ServiceAction | DeploymentChange | ServiceReading]:
    found = [service_news(raw) for raw in described_service(service(**fields), "ap-northeast-1", NOW)]
    assert None not in found
    return [one for one in found if one is not None]


def test_an_action_is_read_with_its_service_from_the_resources() -> None:
    seen = service_news(
        event(
            ACTION,
            {
                "eventType": "ERROR",
                "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
                "clusterArn": CLUSTER,
                "capacityProviderArns": ["arn:aws:ecs:ap-northeast-1:123456789012:capacity-provider/FARGATE_SPOT"],
                "reason": "RESOURCE:FARGATE",
                "createdAt": iso(NOW + 0.087),
            },
        )
    )
    assert isinstance(seen, ServiceAction)
    assert (seen.service, seen.cluster, seen.level, seen.reason) == ("web-api", "web", "ERROR", "RESOURCE:FARGATE")
    assert (seen.providers, seen.at) == (("FARGATE_SPOT",), NOW + 0.087)


@pytest.mark.parametrize(
    ("name", "reason", "state", "back_to"),
    [
        ("SERVICE_DEPLOYMENT_IN_PROGRESS", f"ECS deployment {ID} in progress.", "in_progress", None),
        ("SERVICE_DEPLOYMENT_COMPLETED", f"ECS deployment {ID} completed.", "completed", None),
        ("SERVICE_DEPLOYMENT_FAILED", "ECS deployment circuit breaker: task failed to start.", "failed", None),
        ("SERVICE_DEPLOYMENT_IN_PROGRESS", f"ECS deployment circuit breaker: rolling back to deploymentId {ID}.", "in_progress", ID),
    ],
)
def test_a_deployment_is_read_and_a_rollback_known_by_its_reason(name: str, reason: str, state: str, back_to: str | None) -> None:
    detail = {"eventType": "INFO", "eventName": name, "clusterArn": CLUSTER, "deploymentId": ID, "updatedAt": iso(NOW), "reason": reason}
    seen = service_news(event(DEPLOYMENT, detail))
    assert isinstance(seen, DeploymentChange)
    assert (seen.state, seen.back_to, seen.deployment_id, seen.at) == (state, back_to, ID, NOW)


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        event(DEPLOYMENT, {"eventName": "SERVICE_DEPLOYMENT_DREAMT", "deploymentId": ID}),
        event(DEPLOYMENT, {"eventName": "SERVICE_DEPLOYMENT_FAILED"}),
        event(ACTION, {"eventName": "X", "eventType": "INFO"}, resources=[]),
        event(ACTION, {"eventName": "X", "eventType": "INFO"}, source="my.app"),
        event("ECS Task State Change", {}),
    ],
)
def test_what_cannot_be_read_is_nothing(raw: bytes) -> None:
    assert observation(raw) is None


def test_an_unknown_action_is_kept_for_its_level_speaks() -> None:
    seen = service_news(event(ACTION, {"eventType": "ERROR", "eventName": "SERVICE_NEW_TROUBLE"}))
    assert isinstance(seen, ServiceAction) and (seen.name, seen.cluster) == ("SERVICE_NEW_TROUBLE", "web")


def test_an_old_short_name_of_a_service_is_written_out() -> None:
    short = ARN.replace("web/web-api", "web-api")
    seen = service_news(event(ACTION, {"eventName": "X", "eventType": "INFO", "clusterArn": CLUSTER}, resources=[short]))
    assert isinstance(seen, ServiceAction) and (seen.service_arn, seen.service) == (ARN, "web-api")


def test_a_described_service_tells_its_counts() -> None:
    (seen,) = read()
    assert isinstance(seen, ServiceReading)
    assert (seen.desired, seen.running, seen.pending, seen.at, seen.created_at) == (4, 3, 1, NOW, NOW - 9000)


@pytest.mark.parametrize(
    ("text", "level", "name"),
    [
        ("(service web-api) has reached a steady state.", "INFO", "SERVICE_STEADY_STATE"),
        ("(service web-api) is unable to consistently start tasks successfully.", "WARN", "SERVICE_TASK_START_IMPAIRED"),
        (
            "(service web-api) was unable to place a task. Reason: Capacity is unavailable at this time.",
            "ERROR",
            "SERVICE_TASK_PLACEMENT_FAILURE",
        ),
        ("(service web-api) operations are being throttled. Will try again later.", "ERROR", "ECS_OPERATION_THROTTLED"),
        (
            "(service web-api) failed to launch a task with (error ECS was unable to assume the role 'r').",
            "ERROR",
            "SERVICE_TASK_CONFIGURATION_FAILURE",
        ),
        (
            "(service web-api) was unable to reach steady state because (taskSet ecs-svc/1) was unable to scale in",
            "WARN",
            "SERVICE_UNSTEADY",
        ),
    ],
)
def test_a_message_tells_what_its_event_tells(text: str, level: str, name: str) -> None:
    seen = read(events=[message(text)])[0]
    assert isinstance(seen, ServiceAction)
    assert (seen.level, seen.name, seen.at, seen.reason) == (level, name, NOW, text if level != "INFO" else "")


def test_daily_work_tells_nothing() -> None:
    assert len(read(events=[message("(service web-api) has started 2 tasks: (task a) (task b).")])) == 1


def test_messages_and_rollouts_tell_of_deployments() -> None:
    seen = read(
        events=[
            message(f"(service web-api) (deployment {ID}) deployment failed: tasks failed to start.", name="m1"),
            message("(service web-api) rolling back to deployment ecs-svc/1.", name="m2"),
        ],
        deployments=[
            {
                "id": "ecs-svc/9",
                "status": "PRIMARY",
                "createdAt": NOW + 0.2,
                "updatedAt": NOW + 5,
                "rolloutState": "COMPLETED",
                "rolloutStateReason": "ECS deployment ecs-svc/9 completed.",
                "taskDefinition": "web-api:203",
            }
        ],
    )
    deployments = [one for one in seen if isinstance(one, DeploymentChange)]
    assert [(one.deployment_id, one.state, one.back_to) for one in deployments] == [
        (ID, "failed", None),
        ("ecs-svc/9", "in_progress", "ecs-svc/1"),
        ("ecs-svc/9", "completed", None),
    ]


def test_a_rollback_long_ago_names_no_deployment_it_did_not_make() -> None:
    old = message("(service web-api) rolling back to deployment ecs-svc/1.", at=NOW - 7200)
    seen = read(events=[old], deployments=[{"id": "ecs-svc/9", "status": "PRIMARY", "createdAt": NOW}])[0]
    assert isinstance(seen, DeploymentChange) and seen.deployment_id == ""


def test_messages_told_before_are_left_out() -> None:
    raw = described_service(
        service(events=[message("(service web-api) has reached a steady state.")]), "ap-northeast-1", NOW + 60, since=NOW
    )
    assert len(raw) == 1


@given(st.floats(min_value=0, max_value=1e6))
def test_asked_twice_a_message_gives_the_same_envelope(later: float) -> None:
    answer = service(events=[message("(service web-api) is unable to consistently start tasks successfully.")])
    first, again = (described_service(answer, "ap-northeast-1", NOW + wait)[0] for wait in (0.0, later))
    assert first == again

"""A recorded set of events: tasks that ended in every known way, launches that were refused, stops, slots, services and deployments."""

from typing import Any

import msgspec

from hinoban.base.clock import MINUTES
from hinoban.base.units import iso
from tests.unit.watch.ledgers import DUE, fired, launch, missed, task
from tests.unit.watch.samples import ACCOUNT, NO_ROOM, REGION, START, envelope, life, run_task, task_arn

SERVICE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/default/web"
OWNED: dict[str, Any] = {"family": "web", "group": "service:web", "started_by": "ecs-svc/4821097730155826001"}


def ended() -> list[list[bytes]]:
    """Whole lives, of families of their own, that ended in all the ways there are."""
    start = {"code": "TaskFailedToStart", "exit_code": None}
    ways: list[dict[str, Any]] = [
        {"exit_code": 0},
        {"exit_code": 3},
        {"exit_code": 137, "container_reason": "OutOfMemoryError: Container killed due to memory usage"},
        {"exit_code": None},
        start | {"reason": "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref"},
        start | {"reason": "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed"},
        start | {"reason": "Timeout waiting for network interface provisioning to complete."},
        {"exit_code": 143, "code": "SpotInterruption", "reason": "Your Spot Task was interrupted."},
        {"exit_code": 143, "code": "TerminationNotice", "reason": "ECS is performing maintenance on the underlying infrastructure"},
        {"exit_code": 143, "code": "UserInitiated", "reason": "enough"},
    ]
    return [_life(number, family=f"way-{number}", **words) for number, words in enumerate(ways, start=1)]


def healing() -> list[list[bytes]]:
    """Failures, and the later run of the same family that ended well."""
    pull = {"code": "TaskFailedToStart", "exit_code": None, "reason": "CannotPullContainerError: i/o timeout"}
    return [
        life(21, family="again", exit_code=3) + life(22, family="again", at=START + 10 * MINUTES),
        _life(23, family="pulled", **pull) + life(24, family="pulled", at=START + 10 * MINUTES, started_by="deploy"),
        life(25, family="worse") + life(26, family="worse", at=START + 10 * MINUTES, exit_code=3),
    ]


def launched() -> list[bytes]:
    """Records of RunTask: refused by hand and by a rule, in part, as throttled, and one that brought its task."""
    return [
        run_task(1, family="by-hand", failures=(NO_ROOM,)),
        run_task(2, family="by-rule", failures=(NO_ROOM,), startedBy="events-rule/by-rule"),
        run_task(3, family="in-part", tasks=(task_arn(31),), failures=(NO_ROOM,), count=2),
        run_task(4, family="throttled", error=("ThrottlingException", "Rate exceeded")),
        run_task(5, family="gone", error=("ClientException", "TaskDefinition is inactive"), startedBy="events-rule/gone"),
        run_task(6, family="way-2", tasks=(task_arn(2),)),
        *life(31, family="in-part"),
    ]


def slots() -> list[bytes]:
    """Two slots of the engine's: one that ran and failed, one that was missed."""
    return [
        fired("close", DUE),
        launch("close", DUE, 41),
        *(task("close", 41, status, DUE, at=DUE + place) for place, status in enumerate(("PENDING", "RUNNING"))),
        task("close", 41, "STOPPED", DUE, at=DUE + 9, exit_code=3),
        missed("report", DUE, DUE, 1),
    ]


def services() -> list[bytes]:
    """A service that crashes, says so, fails to deploy, and is well again."""
    crashes = [raw for number in range(51, 57) for raw in life(number, at=START + (number - 50) * 30, exit_code=1, **OWNED)]
    return [
        *crashes,
        _action("SERVICE_TASK_PLACEMENT_FAILURE", "ERROR", START + 400, reason="RESOURCE:CPU"),
        _action("SERVICE_TASK_START_IMPAIRED", "WARN", START + 420),
        _deployment("SERVICE_DEPLOYMENT_IN_PROGRESS", "INFO", START + 300),
        _deployment("SERVICE_DEPLOYMENT_FAILED", "ERROR", START + 500),
        _action("SERVICE_STEADY_STATE", "INFO", START + 900),
    ]


def everything() -> list[bytes]:
    """All of it, in the order in which it happened to be written down."""
    lives = [raw for one in (*ended(), *healing()) for raw in one]
    return [*lives, *launched(), *slots(), *services()]


def _life(number: int, **words: Any) -> list[bytes]:
    """A task that failed to start was never RUNNING."""
    events = life(number, **words)
    return [*events[:2], *events[3:]] if words.get("code") == "TaskFailedToStart" else events


def _action(name: str, kind: str, at: float, **words: Any) -> bytes:
    detail = {"eventType": kind, "eventName": name, "clusterArn": SERVICE.replace("service", "cluster", 1), "createdAt": iso(at), **words}
    return _about_service("ECS Service Action", detail, at, name)


def _deployment(name: str, kind: str, at: float) -> bytes:
    detail = {"eventType": kind, "eventName": name, "deploymentId": "ecs-svc/4821097730155826001", "updatedAt": iso(at), "reason": name}
    return _about_service("ECS Deployment State Change", detail, at, name)


def _about_service(kind: str, detail: dict[str, Any], at: float, name: str) -> bytes:
    raw = msgspec.json.decode(envelope(kind, detail, at, f"{name}-{at}"))
    return msgspec.json.encode(raw | {"resources": [SERVICE]})

"""Events as AWS shapes them (facts/ecs.md §6.2, facts/cloudtrail_sns_lambda.md §1.3), with our own values."""

from typing import Any

import msgspec

from hinoban.base.units import iso, iso_seconds

ACCOUNT, REGION = "123456789012", "ap-northeast-1"
START = 1_795_705_200.0
STATES = ("PROVISIONING", "PENDING", "RUNNING", "DEPROVISIONING", "STOPPED")
NO_ROOM = "Capacity is unavailable at this time. Please try again later or in a different availability zone"


def task_id(number: int) -> str:
    return f"{number:08x}" + "c" * 24


def task_arn(number: int, cluster: str = "default") -> str:
    return f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/{cluster}/{task_id(number)}"


def task_event(
    number: int,
    status: str,
    *,
    at: float = START,
    created: float | None = None,
    family: str = "job",
    exit_code: int | None = 0,
    started_by: str | None = None,
    group: str | None = None,
    version: int | None = None,
    reason: str = "Essential container in task exited",
    code: str = "EssentialContainerExited",
    container_reason: str | None = None,
    cluster: str = "default",
    overrides: dict[str, Any] | None = None,
) -> bytes:
    """One "ECS Task State Change" of task `number`; `at` is when it happened, created five seconds before it at the latest."""
    created = at if created is None else created
    arn, done = task_arn(number, cluster), status == "STOPPED"
    container: dict[str, Any] = {
        "containerArn": f"{arn}/c",
        "lastStatus": status,
        "name": "app",
        "image": "app:1",
        "taskArn": arn,
        "cpu": "0",
    }
    detail: dict[str, Any] = {
        "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/{cluster}",
        "containers": [container],
        "cpu": "256",
        "createdAt": iso(created),
        "desiredStatus": "STOPPED" if done else "RUNNING",
        "group": group or f"family:{family}",
        "launchType": "FARGATE",
        "lastStatus": status,
        "memory": "512",
        "overrides": overrides or {"containerOverrides": [{"name": "app"}]},
        "taskArn": arn,
        "taskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{family}:7",
        "updatedAt": iso(at),
        "version": version or STATES.index(status) + 1,
    }
    if started_by:
        detail["startedBy"] = started_by
    if status in ("RUNNING", "DEPROVISIONING", "STOPPED") and code != "TaskFailedToStart":
        detail["startedAt"] = iso(created)
    if done:
        detail |= {"stoppedAt": iso(at), "stoppingAt": iso(at), "stoppedReason": reason, "stopCode": code, "executionStoppedAt": iso(at)}
        if exit_code is not None:
            container["exitCode"] = exit_code
        if container_reason:
            container["reason"] = container_reason
    return envelope("ECS Task State Change", detail, at, f"task-{number}-{detail['version']}")


def life(number: int, *, at: float = START, **words: Any) -> list[bytes]:
    """All events of one task, a second apart."""
    return [task_event(number, status, at=at + step, created=at, **words) for step, status in enumerate(STATES)]


def run_task(
    number: int,
    *,
    at: float = START,
    family: str = "job",
    tasks: tuple[str, ...] = (),
    failures: tuple[str, ...] = (),
    error: tuple[str, str] | None = None,
    caller: str = f"arn:aws:iam::{ACCOUNT}:user/hinoban",
    **request: Any,
) -> bytes:
    """CloudTrail's record of one RunTask call."""
    record: dict[str, Any] = {
        "eventVersion": "1.09",
        "eventTime": iso_seconds(at),
        "eventSource": "ecs.amazonaws.com",
        "eventName": "RunTask",
        "awsRegion": REGION,
        "eventID": f"call-{number}",
        "userIdentity": {"type": "IAMUser", "arn": caller},
        "requestParameters": {"taskDefinition": family, "launchType": "FARGATE", **request},
        "responseElements": None
        if error
        else {"tasks": [{"taskArn": arn} for arn in tasks], "failures": [{"reason": f} for f in failures]},
    }
    if error:
        record |= {"errorCode": error[0], "errorMessage": error[1]}
    return envelope("AWS API Call via CloudTrail", record, at, f"envelope-{number}")


def call_record(
    name: str, at: float, *, service: str = "events", user: str = "s.tanaka", answer: dict[str, Any] | None = None, **request: Any
) -> bytes:
    """CloudTrail's record of somebody's accepted write."""
    record = {
        "eventVersion": "1.09",
        "eventTime": iso_seconds(at),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "eventID": f"{name}-{at}",
        "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}"},
        "requestParameters": request,
        "responseElements": answer,
    }
    return envelope("AWS API Call via CloudTrail", record, at, f"envelope-{name}-{at}")


def envelope(kind: str, detail: dict[str, Any], at: float, event_id: str) -> bytes:
    return msgspec.json.encode(
        {
            "version": "0",
            "id": event_id,
            "detail-type": kind,
            "source": "aws.ecs",
            "account": ACCOUNT,
            "time": iso_seconds(at),
            "region": REGION,
            "resources": [],
            "detail": detail,
        }
    )


def feed_lines(events: list[bytes], first: int = 1) -> list[bytes]:
    return [b'{"seq":%d,"event":%s}' % (seq, event) for seq, event in enumerate(events, start=first)]

"""What ECS says of services: its two kinds of events, and DescribeServices' answer written as such events for `poll`. Pure.

Shapes: facts/ecs.md §5.1, §5.3 (deployments), §5.5 (messages), §6.3 and §6.4 (events). Their service stands in `resources` alone.
"""

import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from hinoban.base import units
from hinoban.watch.service_model import DeploymentChange, ServiceAction, ServiceNews, ServiceReading

ACTION = "ECS Service Action"
DEPLOYMENT = "ECS Deployment State Change"
READING = "Hinoban Service Reading"
KINDS = (ACTION, DEPLOYMENT, READING)
"""The detail-types that `service_news` reads; the last is our own, written by `described_service`."""

_STATES: Mapping[str, Literal["in_progress", "completed", "failed"]] = {
    "SERVICE_DEPLOYMENT_IN_PROGRESS": "in_progress",
    "SERVICE_DEPLOYMENT_COMPLETED": "completed",
    "SERVICE_DEPLOYMENT_FAILED": "failed",
}
_ROLLOUTS = {
    "IN_PROGRESS": "SERVICE_DEPLOYMENT_IN_PROGRESS",
    "COMPLETED": "SERVICE_DEPLOYMENT_COMPLETED",
    "FAILED": "SERVICE_DEPLOYMENT_FAILED",
}
_BACK = re.compile(r"rolling back to deployment(?:Id)? (?P<id>\S+?)\.?$", re.IGNORECASE)

_OF_DEPLOYMENT = (
    (re.compile(r"\(deployment (?P<id>\S+?)\) deployment completed", re.IGNORECASE), "SERVICE_DEPLOYMENT_COMPLETED"),
    (re.compile(r"\(deployment (?P<id>\S+?)\) deployment failed", re.IGNORECASE), "SERVICE_DEPLOYMENT_FAILED"),
    (_BACK, "SERVICE_DEPLOYMENT_IN_PROGRESS"),
)
"""Messages on deployments: they stay when the deployment has left the list."""
_SAME_MOMENT = 60.0
"""Seconds between the message of a rollback and the deployment that it made; facts/ecs.md §5.5 saw milliseconds."""

_MESSAGES: tuple[tuple[str, str, str], ...] = (
    ("has reached a steady state", "INFO", "SERVICE_STEADY_STATE"),
    ("unable to consistently start tasks", "WARN", "SERVICE_TASK_START_IMPAIRED"),
    ("was unable to stop or start tasks during a deployment", "ERROR", "SERVICE_TASK_CONFIGURATION_FAILURE"),
    ("unable to reach steady state", "WARN", "SERVICE_UNSTEADY"),
    ("unable to place", "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE"),
    ("failed to launch a task with", "ERROR", "SERVICE_TASK_CONFIGURATION_FAILURE"),
    ("could not launch", "ERROR", "SERVICE_TASK_PLACEMENT_FAILURE"),
    ("operations are being throttled", "ERROR", "ECS_OPERATION_THROTTLED"),
    ("iam permissions policies", "ERROR", "SERVICE_TASK_CONFIGURATION_FAILURE"),
    ("iam trust relationship", "ERROR", "SERVICE_TASK_CONFIGURATION_FAILURE"),
)
"""Words of a message -> the level and name of the action that tells the same (facts/ecs.md §5.5, §6.3). SERVICE_UNSTEADY is our own name:
ECS has no event for these messages. A message that fits none tells of the scheduler's daily work (started, stopped, registered ...)."""


class _Envelope(msgspec.Struct, frozen=True, rename={"detail_type": "detail-type"}):
    id: str
    detail_type: str
    source: str
    account: str
    region: str
    time: str
    resources: tuple[str, ...]
    detail: dict[str, Any]


_decode = msgspec.json.Decoder(_Envelope).decode


def service_news(raw: bytes | msgspec.Raw) -> ServiceNews | None:
    """What an envelope (JSON bytes) of one of `KINDS` tells of a service; None for all others. Raises as normalise.read takes it."""
    envelope = _decode(raw)
    if envelope.detail_type not in KINDS or envelope.source not in ("aws.ecs", "hinoban.poll") or not envelope.resources:
        return None
    arn = _long(envelope.resources[0], envelope.detail)
    if envelope.detail_type == READING:
        return _reading(envelope, arn)
    # Either kind may tell of a deployment: the list of service actions names them too (facts/ecs.md §6.3).
    if envelope.detail_type == DEPLOYMENT and envelope.detail.get("eventName") in _STATES:
        return _deployment(envelope, arn)
    return _action(envelope, arn) if envelope.detail_type == ACTION else None


def _action(envelope: _Envelope, arn: str) -> ServiceAction:
    detail = envelope.detail
    return ServiceAction(
        event_id=envelope.id,
        at=units.parse_iso(detail.get("createdAt") or envelope.time),
        account=envelope.account,
        region=envelope.region,
        service_arn=arn,
        cluster=_cluster(detail, arn),
        level=str(detail["eventType"]),
        name=str(detail["eventName"]),
        reason=str(detail.get("reason") or ""),
        providers=tuple(str(one).rpartition("/")[2] for one in detail.get("capacityProviderArns") or ()),
    )


def _deployment(envelope: _Envelope, arn: str) -> DeploymentChange:
    detail = envelope.detail
    reason = str(detail.get("reason") or "")
    back = _BACK.search(reason)
    return DeploymentChange(
        event_id=envelope.id,
        at=units.parse_iso(detail.get("updatedAt") or envelope.time),
        account=envelope.account,
        region=envelope.region,
        service_arn=arn,
        cluster=_cluster(detail, arn),
        deployment_id=str(detail["deploymentId"]),
        state=_STATES[str(detail["eventName"])],
        reason=reason,
        back_to=back["id"] if back else None,
        definition=detail.get("taskDefinition"),
    )


def _reading(envelope: _Envelope, arn: str) -> ServiceReading:
    detail = envelope.detail
    created = detail.get("createdAt")
    return ServiceReading(
        event_id=envelope.id,
        at=units.parse_iso(detail["readAt"]),
        account=envelope.account,
        region=envelope.region,
        service_arn=arn,
        cluster=_cluster(detail, arn),
        status=str(detail["status"]),
        desired=int(detail["desiredCount"]),
        running=int(detail["runningCount"]),
        pending=int(detail["pendingCount"]),
        created_at=units.parse_iso(created) if created else None,
        definition=detail.get("taskDefinition"),
        deployments=int(detail.get("deployments") or 1),
    )


def _long(arn: str, detail: Mapping[str, Any]) -> str:
    """An old, short service ARN as the long one that holds the cluster: a service has one name, whoever tells of it (facts/ecs.md §11.4)."""
    front, mark, name = arn.partition(":service/")
    cluster = _cluster(detail, arn)
    return f"{front}{mark}{cluster}/{name}" if mark and "/" not in name and cluster else arn


def _cluster(detail: Mapping[str, Any], arn: str) -> str:
    """The cluster's name; an old, short service ARN does not hold it."""
    named = str(detail.get("clusterArn") or "").rpartition("/")[2]
    parts = arn.split(":service/")[-1].split("/")
    return named or (parts[0] if len(parts) == 2 else "")


def described_service(service: Mapping[str, Any], region: str, now: float, *, since: float = 0.0) -> list[bytes]:
    """DescribeServices' answer for one service (moments as epoch seconds) as envelopes: its messages after `since` that say how it is,
    each deployment's state, and the counts as they were read at `now`. Asked twice, the same message gives the same envelope.
    """
    told = [one for message in service.get("events") or () if (one := _of_message(service, message, region, since)) is not None]
    rollouts = [
        _of_rollout(service, one, region) for one in service.get("deployments") or () if str(one.get("rolloutState") or "") in _ROLLOUTS
    ]
    primary = _primary(service)
    detail = {name: service.get(name, 0) for name in ("desiredCount", "runningCount", "pendingCount")} | {
        "status": service.get("status") or "ACTIVE",
        "clusterArn": service.get("clusterArn"),
        "readAt": units.iso(now),
        "createdAt": units.iso(service["createdAt"]) if service.get("createdAt") else None,
        "taskDefinition": (primary or service).get("taskDefinition"),
        "deployments": len(service.get("deployments") or ()),
    }
    return [*told, *rollouts, _envelope(service, READING, "hinoban.poll", region, now, detail, units.iso(now))]


def counts_of(service: Mapping[str, Any]) -> tuple[Any, ...]:
    """What of DescribeServices' answer makes a reading another one."""
    plain = ("status", "desiredCount", "runningCount", "pendingCount", "taskDefinition")
    return (*(service.get(name) for name in plain), len(service.get("deployments") or ()))


def spelt(service: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer with its moments as epoch seconds, whichever way an endpoint spells them."""
    nested = {name: [spelt(one) for one in service[name]] for name in ("events", "deployments") if isinstance(service.get(name), list)}
    moments = {name: units.parse_iso(service[name]) for name in ("createdAt", "updatedAt") if isinstance(service.get(name), str)}
    return {**service, **nested, **moments}


def _primary(service: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return next((one for one in service.get("deployments") or () if one.get("status") == "PRIMARY"), None)


def _of_message(service: Mapping[str, Any], message: Mapping[str, Any], region: str, since: float) -> bytes | None:
    text, at = str(message.get("message") or ""), float(message["createdAt"])
    if at <= since:
        return None
    name, common = str(message.get("id") or units.iso(at)), {"clusterArn": service.get("clusterArn")}
    for words, state in _OF_DEPLOYMENT:
        if found := words.search(text):
            deployment = _made_at(service, at) if words is _BACK else found["id"]
            detail = common | {"eventName": state, "deploymentId": deployment, "updatedAt": units.iso(at), "reason": text}
            return _envelope(service, DEPLOYMENT, "aws.ecs", region, at, detail, name)
    known = next(((level, action) for part, level, action in _MESSAGES if part in text.lower()), None)
    if known is None:
        return None
    detail = common | {"eventType": known[0], "eventName": known[1], "createdAt": units.iso(at)}
    return _envelope(service, ACTION, "aws.ecs", region, at, detail | ({} if known[0] == "INFO" else {"reason": text}), name)


def _made_at(service: Mapping[str, Any], at: float) -> str:
    """The deployment that the rollback told of at `at` made: the primary one, if it is as old; else unknown, empty."""
    primary = _primary(service)
    return str(primary["id"]) if primary and abs(float(primary.get("createdAt") or 0) - at) <= _SAME_MOMENT else ""


def _of_rollout(service: Mapping[str, Any], deployment: Mapping[str, Any], region: str) -> bytes:
    state, at = str(deployment["rolloutState"]), float(deployment.get("updatedAt") or deployment["createdAt"])
    detail = {
        "eventType": "ERROR" if state == "FAILED" else "INFO",
        "eventName": _ROLLOUTS[state],
        "clusterArn": service.get("clusterArn"),
        "deploymentId": deployment["id"],
        "updatedAt": units.iso(at),
        "reason": deployment.get("rolloutStateReason") or "",
        "taskDefinition": deployment.get("taskDefinition"),
    }
    return _envelope(service, DEPLOYMENT, "aws.ecs", region, at, detail, f"{deployment['id']}-{state}-{units.iso(at)}")


def _envelope(service: Mapping[str, Any], kind: str, source: str, region: str, at: float, detail: Mapping[str, Any], name: str) -> bytes:
    arn = str(service["serviceArn"])
    return msgspec.json.encode(
        {
            "version": "0",
            "id": f"described-{arn.partition(':service/')[2]}-{name}",
            "detail-type": kind,
            "source": source,
            "account": arn.split(":")[4],
            "time": units.iso_seconds(at),
            "region": region,
            "resources": [arn],
            "detail": detail,
        }
    )

"""Detector not_steady: a deployment that neither completes nor fails, and a service that stays off its count. Has a memory. Pure.

Without a circuit breaker ECS tries for ever and never says that a deployment failed (facts/ecs.md §5.2, §5.3, §5.4).
"""

import msgspec

from hinoban.base.clock import MINUTES
from hinoban.base.units import format_duration
from hinoban.watch.detect.services import Over, Told, about_service
from hinoban.watch.explain import explain_finding
from hinoban.watch.model import Finding
from hinoban.watch.service_model import DeploymentChange, ServiceAction, ServiceNews, ServiceReading

VERDICT = "NOT STEADY"
LIMIT = 30 * MINUTES
COUNT_LIMIT = 15 * MINUTES
_KEPT = 8


class Steadiness(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one service's deployments and counts."""

    begun: dict[str, DeploymentChange] = {}
    """Deployment id -> the first news of it in progress; the newest few."""
    ended: tuple[str, ...] = ()
    """Deployments that completed or failed; the newest few."""
    steady_at: float = 0.0
    """When the service was last known to be steady."""
    read_at: float = 0.0
    off_since: float | None = None
    """Since when readings find another count than the desired one."""
    told: str | None = None
    """The deployment, or `count`, that is told."""


def key_of(news: ServiceNews) -> str:
    """The service."""
    return news.service_arn


def seen(state: Steadiness, news: ServiceNews) -> tuple[Steadiness, tuple[Told, ...]]:
    """One more word on the service, in any order. Deployments are judged by `asked`, counts by readings."""
    if isinstance(news, ServiceReading):
        return _read(state, news)
    before = state
    if isinstance(news, ServiceAction):
        if news.name == "SERVICE_STEADY_STATE":
            state = msgspec.structs.replace(state, steady_at=max(state.steady_at, news.at))
    elif news.state == "in_progress":
        state = msgspec.structs.replace(state, begun=_with(state.begun, news))
    else:
        state = msgspec.structs.replace(state, ended=tuple(dict.fromkeys((*state.ended, news.deployment_id)))[-_KEPT:])
    return _settled(state, news.at, news.service_arn) if state != before else (state, ())


def asked(state: Steadiness, now: float) -> tuple[Steadiness, tuple[Told, ...]]:
    """A finding for the newest deployment, once it is in progress for half an hour."""
    moment = due(state)
    unsettled = newest_unsettled(state)
    if moment is None or unsettled is None or now < moment:
        return state, ()
    return msgspec.structs.replace(state, told=unsettled.deployment_id), (_of_deployment(unsettled, now),)


def due(state: Steadiness) -> float | None:
    """When the newest deployment that is in progress has been so for too long; None where none is, or it is told."""
    unsettled = newest_unsettled(state)
    return None if unsettled is None or state.told == unsettled.deployment_id else unsettled.at + LIMIT


def newest_unsettled(state: Steadiness) -> DeploymentChange | None:
    """The deployment that the service stands or falls with: the newest begun, unless it has ended or the service was steady since."""
    newest = max(state.begun.values(), key=lambda one: (one.at, one.deployment_id), default=None)
    if newest is None or newest.deployment_id in state.ended or newest.at < state.steady_at:
        return None
    return newest


def subject_of(service_arn: str) -> str:
    """What names the matter: one per service."""
    return f"not-steady:{service_arn}"


def _with(begun: dict[str, DeploymentChange], news: DeploymentChange) -> dict[str, DeploymentChange]:
    """A poll tells of a deployment many times: the earliest moment stands."""
    known = begun.get(news.deployment_id)
    first = min((news, *([known] if known else [])), key=lambda one: (one.at, one.event_id))
    every = sorted({**begun, news.deployment_id: first}.values(), key=lambda one: (one.at, one.deployment_id))
    return {one.deployment_id: one for one in every[-_KEPT:]}


def _settled(state: Steadiness, at: float, service_arn: str) -> tuple[Steadiness, tuple[Told, ...]]:
    unsettled = newest_unsettled(state)
    if state.told is None or state.told == "count" or (unsettled is not None and unsettled.deployment_id == state.told):
        return state, ()
    why = "Another deployment took its place." if unsettled is not None else "The deployment ended."
    return msgspec.structs.replace(state, told=None), (Over(subject_of(service_arn), at, why),)


def _read(state: Steadiness, reading: ServiceReading) -> tuple[Steadiness, tuple[Told, ...]]:
    if reading.at <= state.read_at:
        return state, ()
    state = msgspec.structs.replace(state, read_at=reading.at)
    if reading.status != "ACTIVE":
        gone = Over(subject_of(reading.service_arn), reading.at, "The service was deleted.")
        return Steadiness(read_at=reading.at, steady_at=reading.at), (gone,) if state.told else ()
    # While a deployment runs, more or fewer tasks are meant; none at all is `zero_running`'s.
    if reading.running == reading.desired or reading.deployments > 1 or reading.running == 0:
        ended = state.told == "count"
        state = msgspec.structs.replace(state, off_since=None, told=None if ended else state.told)
        return state, (Over(subject_of(reading.service_arn), reading.at, "The service has its tasks again."),) if ended else ()
    since = state.off_since if state.off_since is not None else reading.at
    state = msgspec.structs.replace(state, off_since=since)
    if reading.at - since < COUNT_LIMIT or state.told not in (None, "count"):
        return state, ()
    return msgspec.structs.replace(state, told="count"), (_of_count(reading, since),)


def _of_deployment(change: DeploymentChange, now: float) -> Finding:
    texts = {
        "service": change.service,
        "cluster": change.cluster,
        "deployment": change.deployment_id,
        "span": format_duration(now - change.at),
    }
    explanation = explain_finding("not_steady", texts, (change.reason,) if change.reason else ())
    facts = {"deployment": change.deployment_id, "since": change.at}
    finding = about_service(change, "not_steady", subject_of(change.service_arn), VERDICT, explanation, facts=facts)
    return msgspec.structs.replace(finding, at=now)


def _of_count(reading: ServiceReading, since: float) -> Finding:
    texts = {
        "service": reading.service,
        "cluster": reading.cluster,
        "desired": reading.desired,
        "running": reading.running,
        "span": format_duration(reading.at - since),
    }
    facts = {"desired": reading.desired, "running": reading.running, "since": since}
    explanation = explain_finding("count_not_reached", texts)
    return about_service(reading, "not_steady", subject_of(reading.service_arn), VERDICT, explanation, facts=facts)

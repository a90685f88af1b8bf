"""Detector zero_running: a service that should have tasks and has none. Has a memory; reads DescribeServices' answers. Pure (facts/ecs.md §5.1)."""

import msgspec

from hinoban.base.clock import MINUTES
from hinoban.base.units import format_duration
from hinoban.watch.detect.services import Over, Told, about_service
from hinoban.watch.explain import explain_finding
from hinoban.watch.service_model import ServiceReading

VERDICT = "ZERO RUNNING"
PATIENCE = 2 * MINUTES
"""A deployment that stops before it starts (minimumHealthyPercent 0, facts/ecs.md §5.2) has a moment without tasks."""
FIRST_START = 10 * MINUTES
"""A new service has never had any."""


class Zero(msgspec.Struct, frozen=True):
    """One service's latest reading, and since when it has no tasks."""

    read_at: float = 0.0
    since: float | None = None
    subject: str | None = None
    """Set while it is told."""


def key_of(reading: ServiceReading) -> str:
    """The service."""
    return reading.service_arn


def seen(state: Zero, reading: ServiceReading) -> tuple[Zero, tuple[Told, ...]]:
    """One more reading; an older one than the latest says nothing. A finding once two that are two minutes apart found none."""
    if reading.at <= state.read_at:
        return state, ()
    if reading.status != "ACTIVE" or reading.desired == 0 or reading.running > 0:
        why = "A task runs again." if reading.running else "The service should have no tasks any more."
        return Zero(reading.at), (Over(state.subject, reading.at, why),) if state.subject else ()
    since = state.since if state.since is not None else reading.at
    begun = reading.created_at is None or reading.at >= reading.created_at + FIRST_START
    if reading.at - since < PATIENCE or not begun:
        return Zero(reading.at, since, state.subject), ()
    span = reading.at - since
    texts = {"service": reading.service, "cluster": reading.cluster, "desired": reading.desired, "span": format_duration(span)}
    facts = {"desired": reading.desired, "since": since}
    subject = f"zero-running:{reading.service_arn}"
    finding = about_service(reading, "zero_running", subject, VERDICT, explain_finding("zero_running", texts), facts=facts)
    return Zero(reading.at, since, subject), (finding,)


def asked(state: Zero, now: float) -> tuple[Zero, tuple[Told, ...]]:
    """Nothing is concluded from the absence of readings: that is `silence`'s and `blind`'s matter."""
    return state, ()


def due(state: Zero) -> float | None:
    """Never: it is asked by readings alone."""
    return None

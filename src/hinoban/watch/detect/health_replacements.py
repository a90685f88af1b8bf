"""Detector health_replacements: a service that replaces tasks because their health checks fail. One is daily life, told is from the third in
ten minutes on. Has a memory. Pure (facts/ecs.md §2.2, §5.2)."""

import msgspec

from hinoban.base.clock import MINUTES
from hinoban.base.units import format_duration
from hinoban.watch.detect.judge import how_it_ended
from hinoban.watch.detect.services import Over, Told, service_arn_of
from hinoban.watch.detect.subject import about_task
from hinoban.watch.detect.window import Mark, latest_run, with_mark
from hinoban.watch.explain import explain_finding
from hinoban.watch.explain.exits import moment_of
from hinoban.watch.explain.filling import facts_of_task
from hinoban.watch.model import TaskChange

VERDICT = "UNHEALTHY"
COUNT, WINDOW, QUIET = 3, 10 * MINUTES, 15 * MINUTES


class Replacements(msgspec.Struct, frozen=True):
    """One service's tasks that were stopped as unhealthy. Its first value is worth no row."""

    marks: tuple[Mark, ...] = ()
    subject: str | None = None
    """Set while they are told."""


def key_of(change: TaskChange) -> str | None:
    """The service, where this is the end of one of its tasks for bad health."""
    return service_arn_of(change) if change.finished and how_it_ended(change.detail) == "health" else None


def seen(state: Replacements, change: TaskChange) -> tuple[Replacements, tuple[Told, ...]]:
    """One more; a finding from the third within ten minutes on."""
    service = key_of(change)
    if service is None:
        return state, ()
    reason = str(change.detail.get("stoppedReason") or "")
    at = moment_of(change.detail, "stoppingAt") or moment_of(change.detail, "stoppedAt") or change.at
    marks = with_mark(state.marks, Mark(at, change.task_arn, (reason,)))
    run = latest_run(marks, COUNT, WINDOW)
    if marks == state.marks or run is None:
        return msgspec.structs.replace(state, marks=marks), ()
    texts = {**facts_of_task(change.detail, None), "count": len(run.marks), "span": format_duration(run.span)}
    said = tuple(dict.fromkeys(mark.words[0] for mark in run.marks))
    explanation = explain_finding("health_replacements", texts, said)
    facts = {"service_arn": service, "count": len(run.marks), "span_seconds": run.span, "tasks": [mark.name for mark in run.marks[-5:]]}
    finding = about_task(change, "health_replacements", VERDICT, explanation, at=run.last.at, facts=facts)
    finding = msgspec.structs.replace(finding, subject=f"health:{service}", task_arn=run.last.name)
    return Replacements(marks, finding.subject), (finding,)


def asked(state: Replacements, now: float) -> tuple[Replacements, tuple[Told, ...]]:
    """None for a quarter of an hour: over, and nothing needs to be remembered."""
    moment = due(state)
    if moment is None or now < moment:
        return state, ()
    return Replacements(), (Over(state.subject, now, f"No task was replaced for {format_duration(QUIET)}."),) if state.subject else ()


def due(state: Replacements) -> float | None:
    """When to ask if nothing happens."""
    return state.marks[-1].at + QUIET if state.marks else None

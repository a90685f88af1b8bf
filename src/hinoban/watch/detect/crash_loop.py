"""Detector crash_loop: a service whose tasks start, run and end by themselves, again and again. Has a memory. Pure.

Neither ECS's start throttling nor its circuit breaker counts such ends (facts/ecs.md §5.3, §5.4): it can go on at full speed for ever.
"""

from typing import Any

import msgspec

from hinoban.base.clock import MINUTES
from hinoban.base.units import format_duration
from hinoban.watch.detect.judge import how_it_ended
from hinoban.watch.detect.services import Over, Told, service_arn_of
from hinoban.watch.detect.subject import about_task
from hinoban.watch.detect.window import Mark, Run, latest_run, with_mark
from hinoban.watch.explain import explain_finding
from hinoban.watch.explain.exits import containers_of, culprits, moment_of, ran_seconds
from hinoban.watch.explain.filling import facts_of_task
from hinoban.watch.model import Finding, TaskChange, task_id_of
from hinoban.watch.service_model import DeploymentChange

VERDICT = "CRASH LOOP"
AFTER = 5
WINDOW, QUIET = 30 * MINUTES, 30 * MINUTES
KEPT_STEADY = 5
SHORT_LIFE = 10 * MINUTES
"""A task of a service that lived for longer did its work for a while: its end is no part of a loop."""


class Steady(msgspec.Struct, frozen=True):
    """A deployment that completed."""

    at: float
    deployment: str
    definition: str | None = None


class Crashes(msgspec.Struct, frozen=True):
    """One service's tasks that ended by themselves. Its first value is worth no row."""

    marks: tuple[Mark, ...] = ()
    subject: str | None = None
    """Set while the loop is told."""
    steady: tuple[Steady, ...] = ()
    """The last deployments that completed, newest last."""


def key_of(change: TaskChange | DeploymentChange) -> str | None:
    """The service, where this is the end of one of its tasks that counts, or a deployment of it that completed."""
    if isinstance(change, DeploymentChange):
        return change.service_arn if change.state == "completed" else None
    service = service_arn_of(change) if change.finished else None
    ran = ran_seconds(change.detail) if service is not None else None
    return service if ran is not None and ran < SHORT_LIFE and how_it_ended(change.detail) == "itself" else None


def seen(state: Crashes, change: TaskChange | DeploymentChange, *, after: int = AFTER) -> tuple[Crashes, tuple[Told, ...]]:
    """The end of one more task, whatever its exit code: a service's task should not end. A finding from the `after`-th on."""
    if isinstance(change, DeploymentChange):
        return _with_steady(state, change), ()
    service = key_of(change)
    if service is None:
        return state, ()
    words = (format_duration(ran_seconds(change.detail) or 0), _exit(change))
    at = moment_of(change.detail, "stoppedAt") or change.at
    marks = with_mark(state.marks, Mark(at, change.task_arn, words))
    run = latest_run(marks, after, WINDOW)
    if marks == state.marks or run is None:
        return msgspec.structs.replace(state, marks=marks), ()
    finding = _finding(change, service, run, state.steady)
    return Crashes(marks, finding.subject, state.steady), (finding,)


def asked(state: Crashes, now: float) -> tuple[Crashes, tuple[Told, ...]]:
    """No task has crashed for as long as the window: the loop is over, and nothing needs to be remembered."""
    moment = due(state)
    if moment is None or now < moment:
        return state, ()
    return Crashes(steady=state.steady), (
        Over(state.subject, now, f"No task crashed for {format_duration(QUIET)}."),
    ) if state.subject else ()


def due(state: Crashes) -> float | None:
    """When to ask if nothing happens."""
    return state.marks[-1].at + QUIET if state.marks else None


def _with_steady(state: Crashes, change: DeploymentChange) -> Crashes:
    if change.state != "completed" or not change.deployment_id:
        return state
    known = next((one for one in state.steady if one.deployment == change.deployment_id), None)
    new = Steady(change.at, change.deployment_id, change.definition or (known.definition if known else None))
    others = tuple(one for one in state.steady if one.deployment != change.deployment_id)
    return msgspec.structs.replace(state, steady=tuple(sorted((*others, new), key=lambda one: one.at))[-KEPT_STEADY:])


def _finding(change: TaskChange, service: str, run: Run, steady: tuple[Steady, ...]) -> Finding:
    lived, exit_words = run.last.words
    span = format_duration(run.span)
    texts = {
        **facts_of_task(change.detail, None),
        "task": task_id_of(run.last.name)[:8],
        "count": len(run.marks),
        "span": span,
        "lived": lived,
        "exit": exit_words,
    }
    facts: dict[str, Any] = {
        "service_arn": service,
        "count": len(run.marks),
        "span_seconds": run.span,
        "tasks": [mark.name for mark in run.marks[-5:]],
    }
    if steady:
        # Newest first: what a rollback may bring back.
        facts["steady"] = [{"deployment": one.deployment, "task_definition": one.definition} for one in reversed(steady)]
    finding = about_task(change, "crash_loop", VERDICT, explain_finding("crash_loop", texts), at=run.last.at, facts=facts)
    return msgspec.structs.replace(finding, subject=f"crash-loop:{service}", task_arn=run.last.name)


def _exit(change: TaskChange) -> str:
    to_blame = culprits(change.detail) or containers_of(change.detail)
    code = next((one["exitCode"] for one in to_blame if isinstance(one.get("exitCode"), int)), None)
    return "no exit code" if code is None else f"exit {code}"

"""Detector launch_loop: the same launch, refused again and again by a caller that does not wait. Has a memory. Pure (facts/ecs.md §3.2, §3.3)."""

import msgspec

from hinoban.base.clock import MINUTES
from hinoban.base.ids import derived_id
from hinoban.base.units import format_duration
from hinoban.watch.detect.services import Over, Told
from hinoban.watch.detect.subject import about_launch
from hinoban.watch.detect.window import Mark, Run, latest_run, with_mark
from hinoban.watch.explain import explain_finding, explain_launch_error, explain_launch_failure
from hinoban.watch.explain.filling import facts_of_launch
from hinoban.watch.model import Finding, Launch

VERDICT = "LAUNCH LOOP"
MORE_THAN, WINDOW = 10, 10 * MINUTES
QUIET = 30 * MINUTES
"""CloudTrail tells a refusal up to a quarter of an hour late (facts/ecs.md §6.1): silence means something only after that."""


class Refusals(msgspec.Struct, frozen=True):
    """One launch's refusals since it last succeeded. Its first value is worth no row."""

    marks: tuple[Mark, ...] = ()
    subject: str | None = None
    """Set while the loop is told."""
    launched_at: float | None = None
    """When it last succeeded: what was refused before is forgotten."""


def key_of(launch: Launch) -> str:
    """What makes launches the same: where, what, and by whom. Why they were refused may change on the way."""
    asked_for = str((launch.request or {}).get("taskDefinition") or "")
    whom = launch.started_by or launch.caller_arn or launch.invoked_by or ""
    return derived_id("loop", launch.account, launch.region, launch.cluster, asked_for.rpartition("/")[2], whom)


def seen(state: Refusals, launch: Launch) -> tuple[Refusals, tuple[Told, ...]]:
    """One more launch. A finding from the 11th refusal within ten minutes on; one that succeeds in whole ends it."""
    if launch.error_code is None and launch.refused <= 0:
        return _succeeded(state, launch.at)
    if state.launched_at is not None and launch.at <= state.launched_at:
        return state, ()
    marks = with_mark(state.marks, Mark(launch.at, launch.event_id))
    run = latest_run(marks, MORE_THAN + 1, WINDOW)
    if marks == state.marks or run is None:
        return msgspec.structs.replace(state, marks=marks), ()
    finding = _finding(launch, run)
    return msgspec.structs.replace(state, marks=marks, subject=finding.subject), (finding,)


def asked(state: Refusals, now: float) -> tuple[Refusals, tuple[Told, ...]]:
    """Nothing for half an hour: whoever asked has given up, and nothing needs to be remembered."""
    moment = due(state)
    if moment is None or now < moment:
        return state, ()
    return Refusals(), (Over(state.subject, now, f"It was not asked for again for {format_duration(QUIET)}."),) if state.subject else ()


def due(state: Refusals) -> float | None:
    """When to ask if nothing happens."""
    last = max([mark.at for mark in state.marks] + ([state.launched_at] if state.launched_at is not None else []), default=None)
    return None if last is None else last + QUIET


def _succeeded(state: Refusals, at: float) -> tuple[Refusals, tuple[Told, ...]]:
    marks = tuple(mark for mark in state.marks if mark.at > at)
    launched_at = at if state.launched_at is None else max(at, state.launched_at)
    if state.subject is None or latest_run(marks, MORE_THAN + 1, WINDOW) is not None:
        return msgspec.structs.replace(state, marks=marks, launched_at=launched_at), ()
    return Refusals(marks, None, launched_at), (Over(state.subject, at, "The launch succeeded."),)


def _finding(launch: Launch, run: Run) -> Finding:
    failed = launch.error_code is not None
    said = (
        explain_launch_error(launch.error_code or "", launch.error_message or "", launch).said
        if failed
        else explain_launch_failure(launch.failures, launch).said
    )
    starter = launch.started_by or (launch.caller_arn or "").rpartition("/")[2] or launch.invoked_by
    texts = {**facts_of_launch(launch), "starter": starter, "count": len(run.marks), "span": format_duration(run.span)}
    facts = {"count": len(run.marks), "span_seconds": run.span, "caller": launch.caller_arn, "error_code": launch.error_code}
    finding = about_launch(launch, "launch_loop", VERDICT, explain_finding("launch_loop", texts, said), facts=facts)
    return msgspec.structs.replace(finding, subject=f"launch-loop:{key_of(launch)}", at=run.last.at)

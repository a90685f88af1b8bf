"""Detector too_short: a run that ended well in a tenth of its usual time: it may have found nothing to do. Has a memory; for the digest. Pure."""

import statistics

import msgspec

from hinoban.base.clock import MINUTES
from hinoban.base.units import format_duration
from hinoban.watch.detect.judge import how_it_ended, is_failure
from hinoban.watch.detect.services import Told
from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain import explain_finding
from hinoban.watch.explain.exits import moment_of, ran_seconds
from hinoban.watch.explain.filling import facts_of_task
from hinoban.watch.model import TaskChange

VERDICT = "TOO SHORT"
SHARE = 0.1
ENOUGH, KEPT = 5, 20
LONG = 1 * MINUTES
"""Of what takes less than a minute as a rule, a tenth says nothing."""
_SCHEDULES = ("events-rule/", "chronos-schedule/")


class GoodRun(msgspec.Struct, frozen=True, order=True):
    """When it ended, which it was, how long it ran."""

    at: float
    task_arn: str
    seconds: float


class Lengths(msgspec.Struct, frozen=True):
    """The last good runs of one family by one kind of starter, oldest first."""

    runs: tuple[GoodRun, ...] = ()


def key_of(change: TaskChange) -> str | None:
    """Family, place and starter, where this is the good end of a run that stands alone. Runs by hand are one kind: their input differs."""
    if not change.finished or change.service_owned or how_it_ended(change.detail) != "itself" or is_failure(change):
        return None
    if ran_seconds(change.detail) is None:
        return None
    started_by = str(change.detail.get("startedBy") or "")
    starter = started_by if started_by.startswith(_SCHEDULES) else "hand"
    return f"{change.account}/{change.region}/{change.detail.get('clusterArn', '')}/{change.family}/{starter}"


def seen(state: Lengths, change: TaskChange) -> tuple[Lengths, tuple[Told, ...]]:
    """One more good run, judged against those that ended before it; told once, over at once (`incidents.noticed`)."""
    ran = ran_seconds(change.detail)
    if key_of(change) is None or ran is None or any(one.task_arn == change.task_arn for one in state.runs):
        return state, ()
    at = moment_of(change.detail, "stoppedAt") or change.at
    before = [one.seconds for one in state.runs if one.at < at]
    after = Lengths(tuple(sorted((*state.runs, GoodRun(at, change.task_arn, ran)))[-KEPT:]))
    usual = statistics.median(before) if len(before) >= ENOUGH else None
    if usual is None or usual < LONG or ran >= SHARE * usual:
        return after, ()
    texts = {**facts_of_task(change.detail, None), "ran": format_duration(ran), "usual": format_duration(usual)}
    finding = about_task(change, "too_short", VERDICT, explain_finding("too_short", texts), facts={"usual_seconds": usual})
    return after, (msgspec.structs.replace(finding, subject=f"too-short:{change.task_arn}"),)


def asked(state: Lengths, now: float) -> tuple[Lengths, tuple[Told, ...]]:
    """Time alone tells nothing."""
    return state, ()


def due(state: Lengths) -> float | None:
    """Never."""
    return None

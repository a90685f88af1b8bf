"""Detector overlap: two runs of one family at once. Pure.

Of a family that a schedule starts, any two launches; of others, only launches by different starters: one caller that starts many means it.
"""

from collections.abc import Callable

import msgspec

from hinoban.base.clock import SECONDS
from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain.language import either
from hinoban.watch.model import Explanation, Finding, TaskChange, task_id_of

SAME_CALL = 1 * SECONDS
"""Tasks that the same starter made within it are of one call, where no record tells: CloudTrail is minutes late (facts/ecs.md §6.7)."""


class Live(msgspec.Struct, frozen=True, kw_only=True):
    """A task that runs now: who started it, and by which call."""

    arn: str
    since: float
    started_by: str | None = None
    caller: str | None = None
    launch_id: str | None = None

    @property
    def starter(self) -> str:
        """Who started it, in as few words as name them."""
        caller = (self.caller or "").rpartition("/")[2]
        if self.started_by and caller and not self.started_by.startswith(("events-rule/", "chronos-schedule/")):
            return f"{self.started_by} ({caller})"
        return self.started_by or caller or "unknown"


def overlapping(newer: Live, others: list[Live], *, scheduled: bool) -> Live | None:
    """The task that `newer` runs beside and should not, if any: the oldest."""

    def counts(other: Live) -> bool:
        if other.arn == newer.arn or (newer.launch_id is not None and other.launch_id == newer.launch_id):
            return False
        if newer.launch_id is None and other.started_by == newer.started_by and abs(other.since - newer.since) <= SAME_CALL:
            return False
        return scheduled or (other.started_by, other.caller) != (newer.started_by, newer.caller)

    return min((other for other in others if counts(other)), key=lambda one: one.since, default=None)


def overlap(
    change: TaskChange, newer: Live, older: Live, when: Callable[[float], str], stopping: str | None, *, allowed: bool = True
) -> Finding:
    """A finding about the newer task. `stopping` is the ARN of the one that a policy stops, if Hinoban is `allowed` to."""
    first, second = task_id_of(older.arn)[:8], task_id_of(newer.arn)[:8]
    since, again = when(older.since), when(newer.since)
    cause = either(
        f"Two run at once: task {first} by {older.starter} since {since}, task {second} by {newer.starter} since {again}.",
        f"2 つが同時に実行中: {first}({older.starter}、{since} から)と {second}({newer.starter}、{again} から)。",
    )
    following = f'{by_hand(newer.arn)}      {either("or for good", "恒久的には")}: overlap = "stop_newer" in a [[policy]]'
    if stopping is not None:
        task = task_id_of(stopping)[:8]
        stops = either(f"Hinoban stops task {task}, as the policy says.", f"ポリシーに従い Hinoban がタスク {task} を停止する。")
        following = stops if allowed else by_hand(stopping)
    explanation = Explanation(code="overlap", cause=cause, next=following, said=(), retryable=False)
    facts = {"older": older.arn, "older_starter": older.starter, "newer_starter": newer.starter, "stop": stopping}
    finding = about_task(change, "overlap", "OVERLAP", explanation, at=newer.since, facts=facts)
    return msgspec.structs.replace(finding, subject=f"overlap:{newer.arn}")


def by_hand(task_arn: str) -> str:
    """The next step where Hinoban stops neither."""
    return (
        either("Stop one, if they must not", "許されないなら片方を停止") + f': hinoban stop {task_id_of(task_arn)[:8]} --reason "overlap"'
    )

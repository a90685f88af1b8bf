"""Whether, when and how a launch is tried again. Pure: chance comes in as `dice`."""

from typing import Any

import msgspec

from hinoban.base.clock import SECONDS
from hinoban.watch.config import RetryRule
from hinoban.watch.explain.catalogue import kind_of
from hinoban.watch.kinds import NOT_STARTED
from hinoban.watch.model import Finding, Launch
from hinoban.watch.policies import STARTED_BY_TAG
from hinoban.watch.retry.changes import Changed, asks_for_spot, changed
from hinoban.watch.retry.exits import is_exit
from hinoban.watch.retry_row import Retry

OTHERS_FIRST = 10 * SECONDS
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


def refusal_to_retry(finding: Finding, launch: Launch) -> str | None:
    """Why this failure cannot be retried even where a rule asks for it; None where it can."""
    if not is_exit(finding) and (finding.detector not in NOT_STARTED | {"missed_run"} or not finding.explanation.retryable):
        return "it cannot help"
    if launch.request is None:
        return "the request is not known"
    if HIDDEN in msgspec.json.encode(launch.request).decode():
        return "CloudTrail hides the overrides of the request; a launch without them would be another run"
    return None


def first_retry(
    finding: Finding, launch: Launch, incident_id: str, rule: RetryRule, now: float, dice: float, *, next_slot: float | None = None
) -> Retry | None:
    """The first attempt after a failure, before the schedule's next run where that is known; None where the rule allows none.

    What makes up for a run that was missed is not bound to its schedule's next one.
    """
    if rule.attempts < 2:
        return None
    missed = finding.detector == "missed_run"
    deadline = now + rule.deadline
    if next_slot is not None and not missed:
        deadline = min(deadline, next_slot)
    return Retry(
        incident_id=incident_id,
        number=2,
        state="waiting",
        due_at=now + min(pause(1, rule, dice), dice * max(0.0, deadline - now)),
        failed_at=finding.at,
        deadline_at=deadline,
        rule=rule,
        missing=1 if finding.task_arn else launch.refused,
        region=launch.region,
        account=launch.account,
        request=dict(launch.request or {}),
        beside_own=missed,
        original_tasks=launch.task_arns,
        for_tasks=(finding.task_arn,) if finding.task_arn else (),
        off_spot=finding.detector == "spot_interrupted" or no_spot(finding.explanation.code, launch.request or {}),
    )


def next_retry(last: Retry, missing: int, now: float, dice: float, *, off_spot: bool = False) -> Retry | None:
    """The attempt after one that failed; None where attempts or the deadline are used up."""
    due = now + pause(last.number, last.rule, dice)
    if last.number >= last.rule.attempts or due > last.deadline_at:
        return None
    return msgspec.structs.replace(
        last,
        number=last.number + 1,
        state="waiting",
        due_at=due,
        missing=missing,
        for_tasks=(),
        off_spot=last.off_spot or off_spot,
        launching_since=None,
        calls=0,
    )


def no_spot(code: str, request: dict[str, Any]) -> bool:
    """Whether it was Spot capacity that a launch did not find: AWS does not fall back to FARGATE (facts/ecs.md §3.5)."""
    return kind_of(code) == "capacity" and asks_for_spot(request)


def pause(retry: int, rule: RetryRule, dice: float) -> float:
    """The delay, but never so short that another retrier, who acts on the same record, could not have shown itself."""
    return max(delay(retry, rule, dice), min(OTHERS_FIRST, rule.base / 3))


def delay(retry: int, rule: RetryRule, dice: float) -> float:
    """Full jitter: anywhere between nothing and the exponential bound, so that many do not come back at once."""
    return float(round(dice * min(rule.cap, rule.base * 2 ** (retry - 1)), 3))


def as_sent(retry: Retry) -> Changed:
    """RunTask's parameters: the original's members but clientToken and startedBy, the missing part of its count, our marks, and what the
    rule changes; always the same for the same attempt, as its token is."""
    original = {key: value for key, value in retry.request.items() if key not in ("clientToken", "startedBy")}
    tags = [tag for tag in original.get("tags") or () if tag.get("key") != STARTED_BY_TAG]
    if (started_by := retry.request.get("startedBy")) and len(tags) < 50:
        tags.append({"key": STARTED_BY_TAG, "value": started_by})
    if tags:
        original["tags"] = tags
    marked = {**original, "count": retry.missing, "startedBy": retry.started_by, "clientToken": retry.token}
    return changed(marked, retry.rule, retry.number, off_spot=retry.off_spot)


def request(retry: Retry) -> dict[str, Any]:
    """The parameters of `as_sent`."""
    return as_sent(retry).request

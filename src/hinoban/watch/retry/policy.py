"""Whether, when and how a launch is tried again. Pure: chance comes in as `dice`."""

from typing import Any

import msgspec

from hinoban.watch.config import RetryRule
from hinoban.watch.kinds import NOT_STARTED
from hinoban.watch.model import Finding, Launch
from hinoban.watch.policies import STARTED_BY_TAG
from hinoban.watch.retry_row import Retry

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


def refusal_to_retry(finding: Finding, launch: Launch | None) -> str | None:
    """Why this failure cannot be retried even where a rule asks for it; None where it can."""
    if finding.detector not in NOT_STARTED | {"missed_run"} or not finding.explanation.retryable:
        return "it cannot help"
    if launch is None or launch.request is None:
        return "the request is not known"
    if HIDDEN in msgspec.json.encode(launch.request).decode():
        return "CloudTrail hides the overrides of the request; a launch without them would be another run"
    return None


def first_retry(finding: Finding, launch: Launch, incident_id: str, rule: RetryRule, now: float, dice: float) -> Retry | None:
    """The first attempt after a failure to start; None where the rule allows none."""
    if rule.attempts < 2:
        return None
    missing = 1 if finding.task_arn else launch.refused
    return Retry(
        incident_id=incident_id,
        number=2,
        state="waiting",
        due_at=now + delay(1, rule, dice),
        failed_at=finding.at,
        deadline_at=now + rule.deadline,
        rule=rule,
        missing=missing,
        region=launch.region,
        account=launch.account,
        request=dict(launch.request or {}),
        beside_own=finding.detector == "missed_run",
        original_tasks=launch.task_arns,
    )


def next_retry(last: Retry, missing: int, now: float, dice: float) -> Retry | None:
    """The attempt after a refused one; None where attempts or the deadline are used up."""
    due = now + delay(last.number, last.rule, dice)
    if last.number >= last.rule.attempts or due > last.deadline_at:
        return None
    return msgspec.structs.replace(
        last, number=last.number + 1, state="waiting", due_at=due, missing=missing, launching_since=None, calls=0
    )


def delay(retry: int, rule: RetryRule, dice: float) -> float:
    """Full jitter: anywhere between nothing and the exponential bound, so that many do not come back at once."""
    return float(round(dice * min(rule.cap, rule.base * 2 ** (retry - 1)), 3))


def request(retry: Retry) -> dict[str, Any]:
    """RunTask's parameters: the original's members but clientToken and startedBy, the missing part of its count, and our marks."""
    original = {key: value for key, value in retry.request.items() if key not in ("clientToken", "startedBy")}
    tags = [tag for tag in original.get("tags") or () if tag.get("key") != STARTED_BY_TAG]
    if (started_by := retry.request.get("startedBy")) and len(tags) < 50:
        tags.append({"key": STARTED_BY_TAG, "value": started_by})
    if tags:
        original["tags"] = tags
    return {**original, "count": retry.missing, "startedBy": retry.started_by, "clientToken": retry.token}

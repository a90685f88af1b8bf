"""Whether and when a delivery is tried again (facts/eventbridge.md §6.3). PURE.

Exponential backoff with full jitter: AWS does not publish its intervals. With 15 minutes as the longest pause, 185 retries take about a
day, which is how AWS's two bounds belong together.
"""

from msgspec import Struct

from hinoban.aws.call import Params
from hinoban.base.clock import DAYS, MINUTES, SECONDS

MOST_RETRIES = 185
OLDEST = DAYS
_FIRST_PAUSE = SECONDS
_LONGEST_PAUSE = 15 * MINUTES
# How late a slot may fire (facts/eventbridge.md §8.2).
_PRECISION = 60 * SECONDS


class Again(Struct, frozen=True):
    """Try again at `due_at`."""

    due_at: float


class GiveUp(Struct, frozen=True):
    """It failed for good; `exhausted` names the bound that was reached, None where trying again could not help."""

    exhausted: str | None


def after_failure(
    target: Params, *, attempts: int, created_at: float, transient: bool, retry_after: float, now: float, dice: float
) -> Again | GiveUp:
    """What follows attempt number `attempts` (1 is the first)."""
    if not transient or retry_after < 0:
        return GiveUp(None)
    policy = target.get("RetryPolicy", {})
    if attempts > policy.get("MaximumRetryAttempts", MOST_RETRIES):
        return GiveUp("MaximumRetryAttempts")
    most = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempts - 1, 30))
    due_at = round(now + max(dice * most, retry_after), 3)
    if due_at > created_at + policy.get("MaximumEventAgeInSeconds", OLDEST):
        return GiveUp("MaximumEventAgeInSeconds")
    return Again(due_at)


def is_too_old(target: Params, *, attempts: int, created_at: float, now: float) -> bool:
    """Whether a delivery that was tried before has outlived its event, e.g. while the daemon was down."""
    return attempts > 0 and now > created_at + target.get("RetryPolicy", {}).get("MaximumEventAgeInSeconds", OLDEST)


def slept_through(*, attempts: int, slot: float | None, due_at: float, born: float) -> bool:
    """Whether a slot's delivery was decided by an engine that died before its first attempt, and this one was `born` too late for it.

    A midnight job must not start at nine. One that was tried before goes on as AWS's retries do.
    """
    if attempts or slot is None:
        return False
    moment = due_at if due_at > slot + _PRECISION else slot  # later only within a flexible window
    return born > moment + _PRECISION

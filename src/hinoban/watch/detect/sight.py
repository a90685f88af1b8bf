"""What the detectors about the watch itself are told, and what their findings have in common. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from hinoban.watch.model import Detector, Explanation, Finding, Verdict


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A source brought an event at `at` (the moment it came, not the moment it tells of)."""

    source: str
    """The source's name: it holds account and region where it is of one."""
    at: float
    account: str = ""
    region: str = ""


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One read that the watch made, or the attempt to reach a source."""

    source: str
    what: str
    """What for, as people know it: `logs:GetLogEvents on /ecs/legacy-*`, `the queue ecs-events`."""
    at: float
    code: str | None = None
    """AWS's error code, or `Unreachable`; None where it went well."""
    message: str = ""
    account: str = ""
    region: str = ""
    role: str = ""
    """The ARN of the role by which the account is asked, where it is by one."""
    credentials: bool = False
    """Whether this says how the credentials were taken, rather than what became of the read."""


class Lag(msgspec.Struct, frozen=True, kw_only=True):
    """How far the watch is behind a source: seconds between the oldest thing that waits there and now; 0: nothing waits."""

    source: str
    at: float
    behind: float
    waiting: int | None = None
    account: str = ""
    region: str = ""


def about_watch(
    about: Heard | Tried | Lag,
    detector: Detector,
    subject: str,
    verdict: Verdict,
    explanation: Explanation,
    *,
    at: float,
    facts: Mapping[str, Any],
) -> Finding:
    """A finding about the watch; the source's name stands for the family."""
    known = {"source": about.source, **facts}
    return Finding(
        detector=detector,
        subject=subject,
        at=at,
        account=about.account,
        region=about.region,
        cluster="",
        family=about.source,
        revision=None,
        verdict=verdict,
        explanation=explanation,
        facts={name: value for name, value in known.items() if value is not None},
    )

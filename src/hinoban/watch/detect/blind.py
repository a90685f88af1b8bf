"""Detector blind: the watch lost a right or a source that it needs to see. Has a memory; one matter per thing that it looks at. Pure.

It is fed with every attempt, good or bad; throttling is no blindness, as the pace yields to it.
"""

import msgspec

from hinoban.base.clock import MINUTES
from hinoban.base.units import iso_seconds
from hinoban.watch.detect.services import Over, Told
from hinoban.watch.detect.sight import Tried, about_watch
from hinoban.watch.explain import explain_finding
from hinoban.watch.explain.catalogue import find
from hinoban.watch.model import Finding

VERDICT = "BLIND"
DENIED_FOR, UNREACHABLE_FOR = 1 * MINUTES, 3 * MINUTES
"""IAM forgets and remembers for some seconds when policies are changed; a network has its moments."""
OF_RIGHTS = ("access_denied", "pass_role_denied", "credentials_refused", "account_blocked", "blocked")


class Sight(msgspec.Struct, frozen=True):
    """How one thing is seen: since when it fails, and how. Its first value is worth no row."""

    failed_since: float | None = None
    last: Tried | None = None
    subject: str | None = None
    """Set while it is told."""


def key_of(tried: Tried) -> str:
    """What was looked at, through which source."""
    return f"{tried.source}#{tried.what}"


def seen(state: Sight, tried: Tried) -> tuple[Sight, tuple[Told, ...]]:
    """One more attempt; an older one than the latest says nothing."""
    if (state.last is not None and tried.at < state.last.at) or is_throttling(tried):
        return state, ()
    if tried.code is None:
        return Sight(), (Over(state.subject, tried.at, f"{tried.what} can be seen again."),) if state.subject else ()
    since = tried.at if state.failed_since is None else state.failed_since
    return asked(Sight(since, tried, state.subject), tried.at)


def asked(state: Sight, now: float) -> tuple[Sight, tuple[Told, ...]]:
    """A finding once it has failed for long enough."""
    moment = due(state)
    if moment is None or now < moment or state.last is None:
        return state, ()
    finding = _finding(state.last, state.failed_since or now)
    return msgspec.structs.replace(state, subject=finding.subject), (finding,)


def due(state: Sight) -> float | None:
    """When its failing becomes a matter; None while it is well, or told already."""
    if state.failed_since is None or state.last is None or state.subject is not None:
        return None
    return state.failed_since + (DENIED_FOR if is_right(state.last) else UNREACHABLE_FOR)


def is_right(tried: Tried) -> bool:
    """Whether AWS refused for want of a right, as the catalogue knows its codes."""
    match = find("launch_error", tried.message, error_code=tried.code)
    return match is not None and match.entry.code in OF_RIGHTS


def is_throttling(tried: Tried) -> bool:
    """Whether AWS only asked us to be slower."""
    match = find("launch_error", tried.message, error_code=tried.code) if tried.code else None
    return match is not None and match.entry.kind == "throttling"


def _finding(tried: Tried, since: float) -> Finding:
    right = is_right(tried)
    said = f"{tried.code}: {tried.message}" if tried.message else str(tried.code)
    explanation = explain_finding("right_lost" if right else "source_lost", {"what": tried.what, "since": iso_seconds(since)}, (said,))
    facts = {"what": tried.what, "since": since, "error_code": tried.code}
    return about_watch(tried, "blind", f"blind:{key_of(tried)}", VERDICT, explanation, at=since, facts=facts)

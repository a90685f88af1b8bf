"""Detector watch_behind: the watch is late with what a source holds for it. Has a memory. Pure.

Fed with each measurement of a source's lag. What CloudTrail itself is late by is not ours: it is measured where we take things over.
"""

import msgspec

from hinoban.base.clock import MINUTES, SECONDS
from hinoban.base.units import format_duration
from hinoban.watch.detect.services import Over, Told
from hinoban.watch.detect.sight import Lag, about_watch
from hinoban.watch.explain import explain_finding

VERDICT = "BEHIND"
LIMIT, FOR = 60 * SECONDS, 2 * MINUTES
"""How late is late, and for how long: a storm of events may pile up for a moment."""


class Lateness(msgspec.Struct, frozen=True):
    """One source's latest measurement, and since when it was late. Its first value is worth no row."""

    late_since: float | None = None
    last: Lag | None = None
    subject: str | None = None
    """Set while it is told."""


def key_of(lag: Lag) -> str:
    """The source."""
    return lag.source


def seen(state: Lateness, lag: Lag) -> tuple[Lateness, tuple[Told, ...]]:
    """One more measurement. It begins above the limit and ends below half of it, so that it does not flicker."""
    if state.last is not None and lag.at < state.last.at:
        return state, ()
    if lag.behind < LIMIT / 2 or (lag.behind <= LIMIT and state.late_since is None):
        return Lateness(), (Over(state.subject, lag.at, "The watch is up to date again."),) if state.subject else ()
    return asked(Lateness(lag.at if state.late_since is None else state.late_since, lag, state.subject), lag.at)


def asked(state: Lateness, now: float) -> tuple[Lateness, tuple[Told, ...]]:
    """A finding once it has been late for two minutes."""
    moment = due(state)
    if moment is None or now < moment or state.last is None:
        return state, ()
    lag, late = state.last, now - (state.late_since or now)
    texts = {"name": lag.source, "behind": format_duration(lag.behind), "span": format_duration(late)}
    subject = f"behind:{lag.source}"
    facts = {"behind_seconds": lag.behind, "waiting": lag.waiting, "since": state.late_since}
    finding = about_watch(lag, "watch_behind", subject, VERDICT, explain_finding("watch_behind", texts), at=moment, facts=facts)
    return msgspec.structs.replace(state, subject=subject), (finding,)


def due(state: Lateness) -> float | None:
    """When its lateness becomes a matter; None while it is in time, or told already."""
    return None if state.late_since is None or state.subject is not None else state.late_since + FOR

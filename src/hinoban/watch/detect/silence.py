"""Detector silence: a source that usually speaks is quiet. Has a memory; asked by time. Pure.

AWS says nothing when a rule is disabled, a queue's policy is lost or a trail stops logging: the events just end.
"""

import msgspec

from hinoban.base.clock import DAYS, MINUTES
from hinoban.base.units import format_duration
from hinoban.watch.detect.services import Over, Told
from hinoban.watch.detect.sight import Heard, about_watch
from hinoban.watch.explain import explain_finding

VERDICT = "SILENT"
ENOUGH = 50
"""Events that must have come before the source's habits are known."""
SHORTEST = 30 * MINUTES
TIMES = 3
REMEMBERED = 8
"""Days of habits: a whole week and today, so that a weekend is no surprise."""


class Rhythm(msgspec.Struct, frozen=True):
    """One source's habits: how many events, the latest, and each day's longest pause."""

    heard: int = 0
    last: Heard | None = None
    pauses: dict[int, float] = {}
    """Day since the epoch (of the pause's end) -> the longest pause that ended on it, in seconds."""
    subject: str | None = None
    """Set while it is told."""


def key_of(heard: Heard) -> str:
    """The source."""
    return heard.source


def seen(state: Rhythm, heard: Heard) -> tuple[Rhythm, tuple[Told, ...]]:
    """It spoke: silence, if it was told, is over. A pause that was told is no habit."""
    if state.last is not None and heard.at < state.last.at:
        return msgspec.structs.replace(state, heard=state.heard + 1), ()
    pauses = state.pauses
    if state.last is not None and state.subject is None:
        day, pause = int(heard.at // DAYS), heard.at - state.last.at
        kept = {one: longest for one, longest in pauses.items() if one > day - REMEMBERED}
        pauses = {**kept, day: max(kept.get(day, 0.0), pause)}
    told = (Over(state.subject, heard.at, f"{heard.source} speaks again."),) if state.subject else ()
    return Rhythm(state.heard + 1, heard, pauses), told


def asked(state: Rhythm, now: float) -> tuple[Rhythm, tuple[Told, ...]]:
    """A finding once it is quiet for three times as long as it ever was in the last week, half an hour at least."""
    moment = due(state)
    if moment is None or now < moment or state.last is None:
        return state, ()
    quiet, usual = now - state.last.at, max(state.pauses.values())
    texts = {"name": state.last.source, "span": format_duration(quiet), "usual": format_duration(usual)}
    subject = f"silence:{state.last.source}"
    facts = {"quiet_since": state.last.at, "usual_seconds": usual}
    finding = about_watch(state.last, "silence", subject, VERDICT, explain_finding("source_silent", texts), at=moment, facts=facts)
    return msgspec.structs.replace(state, subject=subject), (finding,)


def due(state: Rhythm) -> float | None:
    """When its silence becomes strange; None while its habits are not known, or it is told already."""
    if state.last is None or state.subject is not None or state.heard < ENOUGH or not state.pauses:
        return None
    return state.last.at + max(SHORTEST, TIMES * max(state.pauses.values()))


def restarted(state: Rhythm, now: float) -> Rhythm:
    """The watch itself was away: its own absence is no pause of the source. Ask this once at each start."""
    return state if state.last is None else msgspec.structs.replace(state, last=msgspec.structs.replace(state.last, at=now))

"""When a failure is general: most of what is launched in a place is refused for one reason. Then one retry at a time tries the wall. Pure."""

from collections import Counter, defaultdict

import msgspec

from hinoban.base.clock import MINUTES, SECONDS

WINDOW = 10 * MINUTES
LEAST = 10
"""Fewer families say nothing in general."""
PROBE_EVERY = 30 * SECONDS

Place = tuple[str, str]
"""(account, region): capacity and quotas are a region's."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a launch: `code` says why it was refused, None that it was accepted; `ours`: it was a retry."""

    at: float
    place: Place
    family: str
    code: str | None
    ours: bool


class Seen(msgspec.Struct):
    """What is remembered of launches: each family's newest, and of retries when one was last made and last accepted in a place."""

    newest: dict[tuple[Place, str], Outcome] = {}
    tried: dict[Place, float] = {}
    opened: dict[Place, float] = {}


class Wall(msgspec.Struct, frozen=True):
    """A general failure: what is refused with, and the moment before which no retry tries it again."""

    code: str
    next_probe: float


def note(seen: Seen, outcome: Outcome) -> None:
    """Remember one more, in whatever order they come."""
    key, place = (outcome.place, outcome.family), outcome.place
    if (known := seen.newest.get(key)) is None or known.at <= outcome.at:
        seen.newest[key] = outcome
    if outcome.ours:
        seen.tried[place] = max(outcome.at, seen.tried.get(place, outcome.at))
        if outcome.code is None:
            seen.opened[place] = max(outcome.at, seen.opened.get(place, outcome.at))


def forget_old(seen: Seen, now: float) -> None:
    """Drop what counts no more: what is kept is bounded by what is launched within the window."""
    seen.newest = {key: one for key, one in seen.newest.items() if one.at > now - WINDOW}


def walls(seen: Seen, now: float) -> dict[Place, Wall]:
    """The places where more than half of the families launched of late, ten at the least, were refused with one code.

    A retry that was accepted ends it: what was refused before counts no more.
    """
    by_place: dict[Place, list[Outcome]] = defaultdict(list)
    for one in seen.newest.values():
        if one.at > now - WINDOW and one.at >= seen.opened.get(one.place, 0.0):
            by_place[one.place].append(one)
    found: dict[Place, Wall] = {}
    for place, several in by_place.items():
        [(code, refused), *_] = Counter(one.code for one in several if one.code is not None).most_common(1) or [("", 0)]
        if len(several) >= LEAST and refused * 2 > len(several):
            found[place] = Wall(str(code), seen.tried.get(place, now - PROBE_EVERY) + PROBE_EVERY)
    return found

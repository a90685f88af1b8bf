"""The states of an incident. An open one is told as it changes. An acknowledged one is somebody's, a snoozed one nobody's yet: both are
quiet until they end by themselves, are reopened by hand, or something new is found. A resolved one is over, until something new is found.
"""

from typing import Literal

from hinoban.watch.model import IncidentState

Event = Literal["evidence", "acknowledge", "snooze", "time is up", "reopen", "resolve"]
"""`evidence`: something new was found; `time is up`: an acknowledgement or a snooze ended; the others are a person's, but `resolve` of both."""

TABLE: dict[IncidentState, dict[Event, IncidentState]] = {
    "open": {"evidence": "open", "acknowledge": "acknowledged", "snooze": "snoozed", "resolve": "resolved"},
    "acknowledged": {
        "evidence": "open",
        "acknowledge": "acknowledged",
        "snooze": "snoozed",
        "time is up": "open",
        "reopen": "open",
        "resolve": "resolved",
    },
    "snoozed": {
        "evidence": "open",
        "acknowledge": "acknowledged",
        "snooze": "snoozed",
        "time is up": "open",
        "reopen": "open",
        "resolve": "resolved",
    },
    "resolved": {"evidence": "open", "reopen": "open"},
}

QUIET: tuple[IncidentState, ...] = ("acknowledged", "snoozed")
"""Told no more until that ends."""


class IllegalMove(RuntimeError):
    """An event that a state has no way for."""


def follow(state: IncidentState, event: Event) -> IncidentState:
    """The state after `event`; IllegalMove names both where there is none."""
    if event not in TABLE[state]:
        raise IllegalMove(f"incident: {event!r} has no way out of state {state!r}")
    return TABLE[state][event]

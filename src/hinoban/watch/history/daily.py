"""The daily report as its outbox rows hold it: counts and names. notify/daily_facts.py reads them, notify/daily_words.py says them."""

import msgspec


class Unwell(msgspec.Struct, frozen=True):
    """A time in which the watch was not well, and why; `until` None: it still is not."""

    since: float
    until: float | None
    why: str


class Matter(msgspec.Struct, frozen=True):
    """So many incidents of one kind, and some of their families."""

    kind: str
    count: int
    families: tuple[str, ...]


class Muted(msgspec.Struct, frozen=True):
    """What one mute hid."""

    name: str
    messages: int
    incidents: int


class StillOpen(msgspec.Struct, frozen=True):
    """An incident that is not resolved."""

    id: str
    family: str
    verdict: str
    since: float


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the scheduled runs that fell due. Those that happened are `at_once`, `by_retry` or `by_hand`."""

    due: int = 0
    at_once: int = 0
    by_retry: int = 0
    by_hand: int = 0
    by_hand_incidents: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    """Names of the schedules whose runs happened and ended badly, one for each run."""
    lost: tuple[str, ...] = ()
    """Names of the schedules whose runs did not happen, one for each run."""
    pending: int = 0
    """Of these nothing was seen yet, and they may still come."""

    @property
    def happened(self) -> int:
        return self.at_once + self.by_retry + self.by_hand


class Daily(msgspec.Struct, frozen=True, kw_only=True, tag="daily", tag_field="kind"):
    """One day's report. `at` is the moment that was due, (since, until] the time it is about."""

    id: str
    day: str
    at: float
    since: float
    until: float
    runs: Runs = Runs()
    others_failed: int = 0
    """Tasks and launches of no schedule that went wrong."""
    disabled: tuple[str, ...] = ()
    """Schedules that have been disabled for more than a week."""
    digest: tuple[Matter, ...] = ()
    muted: tuple[Muted, ...] = ()
    open: tuple[StillOpen, ...] = ()
    """The oldest first."""
    open_count: int = 0
    unwell: tuple[Unwell, ...] = ()

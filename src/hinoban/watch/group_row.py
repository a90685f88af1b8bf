"""A group of incidents with one cause, as it stands in the row of the incident that speaks for it (its lead), and as a message shows it."""

import msgspec


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A group's members as one message counts them; `face` is the incident whose words it takes: of those still open, the loudest."""

    total: int
    lost: int
    """Open, and nothing is under way that may bring it back."""
    trying: int
    recovered: int
    """By retries of ours."""
    ran: int
    """By a later run of others."""
    ended: int
    """Over in another way: `ends` says how."""
    face: str
    phrases: tuple[tuple[str, int], ...] = ()
    """The verdicts of the lost (empty: it did not run), and how many have each; the most frequent first."""
    names: tuple[tuple[str, int], ...] = ()
    """The first definitions of the lost, and how many of each; without any lost, of those being retried."""
    scheduled: bool = False
    """Whether all of them are scheduled runs."""
    due_at: float | None = None
    """Where all that are lost were due at one moment."""
    attempts: tuple[int, int] = (1, 1)
    """The least and the most attempts of the lost."""
    gave_up_at: float | None = None
    ended_at: float | None = None
    """When the last of them was over."""
    ended_from: float | None = None
    """When the first was over of those that were open when people were told last."""
    ends: tuple[str, ...] = ()
    since_told: int = 0
    """How many were open when people were told last."""


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """The lead's account of its group. `size` and `open` count the lead too."""

    key: str
    last_at: float
    """When the last member joined."""
    size: int = 1
    open: int = 1
    told_open: int = 1
    """How many were open when people were told last."""
    grow_at: float | None = None
    """When its growth is told."""
    waits: int = 0
    """How many messages went out about it as a group."""
    held_by: str | None = None
    """Who has acknowledged or snoozed it as a whole: what joins it is quiet as well."""
    held_until: float | None = None
    snoozed: bool = False
    freed: str = ""
    """Why it is quiet no more, until that was told."""
    shown: Shown | None = None
    """In messages only."""


class Escalated(msgspec.Struct, frozen=True):
    """A step that was taken: `key` names it, `after` is its waiting time in seconds."""

    key: str
    after: float

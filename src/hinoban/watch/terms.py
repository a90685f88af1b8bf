"""Until when a task may run: what policies say, over it what its own tags say, and in what order warning and stop come. Pure."""

from typing import Literal

import msgspec

from hinoban.watch.deadlines import start_of
from hinoban.watch.model import TaskChange
from hinoban.watch.policies import Limits
from hinoban.watch.task_tags import FOR_EVER, TaskTags, Wishes, wishes

Source = Literal["default", "policy", "tag"]
_NO_WISHES = Wishes()


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Moments are seconds since the epoch; None: it never comes."""

    limit: float | None
    """Seconds from its start."""
    limit_from: Source
    warn_at: float | None
    remind_after: float | None
    stop_at: float | None
    orphan_at: float | None
    """When its lease has run out, and nothing else keeps it."""
    stops_orphan: bool
    wishes: Wishes


def terms_of(change: TaskChange, limits: Limits, known: TaskTags) -> Terms:
    """A tag `hinoban:max-runtime` goes before every policy; where it grants more, the stop moves with the warning.

    Until the moment of `hinoban:keep` it is neither told nor stopped; the stop keeps its distance to the warning. Nothing is stopped
    before it is told.
    """
    began = start_of(change)
    wish = wishes(known.tags, began) if known.tags and not change.service_owned else _NO_WISHES
    limit, source = limits.max_runtime, _source(limits, wish)
    stop_after = limits.stop_after
    if wish.max_runtime is not None:
        if stop_after is not None:
            stop_after += max(0.0, wish.max_runtime - (limit or 0.0))
        limit = wish.max_runtime
    if limit is not None and stop_after is not None and stop_after < limit:
        limit, source = stop_after, "policy"
    warn_at, stop_at, orphan_at = _after(began, limit), _after(began, stop_after), wish.lease_until
    if wish.keep_until is not None:
        pushed = max(0.0, wish.keep_until - warn_at) if warn_at is not None else 0.0
        warn_at, stop_at = _pushed(warn_at, pushed), _pushed(stop_at, pushed)
        orphan_at = None if orphan_at is None else max(orphan_at, wish.keep_until)
    if limits.stop_orphans and orphan_at is not None:
        stop_at = orphan_at if stop_at is None else min(stop_at, orphan_at)
    return Terms(
        limit=limit,
        limit_from=source,
        warn_at=_ever(warn_at),
        remind_after=limits.remind_after or limit,
        stop_at=_ever(stop_at),
        orphan_at=_ever(orphan_at),
        stops_orphan=limits.stop_orphans,
        wishes=wish,
    )


def _source(limits: Limits, wish: Wishes) -> Source:
    return "tag" if wish.max_runtime is not None else "policy" if limits.by_policy else "default"


def _after(began: float, seconds: float | None) -> float | None:
    return None if seconds is None else began + seconds


def _pushed(moment: float | None, by: float) -> float | None:
    return None if moment is None else moment + by


def _ever(moment: float | None) -> float | None:
    return None if moment == FOR_EVER else moment

"""What a task's own tags say of how long it may run: `hinoban:max-runtime`, `hinoban:keep`, `hinoban:lease`, `hinoban:owner`. Pure.

A value that cannot be read counts for nothing, and is told with the warning. One further off than calendars go ends with them.
"""

from collections.abc import Mapping

import msgspec

from hinoban.base.units import LAST_MOMENT, parse_duration, parse_iso
from hinoban.watch.model import Finding

MAX_RUNTIME, KEEP, LEASE, OWNER = "hinoban:max-runtime", "hinoban:keep", "hinoban:lease", "hinoban:owner"
FOR_EVER = float("inf")


class TaskTags(msgspec.Struct, frozen=True, kw_only=True):
    """A task's tags as they were read. `denied`: AWS did not let us read them, so what is here came with the launch, or is nothing."""

    tags: dict[str, str] = {}
    denied: bool = False
    whole: bool = True
    """False: there may be more, of the definition."""


NO_TAGS = TaskTags()


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the tags ask for; moments are seconds since the epoch."""

    max_runtime: float | None = None
    keep_until: float | None = None
    """FOR_EVER where it says `true`."""
    lease_until: float | None = None
    owner: str | None = None
    ignored: tuple[str, ...] = ()
    """Tags that cannot be read, a phrase each."""


def with_tags(finding: Finding, tags: Mapping[str, str]) -> Finding:
    """The finding with what is known of its task's tags, for patterns to match, and of who looks after it."""
    if not tags:
        return finding
    owner = {"owner": owned} if (owned := tags.get(OWNER, "").strip()) else {}
    return msgspec.structs.replace(finding, facts={**finding.facts, "tags": dict(tags), **owner})


def wishes(tags: Mapping[str, str], began: float) -> Wishes:
    """What these tags say of a task that began at `began`."""
    ignored: list[str] = []

    def read(key: str, allowed: str) -> float | None:
        text = tags.get(key, "").strip()
        if not text:
            return None
        found = FOR_EVER if key == KEEP and text.lower() == "true" else None
        try:
            if found is None:
                found = min(parse_duration(text), LAST_MOMENT - began) if key == MAX_RUNTIME else min(parse_iso(text), LAST_MOMENT)
        except ValueError:
            if key == LEASE:
                try:
                    return min(began + parse_duration(text), LAST_MOMENT)
                except ValueError:
                    pass
            ignored.append(f"{key} = {text!r} is {allowed}")
        return found

    return Wishes(
        max_runtime=read(MAX_RUNTIME, "no duration"),
        keep_until=read(KEEP, "neither a moment nor true"),
        lease_until=read(LEASE, "neither a moment nor a duration"),
        owner=tags.get(OWNER, "").strip() or None,
        ignored=tuple(ignored),
    )

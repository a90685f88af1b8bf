"""What watch.db remembers of a time, as observations in the order in which they happened: what a replay is fed with. Reads only."""

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, func, or_, select

from hinoban.base.clock import HOURS
from hinoban.base.errors import HinobanError
from hinoban.watch.history import queries
from hinoban.watch.history.book import Known
from hinoban.watch.history.schema import launches, notes, retries, schedules, slots, tasks
from hinoban.watch.model import DeliveryNews, Doing, Launch, SlotNews, TaskChange, attempt_of
from hinoban.watch.normalise import observation
from hinoban.watch.schedules.slot import Slot

TASKS_MOST = 200_000
"""A replay holds them all in memory."""
_LEAD = 1 * HOURS

Observed = TaskChange | Launch | Doing | SlotNews | DeliveryNews


class Remembered(msgspec.Struct, frozen=True, kw_only=True):
    """`items`: (raw envelope where there is one, observation), the earliest first. `by_hand`: retries that people asked for."""

    items: list[tuple[bytes, Observed]]
    slots: list[Slot]
    schedules: list[Known]
    by_hand: frozenset[tuple[str, int]]
    refused: dict[str, str] = {}
    """startedBy of our retries that were refused, and in which words: their records may not be there."""
    tasks: int
    launches: int


def remembered(connection: Connection, since: float, until: float) -> Remembered:
    """Everything of (since, until] that is kept. HinobanError where that is too much at once."""
    wanted = or_(tasks.c.open, tasks.c.created_at >= since, tasks.c.stopped_at >= since)
    count = connection.execute(select(func.count()).select_from(tasks).where(wanted)).scalar() or 0
    if count > TASKS_MOST:
        raise HinobanError(f"{count} tasks are too many to replay at once", f"{TASKS_MOST} are the most", "Look back less far: --since 7d")
    items: list[tuple[bytes, Observed]] = []
    for row in connection.execute(select(tasks.c.key, tasks.c.timeline).where(wanted)).mappings():
        items += [(raw, seen) for raw in queries.timeline(connection, row) if isinstance(seen := observation(raw), TaskChange)]
    begun = select(launches.c.value).where(launches.c.at >= since - _LEAD, launches.c.at <= until)
    calls = [msgspec.json.decode(value, type=Launch) for value in connection.execute(begun).scalars()]
    items += [(b"", one) for one in calls]
    told = select(notes.c.subject, notes.c.value).where(notes.c.at >= since, notes.c.at <= until)
    for subject, value in connection.execute(told):
        kind: Any = DeliveryNews if subject.startswith("delivery/") else Doing
        items.append((b"", msgspec.json.decode(value, type=kind)))
    due = [
        msgspec.json.decode(value, type=Slot)
        for value in connection.execute(select(slots.c.value).where(slots.c.at > since, slots.c.at <= until)).scalars()
    ]
    known = [msgspec.json.decode(value, type=Known) for value in connection.execute(select(schedules.c.value)).scalars()]
    groups = {one.schedule.key: one.schedule.group for one in known}
    items += [(b"", news) for slot in due for news in _news(slot, groups.get(slot.key))]
    hands = (queries.retry(value) for value in connection.execute(select(retries.c.value)).scalars())
    return Remembered(
        items=sorted(items, key=_order),
        slots=[_nothing_seen(one) for one in sorted(due, key=lambda one: one.at)],
        schedules=[msgspec.structs.replace(one, expected_until=until, gone_at=None) for one in known],
        refused={
            tried.started_by: tried.note
            for one in queries.incidents_opened(connection, since, until)
            for tried in one.attempts
            if tried.outcome == "refused" and tried.started_by and attempt_of(tried.started_by) is not None
        },
        by_hand=frozenset((one.incident_id, one.number) for one in hands if one.by_hand),
        tasks=count,
        launches=len(calls),
    )


def _order(item: tuple[bytes, Observed]) -> tuple[float, int]:
    """By moment; of one moment the slot comes before its launch, and the launch before its task."""
    change = item[1]
    return change.at, (2 if isinstance(change, TaskChange) else 1 if isinstance(change, Launch) else 0)


def _nothing_seen(slot: Slot) -> Slot:
    """The slot as it was when it came due."""
    return msgspec.structs.replace(
        slot,
        state="waiting",
        fired="unknown",
        runtask="unknown",
        reason="",
        token=None,
        launch_id=None,
        tasks={},
        incident_id=None,
        ambiguous=(),
    )


def _news(slot: Slot, group: str | None) -> Iterator[SlotNews]:
    """The engine's word on a slot: that it fired, with the launch's token, or that it was missed."""
    missed = slot.fired == "NO"
    if not missed and slot.token is None:
        return
    target = slot.key.rpartition("#")[2]
    yield SlotNews(
        event_id=f"replay:{slot.subject}",
        at=slot.at,
        account=slot.account,
        region=slot.region,
        arn=slot.arn,
        kind=slot.kind,
        name=slot.name,
        group=group,
        expression=slot.expression,
        timezone=slot.timezone,
        fired=not missed,
        first=slot.at,
        last=slot.at,
        count=1,
        reason=slot.reason,
        tokens={target: slot.token or ""},
        clusters={target: slot.cluster},
    )

"""The watch's measures, read from watch.db: channels, retries, open incidents, what observing only kept from happening. `hinoban status` and
the metrics are made of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from hinoban.base.clock import DAYS, MINUTES
from hinoban.base.units import iso
from hinoban.watch.evidence import HINT, NEEDS, Signs, detectors, evidence, evidence_of, in_words
from hinoban.watch.history import queries
from hinoban.watch.history.aside import asides, count_asides
from hinoban.watch.history.book import known_schedules
from hinoban.watch.history.channel_counts import ChannelCounts, channel_counts
from hinoban.watch.history.schema import launches, outbox, retries, tasks
from hinoban.watch.schedules.model import Problem
from hinoban.watch.wellness import health_of

RECORDS_TAKE = 20 * MINUTES
"""So late a record may be on AWS (facts/cloudtrail_sns_lambda.md §1): a younger task says nothing about it."""
_ASIDES = 5
_MOMENTS = ("oldest_queued_at", "last_sent_at", "gave_up_at")


def measures(connection: Connection, channels: Sequence[str], now: float) -> dict[str, Any]:
    """What rows say: JSON-ready, moments in ISO 8601."""
    still = queries.incidents_not_resolved(connection)
    lately = queries.incidents_opened(connection, now - 1 * DAYS, now)
    done = [words for one in lately for words in one.done]
    health = health_of(connection)
    bad = next((one for one in reversed(health.spans) if one.until is None), None) if health is not None else None
    last = health.spans[-1].until if health is not None and health.spans and bad is None else None
    return {
        "channels": [_channel(one) for one in channel_counts(connection, channels)],
        "open": dict(sorted(Counter(one.finding.detector for one in still).items())),
        "retries": queries.by_state(connection, retries),
        "would_have": {
            "retried": sum(1 for words in done if words.startswith("Would have launched")),
            "stopped": sum(1 for words in done if words.startswith("Would have stopped")),
        },
        "aside": {
            "count": count_asides(connection),
            "latest": [
                {"source": one.source, "id": one.message_id, "at": iso(one.at), "reason": one.reason} for one in asides(connection, _ASIDES)
            ],
        },
        "health": {
            "well_since": iso(last or health.first) if health is not None and bad is None else None,
            "unwell_since": iso(bad.since) if bad is not None else None,
        },
    }


def known_channels(connection: Connection) -> list[str]:
    """Every channel that the outbox remembers: for who reads a state folder without its configuration."""
    found = select(outbox.c.channel).where(outbox.c.state.in_(("queued", "sent", "dead"))).distinct()
    return sorted(connection.execute(found).scalars())


def signs(connection: Connection, problems: Sequence[Problem], behind: str | None, arrived: frozenset[str], now: float) -> Signs:
    """What evidence.py judges by."""
    since, old = now - 1 * DAYS, now - RECORDS_TAKE
    alone = (tasks.c.group.is_(None)) | (~tasks.c.group.like("service:%"))
    # The latest only: a count over years of rows would cost what it tells.
    newest = select(tasks.c.created_at, alone.label("alone")).order_by(tasks.c.key.desc()).limit(500)
    fresh = [row for row in connection.execute(newest) if row.created_at is not None and since < row.created_at <= old and row.alone]
    begun = select(launches.c.id).where(launches.c.at > since).limit(1)
    known = known_schedules(connection)
    return Signs(
        behind=behind,
        problems=problems,
        arrived=arrived | (frozenset({"task_events"}) if fresh else frozenset()),
        schedules=len(known),
        tasks=len(fresh),
        launches=1 if connection.execute(begun).first() is not None else 0,
    )


def sight_json(known: Signs, not_watched: Mapping[str, int]) -> dict[str, Any]:
    """Per detector whether it can see; in words what is seen, and a line on each thing that is not. `not_watched`: targets that are no ECS."""
    seen = evidence(known)
    by_detector = detectors(seen)
    count = known.schedules
    others = sum(not_watched.values())
    sees, _ = in_words(
        by_detector, f"{count} of {count + others} schedules" if others else "1 schedule" if count == 1 else f"{count} schedules"
    )
    blind = [_blind(kind.replace("_", " "), one.why, one.todo) for kind, one in seen.items() if one.state == "blind"]
    told = {one.right for one in known.problems if not one.subject}
    for one in known.problems:
        if one.subject and one.right not in told:
            blind.append(_blind(f"{evidence_of(one.right).replace('_', ' ')} of {one.subject}", one.words, HINT if one.lacks_right else ""))
    return {
        "detectors": [
            {"detector": name, "state": one.state, "needs": list(NEEDS[name]), "why": one.why, "todo": one.todo}
            for name, one in by_detector.items()
        ],
        "sees": sees,
        "blind": blind,
    }


def _blind(what: str, why: str, todo: str) -> str:
    return f"{what}: {why}" + (f" → {todo}" if todo else "")


def _channel(one: ChannelCounts) -> dict[str, Any]:
    given = msgspec.structs.asdict(one)
    return given | {name: iso(given[name]) if given[name] is not None else None for name in _MOMENTS}

"""The watch's measures, read from watch.db: channels, retries, open incidents, what observing only kept from happening. `hinoban status` and
the metrics are made of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from hinoban.base.clock import DAYS, MINUTES
from hinoban.base.units import iso
from hinoban.watch.evidence import NEEDS, Signs, blind_lines, detectors, everywhere, evidence, evidence_of, in_words, line, todo_of
from hinoban.watch.history import queries
from hinoban.watch.history.aside import asides, count_asides
from hinoban.watch.history.book import known_schedules
from hinoban.watch.history.channel_counts import ChannelCounts, channel_counts
from hinoban.watch.history.schema import launches, outbox, retries, tasks
from hinoban.watch.places import Place
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


def signs(
    connection: Connection,
    problems: Sequence[Problem],
    behind: Mapping[Place, str | None],
    arrived: frozenset[str],
    now: float,
) -> dict[Place, Signs]:
    """What evidence.py judges by, of each place; `behind` holds them all, with why a source of it is behind."""
    common = _signs(connection, arrived, now)
    return {
        place: msgspec.structs.replace(
            common, behind=why, problems=[one for one in problems if place.holds(one.account or place.account or "", one.region)]
        )
        for place, why in behind.items()
    }


def _signs(connection: Connection, arrived: frozenset[str], now: float) -> Signs:
    since, old = now - 1 * DAYS, now - RECORDS_TAKE
    alone = (tasks.c.group.is_(None)) | (~tasks.c.group.like("service:%"))
    # The latest only: a count over years of rows would cost what it tells.
    newest = select(tasks.c.created_at, alone.label("alone")).order_by(tasks.c.key.desc()).limit(500)
    fresh = [row for row in connection.execute(newest) if row.created_at is not None and since < row.created_at <= old and row.alone]
    begun = select(launches.c.id).where(launches.c.at > since).limit(1)
    known = known_schedules(connection)
    return Signs(
        arrived=arrived | (frozenset({"task_events"}) if fresh else frozenset()),
        schedules=len(known),
        tasks=len(fresh),
        launches=1 if connection.execute(begun).first() is not None else 0,
    )


def sight_json(known: Mapping[Place, Signs], not_watched: Mapping[str, int]) -> dict[str, Any]:
    """Per detector whether it can see; in words what is seen, and a line on each thing that is not. `not_watched`: targets that are no ECS."""
    seen = {place: evidence(one) for place, one in known.items()}
    by_detector = everywhere({place: detectors(one) for place, one in seen.items()})
    count = max(one.schedules for one in known.values())
    others = sum(not_watched.values())
    sees, _ = in_words(
        {name: one.seen for name, one in by_detector.items()},
        f"{count} of {count + others} schedules" if others else "1 schedule" if count == 1 else f"{count} schedules",
    )
    problems = list({id(one): one for some in known.values() for one in some.problems}.values())
    told = {(one.account, one.region, one.right) for one in problems if not one.subject}
    several = len({place.account for place in known}) > 1
    blind = blind_lines(seen)
    for one in problems:
        if one.subject and (one.account, one.region, one.right) not in told:
            whose = f" in {one.account}" if several and one.account else ""
            blind.append(line(f"{evidence_of(one.right)} of {one.subject}{whose}", one.words, todo_of(one)))
    return {
        "detectors": [
            {
                "detector": name,
                "state": one.seen.state,
                "needs": list(NEEDS[name]),
                "why": one.seen.why,
                "todo": one.seen.todo,
                "blind_in": [
                    {"account": place.account, "region": place.region, "why": seen.why, "todo": seen.todo}
                    for place, seen in one.blind.items()
                ],
            }
            for name, one in by_detector.items()
        ],
        "sees": sees,
        "blind": blind,
    }


def _channel(one: ChannelCounts) -> dict[str, Any]:
    given = msgspec.structs.asdict(one)
    return given | {name: iso(given[name]) if given[name] is not None else None for name in _MOMENTS}

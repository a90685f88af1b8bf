"""What the daily report is about, read from watch.db: runs that were due, what went wrong beside them, what nobody was told of."""

from collections.abc import Callable, Iterable, Sequence

from sqlalchemy import Connection, select

from hinoban.base.clock import DAYS
from hinoban.watch.history import queries
from hinoban.watch.history.book import Known, known_schedules, slots_between
from hinoban.watch.history.daily import Daily, Matter, Muted, Runs, StillOpen, Unwell
from hinoban.watch.history.ledger import Message, mute_place, told_of
from hinoban.watch.history.schema import notes, outbox, retries
from hinoban.watch.kinds import about_no_run
from hinoban.watch.model import Incident
from hinoban.watch.schedules.slot import LOST, Slot

LONG = 7 * DAYS
_OPEN_MOST, _FAMILIES_MOST = 5, 5
_CHUNK = 500

LevelOf = Callable[[Incident], str]


def facts(
    connection: Connection,
    day: str,
    at: float,
    since: float,
    level_of: LevelOf,
    *,
    unwell: Sequence[Unwell],
    first: float,
) -> Daily:
    """The report of (since, at]. `first` is when this history was begun: what is older than that nobody can know."""
    still = sorted(queries.incidents_not_resolved(connection), key=lambda one: one.opened_at)
    opened = queries.incidents_opened(connection, since, at)
    return Daily(
        id=f"daily-{day}",
        day=day,
        at=at,
        since=since,
        until=at,
        runs=runs(connection, slots_between(connection, since, at)),
        others_failed=sum(1 for one in opened if not about_no_run(one.finding) and one.finding.facts.get("due_at") is None),
        disabled=_disabled(connection, still, at, first),
        digest=_digest(one for one in opened if level_of(one) == "digest"),
        muted=_muted(connection, since, at),
        open=tuple(
            StillOpen(one.id, one.finding.family, one.verdict, one.opened_at)
            for one in still[:_OPEN_MOST]
        ),
        open_count=len(still),
        unwell=tuple(unwell),
    )  # fmt: skip


def runs(connection: Connection, slots: Sequence[Slot]) -> Runs:
    """What became of these runs. One that was lost and brought back later happened: by our retries, or by somebody's hand or program."""
    found = queries.incidents_by_id(connection, {one.incident_id for one in slots if one.incident_id})
    by_hand = _by_hand(connection, found)
    at_once, retried, pending = 0, 0, 0
    hands: list[str] = []
    failed: list[str] = []
    lost: list[str] = []
    for slot in slots:
        incident = found.get(slot.incident_id or "")
        brought_back = incident is not None and incident.state == "resolved" and incident.verdict in ("RECOVERED", "RAN")
        if incident is not None and (slot.state == "recovered" or (slot.state in LOST and brought_back)):
            if incident.verdict == "RAN":
                at_once += 1  # its launch was seen late
            elif incident.id in by_hand or incident.verdict != "RECOVERED":
                hands.append(incident.id)
            else:
                retried += 1
        elif slot.state == "waiting":
            pending += 1
        elif slot.state in ("refused", "missed", "unknown"):
            lost.append(slot.name)
        else:
            at_once += 1
            if slot.state == "failed":  # what a person stopped is no failure
                failed.append(slot.name)
    return Runs(
        due=len(slots),
        at_once=at_once,
        by_retry=retried,
        by_hand=len(hands),
        by_hand_incidents=tuple(dict.fromkeys(hands)),
        failed=tuple(failed),
        lost=tuple(lost),
        pending=pending,
    )


def _by_hand(connection: Connection, found: dict[str, Incident]) -> set[str]:
    """Those whose last attempt somebody asked for."""
    ids, hands = list(found), set[str]()
    for start in range(0, len(ids), _CHUNK):
        rows = select(retries.c.incident_id, retries.c.value).where(retries.c.incident_id.in_(ids[start : start + _CHUNK]))
        for incident_id, value in connection.execute(rows.order_by(retries.c.incident_id, retries.c.number)):
            asked = queries.retry(value).by_hand
            (hands.add if asked else hands.discard)(incident_id)
    return hands


def _disabled(connection: Connection, still: Sequence[Incident], at: float, first: float) -> tuple[str, ...]:
    """The names of what has been disabled for more than a week, as far as that is known."""
    changes = [one for one in still if one.finding.detector == "schedule_changed" and one.verdict == "DISABLED"]
    names = {str(one.finding.facts.get("schedule")) for one in changes if one.finding.at < at - LONG}
    young = {one.finding.facts.get("schedule") for one in changes} - names
    if first < at - LONG:
        # Of what was disabled before we came, no change was seen; one in the last week would have been.
        touched = set(connection.execute(select(notes.c.subject).where(notes.c.at >= at - LONG).distinct()).scalars())
        off = [one for one in known_schedules(connection) if one.schedule.state == "DISABLED"]
        names |= {one.schedule.name for one in off if one.schedule.name not in young and _subject(one) not in touched}
    return tuple(sorted(names))


def _subject(known: Known) -> str:
    one = known.schedule
    return f"rule/{one.name}" if one.kind == "rule" else f"schedule/{one.group or 'default'}/{one.name}"


def _digest(matters: Iterable[Incident]) -> tuple[Matter, ...]:
    kinds: dict[str, list[str]] = {}
    for one in matters:
        kinds.setdefault(one.finding.detector, []).append(one.finding.family)
    return tuple(Matter(kind, len(all_), tuple(dict.fromkeys(all_))[:_FAMILIES_MOST]) for kind, all_ in sorted(kinds.items()))


def _muted(connection: Connection, since: float, until: float) -> tuple[Muted, ...]:
    hidden = select(outbox.c.channel, outbox.c.value).where(
        outbox.c.state.in_(("muted", "reported")), outbox.c.created_at > since, outbox.c.created_at <= until
    )
    found: dict[str, list[str]] = {}
    for place, value in connection.execute(hidden):
        told = told_of(value)
        if isinstance(told, Message):
            found.setdefault(place.removeprefix(mute_place("")), []).append(told.incident.id)
    return tuple(Muted(name, len(ids), len(set(ids))) for name, ids in sorted(found.items()))

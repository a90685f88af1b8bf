"""Which tasks run that nobody may want any more: past their limit or lease, or for three times as long as they usually do. Reads watch.db only."""

from statistics import median
from typing import Any

from sqlalchemy import Connection, RowMapping

from hinoban.base.clock import MINUTES
from hinoban.base.units import iso
from hinoban.watch.history import queries, task_tags
from hinoban.watch.model import Incident, TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.notify.background import caller_words, cost_words, usual_words
from hinoban.watch.task_tags import NO_TAGS, Wishes, wishes

TIMES_USUAL = 3
LEAST = 5 * MINUTES
"""What runs for a shorter time is no orphan by its length, whatever is usual."""
_ENOUGH_RUNS = 3
_ALL = 10_000


def orphans(connection: Connection, now: float) -> dict[str, Any]:
    """`{"orphans": [...], "as_of"}`, the one that runs longest first. What a tag `hinoban:keep` holds is none."""
    tags = task_tags.read_all(connection)
    told = {one.finding.task_arn: one for one in queries.overdue_incidents(connection, _ALL)}
    lengths: dict[tuple[str, str, str, str], list[float]] = {}
    found = []
    for row in queries.standalone_open(connection):
        began = row["started_at"] or row["created_at"]
        wish = wishes(tags.get(row["arn"], NO_TAGS).tags, began or now)
        if began is None or (wish.keep_until is not None and now < wish.keep_until):
            continue
        place = (row["family"], row["cluster"], row["region"], row["account"])
        if place not in lengths:
            lengths[place] = queries.good_lengths(connection, row)
        incident = told.get(row["arn"])
        reasons = _reasons(incident, wish, lengths[place], began, now)
        if reasons:
            found.append(_row(connection, row, incident, wish, lengths[place], reasons, began, now))
    found.sort(key=lambda one: -one["ran_seconds"])
    return {"orphans": found, "as_of": iso(now)}


def _reasons(incident: Incident | None, wish: Wishes, lengths: list[float], began: float, now: float) -> list[str]:
    """`limit`, `lease`, `usual`: why it is one; empty where it is none."""
    facts = incident.finding.facts if incident is not None else {}
    by_tag = wish.max_runtime is not None and now >= began + wish.max_runtime
    past = by_tag or (incident is not None and (not facts.get("orphan") or began + (facts.get("limit_seconds") or now) <= now))
    leased = wish.lease_until is not None and now >= wish.lease_until
    usual = len(lengths) >= _ENOUGH_RUNS and now - began >= max(LEAST, TIMES_USUAL * median(lengths))
    return [word for word, holds in (("limit", past), ("lease", leased), ("usual", usual)) if holds]


def _row(
    connection: Connection,
    row: RowMapping,
    incident: Incident | None,
    wish: Wishes,
    lengths: list[float],
    reasons: list[str],
    began: float,
    now: float,
) -> dict[str, Any]:
    launch = queries.launch_of_task(connection, row["family"], row["arn"], row["created_at"])
    caller = (launch.caller_arn or launch.invoked_by) if launch is not None else None
    full = queries.task_by_arn(connection, row["arn"])
    seen = [one for raw in queries.timeline(connection, full) if isinstance(one := observation(raw), TaskChange)] if full else []
    session = caller.rpartition("/")[2] if caller and ":assumed-role/" in caller else ""
    facts = incident.finding.facts if incident is not None else {}
    return {
        "task": row["arn"],
        "family": row["family"],
        "revision": row["revision"],
        "cluster": row["cluster"],
        "region": row["region"],
        "account": row["account"],
        "last_status": row["last_status"],
        "started_at": iso(began),
        "ran_seconds": round(now - began, 3),
        "reasons": reasons,
        "limit_seconds": wish.max_runtime or facts.get("limit_seconds"),
        "lease_until": iso(wish.lease_until) if wish.lease_until is not None else None,
        "owner": wish.owner,
        "started_by": row["started_by"],
        "caller": caller,
        "by": caller_words(caller),
        "usual": usual_words(lengths),
        "usual_seconds": round(median(lengths), 3) if lengths else None,
        "cost": cost_words(seen[-1].detail, row["region"], now) if seen else None,
        "incident": incident.id if incident is not None else None,
        "state": incident.state if incident is not None else None,
        "stop": f'hinoban stop {row["id"][:8]} --reason "{f"orphan of {session}" if session else "orphan"}"',
    }

"""Gathers from watch.db what the history adds to an incident (notify/background.py says what that is)."""

import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, RowMapping

from hinoban.base.units import local_day_time
from hinoban.watch.definitions import Changed
from hinoban.watch.history import queries
from hinoban.watch.history.book import slots_backwards
from hinoban.watch.kinds import NOT_STARTED
from hinoban.watch.model import Incident, Launch
from hinoban.watch.notify.background import Background, Run, beside_words, cost_words, last_line_words, usual_words

_RUNS = 41
_ATTEMPTS = 50
_PARTS = 6
_NIGHTS = 30
_NAMED = re.compile(r"(?:^| )(?:environment|secrets) (\S+)$")


def background_of(
    connection: Connection,
    incident: Incident | None,
    row: RowMapping | None,
    detail: Mapping[str, Any] | None,
    launch: Launch | None,
    zone: ZoneInfo,
    *,
    live: bool = True,
) -> Background:
    """What is known besides the incident itself. `row` is its task's, or that of the task that was asked for; `detail` that task's last."""
    as_of = queries.as_of(connection)
    first = _first_launch(connection, incident, row, launch)
    arns = [one.task_arn for one in incident.attempts[-_ATTEMPTS:] if one.task_arn] if incident is not None else []
    rows = {arn: found for arn in arns if (found := queries.task_by_arn(connection, arn)) is not None}
    failed = row is not None and incident is not None and incident.finding.detector not in NOT_STARTED
    overdue = incident is not None and incident.finding.detector == "overdue" and incident.state != "resolved"
    kept = queries.definition_change(connection, incident.id) if incident is not None else None
    change = msgspec.json.decode(kept, type=Changed) if kept is not None else None
    return Background(
        caller=(first.caller_arn or first.invoked_by) if first is not None else None,
        stopper=queries.stopper_of(connection, row["arn"]) if row is not None and row["stop_code"] == "UserInitiated" else None,
        revision=row["revision"] if row is not None else None,
        runs={
            arn: Run(created_at=one["created_at"], started_at=one["started_at"], stopped_at=one["stopped_at"], exit_code=one["exit_code"])
            for arn, one in rows.items()
        },
        as_of=as_of,
        live=live,
        usual=_usual(connection, row) if row is not None and failed else None,
        changed=_changed(connection, change, row, zone) if row is not None and incident is not None else None,
        good_revision=change.before if change is not None and change.before != change.after else None,
        changed_names=_names(change.parts or ()) if change is not None else (),
        retried=_retried(connection, incident) if incident is not None and incident.verdict == "RECOVERED" else None,
        cost=cost_words(detail, row["region"], as_of) if row is not None and detail is not None else None,
        last_line=_last_line(connection, incident, as_of, zone) if overdue and incident is not None else None,
        beside=_beside(connection, row, zone) if overdue and row is not None else None,
    )


def _first_launch(connection: Connection, incident: Incident | None, row: RowMapping | None, launch: Launch | None) -> Launch | None:
    """The RunTask call that asked for it: of a retried task, the call that is retried."""
    if launch is not None:
        return launch
    first = next((one.task_arn for one in incident.attempts if one.number == 1), None) if incident is not None else None
    task = queries.task_by_arn(connection, first) if first else row if incident is None else None
    if task is None:
        return None
    return queries.launch_of_task(connection, task["family"], task["arn"], task["created_at"])


def _usual(connection: Connection, row: RowMapping) -> str | None:
    return usual_words(queries.good_lengths(connection, row))


def _last_line(connection: Connection, incident: Incident, as_of: float | None, zone: ZoneInfo) -> str | None:
    kept = queries.last_line(connection, incident.id)
    return last_line_words(kept.text, kept.at, kept.read_at, as_of, zone) if kept is not None else None


def _beside(connection: Connection, row: RowMapping, zone: ZoneInfo) -> str | None:
    others = queries.beside(connection, row, _RUNS)
    return beside_words(
        row["family"],
        [Run(created_at=one["created_at"], started_at=one["started_at"], stopped_at=one["stopped_at"]) for one in others],
        zone,
    )


def _retried(connection: Connection, incident: Incident) -> tuple[int, int] | None:
    """Of the last runs of its schedule up to its own: how many were brought back by retries."""
    facts = incident.finding.facts
    if (name := facts.get("schedule")) is None or (due := facts.get("due_at")) is None:
        return None
    before = (one for one in slots_backwards(connection, name) if one.arn == facts.get("schedule_arn") and one.at <= due)
    last = list(islice(before, _NIGHTS))
    found = queries.incidents_by_id(connection, {one.incident_id for one in last if one.incident_id})
    return sum(one.verdict == "RECOVERED" for one in found.values()), len(last)


def _names(parts: Sequence[str]) -> tuple[str, ...]:
    """`DB_HOST` of `app environment DB_HOST`."""
    return tuple(dict.fromkeys(found[1] for part in parts if (found := _NAMED.search(part))))


def _changed(connection: Connection, change: Changed | None, row: RowMapping, zone: ZoneInfo) -> str | None:
    """`since the last good run: :8 → :9, environment DB_HOST (registered Thu 26 Nov 17:40 JST by terraform); same image digest`."""
    if change is not None:
        return changed_words(change, zone)
    good = queries.last_good_run(connection, row)
    if good is None or None in (good["revision"], row["revision"]) or good["revision"] == row["revision"]:
        return None
    return f"since the last good run ({local_day_time(good['created_at'], zone)}): :{good['revision']} → :{row['revision']}"


def changed_words(changed: Changed, zone: ZoneInfo) -> str:
    """What is different, in one line."""
    words = f"since the last good run ({local_day_time(changed.good_at, zone)}): "
    if changed.before == changed.after:
        return words + f"the image's digest; the definition :{changed.after} is the same"
    parts = changed.parts
    told = "" if parts is None else f", {', '.join(parts[:_PARTS])}" if parts else ", which say the same"
    if parts is not None and len(parts) > _PARTS:
        told += f" and {len(parts) - _PARTS} more"
    words += f":{changed.before} → :{changed.after}{told}"
    if changed.registered_at is not None:
        by = f" by {changed.registered_by.rpartition('/')[2]}" if changed.registered_by else ""
        words += f" (registered {local_day_time(changed.registered_at, zone)}{by})"
    digest = (
        {True: "; same image digest", False: "; another image digest"}.get(changed.same_digest, "")
        if changed.same_digest is not None
        else ""
    )
    return words + digest

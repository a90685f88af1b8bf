"""`hinoban policy try`: what was told, retried and stopped, and what would have been with other policies, incident by incident."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, select

from hinoban.base.units import iso, parse_iso
from hinoban.watch.config import WatchConfig
from hinoban.watch.history import queries
from hinoban.watch.history.schema import retries
from hinoban.watch.model import Incident, TaskChange, attempt_of, stopped_by_us
from hinoban.watch.notify.wording import day_time, definition_name
from hinoban.watch.remembered import Remembered, remembered
from hinoban.watch.replay import Replay

NOT_REPLAYED = frozenset(
    {
        "schedule_changed",
        "dead_schedule",
        "policy_mismatch",
        "mute_ended",
        "service_impaired",
        "deployment_failed",
        "rolled_back",
        "zero_running",
        "not_steady",
    }
)
"""Detectors of what is not kept event by event: readings of schedules and services, and the watch's own notices."""
_MADE = ("launched", "refused", "in doubt")
LIMITS = (
    "A retry that was never made has no outcome: its incident is shown as not told, and would be told if the retry failed.",
    "Events are replayed at the moment they happened, not at the one they were seen; messages and calls about services and changed schedules are not.",
    "What people did (acknowledge, snooze, reopen, resolve) is not replayed: what somebody had taken would escalate.",
    "Runs asked for by hand (retry, schedules run --slot, schedules catch-up) are counted on both sides and end as they did.",
    "What detectors remember (medians, loops) begins with the replayed time; what retention has forgotten is not there.",
)  # fmt: skip


async def policy_try(engine: Engine, config: WatchConfig, since: float, now: float) -> dict[str, Any]:
    """The comparison of (now - since, now], JSON-ready, with its `lines`. `engine` is only read; nothing is called."""
    begin = now - since
    with engine.connect() as connection:
        history = remembered(connection, begin, now)
        real = {one.id: one for one in queries.incidents_opened(connection, begin, now)}
        attempts = _made(connection, begin)
    replay = Replay(config, history, now)
    await replay.run()
    with replay.engine.connect() as connection:
        other = {one.id: one for one in queries.incidents_opened(connection, begin, now)}
        attempts_other = _made(connection, begin) | (attempts & history.by_hand)
    made, made_other = (Counter(incident_id for incident_id, _ in each) for each in (attempts, attempts_other))
    replay.engine.dispose()
    unknown = {named[0] for starter in replay.past.unknown if (named := attempt_of(starter)) is not None}
    left_out: dict[str, int] = {}
    for one in real.values():
        if one.finding.detector in NOT_REPLAYED:
            left_out[one.finding.detector] = left_out.get(one.finding.detector, 0) + 1
    kept = sorted({**other, **real}.values(), key=lambda one: (one.opened_at, one.id))
    rows = [
        _row(one, real.get(one.id), other.get(one.id), made, made_other, one.id in unknown)
        for one in kept
        if one.finding.detector not in NOT_REPLAYED
    ]
    found = {
        "since": iso(begin),
        "until": iso(now),
        "tz": config.tz,
        "replayed": {"tasks": history.tasks, "launches": history.launches, "slots": len(history.slots)},
        "then": _sums(rows, "then", len(_stopped(history, begin))),
        "with": _sums(rows, "with", len(replay.past.stops)) | {"unknown_outcomes": len(replay.past.unknown)},
        "would_stop": [{"task": one.task, "reason": one.reason} for one in replay.past.stops.values()],
        "incidents": rows,
        "not_replayed": left_out,
        "limits": list(LIMITS),
    }
    return found | {"lines": lines(found)}


def lines(found: dict[str, Any]) -> list[str]:
    """The comparison for people: sums, then each incident that would have been another."""
    then, other, replayed = found["then"], found["with"], found["replayed"]
    said = [
        f"From {_day_time(found, 'since')} to {_day_time(found, 'until')}: {replayed['tasks']} tasks, {replayed['launches']} launches, "
        f"{replayed['slots']} due runs replayed",
        f"{'':<14}{'THEN':>8}{'WITH IT':>10}",
    ]
    for name in ("incidents", "told", "retried", "stopped"):
        more = f"   ({other['unknown_outcomes']} never made: outcome unknown)" if name == "retried" and other["unknown_outcomes"] else ""
        said.append(f"{name:<14}{then[name]:>8}{other[name]:>10}{more}")
    changed = [row for row in found["incidents"] if row["differs"]]
    if changed:
        table = [("INCIDENT", "WHAT", "VERDICT", "THEN", "WITH IT"), *(_cells(row) for row in changed)]
        widths = [max(len(row[column]) for row in table) for column in range(5)]
        said += ["", *("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table)]
    else:
        said.append("No incident would have been told, retried or stopped otherwise.")
    if found["would_stop"]:
        said += ["", *(f"Would have stopped {one['task'].rpartition('/')[2][:8]}: {one['reason']}" for one in found["would_stop"])]
    if found["not_replayed"]:
        left = ", ".join(f"{name} {count}" for name, count in sorted(found["not_replayed"].items()))
        said += ["", f"Not replayed: {left}"]
    return [*said, "", "Nothing was changed, told or called.", *found["limits"]]


def _day_time(found: dict[str, Any], name: str) -> str:
    return day_time(parse_iso(found[name]), ZoneInfo(found["tz"]))


def _cells(row: dict[str, Any]) -> tuple[str, str, str, str, str]:
    verdict = (row["with"] or row["then"])["verdict"]
    return row["incident"], row["what"], verdict, _side(row["then"], False), _side(row["with"], row["outcome_unknown"])


def _side(one: dict[str, Any] | None, unknown: bool) -> str:
    if one is None:
        return "no incident"
    told = f"told {one['told']}" + (f" ({', '.join(one['channels'])})" if one["channels"] else "") if one["told"] else "not told"
    retried = f", retried {one['retried']}" if one["retried"] else ""
    return told + retried + (", outcome unknown" if unknown else "")


def _row(
    one: Incident, real: Incident | None, other: Incident | None, made: Mapping[str, int], made_other: Mapping[str, int], unknown: bool
) -> dict[str, Any]:
    then, with_it = _of(real, made), _of(other, made_other)
    return {
        "incident": one.id,
        "what": definition_name(one.finding.family, one.finding.revision),
        "detector": one.finding.detector,
        "opened_at": iso(one.opened_at),
        "then": then,
        "with": with_it,
        "outcome_unknown": unknown,
        "differs": _compared(then) != _compared(with_it),
    }


def _of(one: Incident | None, made: Mapping[str, int]) -> dict[str, Any] | None:
    if one is None:
        return None
    return {"verdict": one.verdict, "told": one.told, "channels": list(one.told_to), "retried": made.get(one.id, 0)}


def _compared(one: dict[str, Any] | None) -> tuple[bool, tuple[str, ...], int] | None:
    """What counts as another reaction: whether and whom it was told, how often it was retried; not the number of later changes."""
    return None if one is None else (one["told"] > 0, tuple(sorted(one["channels"])), one["retried"])


def _sums(rows: list[dict[str, Any]], side: str, stopped: int) -> dict[str, int]:
    there = [row[side] for row in rows if row[side] is not None]
    sums = {name: sum(one[name] for one in there) for name in ("told", "retried")}
    return {"incidents": len(there), **sums, "stopped": stopped}


def _made(connection: Connection, begin: float) -> set[tuple[str, int]]:
    """The attempts that were made: (incident, number)."""
    rows = select(retries.c.incident_id, retries.c.number).where(retries.c.state.in_(_MADE), retries.c.due_at >= begin)
    return {(incident_id, number) for incident_id, number in connection.execute(rows)}


def _stopped(history: Remembered, begin: float) -> set[str]:
    """The tasks that the watch really stopped."""
    return {
        change.task_arn for _, change in history.items if isinstance(change, TaskChange) and change.at >= begin and stopped_by_us(change)
    }

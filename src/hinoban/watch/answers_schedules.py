"""What the watch answers about scheduled runs: what was due, what became of it, what was lost, what comes next. Reads watch.db only."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from hinoban.base.clock import DAYS
from hinoban.base.errors import HinobanError
from hinoban.base.units import iso, iso_minutes, local, with_local_moments
from hinoban.watch.deadlines import name_of
from hinoban.watch.detect.judge import stopped_by
from hinoban.watch.history import queries
from hinoban.watch.history.book import Known, known_schedules, names_of, slots_backwards, slots_between
from hinoban.watch.model import Incident
from hinoban.watch.notify.background import caller_words
from hinoban.watch.notify.wording import few_words, short_cause
from hinoban.watch.schedules import expected
from hinoban.watch.schedules.slot import LOST, Slot, hops

_AHEAD = 400 * DAYS
_VERDICTS = {"refused": "REFUSED", "missed": "DID NOT RUN", "unknown": "UNKNOWN", "stopped": "STOPPED", "failed": "FAILED"}


def schedules(
    connection: Connection, now: float, since: float, following: int, *, name: str | None, region: str | None, tz: str
) -> dict[str, Any]:
    """The answer of `hinoban schedules`: slots of the last `since` seconds, and `following` coming ones of each schedule."""
    known = [one for one in known_schedules(connection) if region in (None, one.schedule.region)]
    if name is not None:
        known = _named(known, name)
    keys = {one.schedule.key for one in known}
    slots = [
        one for one in slots_between(connection, now - since, now) if one.key in keys or (name is None and region in (None, one.region))
    ]
    found = queries.incidents_by_id(connection, {one.incident_id for one in slots if one.incident_id})
    lost: list[Slot] = []
    runs: Counter[str] = Counter()
    for one in slots:
        incident = found.get(one.incident_id or "")
        if is_lost(one, incident):
            lost.append(one)
        else:
            runs[_outcome(one, incident)] += 1
    last = {one.key: one for one in slots}
    return {
        "account": known[0].schedule.account if known else None,
        "regions": sorted({one.schedule.region for one in known}),
        "tz": tz,
        "since": iso(now - since),
        "until": iso(now),
        "schedules": len(known),
        "due": len(slots),
        "lost": [_lost(connection, one, found.get(one.incident_id or ""), tz) for one in lost],
        "runs": dict(runs),
        "ambiguous": sum(1 for one in slots if one.ambiguous),
        "list": [_listed(one, last.get(one.schedule.key), found, now, following) for one in known],
        "changes": [_change(one) for one in queries.changes_of_schedules(connection, now - since) if _concerns(one, name, region)],
    }


def is_lost(slot: Slot, incident: Incident | None) -> bool:
    """Whether a run did not end well, and nothing has made up for it since."""
    if slot.state not in LOST:
        return False
    return incident is None or not (incident.state == "resolved" and incident.verdict in ("RECOVERED", "RAN"))


def slot_named(connection: Connection, name: str, time: str, tz: str) -> Slot:
    """The slot of `NAME@TIME`; TIME is a moment of ISO 8601, or HH:MM of the last day that had one. HinobanError where there is none."""
    zone = ZoneInfo(tz)
    try:
        moment = datetime.fromisoformat(time) if "T" in time or "-" in time else None
    except ValueError:
        moment = None
    if moment is not None:
        at = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()
        wanted = next(iter(slots_between(connection, at - 0.5, at + 0.5, name)), None)
    else:
        past = slots_backwards(connection, name)
        wanted = next((one for one in past if local(one.at, zone).strftime("%H:%M") == time), None)
    if wanted is None:
        raise HinobanError(
            f"No run of {name!r} at {time} is known",
            "the watch keeps the slots that it saw come due",
            "See them: hinoban schedules --since 7d",
        )
    return wanted


def turned_off(connection: Connection, name: str, time: str, tz: str) -> Incident | None:
    """The change, in force still, for which the run `NAME@TIME` is not even owed: its schedule was disabled or deleted before."""
    for change in queries.changes_of_schedules(connection, float("inf")):
        at = change.finding.facts.get("next_due_at")
        if at is None or change.verdict not in ("DISABLED", "DELETED") or not _concerns(change, name, None):
            continue
        there = local(at, ZoneInfo(tz))
        if time in (there.strftime("%H:%M"), iso(at), iso_minutes(at, tz)):
            return change
    return None


def _concerns(change: Incident, name: str | None, region: str | None) -> bool:
    finding = change.finding
    return region in (None, finding.region) and name in (None, finding.facts.get("schedule"), finding.facts.get("schedule_arn"))


def _change(change: Incident) -> dict[str, Any]:
    """A schedule that was disabled, deleted, retargeted: who did it, and when."""
    finding = change.finding
    what = " and ".join(finding.facts.get("change") or (change.verdict.lower(),))
    return {"name": finding.facts.get("schedule"), "what": what, "at": iso(finding.at), "by": caller_words(finding.facts.get("by"))}


def _named(known: Sequence[Known], name: str) -> list[Known]:
    found = [one for one in known if name in names_of(one)]
    if not found:
        names = sorted({one.schedule.name for one in known})
        near = ", ".join(one for one in names if name.lower() in one.lower()) or ", ".join(names[:10]) or "none"
        raise HinobanError(f"No schedule is called {name!r}", f"known are: {near}", "hinoban schedules")
    return found


def _outcome(slot: Slot, incident: Incident | None) -> str:
    """A run that is not lost, in the words of the summary."""
    if slot.state in LOST:
        return "recovered" if incident is not None and incident.verdict == "RECOVERED" else "ran late"
    return {"done": "exit 0"}.get(slot.state, slot.state)


def _lost(connection: Connection, slot: Slot, incident: Incident | None, tz: str) -> dict[str, Any]:
    verdict = _VERDICTS.get(slot.state, slot.state.upper())
    reason = with_local_moments(slot.reason, ZoneInfo(tz))
    what = reason or (_stopped(connection, slot) if slot.state == "stopped" else "no evidence of it")
    if incident is not None and slot.state != "stopped":
        finding = incident.finding
        if slot.state == "failed":
            verdict = finding.verdict
        code = short_cause(finding.explanation.code)
        what = reason or {
            "refused": f"{few_words(finding.explanation.code) or _said(finding.explanation.said)}; {_tried(incident)}",
            "failed": f"{'it ended' if code.startswith('exit ') else code} at {_time(finding.at, tz)}",
            "unknown": "no RunTask of it was seen",
        }.get(slot.state, code)
    return {
        "slot": iso(slot.at),
        "name": slot.name,
        "kind": slot.kind,
        "region": slot.region,
        "verdict": verdict,
        "what": what,
        "incident": slot.incident_id,
        "hops": hops(slot),
    }


def _stopped(connection: Connection, slot: Slot) -> str:
    """`stopped by s.tanaka`, as far as it is known."""
    found: list[str] = []
    for arn in (one for one, standing in slot.tasks.items() if standing == "stopped"):
        change = queries.newest_change(connection, name_of(arn))
        if change is not None and (words := stopped_by(change.detail, queries.stopper_of(connection, arn))) is not None:
            found.append(words)
    return ", ".join(dict.fromkeys(found)) or "its task was stopped"


def _said(said: Sequence[str]) -> str:
    """AWS's own words, without the place where they stood."""
    words = said[0].partition(": ")[2] or said[0] if said else "refused"
    return words.rstrip(".")


def _tried(incident: Incident) -> str:
    tries = len({one.number for one in incident.attempts if one.number > 1 and one.outcome != "waiting"})
    if any(one.outcome == "waiting" for one in incident.attempts):
        return "a retry waits"
    return f"{tries} {'retry' if tries == 1 else 'retries'}, none ran" if tries else "nobody retried"


def _time(moment: float, tz: str) -> str:
    return local(moment, ZoneInfo(tz)).strftime("%H:%M")


def _listed(known: Known, last: Slot | None, found: dict[str, Incident], now: float, following: int) -> dict[str, Any]:
    one = known.schedule
    phase = known.phase if known.phase is not None else expected.phase(one, ())
    coming = expected.expected(one, now, now + _AHEAD, phase=phase, limit=following) if following else []
    outcome = None
    if last is not None:
        outcome = (
            _VERDICTS.get(last.state, _outcome(last, None)) if last.state in LOST else _outcome(last, found.get(last.incident_id or ""))
        )
    return {
        "name": one.name,
        "kind": one.kind,
        "group": one.group,
        "region": one.region,
        "arn": one.arn,
        "target": one.target_id,
        "expression": one.expression,
        "timezone": one.timezone,
        "words": expected.in_words(one),
        "state": one.state,
        "families": [one.job],
        "window_minutes": round(one.window_seconds / 60) or None,
        "last": {"slot": iso(last.at), "outcome": outcome} if last is not None else None,
        "next": [iso(at) for at in coming],
        "problem": known.dead or one.problem,
    }

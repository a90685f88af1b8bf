"""What the watch answers about incidents as such: their documented fields, with whom each is told, and the post-mortem of one."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from hinoban.base.clock import DAYS
from hinoban.base.units import iso
from hinoban.watch import groups
from hinoban.watch.config import Lang
from hinoban.watch.explain.language import speaking
from hinoban.watch.history import queries
from hinoban.watch.incident_states import QUIET
from hinoban.watch.model import Finding, Incident, Launch
from hinoban.watch.notify.background import Background, Together
from hinoban.watch.notify.levels import level_of
from hinoban.watch.notify.masking import log_tail
from hinoban.watch.notify.message import incident_row
from hinoban.watch.notify.next_words import next_step
from hinoban.watch.notify.postmortem import Told, markdown
from hinoban.watch.notify.report import attempt_json
from hinoban.watch.notify.wording import state_of


def incidents_json(connection: Connection, found: Sequence[Incident]) -> list[dict[str, Any]]:
    """Each with its documented fields."""
    members = queries.member_ids(connection, [one.id for one in found if one.group is not None and one.group.size > 1])
    return [incident_json(one, members.get(one.id, ())) for one in found]


def incident_json(incident: Incident, members: Sequence[str]) -> dict[str, Any]:
    """An incident's documented fields, and its row for a table. `members` are the ids of those that it speaks for."""
    finding = incident.finding
    return {
        "id": incident.id,
        "state": incident.state,
        "verdict": incident.verdict,
        "detector": finding.detector,
        "family": finding.family,
        "revision": finding.revision,
        "cluster": finding.cluster,
        "region": finding.region,
        "account": finding.account,
        "task": finding.task_arn,
        "launch": finding.launch_id,
        "opened_at": iso(incident.opened_at),
        "changed_at": iso(incident.changed_at),
        "resolved_at": iso(incident.resolved_at) if incident.resolved_at is not None else None,
        "acknowledged_by": incident.acknowledged_by,
        "acknowledged_until": iso(incident.acknowledged_until) if incident.acknowledged_until is not None else None,
        "cause": finding.explanation.cause,
        "said": list(finding.explanation.said),
        "next": next_step(incident),
        "retryable": finding.explanation.retryable,
        "done": list(incident.done),
        "facts": finding.facts,
        "told": incident.told,
        "attempts": [attempt_json(one) for one in incident.attempts],
        "lead": incident.lead,
        "members": list(members),
        "members_open": incident.group.open if incident.group is not None and incident.lead is None else None,
        "row": list(incident_row(incident)),
    }


def launch_of(connection: Connection, finding: Finding) -> Launch | None:
    """The RunTask that a finding is about, or that launched its task, as far as it is known."""
    if finding.launch_id is not None:
        return next(iter(queries.launches_by_prefix(connection, finding.launch_id)), None)
    row = queries.task_by_arn(connection, finding.task_arn) if finding.task_arn else None
    return queries.launch_of_task(connection, row["family"], row["arn"], row["created_at"]) if row is not None else None


def lead_of(connection: Connection, incident: Incident) -> Incident:
    """The one that speaks for it: itself, where none else does."""
    return queries.incidents_by_id(connection, [incident.lead])[incident.lead] if incident.lead is not None else incident


def together_of(connection: Connection, incident: Incident) -> Together | None:
    """With whom an incident is told; None of one that is told alone."""
    lead = lead_of(connection, incident)
    if lead.group is None or lead.group.size == 1:
        return None
    if lead.id != incident.id:
        return Together(lead=lead.id, total=lead.group.size, scheduled=groups.is_scheduled(incident.finding))
    members = queries.members_of(connection, lead.id)
    shown = groups.shown(lead.group, (lead, *members), lead.id)
    return Together(lead=lead.id, total=lead.group.size, scheduled=shown.scheduled, shown=shown, members=tuple(members))


def postmortem(
    connection: Connection, lead: Incident, background: Background, log: Sequence[str], zone: ZoneInfo, lang: Lang
) -> dict[str, Any]:
    """The post-mortem of an incident and of those that it speaks for; `log` is its task's last lines, which are masked here."""
    members = queries.members_of(connection, lead.id) if lead.group is not None and lead.group.size > 1 else []
    since = min(one.opened_at for one in (lead, *members))
    until = max(one.resolved_at or one.changed_at for one in (lead, *members)) + 1 * DAYS
    messages = queries.messages_about(connection, lead.id, since, until)
    face = groups.face_of(lead, members, lambda one: level_of(one, "changed", {}), lead.changed_at) if members else lead
    with speaking(lang):
        told = [
            Told(at=at, channel=channel, state=state, change=state_of(one.incident) if one.incident.state in QUIET else one.change)
            for at, channel, state, one in messages
        ]
        text = markdown(face, [lead, *members], zone=zone, told=told, log=log_tail(log, "masked"), background=background)
    return {"id": lead.id, "lang": lang, "markdown": text}

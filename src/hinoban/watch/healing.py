"""Lets a run that ended well stand for what failed, whichever of the two is heard of first. When it does, `incidents.healed_by` says.

Runs inside the pipeline's transaction.
"""

from sqlalchemy import Connection

from hinoban.watch import incidents
from hinoban.watch.history import queries
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.model import Finding, Incident, TaskChange, attempt_of


def by_run(ledger: Ledger, connection: Connection, run: TaskChange, ours: Incident | None, now: float) -> None:
    """What a run makes up for as it ends well. `ours`: the incident that it is a retry of."""
    for incident in ledger.open_of_family(connection, run.family):
        _heal(ledger, connection, incident, run, ours, now)


def by_earlier_news(ledger: Ledger, connection: Connection, finding: Finding, now: float) -> None:
    """What was just found may have been made up for: events come in any order."""
    named = incidents.incident_id(finding.subject)
    for run in queries.good_runs_since(connection, finding.family, finding.at) if finding.family else ():
        attempt = attempt_of(run.detail.get("startedBy"))
        incident = ledger.open_incidents(connection).get(named)
        if incident is not None:
            _heal(ledger, connection, incident, run, ledger.incident(connection, attempt[0]) if attempt else None, now)


def _heal(ledger: Ledger, connection: Connection, incident: Incident, run: TaskChange, ours: Incident | None, now: float) -> None:
    starter = ours.finding.started_by if ours is not None else run.detail.get("startedBy")
    if (ours is None or incident.id != ours.id) and incidents.healed_by(incident, run, starter):
        ledger.put(connection, incidents.healed(incident, run, now), now)

"""Lets a run that ended well stand for what failed, whichever of the two is heard of first. When it does, `incidents.healed_by` says.

Runs inside the pipeline's transaction.
"""

import msgspec
from sqlalchemy import Connection

from hinoban.watch import incidents
from hinoban.watch.history import queries
from hinoban.watch.history.book import Book
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.model import Finding, Incident, TaskChange, attempt_of
from hinoban.watch.policies import SCHEDULES
from hinoban.watch.schedules.slot import LOST


class Healing:
    """Works on the pipeline's `ledger` and `book`."""

    def __init__(self, ledger: Ledger, book: Book) -> None:
        self._ledger = ledger
        self._book = book

    def by_run(self, connection: Connection, run: TaskChange, ours: Incident | None, now: float) -> None:
        """What a run makes up for as it ends well. `ours`: the incident that it is a retry of."""
        for incident in self._ledger.open_of_family(connection, run.family):
            self._heal(connection, incident, run, ours, now)

    def by_earlier_news(self, connection: Connection, finding: Finding, now: float) -> None:
        """What was just found may have been made up for: events come in any order."""
        named = incidents.incident_id(finding.subject)
        for run in queries.good_runs_since(connection, finding) if finding.family else ():
            attempt = attempt_of(run.detail.get("startedBy"))
            incident = self._ledger.open_incidents(connection).get(named)
            if incident is not None:
                self._heal(connection, incident, run, self._ledger.incident(connection, attempt[0]) if attempt else None, now)

    def stood_down(self, connection: Connection, incident: Incident, why: str, run: TaskChange | None, now: float) -> None:
        """See incidents.stood_down."""
        step = incidents.stood_down(incident, why, run, now)
        self._ledger.put(connection, step, now)
        if run is not None:
            self._happened(connection, step.incident, run.detail.get("startedBy"))

    def _heal(self, connection: Connection, incident: Incident, run: TaskChange, ours: Incident | None, now: float) -> None:
        starter = ours.finding.started_by if ours is not None else run.detail.get("startedBy")
        if (ours is None or incident.id != ours.id) and incidents.healed_by(incident, run, starter):
            step = incidents.healed(incident, run, now)
            self._ledger.put(connection, step, now)
            self._happened(connection, step.incident, starter)

    def _happened(self, connection: Connection, incident: Incident, starter: str | None) -> None:
        """A scheduled run that somebody launched in its stead is lost no more. The next run of a schedule stands for itself alone."""
        if incident.state != "resolved" or "due_at" not in incident.finding.facts or (starter or "").startswith(SCHEDULES):
            return
        lost = [slot for slot in self._book.of_incident(connection, incident.id) if slot.state in LOST]
        self._book.put_slots(connection, [msgspec.structs.replace(slot, state="recovered") for slot in lost])

"""The rows of incidents. Open ones are also kept in memory; everything runs inside the caller's transaction."""

from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update

from hinoban.watch.history.schema import incidents
from hinoban.watch.model import Incident

LOG_TRIES = 5
_incident = msgspec.json.Decoder(Incident).decode
_encode = msgspec.json.Encoder().encode


class IncidentRows:
    """Reads and writes incidents; after a failed transaction call `forget`."""

    def __init__(self) -> None:
        self._open: dict[str, Incident] | None = None
        self._by_family: dict[str, set[str]] = {}
        self._absent: set[str] = set()
        self._later: set[str] = set()

    def forget(self) -> None:
        """Drop what memory holds."""
        self._open = None
        self._by_family = {}
        self._absent = set()
        self._later = set()

    def of_family(self, connection: Connection, family: str) -> list[Incident]:
        """The family's incidents that are not resolved."""
        known = self.open(connection)
        return [known[one] for one in sorted(self._by_family.get(family, ()))]

    def open(self, connection: Connection) -> dict[str, Incident]:
        """Those not resolved, by id."""
        if self._open is None:
            rows = connection.execute(select(incidents.c.value).where(incidents.c.state != "resolved")).scalars()
            self._open = {incident.id: incident for incident in map(_incident, rows)}
            for incident in self._open.values():
                self._by_family.setdefault(incident.finding.family, set()).add(incident.id)
        return self._open

    def get(self, connection: Connection, incident_id: str) -> Incident | None:
        """The incident of this id, in whatever state."""
        if (found := self.open(connection).get(incident_id)) is not None:
            return found
        if incident_id in self._absent:
            return None
        value = connection.execute(select(incidents.c.value).where(incidents.c.id == incident_id)).scalar()
        if value is None:
            # Another watch's retries name incidents that we never have: asked for once, not at each of their events.
            if len(self._absent) > 10_000:
                self._absent.clear()
            self._absent.add(incident_id)
            return None
        return _incident(value)

    def members(self, connection: Connection, lead_id: str) -> list[Incident]:
        """Those that this one speaks for, the oldest first."""
        found = select(incidents.c.value).where(incidents.c.lead == lead_id).order_by(incidents.c.opened_at, incidents.c.id)
        return [_incident(value) for value in connection.execute(found).scalars()]

    def account(self, connection: Connection, before: Incident, lead: Incident) -> None:
        """A lead with its group's new account: of an open one written once, by `flush`, however many joined it in this transaction."""
        known = self.open(connection)
        if lead.id not in known:
            self.write(connection, before, lead)
            return
        known[lead.id] = lead
        self._later.add(lead.id)

    def flush(self, connection: Connection) -> None:
        """Write what was put off."""
        for incident_id in sorted(self._later):
            if (lead := self.open(connection).get(incident_id)) is not None:
                self.write(connection, lead, lead)
        self._later = set()

    def write(self, connection: Connection, before: Incident | None, incident: Incident) -> None:
        """Put it in place of `before`."""
        self._later.discard(incident.id)
        row: dict[str, Any] = {
            "subject": incident.subject,
            "state": incident.state,
            "verdict": incident.verdict,
            "family": incident.finding.family,
            "opened_at": incident.opened_at,
            "changed_at": incident.changed_at,
            "lead": incident.lead,
            "value": _encode(incident),
        }
        if before is None or before.finding.detector != incident.finding.detector or before.finding.task_arn != incident.finding.task_arn:
            if before is not None and before.finding.detector == "overdue":
                row["log"] = None  # the last line of a task that ran is no tail of one that failed
            row["log_wanted"] = LOG_TRIES if incident.finding.detector in ("failed_exit", "out_of_memory") else 0
        if before is None:
            connection.execute(insert(incidents).values(id=incident.id, **row))
            self._absent.discard(incident.id)
        else:
            connection.execute(update(incidents).where(incidents.c.id == incident.id).values(**row))
        known = self.open(connection)
        if incident.state == "resolved":
            known.pop(incident.id, None)
            self._by_family.get(incident.finding.family, set()).discard(incident.id)
        else:
            known[incident.id] = incident
            self._by_family.setdefault(incident.finding.family, set()).add(incident.id)

"""What people do with an incident: acknowledge it, snooze it, reopen it, close it. What is done to a lead is done to its whole group."""

from collections.abc import Callable

from sqlalchemy import Connection

from hinoban.base.clock import Clock
from hinoban.base.errors import HinobanError
from hinoban.base.units import iso
from hinoban.watch import incidents
from hinoban.watch.answers import one_incident
from hinoban.watch.explain.language import either
from hinoban.watch.incident_states import QUIET
from hinoban.watch.incidents import Step
from hinoban.watch.model import Incident
from hinoban.watch.pipeline import Pipeline


class Acts:
    """Each names an incident by its whole or shortened id and answers its whole one; HinobanError where it is unknown or in no such state."""

    def __init__(self, pipeline: Pipeline, clock: Clock) -> None:
        self._pipeline = pipeline
        self._clock = clock

    def ack(self, id_prefix: str, until: float | None, by: str) -> str:
        """Acknowledge it until a moment (None: for good)."""
        now = self._clock.now()
        return self._quiet(id_prefix, by, until, now, lambda one: incidents.acknowledged(one, by, until, now), "acknowledge")

    def snooze(self, id_prefix: str, until: float, by: str) -> str:
        """Tell nobody of it before a moment; then it is told again, unless it is over."""
        now = self._clock.now()
        return self._quiet(id_prefix, by, until, now, lambda one: incidents.snoozed(one, by, until, now), "snooze")

    def reopen(self, id_prefix: str, by: str) -> str:
        """Tell of it again: it is not over, or whoever had it has it no more."""
        now, ledger = self._clock.now(), self._pipeline.ledger
        with self._pipeline.transaction() as connection:
            asked = one_incident(connection, id_prefix)
            everyone = self._group(connection, asked)
            again = [one for one in everyone if one.state in QUIET]
            if not again and all(one.state == "resolved" for one in everyone):
                # What one act ended, one act begins again.
                again = [one for one in everyone if one.resolved_at == asked.resolved_at]
            if not again:
                raise HinobanError(
                    f"{asked.id} is open already", "it is neither resolved nor kept quiet", f"See how it stands: hinoban why {asked.id}"
                )
            for one in again:
                ledger.put(connection, incidents.reopened_by(one, by, now), now)
        return asked.id

    def resolve(self, id_prefix: str, by: str, note: str = "") -> str:
        """Close it by hand; its retries end with it."""
        now = self._clock.now()
        with self._pipeline.transaction() as connection:
            words = either(f"Resolved by {by}", f"{by} が解決済みにした") + (f": {note}" if note else either(".", "。"))
            asked = one_incident(connection, id_prefix)
            for one in self._unresolved(connection, asked, now, "resolved already", "do"):
                self._pipeline.ledger.put(connection, incidents.resolved(one, one.verdict, words, now), now)
        return asked.id

    def _quiet(self, id_prefix: str, by: str, until: float | None, now: float, quieted: Callable[[Incident], Incident], todo: str) -> str:
        ledger = self._pipeline.ledger
        with self._pipeline.transaction() as connection:
            asked = one_incident(connection, id_prefix)
            whole = asked.group is not None and asked.group.size > 1
            for one in self._unresolved(connection, asked, now, "resolved", todo):
                # Who was told that it began is told that somebody has it; of what is held back nobody knows yet.
                ledger.put(connection, Step(quieted(one), "changed" if one.told and not whole and one.lead is None else None), now)
            if whole:
                lead = ledger.incident(connection, asked.id) or asked
                ledger.hold(connection, lead, by, until, now, snoozed=todo == "snooze")
        return asked.id

    def _unresolved(self, connection: Connection, asked: Incident, now: float, state: str, todo: str) -> list[Incident]:
        found = [one for one in self._group(connection, asked) if one.state != "resolved"]
        if not found:
            raise HinobanError(f"{asked.id} is {state}", f"it ended {iso(asked.resolved_at or now)}", f"Nothing is left to {todo}")
        return found

    def _group(self, connection: Connection, asked: Incident) -> list[Incident]:
        """It, and those that it speaks for."""
        return [asked, *(self._pipeline.ledger.members(connection, asked.id) if asked.group is not None else [])]

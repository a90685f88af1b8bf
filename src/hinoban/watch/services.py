"""Findings that come and end by a detector's word: of services, and of the detectors with a memory.

Runs inside the pipeline's transaction. What the matter is, the detectors say.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection

from hinoban.base.clock import DAYS
from hinoban.watch import incidents
from hinoban.watch.config import OnCrashLoop
from hinoban.watch.detect import crash_loop
from hinoban.watch.detect.order import service_finding
from hinoban.watch.detect.services import Over, Told, over, service_arn_of
from hinoban.watch.history import queries
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.memories import Memories
from hinoban.watch.model import Finding, Launch, Reaction, TaskChange, family_of, revision_of
from hinoban.watch.schedules.slot import Slot
from hinoban.watch.service_model import ServiceAction, ServiceNews
from hinoban.watch.task_tags import with_tags

_NOTICED = ("too_short",)
"""Something to know and nothing to do: over as it is told."""

_REMEMBERED = 400 * DAYS


class Opens(Protocol):
    """How the pipeline opens an incident."""

    def __call__(self, connection: Connection, finding: Finding, launch: Launch | None, now: float, slot: Slot | None = None) -> None: ...


class Services:
    """Opens, and ends, what is said of services as a whole; feeds the memories."""

    def __init__(
        self,
        ledger: Ledger,
        open_incident: Opens,
        on_crash_loop: Callable[[TaskChange, Mapping[str, str]], OnCrashLoop],
        newest: Callable[[Connection, str], TaskChange | None],
        tags: Callable[[TaskChange], Mapping[str, str]],
    ) -> None:
        self._ledger = ledger
        self._open = open_incident
        self._on_crash_loop = on_crash_loop
        self._newest = newest
        self._tags = tags
        self.memories = Memories(lambda change: on_crash_loop(change, tags(change)).after)

    def news(self, connection: Connection, news: ServiceNews, now: float) -> None:
        """What an event of a service, or a reading of it, begins and ends."""
        if (finding := service_finding(news)) is not None:
            self._found(connection, finding, now)
            if isinstance(news, ServiceAction):
                self._steady_since(connection, finding, news, now)
        if not isinstance(news, ServiceAction) or news.level == "INFO":
            for incident in self._ledger.open_of_family(connection, news.service):
                if (end := over(incident.finding, news)) is not None:
                    self._ends(connection, end, now)
        self.feed(connection, news, now)

    def _steady_since(self, connection: Connection, finding: Finding, news: ServiceAction, now: float) -> None:
        """End what a steady state has ended already: its event may come before what it ends."""
        steady_at = self.memories.state(connection, "not_steady", news.service_arn).steady_at
        steady = msgspec.structs.replace(news, name="SERVICE_STEADY_STATE", level="INFO", at=steady_at)
        if (end := over(finding, steady)) is not None:
            self._ends(connection, end, now)

    def told_as_loop(self, connection: Connection, change: TaskChange) -> bool:
        """Whether this end is one of a crash loop that is told: one cause, one incident."""
        if crash_loop.key_of(change) is None:
            return False
        return incidents.incident_id(f"crash-loop:{service_arn_of(change)}") in self._ledger.open_incidents(connection)

    def feed(self, connection: Connection, observation: Any, now: float) -> None:
        """Hand it to the memories, and do what follows."""
        told = self.memories.feed(connection, observation)
        if told and isinstance(observation, TaskChange):
            tags = self._tags(observation)
            told = [one if isinstance(one, Over) else with_tags(one, tags) for one in told]
        self._follow(connection, told, now)

    def step(self, connection: Connection, now: float) -> float | None:
        """What time alone tells; the next such moment."""
        self._follow(connection, self.memories.step(connection, now), now)
        return self.memories.next()

    def _follow(self, connection: Connection, several: list[Told], now: float) -> None:
        for told in several:
            if isinstance(told, Over):
                self._ends(connection, told, now)
            else:
                self._found(connection, told, now)

    def _found(self, connection: Connection, finding: Finding, now: float) -> None:
        """One subject, one incident: opened, opened again after its end, changed where something else is said of it."""
        known = self._ledger.incident(connection, incidents.incident_id(finding.subject))
        if known is None and finding.detector in _NOTICED:
            self._ledger.put(connection, incidents.noticed(incidents.opened(finding, now, held_until=None), now), now)
        elif known is None:
            self._open(connection, finding, None, now)
            self._react(connection, finding, now)
        elif known.state == "resolved":
            # The same event may come again; only what is later than the end begins it anew.
            if finding.detector not in _NOTICED and finding.at > known.finding.facts.get("over_at", known.resolved_at or 0.0):
                self._ledger.put(connection, incidents.again(known, finding, now), now)
                self._react(connection, finding, now)
        elif finding.at >= known.finding.at:
            changed = incidents.evidence(known, finding, now)
            kept = msgspec.structs.replace(finding, subject=known.subject)
            self._ledger.put(connection, changed or incidents.Step(msgspec.structs.replace(known, finding=kept, changed_at=now)), now)

    def _react(self, connection: Connection, finding: Finding, now: float) -> None:
        """Write down what a policy does about a crash loop that begins; retry/service_fixer does it."""
        change = self._newest(connection, finding.task_arn) if finding.detector == "crash_loop" and finding.task_arn else None
        incident = self._ledger.incident(connection, incidents.incident_id(finding.subject))
        action = self._on_crash_loop(change, finding.facts.get("tags") or {}).action if change is not None else "tell"
        if incident is None or action == "tell":
            return
        definition = self._steady_before(connection, finding, now) if action == "rollback" else None
        wanted = Reaction(
            action=action, state="wanted", since=now, service_arn=str(finding.facts.get("service_arn")), definition=definition
        )
        self._ledger.put(connection, incidents.Step(msgspec.structs.replace(incident, reaction=wanted)), now)

    def _steady_before(self, connection: Connection, finding: Finding, now: float) -> str | None:
        """The definition of the last deployment that completed and ran another revision; None where history knows none."""
        for one in finding.facts.get("steady") or ():
            definition = one["task_definition"] or queries.definition_of_deployment(
                connection, finding.family, one["deployment"], now - _REMEMBERED
            )
            if definition is not None and (family_of(definition), revision_of(definition)) != (finding.family, finding.revision):
                return str(definition).rpartition("/")[2]
        return None

    def _ends(self, connection: Connection, end: Over, now: float) -> None:
        known = self._ledger.open_incidents(connection).get(incidents.incident_id(end.subject))
        if known is None:
            return
        finding = msgspec.structs.replace(known.finding, facts={**known.finding.facts, "over_at": end.at})
        noted = msgspec.structs.replace(known, finding=finding)
        self._ledger.put(connection, incidents.resolved(noted, known.verdict, end.why, now), now)

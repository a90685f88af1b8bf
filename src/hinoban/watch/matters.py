"""Matters that are neither a launch's nor a task's own end: two runs at once, and targets that are not reached.

Runs inside the pipeline's transaction. What the matter is, the detectors say.
"""

from typing import Protocol

from sqlalchemy import Connection

from hinoban.watch import incidents
from hinoban.watch.deadlines import name_of
from hinoban.watch.detect.delivery import delivery, end_of, subject_of
from hinoban.watch.detect.overlap import Live, overlap, overlapping
from hinoban.watch.detect.slots import of_slot
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.live import LiveTasks
from hinoban.watch.model import DeliveryNews, Finding, Launch, TaskChange, attempt_of
from hinoban.watch.policies import Policies
from hinoban.watch.rights import Rights
from hinoban.watch.schedules.slot import Slot
from hinoban.watch.time_limits import TimeLimits
from hinoban.watch.timetable import Timetable
from hinoban.watch.words import clock_time


class Opens(Protocol):
    """How the pipeline opens an incident."""

    def __call__(self, connection: Connection, finding: Finding, launch: Launch | None, now: float, slot: Slot | None = None) -> None: ...


class Matters:
    """Memory of the tasks that live now, and what follows from it."""

    def __init__(
        self,
        ledger: Ledger,
        timetable: Timetable,
        policies: Policies,
        limits: TimeLimits,
        open_incident: Opens,
        zone: str,
        *,
        rights: Rights,
    ) -> None:
        self._ledger = ledger
        self._timetable = timetable
        self._policies = policies
        self._limits = limits
        self._open = open_incident
        self._zone = zone
        self._rights = rights
        self.live = LiveTasks()

    def resume(self, connection: Connection) -> None:
        """Take up the stops that a policy asked for and an earlier life did not make."""
        for incident in self._ledger.open_incidents(connection).values():
            if incident.finding.detector == "overlap" and (arn := incident.finding.facts.get("stop")):
                self._limits.deadlines.again(name_of(arn), "end", incident.opened_at)

    def delivery(self, connection: Connection, news: DeliveryNews, now: float) -> None:
        """One target, one incident, told when it begins to fail, when something else is to be done about it, and when it is well again."""
        finding = delivery(news)
        if finding is not None and (slot := self._timetable.undelivered(connection, news, now, self._policies.catch_up)) is not None:
            # A run that was lost: one slot, one incident. What RunTask refused is known from its record already.
            if slot.incident_id is None:
                self._open(connection, of_slot(finding, slot), None, now, slot)
            return
        known = self._ledger.incident(connection, incidents.incident_id(subject_of(news)))
        if finding is None:
            if known is not None and known.state != "resolved":
                self._ledger.put(connection, incidents.resolved(known, known.verdict, end_of(news), now), now)
        elif known is None:
            if not self._told_as_launch(connection, news):
                self._open(connection, finding, None, now)
        elif known.state == "resolved" or (known.state == "open" and known.finding.explanation.next != finding.explanation.next):
            self._ledger.put(connection, incidents.again(known, finding, now), now)

    def _told_as_launch(self, connection: Connection, news: DeliveryNews) -> bool:
        """Whether what RunTask answered to a rule's target is an incident already, of the launch: one cause, one incident."""
        token = news.detail.get("token")
        return any(one.finding.facts.get("client_token") == token for one in self._ledger.open_incidents(connection).values() if token)

    def task(self, connection: Connection, change: TaskChange, slot: Slot | None, now: float) -> None:
        """Two runs of a family at once, and the end of it. A slot's tasks are meant to run beside each other, as many as it asked for."""
        if (found := self.live.seen(connection, change)) is not None:
            self._beside(connection, change, slot, *found, now)
        if change.finished:
            for incident in self._ledger.open_of_family(connection, change.family):
                pair = (incident.finding.task_arn, incident.finding.facts.get("older"))
                if incident.finding.detector == "overlap" and change.task_arn in pair:
                    words = f"Task {change.task_arn.rpartition('/')[2][:8]} ended at {clock_time(change.at, self._zone)}."
                    self._ledger.put(connection, incidents.resolved(incident, incident.verdict, words, now), now)

    def _beside(self, connection: Connection, change: TaskChange, slot: Slot | None, newer: Live, all_: list[Live], now: float) -> None:
        policy = self._policies.overlap(change, self._limits.tags(change.task_arn).tags)
        if slot is not None:
            # Not those that ended: a retry stands in their place.
            living = [arn for arn, standing in slot.tasks.items() if standing in ("launched", "running")]
            meant = living if len(living) <= slot.count else []
        else:
            meant = self._of_one_launch(connection, newer, all_)
        scheduled = policy is not None or self._timetable.starts(connection, change)
        older = overlapping(newer, [one for one in all_ if one.arn not in meant], scheduled=scheduled)
        if older is not None:
            stopping = {"stop_newer": newer.arn, "stop_older": older.arn}.get(policy or "tell")
            allowed = "stop_task" in self._rights.of_task(change, self._limits.tags(change.task_arn).tags)
            finding = overlap(change, newer, older, self._timetable.when, stopping, allowed=allowed)
            place = (finding.account, finding.region, finding.cluster)
            known = [one.finding for one in self._ledger.open_of_family(connection, change.family) if one.finding.detector == "overlap"]
            told = any((one.account, one.region, one.cluster) == place for one in known)
            if not told and self._ledger.incident(connection, incidents.incident_id(finding.subject)) is None:
                self._open(connection, finding, None, now)
                if stopping is not None:
                    self._limits.deadlines.again(name_of(stopping), "end", now)

    def _of_one_launch(self, connection: Connection, newer: Live, all_: list[Live]) -> list[str]:
        """The living tasks of a launch without a slot, and of its retries, if `newer` is one of them: as many as it asked for are meant."""
        for incident_id in {named[0] for one in all_ if (named := attempt_of(one.started_by)) is not None}:
            tries = self._ledger.retries_of(connection, incident_id)
            first = {arn for retry in tries for arn in retry.original_tasks}
            living = [one.arn for one in all_ if one.arn in first or (attempt_of(one.started_by) or ("",))[0] == incident_id]
            count = max((int(retry.request.get("count") or 1) for retry in tries), default=1)
            if newer.arn in living and len(living) <= count:
                return living
        return []

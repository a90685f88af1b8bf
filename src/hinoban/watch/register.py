"""Takes over what was read of the schedules: new ones, changed ones, those that are gone, and those that cannot run any more.

Runs inside the pipeline's transaction, beside timetable.py, which follows their slots.
"""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection

from hinoban.base.clock import HOURS
from hinoban.watch import incidents
from hinoban.watch.detect.dead_schedule import dead_schedule, subject_of
from hinoban.watch.detect.schedule_changed import STOPS_RUNS, schedule_changed
from hinoban.watch.detect.slots import run_it
from hinoban.watch.history.book import KEEP_CAUSES, Book, Known
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.model import Doing, Incident
from hinoban.watch.schedules import expected
from hinoban.watch.schedules.compare import changes
from hinoban.watch.schedules.dead import why_dead
from hinoban.watch.schedules.model import Change, Schedule, Snapshot

RECENT = 1 * HOURS
"""What was done to a schedule so lately is what has changed it."""


class Register:
    """Keeps the book's schedules up to date. `next_due` and `make_due` are the timetable's, `when` spells a moment for people, `zone` is theirs."""

    def __init__(
        self,
        book: Book,
        ledger: Ledger,
        next_due: Callable[[Known, float], float | None],
        make_due: Callable[[Connection, Sequence[Known], float], None],
        when: Callable[[float], str],
        zone: str,
    ) -> None:
        self._make_due = make_due
        self._zone = zone
        self._book = book
        self._ledger = ledger
        self._next_due = next_due
        self._when = when

    def refresh(self, connection: Connection, snapshot: Snapshot, now: float) -> None:
        """Take over a reading: new schedules, changed ones, those that are gone, those that cannot run."""
        found = {one.key: one for one in snapshot.schedules}
        for one in list(self._book.schedules(connection).values()):
            if one.schedule.key not in found and snapshot.covers(one.schedule):
                self._changed(connection, one, None, now)
        touched = self._book.touched(connection, now - RECENT)
        for schedule in snapshot.schedules:
            if (known := self._book.schedules(connection).get(schedule.key)) is None:
                self._book.put_schedule(
                    connection, Known(schedule=schedule, expected_until=self._since(connection, schedule, touched, now))
                )
            elif known.schedule != schedule:
                self._changed(connection, known, schedule, now)
            self._vital(connection, schedule, snapshot, now)

    def _since(self, connection: Connection, schedule: Schedule, touched: set[str], now: float) -> float:
        """From when on runs of a schedule that was not known are expected: from what made it, if that was seen."""
        doing = self._doing(connection, schedule, now - RECENT) if touched.intersection(_subjects(schedule)) else None
        return min(now, doing.at) if doing is not None else now

    def _changed(self, connection: Connection, known: Known, after: Schedule | None, now: float) -> None:
        change = changes(known.schedule, after)
        doing = self._doing(connection, known.schedule, now - RECENT)
        since = min(now, doing.at) if doing is not None else now
        if change is not None:
            # What it owed before it changed, it owes as it was; from then on, as it is.
            self._make_due(connection, [known], since)
            self._book.drop_waiting(connection, known.schedule.key, since)
            self._tell_change(connection, known, after, change, doing, now)
        rephased = change is not None and {"enabled", "rescheduled"} & set(change.what)
        self._book.put_schedule(
            connection,
            msgspec.structs.replace(
                known,
                schedule=after or known.schedule,
                expected_until=since if change is not None else known.expected_until,
                phase=None if rephased else known.phase,
                runs=() if rephased else known.runs,
                gone_at=now if after is None else None,
            ),
        )

    def _tell_change(
        self, connection: Connection, known: Known, after: Schedule | None, change: Change, doing: Doing | None, now: float
    ) -> None:
        before = known.schedule
        next_at = self._next_due(msgspec.structs.replace(known, schedule=before), now) if set(change.what) & set(STOPS_RUNS) else None
        finding = schedule_changed(after or before, change, doing, next_at, now, self._when)
        if after is None and expected.is_over(before, now):
            finding = None  # it deleted itself after its only run
        own = finding.subject if finding is not None else ""
        for open_one in self._incidents_of(connection, known.schedule, "schedule_changed"):
            if open_one.subject == own:
                continue  # told of another target of the same rule
            # Enabled again, or changed once more: what was told of the last change is over.
            words = change.sentence[:1].upper() + change.sentence[1:] + "."
            self._ledger.put(connection, incidents.resolved(open_one, open_one.verdict, words, now), now)
        if after is None:
            for open_one in self._incidents_of(connection, known.schedule, "dead_schedule"):
                self._ledger.put(connection, incidents.resolved(open_one, open_one.verdict, "It was deleted.", now), now)
        if finding is not None and self._ledger.incident(connection, incidents.incident_id(finding.subject)) is None:
            step = incidents.opened(finding, now, held_until=None)
            stops = finding.verdict in ("DISABLED", "DELETED")
            self._ledger.put(connection, step if stops else incidents.noticed(step, now), now)

    def _vital(self, connection: Connection, schedule: Schedule, snapshot: Snapshot, now: float) -> None:
        """Whether its next run can start."""
        known = self._book.schedules(connection).get(schedule.key)
        if known is None:
            return
        found = why_dead(schedule, snapshot.around)
        why = "; ".join(one.why for one in found)
        if why == known.dead:
            return
        self._book.put_schedule(connection, msgspec.structs.replace(known, dead=why))
        incident = self._ledger.incident(connection, incidents.incident_id(subject_of(schedule.key)))
        if not found:
            if incident is not None and incident.state != "resolved":
                words = "Its target can be started again."
                if (due_at := incident.finding.facts.get("due_at")) is not None:
                    words += f" The run due {self._when(due_at)} stays lost: {run_it(schedule.name, due_at, self._zone)}"
                self._ledger.put(connection, incidents.resolved(incident, incident.verdict, words, now), now)
            return
        finding = dead_schedule(schedule, found, self._killer(connection, schedule, now), self._next_due(known, now), now, self._when)
        if finding is None:
            return
        if incident is None:
            self._ledger.put(connection, incidents.opened(finding, now, held_until=None), now)
        else:
            self._ledger.put(connection, incidents.again(incident, finding, now), now)

    def _doing(self, connection: Connection, schedule: Schedule, since: float) -> Doing | None:
        return self._latest(connection, _subjects(schedule), schedule, since)

    def _killer(self, connection: Connection, schedule: Schedule, now: float) -> Doing | None:
        """Who deregistered the definition, or deleted the cluster, where that was seen."""
        subjects = [f"definition/{schedule.job}", f"cluster/{schedule.cluster}"]
        found = self._latest(connection, subjects, schedule, now - KEEP_CAUSES)
        return found if found is not None and found.name in ("DeregisterTaskDefinition", "DeleteCluster") else None

    def _latest(self, connection: Connection, subjects: Sequence[str], schedule: Schedule, since: float) -> Doing | None:
        place = (schedule.account, schedule.region)
        return next((one for one in self._book.doings(connection, subjects, since) if (one.account, one.region) == place), None)

    def _incidents_of(self, connection: Connection, schedule: Schedule, detector: str) -> list[Incident]:
        return [
            one
            for one in self._ledger.open_of_family(connection, schedule.family)
            if one.finding.detector == detector and one.finding.facts.get("schedule_arn") == schedule.arn
        ]


def _subjects(schedule: Schedule) -> list[str]:
    """Under what names somebody's doings with it are noted."""
    if schedule.kind == "rule":
        return [f"rule/{schedule.name}"]
    return [f"schedule/{schedule.group or 'default'}/{schedule.name}", f"group/{schedule.group}"]

"""One step of the watch: take a batch -> remember -> detect -> incidents -> queue what is to be told and retried, in ONE transaction
together with the source's cursor. Any batch may come twice and in any order. Decisions are incidents.py's and retry/policy.py's.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import Connection, Engine

from hinoban.base.clock import HOURS
from hinoban.base.ids import Ids
from hinoban.watch import healing, incidents
from hinoban.watch.config import WatchConfig
from hinoban.watch.deadlines import Deadlines, Name, start_of, task_name
from hinoban.watch.explain.language import speaking
from hinoban.watch.explain.stop import said_of_stop
from hinoban.watch.history import queries
from hinoban.watch.history.book import Book
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.history.store import Fresh, History, exit_code_of
from hinoban.watch.kinds import NOT_STARTED
from hinoban.watch.matters import Matters
from hinoban.watch.model import (
    Attempt,
    Doing,
    Finding,
    Incident,
    Launch,
    News,
    Observation,
    Older,
    ServiceNews,
    SlotNews,
    TaskChange,
    attempt_of,
)
from hinoban.watch.normalise import observations
from hinoban.watch.policies import Policies
from hinoban.watch.retry import policy as retry_policy
from hinoban.watch.retry_row import Retry
from hinoban.watch.schedules.model import Snapshot
from hinoban.watch.schedules.slot import Slot
from hinoban.watch.services import Services
from hinoban.watch.sources.source import Batch
from hinoban.watch.timetable import Timetable
from hinoban.watch.words import clock_time


class Detectors(Protocol):
    """What the pipeline asks of detect/."""

    def findings(self, observation: Observation, now: float) -> tuple[Finding, ...]: ...

    def overdue(
        self, change: TaskChange, now: float, limit_seconds: float, *, stop_at: float | None = None, stop_words: str = ""
    ) -> Finding | None: ...


class Pipeline:
    """Owns the writing of watch.db. Every method is one short transaction; a failed one leaves nothing behind, in memory neither."""

    def __init__(self, engine: Engine, config: WatchConfig, *, detectors: Detectors, channels: Sequence[str], ids: Ids) -> None:
        self._engine = engine
        self._config = config
        self._detect = detectors
        self._ids = ids
        self._policies = Policies(config)
        self._history = History()
        self.ledger = Ledger(channels)
        self.deadlines = Deadlines()
        self.timetable = Timetable(Book(), self.ledger, config.tz, self._open)
        self._matters = self._no_matters()
        self._services = Services(self.ledger, self._open)
        self.asked: set[tuple[str, str]] = set()
        """(region, subject) of rules and schedules that somebody changed: to be read again soon."""
        self._load_open()

    def _no_matters(self) -> Matters:
        return Matters(self.ledger, self.timetable, self._policies, self.deadlines, self._open, self._config.tz)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; where it fails, memory is read anew from the rows."""
        try:
            with speaking(self._config.lang), self._engine.begin() as connection:
                yield connection
                self.timetable.book.flush(connection)
                self._services.memories.flush(connection)
        except BaseException:
            self._history.forget()
            self.ledger.forget()
            self.timetable.book.forget()
            self.deadlines = Deadlines()
            self._matters = self._no_matters()
            self._services = Services(self.ledger, self._open)
            self._load_open()
            raise

    def take(self, source: str, batch: Batch, now: float) -> int:
        """Remember a batch and do what follows from it; how many observations were new."""
        items = observations(batch.events)
        with self.transaction() as connection:
            fresh = self._history.take(connection, items)
            for one in fresh:
                if batch.silent:
                    self._fill(one, now)
                else:
                    self._follow(connection, one, now)
            self._history.flush(connection)
            if batch.listed is not None:
                self._close_lost(connection, batch.listed)
            self.ledger.put_cursor(connection, source, batch.cursor)
        return len(fresh)

    def step(self, now: float) -> float | None:
        """What is due by time alone: overdue tasks, holds and acknowledgements that end. The moment of the next such thing."""
        overdue = self.deadlines.due("warn", now)
        with self.transaction() as connection:
            for name in overdue:
                self._overdue(connection, name, now)
            for incident in list(self.ledger.open_incidents(connection).values()):
                if (step := incidents.release(incident, now, self._config.hold_refusals)) is not None:
                    self.ledger.put(connection, step, now)
                elif incident.acknowledged_until is not None and incident.acknowledged_until <= now:
                    self.ledger.put(connection, incidents.reopened(incident, now), now)
            next_asked = self._services.step(connection, now)
            moments = [
                moment
                for incident in self.ledger.open_incidents(connection).values()
                for moment in (incident.held_until, incident.acknowledged_until)
                if moment is not None and moment > now
            ]
        moments += [max(moment, now) for moment in (self.deadlines.next(), next_asked) if moment is not None]
        return min(moments, default=None)

    def refresh(self, snapshot: Snapshot, now: float) -> None:
        """Take over what was read of the schedules."""
        with self.transaction() as connection:
            self.timetable.register.refresh(connection, snapshot, now)

    def expect(self, now: float, *, sure: bool) -> float | None:
        """Write the scheduled runs that have come due; the moment of the next. See Timetable.expect."""
        with self.transaction() as connection:
            return self.timetable.expect(connection, now, sure=sure)

    def trim(self, now: float) -> None:
        """Forget what nobody needs any more. See Book.trim."""
        with self.transaction() as connection:
            self.timetable.book.trim(connection, now)

    def _fill(self, fresh: Fresh, now: float) -> None:
        """What ended before a source was attached: the history gets its verdict, and nothing follows."""
        change = fresh.change
        if fresh.newest and isinstance(change, TaskChange) and change.finished:
            finding = next(iter(self._detect.findings(change, now)), None)
            self._history.judge(change, finding.verdict if finding else None, finding.facts.get("exit_code") if finding else None)

    def _follow(self, connection: Connection, fresh: Fresh, now: float) -> None:
        change = fresh.change
        if isinstance(change, Older):
            return
        if isinstance(change, TaskChange):
            if fresh.newest:
                self._task(connection, change, now)
        elif isinstance(change, Launch):
            self._launch(connection, change, now)
        elif isinstance(change, ServiceNews):
            self._services.news(connection, change, now)
        else:
            self._news(connection, change, now)

    def _news(self, connection: Connection, news: News, now: float) -> None:
        if isinstance(news, SlotNews):
            self.timetable.news(connection, news, now, self._policies.catch_up)
        elif self.timetable.book.note(connection, news):
            if isinstance(news, Doing):
                self.asked |= self.timetable.concerned(connection, news)
            else:
                self._matters.delivery(connection, news, now)

    def _task(self, connection: Connection, change: TaskChange, now: float) -> None:
        name = task_name(change)
        named = attempt_of(change.detail.get("startedBy"))
        ours = self.ledger.incident(connection, named[0]) if named else None
        finding = next(iter(self._detect.findings(change, now)), None) if change.finished else None
        well = (
            change.finished
            and finding is None
            and change.detail.get("stopCode") == "EssentialContainerExited"
            and exit_code_of(change.detail) == 0
        )
        slot = self.timetable.joins.task(connection, change, _standing(change, finding, well), ours.id if ours is not None else None)
        self._matters.task(connection, change, slot, now)
        if slot is not None and ours is None and slot.incident_id is not None and finding is None:
            self.timetable.late(connection, slot, now)
        if not change.finished:
            self.deadlines.watch(name, start_of(change), self._policies.limits(change))
            if ours is not None and change.detail.get("lastStatus") == "RUNNING":
                self._put(connection, incidents.of_retry(ours, change, None, False, now), slot, now)
            return
        self.deadlines.drop(name)
        self._services.feed(connection, change, now)
        code = finding.facts.get("exit_code") if finding is not None else None
        self._history.judge(change, finding.verdict if finding else None, code)
        if ours is not None:
            self._put(connection, incidents.of_retry(ours, change, finding, well, now), slot, now)
            if finding is not None and finding.detector in NOT_STARTED and named is not None:
                self.after_refusal(connection, ours.id, named[1], 1, finding.explanation.retryable, now)
        else:
            self._ended(connection, change, finding, slot, now)
        if well:
            healing.by_run(self.ledger, connection, change, ours, now)

    def _put(self, connection: Connection, step: incidents.Step, slot: Slot | None, now: float) -> None:
        """Write an incident; one about a scheduled run with its hops as they stand now."""
        if slot is not None:
            step = incidents.Step(self.timetable.linked(connection, slot, step.incident), step.tell)
        self.ledger.put(connection, step, now)

    def _ended(self, connection: Connection, change: TaskChange, finding: Finding | None, slot: Slot | None, now: float) -> None:
        # A good end concerns open incidents only, and those are in memory: no read, and no name made, for each task that ends well.
        if finding is None and not self.ledger.open_incidents(connection):
            return
        named = incidents.incident_id(f"task:{change.task_arn}")
        if slot is not None and finding is not None:
            finding, _ = self.timetable.about(connection, finding, slot, now)
        if slot is not None and self.ledger.open_incidents(connection).get(named) is None:
            named = incidents.incident_id(slot.subject)
        known = self.ledger.open_incidents(connection).get(named) if finding is None else self.ledger.incident(connection, named)
        stopped_by_us = str(change.detail.get("stoppedReason", "")).startswith("hinoban: ")
        if known is not None and known.state != "resolved" and known.finding.detector == "overdue" and (finding is None or stopped_by_us):
            at = clock_time(change.at, self._config.tz)
            by_a_call = change.detail.get("stopCode") == "UserInitiated"
            why = f"Stopped at {at}." if stopped_by_us else f"Somebody stopped it at {at}." if by_a_call else f"It ended by itself at {at}."
            self._put(connection, incidents.overdue_ended(known, said_of_stop(change.detail), why, now), slot, now)
        elif finding is not None and known is None:
            if self._services.told_as_loop(connection, change):
                return
            launch = None
            if finding.detector in NOT_STARTED:
                launch = self.ledger.launch_of(connection, change.family, change.task_arn, change.at - 1 * HOURS)
            self._open(connection, finding, launch, now, slot)
        elif finding is not None and known is not None and (step := incidents.evidence(known, finding, now)) is not None:
            self._put(connection, step, slot, now)

    def _launch(self, connection: Connection, launch: Launch, now: float) -> None:
        self._matters.live.launched(launch)
        if attempt_of(launch.started_by) is not None:
            return  # our own retry: its runner has the answer first-hand
        self._services.feed(connection, launch, now)
        slot = self.timetable.joins.launch(connection, launch)
        for finding in self._detect.findings(launch, now):
            self._refused(connection, finding, launch, slot, now)
        if slot is not None and slot.tasks and slot.incident_id is not None:
            self.timetable.late(connection, slot, now)
        for arn in launch.task_arns if self.ledger.open_incidents(connection) else ():
            # The record came after the task's end (CloudTrail is minutes late): only now can the launch be repeated.
            known = self.ledger.open_incidents(connection).get(incidents.incident_id(f"task:{arn}"))
            if known is not None and known.finding.detector in NOT_STARTED and not self.ledger.retries_of(connection, known.id):
                retry, _ = self._first_retry(known.finding, launch, known.id, now)
                if retry is not None:
                    self.ledger.put_retry(connection, retry)
                    self.ledger.put(connection, incidents.Step(incidents.attempted(known, waiting(retry), now)), now)

    def _refused(self, connection: Connection, finding: Finding, launch: Launch, slot: Slot | None, now: float) -> None:
        """A launch that was refused: of a scheduled run it is a matter of the slot, or of the schedule that cannot run any more."""
        dead = None
        if slot is not None:
            finding, dead = self.timetable.about(connection, finding, slot, now)
        if dead is not None:
            self._put(connection, incidents.again(dead, finding, now), slot, now)
            return
        known = self.ledger.incident(connection, incidents.incident_id(finding.subject))
        if known is None:
            self._open(connection, finding, launch, now, slot)
        elif known.finding.detector == "missed_run":
            # Only now is it known what became of it.
            self._put(connection, incidents.again(known, finding, now), slot, now)

    def _open(self, connection: Connection, finding: Finding, launch: Launch | None, now: float, slot: Slot | None = None) -> None:
        incident_id = incidents.incident_id(finding.subject)
        retry, why_not = self._first_retry(finding, launch, incident_id, now)
        missing = launch.refused if launch is not None and finding.task_arn is None else 1
        held_until = now + self._config.hold if retry is not None else None
        step = incidents.opened(finding, now, held_until=held_until, missing=max(1, missing), done=(why_not,) if why_not else ())
        if retry is not None:
            self.ledger.put_retry(connection, retry)
            step = incidents.Step(incidents.attempted(step.incident, waiting(retry), now), step.tell)
        self._put(connection, step, slot, now)
        healing.by_earlier_news(self.ledger, connection, finding, now)

    def _first_retry(self, finding: Finding, launch: Launch | None, incident_id: str, now: float) -> tuple[Retry | None, str | None]:
        rule = self._policies.retry_rule(launch) if launch is not None else None
        if launch is None or rule is None:
            return None, None
        if (refusal := retry_policy.refusal_to_retry(finding, launch)) is not None:
            return None, f"Not retried: {refusal}." if finding.explanation.retryable else None
        return retry_policy.first_retry(finding, launch, incident_id, rule, now, self._ids.dice()), None

    def after_refusal(self, connection: Connection, incident_id: str, number: int, missing: int, retryable: bool, now: float) -> None:
        """Plan the attempt after one that did not bring its tasks, or give up and say so."""
        tries = self.ledger.retries_of(connection, incident_id)
        last = next((retry for retry in tries if retry.number == number), None)
        incident = self.ledger.incident(connection, incident_id)
        if last is None or incident is None or tries[-1].number > number:
            return
        following = retry_policy.next_retry(last, missing, now, self._ids.dice()) if retryable else None
        if following is None:
            why = "it cannot help" if not retryable else f"{number} attempts since {clock_time(incident.opened_at, self._config.tz)}"
            self.ledger.put(connection, incidents.give_up(incident, f"Gave up: {why}.", now), now)
            return
        self.ledger.put_retry(connection, following)
        noted = incidents.attempted(incident, waiting(following), now)
        step = incidents.release(noted, now, self._config.hold_refusals)
        self.ledger.put(connection, step or incidents.Step(noted), now)

    def _overdue(self, connection: Connection, name: Name, now: float) -> None:
        change = queries.newest_change(connection, name)
        if change is None or change.finished:
            return
        limit, stop_after = self.limits(change)
        stop_at = start_of(change) + stop_after if stop_after is not None else None
        words = clock_time(stop_at, self._config.tz) if stop_at is not None else ""
        finding = self._detect.overdue(change, now, limit, stop_at=stop_at, stop_words=words) if limit is not None else None
        if finding is None:
            if limit is not None and start_of(change) + limit > now:
                self.deadlines.again(name, "warn", start_of(change) + limit)
            return
        slot = self.timetable.book.of_task(connection, change.task_arn)
        if slot is not None:
            finding, _ = self.timetable.about(connection, finding, slot, now)
        if self.ledger.incident(connection, incidents.incident_id(finding.subject)) is None:
            done = (f"Warned at {clock_time(now, self._config.tz)}.",)
            self.ledger.put(connection, incidents.opened(finding, now, held_until=None, done=done), now)

    def limits(self, change: TaskChange) -> tuple[float | None, float | None]:
        """(max_runtime, stop_after) of a task."""
        found = self._policies.limits(change)
        return found.max_runtime, found.stop_after

    def note(self, connection: Connection, incident: Incident, now: float) -> None:
        """Write an incident that nobody needs to hear of."""
        self.ledger.put(connection, incidents.Step(incident), now)

    def _close_lost(self, connection: Connection, listed: frozenset[str]) -> None:
        lost = [(key, arn) for key, arn in queries.open_tasks(connection) if arn not in listed]
        self._history.close_lost(connection, [key for key, _ in lost])
        for _, arn in lost:
            self.deadlines.drop((arn.rpartition("/")[2], arn.split(":")[3], arn.split(":")[4]))

    def _load_open(self) -> None:
        with self._engine.connect() as connection:
            for change in queries.open_changes(connection):
                self.deadlines.watch(task_name(change), start_of(change), self._policies.limits(change))
                self._matters.live.restore(change)
            self._matters.resume(connection)
            self._services.memories.restore(connection)


def _standing(change: TaskChange, finding: Finding | None, well: bool) -> str:
    """How a task stands, for its slot."""
    if not change.finished:
        return "running" if change.detail.get("lastStatus") == "RUNNING" else "launched"
    return "exit 0" if well else finding.verdict.lower() if finding is not None else "stopped"


def waiting(retry: Retry) -> Attempt:
    """The attempt to come, as the incident shows it."""
    return Attempt(number=retry.number, at=retry.due_at, started_by=retry.started_by, outcome="waiting", token=retry.token)

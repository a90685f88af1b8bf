"""One step of the watch: take a batch -> remember -> detect -> incidents -> queue what is to be told and retried, in ONE transaction
together with the source's cursor. Any batch may come twice and in any order. Decisions are incidents.py's and retry/policy.py's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import Connection, Engine

from hinoban.base.ids import Ids
from hinoban.watch import incidents
from hinoban.watch.allow import NOTHING
from hinoban.watch.config import WatchConfig
from hinoban.watch.deadlines import Deadlines, name_of, task_name
from hinoban.watch.delays import Delays
from hinoban.watch.ends import ended_well, standing
from hinoban.watch.explain.language import speaking
from hinoban.watch.healing import Healing
from hinoban.watch.history import queries
from hinoban.watch.history.aside import event_aside, put_aside
from hinoban.watch.history.book import Book
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.history.store import Fresh, History
from hinoban.watch.incident_states import QUIET
from hinoban.watch.kinds import NOT_STARTED
from hinoban.watch.matters import Matters
from hinoban.watch.model import Doing, Finding, Incident, Launch, News, Observation, Older, SlotNews, TaskChange, attempt_of
from hinoban.watch.normalise import observations
from hinoban.watch.places import ANYWHERE
from hinoban.watch.planning import Planning
from hinoban.watch.policies import Policies, tags_of
from hinoban.watch.retry import exits
from hinoban.watch.retry.recent import Recent
from hinoban.watch.rights import Allowed, Rights
from hinoban.watch.schedules.model import Snapshot
from hinoban.watch.schedules.slot import Slot
from hinoban.watch.service_model import ServiceNews
from hinoban.watch.services import Services
from hinoban.watch.sources.source import Batch
from hinoban.watch.task_tags import TaskTags, with_tags
from hinoban.watch.time_limits import TimeLimits
from hinoban.watch.timetable import Timetable


class Detectors(Protocol):
    """What the pipeline asks of detect/."""

    def findings(self, observation: Observation, now: float) -> tuple[Finding, ...]: ...


class Pipeline:
    """Owns the writing of watch.db. Every method is one short transaction; a failed one leaves nothing behind, in memory neither."""

    def __init__(
        self, engine: Engine, config: WatchConfig, *, detectors: Detectors, channels: Sequence[str], ids: Ids, allow: Allowed = NOTHING
    ) -> None:
        self._engine = engine
        self._config = config
        self._detect = detectors
        self._ids = ids
        self._policies = Policies(config)
        self.rights = Rights(allow, self._policies)
        self._history = History()
        self.ledger = Ledger(channels)
        self.delays = Delays()
        self.timetable = Timetable(Book(), self.ledger, config.tz, self._open)
        self._healing = Healing(self.ledger, self.timetable.book)
        self._planning = Planning(self.ledger, self._policies, config, ids.dice, self.timetable.next_slot, self._launch_of)
        self.asked: set[tuple[str, str, str]] = set()
        """(account, region, subject) of rules and schedules that somebody changed: to be read again soon."""
        self._load_open()

    @property
    def deadlines(self) -> Deadlines:
        """When something is due of open tasks."""
        return self.limits.deadlines

    def _newest(self, connection: Connection, task_arn: str) -> TaskChange | None:
        """A task's newest change, also where it came with this very batch."""
        return self._history.newest_named(name_of(task_arn)) or queries.newest_change(connection, name_of(task_arn))

    def _launch_of(self, connection: Connection, change: TaskChange) -> Launch | None:
        """The launch that brought a task that ended."""
        here = self._history.launch_of(change.task_arn)
        return here or queries.launch_of_task(connection, change.family, change.task_arn, incidents.change_started(change))

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction; where it fails, memory is read anew from the rows."""
        try:
            with speaking(self._config.lang), self._engine.begin() as connection:
                yield connection
                self.timetable.book.flush(connection)
                self.services.memories.flush(connection)
                self.ledger.flush(connection)
        except BaseException:
            self._history.forget()
            self.ledger.forget()
            self.timetable.book.forget()
            self._load_open()
            raise

    def take(self, source: str, batch: Batch, now: float, *, whole: bool = True) -> int:
        """Remember a batch (with its cursor, where it is `whole`) and do what follows from it; how many observations were new."""
        broken: list[tuple[bytes, str]] = []
        items = [*observations(batch.events, broken), *batch.observed]
        with self.transaction() as connection:
            for raw, reason in broken:
                put_aside(connection, event_aside(source, raw, reason, now))
            fresh = self._history.take(connection, items)
            for one in fresh:
                if batch.silent:
                    self._fill(one, now)
                else:
                    self._follow(connection, one, now)
            self._history.flush(connection)
            if batch.listed is not None:
                self._close_lost(connection, batch.listed, now)
            if whole:
                self.ledger.put_cursor(connection, source, batch.cursor)
        if not batch.silent:
            self.delays.note(source, [one.change for one in fresh], now)
        return len(fresh)

    def step(self, now: float, *, sure: Callable[[str, str], bool] = ANYWHERE.holds) -> float | None:
        """What is due by time alone: overdue and stuck tasks, holds and acknowledgements that end. The moment of the next such thing.

        `sure`: the sources of an (account, region) are up to date, so that a task of which nothing was heard is as it was.
        """
        with self.transaction() as connection:
            self.limits.step(connection, now, sure)
            for incident in list(self.ledger.open_incidents(connection).values()):
                if (step := incidents.release(incident, now, self._config.hold_refusals)) is not None:
                    self.ledger.put(connection, step, now)
                elif incident.state in QUIET and incident.acknowledged_until is not None and incident.acknowledged_until <= now:
                    self.ledger.put(connection, incidents.reopened(incident, now), now)
            self.ledger.telling.grow(connection, now)
            next_asked = self.services.step(connection, now)
            moments = [
                moment
                for incident in self.ledger.open_incidents(connection).values()
                for moment in (incident.held_until, incident.acknowledged_until)
                if moment is not None and moment > now
            ]
            next_growth = self.ledger.telling.next_growth(connection)
        moments += [max(moment, now) for moment in (self.limits.next(), next_asked, next_growth) if moment is not None]
        return min(moments, default=None)

    def refresh(self, snapshot: Snapshot, now: float) -> None:
        """Take over what was read of the schedules."""
        with self.transaction() as connection:
            self.timetable.register.refresh(connection, snapshot, now)

    def expect(self, now: float, *, sure: Callable[[str, str], bool]) -> float | None:
        """Write the scheduled runs that have come due; the moment of the next. See Timetable.expect."""
        with self.transaction() as connection:
            return self.timetable.expect(connection, now, sure=sure)

    def trim(self, now: float) -> None:
        """Forget what nobody needs any more. See Book.trim."""
        with self.transaction() as connection:
            self.timetable.book.trim(connection, now, self._config.keep.slots)

    def _fill(self, fresh: Fresh, now: float) -> None:
        """What ended before a source was attached: the history gets its verdict, and nothing follows."""
        change = fresh.change
        if fresh.newest and isinstance(change, TaskChange) and change.finished:
            # What goes on may have come first, by another source.
            self.deadlines.drop(task_name(change))
            self._matters.live.ended(change)
            finding = next(iter(self._detect.findings(change, now)), None)
            self._judge(change, finding)
        elif fresh.newest and isinstance(change, TaskChange):
            self.limits.watch(change, now)

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
            self.services.news(connection, change, now)
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
        named = attempt_of(change.detail.get("startedBy"))
        ours = self.ledger.incident(connection, named[0]) if named else None
        finding = next(iter(self._detect.findings(change, now)), None) if change.finished else None
        if finding is not None:
            finding = with_tags(finding, self.tags(change))
        well = ended_well(change, finding)
        slot = self.timetable.joins.task(connection, change, standing(change, finding, well), ours.id if ours is not None else None)
        self._matters.task(connection, change, slot, now)
        if slot is not None and ours is None and slot.incident_id is not None and finding is None:
            self.timetable.late(connection, slot, now)
        if not change.finished or finding is None or ours is not None:
            self.limits.stuck.go_on(connection, change, slot, now)
        if not change.finished:
            self.limits.watch(change, now)
            if ours is not None and change.detail.get("lastStatus") == "RUNNING":
                self._put(connection, incidents.of_retry(ours, change, None, False, now), slot, now)
            return
        self.services.feed(connection, change, now)
        self._judge(change, finding)
        self.limits.let_go(connection, change.task_arn)
        if ours is not None:
            self._put(connection, incidents.of_retry(ours, change, finding, well, now), slot, now)
            if finding is not None and finding.detector in NOT_STARTED and named is not None:
                self.after_refusal(connection, ours.id, named[1], 1, finding.explanation.retryable, now)
            elif finding is not None and named is not None:
                self._planning.after_exit(connection, ours.id, named[1], finding, change, now)
            self._ended(connection, change, None, None, now)
        else:
            self._ended(connection, change, finding, slot, now)
        if well:
            self._healing.by_run(connection, change, ours, now)

    def _judge(self, change: TaskChange, finding: Finding | None) -> None:
        self._history.judge(change, finding)
        if (keep := self._policies.keep(change, self.tags(change))) is not None:
            self._history.expire(change, change.at + keep)

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
        if known is not None and self.limits.over(connection, known, change, finding, slot, now):
            return
        if finding is not None and known is None:
            if self.services.told_as_loop(connection, change):
                return
            wanted = finding.detector in NOT_STARTED or (self._policies.retry_exits and exits.is_exit(finding))
            launch = self._launch_of(connection, change) if wanted else None
            self._open(connection, finding, launch, now, slot, change)
        elif finding is not None and known is not None:
            more = self._planning.further(connection, known, finding, change, slot, now)
            step = incidents.evidence(more, finding, now) or (incidents.Step(more) if more != known else None)
            if step is not None:
                self._put(connection, step, slot, now)

    def _launch(self, connection: Connection, launch: Launch, now: float) -> None:
        self._matters.live.launched(launch)
        self.launches.launched(launch)
        self.limits.launched(connection, launch)
        if attempt_of(launch.started_by) is not None:
            return  # our own retry: its runner has the answer first-hand
        self.services.feed(connection, launch, now)
        slot = self.timetable.joins.launch(connection, launch)
        for finding in self._detect.findings(launch, now):
            self._refused(connection, with_tags(finding, tags_of(launch)), launch, slot, now)
        if slot is not None and slot.tasks and slot.incident_id is not None:
            self.timetable.late(connection, slot, now)
        for arn in launch.task_arns if self.ledger.open_incidents(connection) else ():
            # The record came after the task's end (CloudTrail is minutes late): only now can the launch be repeated.
            known = self.ledger.open_incidents(connection).get(incidents.incident_id(f"task:{arn}"))
            if known is None and slot is not None:
                known = self.ledger.open_incidents(connection).get(slot.incident_id or "")
            change = self._newest(connection, arn) if known is not None else None
            failed = next(iter(self._detect.findings(change, now)), None) if change is not None and change.finished else None
            if known is not None and change is not None and failed is not None:
                failed = with_tags(failed, known.finding.facts.get("tags") or {})
                more = self._planning.failed(connection, known, failed, change, launch, slot, now)
                if more != known:
                    self.ledger.put(connection, incidents.Step(more), now)

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

    def _open(
        self,
        connection: Connection,
        finding: Finding,
        launch: Launch | None,
        now: float,
        slot: Slot | None = None,
        change: TaskChange | None = None,
    ) -> None:
        retry, why_not = self._planning.first(connection, finding, launch, change, slot, now)
        missing = launch.refused if launch is not None and finding.task_arn is None else 1
        held_until = now + self._config.hold if retry is not None else None
        step = incidents.opened(finding, now, held_until=held_until, missing=max(1, missing), done=(why_not,) if why_not else ())
        if retry is not None:
            step = incidents.Step(self._planning.put(connection, step.incident, retry, now), step.tell)
        self._put(connection, step, slot, now)
        self._healing.by_earlier_news(connection, finding, now)

    def after_refusal(
        self, connection: Connection, incident_id: str, number: int, missing: int, retryable: bool, now: float, *, off_spot: bool = False
    ) -> None:
        """See Planning.after_refusal."""
        self._planning.after_refusal(connection, incident_id, number, missing, retryable, now, off_spot=off_spot)

    def tags(self, change: TaskChange) -> Mapping[str, str]:
        """A task's tags, as far as they are known."""
        return self.limits.tags(change.task_arn).tags

    def stood_down(self, connection: Connection, incident_id: str, task_arn: str, why: str, now: float) -> None:
        """A run that somebody else launched stands for ours; it may have ended well while our attempt still waited."""
        incident, change = self.ledger.incident(connection, incident_id), self._newest(connection, task_arn)
        if incident is None or incident.state == "resolved":
            return
        well = change is not None and change.finished and ended_well(change, next(iter(self._detect.findings(change, now)), None))
        self._healing.stood_down(connection, incident, why, change if well else None, now)

    def tagged(self, read: Mapping[str, TaskTags | None], now: float) -> None:
        """Take over tags that were read. See TimeLimits.tagged."""
        with self.transaction() as connection:
            self.limits.tagged(connection, read, now)

    def note(self, connection: Connection, incident: Incident, now: float) -> None:
        """Write an incident that nobody needs to hear of."""
        self.ledger.put(connection, incidents.Step(incident), now)

    def _close_lost(self, connection: Connection, listed: frozenset[str], now: float) -> None:
        lost = [(key, arn) for key, arn in queries.open_tasks(connection) if arn not in listed]
        self._history.close_lost(connection, [key for key, _ in lost])
        for _, arn in lost:
            self.limits.lost(connection, arn, now)

    def _load_open(self) -> None:
        """Begin with what the rows say."""
        self.limits = TimeLimits(self.ledger, self.timetable, self._policies, self._config, self._put, rights=self.rights)
        self._matters = Matters(self.ledger, self.timetable, self._policies, self.limits, self._open, self._config.tz, rights=self.rights)
        self.services = Services(self.ledger, self._open, self._policies.on_crash_loop, self._newest, self.tags)
        self.launches = Recent()
        """What became of the launches of late."""
        with self._engine.connect() as connection:
            changes = list(queries.open_changes(connection))
            self.limits.restore(connection, changes)
            for change in changes:
                self._matters.live.restore(change)
            self._matters.resume(connection)
            self.services.memories.restore(connection)

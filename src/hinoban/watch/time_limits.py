"""Follows open tasks by the clock: warned about and told again when they are overdue, told when they are stuck, and what their tags ask for.

Runs inside the pipeline's transaction. What is overdue or stuck, the detectors say; who may stop what, retry/stopper.py.
"""

from collections.abc import Callable, Iterable, Mapping
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from hinoban.base.clock import DAYS, HOURS, MINUTES, SECONDS
from hinoban.base.units import iso_minutes, local_day_time
from hinoban.watch import incidents
from hinoban.watch.config import WatchConfig
from hinoban.watch.deadlines import Deadlines, Kind, Name, name_of, task_name
from hinoban.watch.detect.overdue import Spelt, overdue
from hinoban.watch.detect.overlap import by_hand
from hinoban.watch.explain.stop import said_of_stop
from hinoban.watch.history import queries, task_tags
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.model import Finding, Incident, Launch, TaskChange, stopped_by_us
from hinoban.watch.policies import Policies, tags_of
from hinoban.watch.rights import Rights
from hinoban.watch.schedules.slot import Slot
from hinoban.watch.stuck_tasks import Puts, StuckTasks, TaskIncidents
from hinoban.watch.task_tags import NO_TAGS, TaskTags, with_tags
from hinoban.watch.terms import Terms, terms_of
from hinoban.watch.timetable import Timetable
from hinoban.watch.words import clock_time

UNSURE_AGAIN = 1 * SECONDS
ASK_TAGS_AFTER = 2 * SECONDS
"""A launch's own record tells its tags, and on our engine comes within a moment: then nobody has to ask for them."""
LEASE_AGAIN = 5 * MINUTES
"""How often it is looked whether a lease that ran out was renewed after all."""
RENEWED = "Its lease was renewed."
_LEAST_GAP = 1 * MINUTES


class TimeLimits:
    """Deadlines and tags of the tasks that are open. After a failed transaction make another, and `restore` it."""

    def __init__(self, ledger: Ledger, timetable: Timetable, policies: Policies, config: WatchConfig, put: Puts, *, rights: Rights) -> None:
        self.deadlines = Deadlines()
        self._ledger = ledger
        self._timetable = timetable
        self._policies = policies
        self._config = config
        self._put = put
        self._rights = rights
        self._tags: dict[str, TaskTags] = {}
        self._told: set[str] = set()
        """Of tasks whose launch's record told all tags they have."""
        self._to_move: set[str] = set()
        """Tasks whose deadlines stood before their tags were known: moved once their events are written."""
        self._left_over: set[str] = set()
        """Tasks that have ended, and whose tags still have a row: the record of their launch came later."""
        self._seen: set[str] = set()
        self._of_tasks = TaskIncidents(ledger, timetable)
        self.stuck = StuckTasks(ledger, timetable, self.deadlines, self._of_tasks, self.tags, config.stuck_after, put)

    # Who is watched --------------------------------------------------------------------------------------------------------------------

    def restore(self, connection: Connection, changes: Iterable[TaskChange]) -> None:
        """Take up the tasks that were open when the watch ended. Tags that have no row are asked for again."""
        kept = task_tags.read_all(connection)
        for change in changes:
            if change.task_arn in kept:
                self._tags[change.task_arn] = kept.pop(change.task_arn)
            self.watch(change, change.at)
        self._left_over = set(kept)
        self.stuck.restore(connection)

    def watch(self, change: TaskChange, now: float) -> None:
        """Set (or move) the deadlines of a task that has not ended."""
        name, arn = task_name(change), change.task_arn
        moments: dict[Kind, float | None] = {"stuck": self.stuck.due_at(change, now)}
        if not change.service_owned:
            terms = self.terms(change)
            moments |= {"warn": terms.warn_at, "stop": terms.stop_at, "lease": terms.orphan_at}
        if (not change.service_owned or self._policies.needs_tags_of_services) and arn not in self._seen:
            self._seen.add(arn)
            if arn not in self._told and not (arn in self._tags and self._tags[arn].whole):
                moments["tags"] = now + ASK_TAGS_AFTER
                if (warn_at := moments.get("warn")) is not None and warn_at <= now:
                    # Its tags may say that it is meant to run so long.
                    moments["warn"] = now + 2 * ASK_TAGS_AFTER
        self.deadlines.put(name, moments)

    def launched(self, connection: Connection, launch: Launch) -> None:
        """A call that launched tasks: its record tells their tags, unless some come from the definition."""
        if not launch.task_arns or launch.request is None:
            return
        tags, whole = tags_of(launch), launch.request.get("propagateTags") in (None, "NONE")
        for arn in launch.task_arns:
            if arn in self._tags or (arn not in self._seen and (not tags or self._over(connection, arn))):
                continue  # read already, or it has ended since: such a record may be minutes late
            if whole:
                self._told.add(arn)
                self.deadlines.put(name_of(arn), {"tags": None})
            if tags:
                self._keep(connection, arn, TaskTags(tags=tags, whole=whole))
                if arn in self._seen:
                    self._to_move.add(arn)

    def let_go(self, connection: Connection, arn: str) -> None:
        """The task has ended."""
        self.deadlines.drop(name_of(arn))
        self._seen.discard(arn)
        self._told.discard(arn)
        self.stuck.let_go(arn)
        if self._tags.pop(arn, None) is not None:
            task_tags.forget(connection, arn)

    def tags(self, arn: str) -> TaskTags:
        """What is known of a task's tags."""
        return self._tags.get(arn, NO_TAGS)

    def denied(self) -> int:
        """Of how many open tasks AWS does not let us read the tags."""
        return sum(1 for one in self._tags.values() if one.denied)

    def terms(self, change: TaskChange) -> Terms:
        """Until when a task may run, by all that is known of it now."""
        known = self.tags(change.task_arn)
        return terms_of(change, self._policies.limits(change, known.tags), known)

    # What is due -----------------------------------------------------------------------------------------------------------------------

    def step(self, connection: Connection, now: float, sure: Callable[[str, str], bool]) -> None:
        """Tasks that are overdue, and those that are stuck; where it is not `sure` what became of them, later."""
        for arn in self._to_move:
            if (change := queries.newest_change(connection, name_of(arn))) is not None and not change.finished:
                self.watch(change, now)
        self._to_move = set()
        judges: dict[Kind, Callable[[Connection, Name, float], None]] = {"warn": self._warn, "stuck": self.stuck.judge}
        for kind, judge in judges.items():
            for name in self.deadlines.due(kind, now):
                _, region, account = name
                if sure(account, region):
                    judge(connection, name, now)
                else:
                    self.deadlines.again(name, kind, now + UNSURE_AGAIN)
        for arn in self._left_over:
            task_tags.forget(connection, arn)
        self._left_over = set()

    def next(self) -> float | None:
        """When `step` has something to do."""
        return self.deadlines.next("warn", "stuck")

    def tagged(self, connection: Connection, read: Mapping[str, TaskTags | None], now: float) -> None:
        """The tags of these tasks (by ARN) as they are now; None: AWS does not know the task any more. Leases are judged by them."""
        for arn, tags in read.items():
            if tags is None:
                continue
            before = self.tags(arn)
            if tags.denied:
                tags = TaskTags(tags=before.tags, denied=True)
            if tags != before:
                self._keep(connection, arn, tags)
            if tags == before and not tags.tags:
                continue  # by far the most
            change = queries.newest_change(connection, name_of(arn))
            if change is None or change.finished:
                self.let_go(connection, arn)
                continue
            self.watch(change, now)
            self._lease(connection, change, now)

    def over(
        self, connection: Connection, known: Incident, change: TaskChange, finding: Finding | None, slot: Slot | None, now: float
    ) -> bool:
        """The end of an overdue task: whether it was the end of its incident, and not a failure that changes it."""
        ours = stopped_by_us(change)
        if known.state == "resolved" or known.finding.detector != "overdue" or (finding is not None and not ours):
            return False
        at = clock_time(change.at, self._config.tz)
        by_a_call = change.detail.get("stopCode") == "UserInitiated"
        why = f"Stopped at {at}." if ours else f"Somebody stopped it at {at}." if by_a_call else f"It ended by itself at {at}."
        self._put(connection, incidents.overdue_ended(known, said_of_stop(change.detail), why, now), slot, now)
        return True

    def lost(self, connection: Connection, arn: str, now: float) -> None:
        """AWS does not know an open task any more, and its end was never seen."""
        self.let_go(connection, arn)
        for known in list(self._ledger.open_incidents(connection).values()):
            if known.finding.task_arn == arn and known.finding.detector in ("overdue", "stuck"):
                words = "It has ended: AWS does not know it any more. How, was not seen."
                self._ledger.put(connection, incidents.resolved(known, known.verdict, words, now), now)

    # Overdue ---------------------------------------------------------------------------------------------------------------------------

    def _warn(self, connection: Connection, name: Name, now: float) -> None:
        change = queries.newest_change(connection, name)
        if change is None or change.finished:
            return
        finding = self._overdue(connection, change, now, stops=self._may_stop(change))
        if finding is None:
            self.deadlines.put(name, {"warn": _later(self.terms(change).warn_at, now)})
            return
        slot = self._of_tasks.slot(connection, change)
        known = self._of_tasks.any(connection, change, slot)
        if _may_begin(known):
            self._begin(connection, change, finding, known, slot, now)
        elif known is not None and known.state != "resolved" and known.finding.detector == "overdue":
            self._remind(connection, change, known, slot, now)
        elif known is not None and known.state != "resolved" and known.finding.detector == "stuck":
            self.deadlines.again(name, "warn", now + _LEAST_GAP)

    def _begin(
        self, connection: Connection, change: TaskChange, finding: Finding, known: Incident | None, slot: Slot | None, now: float
    ) -> None:
        """The first word on an overdue task."""
        gap = max(self.terms(change).remind_after or 0.0, _LEAST_GAP)
        finding = _with_facts(finding, remind_at=now + gap, remind_gap=gap)
        if slot is not None:
            finding, _ = self._timetable.about(connection, finding, slot, now)
        ignored = tuple(f"Not heeded: tag {one}." for one in self.terms(change).wishes.ignored)
        done = (f"Warned at {clock_time(now, self._config.tz)}.", *ignored)
        if self.tags(change.task_arn).denied:
            done += ("Its tags could not be read: hinoban aws policy --observe",)
        if self.terms(change).stop_at is not None and not self._may_stop(change):
            done += ("Hinoban will not stop it: allow lacks stop_task.",)
        step = incidents.opened(finding, now, held_until=None, done=done)
        if known is not None:
            step = incidents.again(msgspec.structs.replace(known, done=(*known.done, *done)), finding, now)
        self._ledger.put(connection, step, now)
        self.deadlines.put(task_name(change), {"warn": now + gap})

    def _remind(self, connection: Connection, change: TaskChange, known: Incident, slot: Slot | None, now: float) -> None:
        facts = known.finding.facts
        at, gap = float(facts.get("remind_at") or 0.0), float(facts.get("remind_gap") or _LEAST_GAP)
        if now >= at and known.state == "open":
            at, gap = now + 2 * gap, 2 * gap
            self._tell_again(connection, change, known, slot, now, remind_at=at, remind_gap=gap)
        elif now >= at:
            at = now + gap  # somebody has it
        self.deadlines.put(task_name(change), {"warn": at})

    def _tell_again(
        self, connection: Connection, change: TaskChange, known: Incident, slot: Slot | None, now: float, **facts: float | None
    ) -> None:
        stop_at = self.terms(change).stop_at
        # What was to be stopped before, and still runs, nobody is told to wait for.
        stops = self._may_stop(change) and stop_at is not None and stop_at + _LEAST_GAP > now
        finding = self._anew(connection, change, known, slot, now, stops=stops, **facts)
        if finding is None:
            return
        when = local_day_time(now, ZoneInfo(self._config.tz))
        self._put(connection, incidents.reminded(known, finding, now, when), slot, now)

    def not_stopped(self, connection: Connection, change: TaskChange, known: Incident, words: str, now: float) -> None:
        """Say once why a task was not stopped, and no longer that it will be."""
        if words in known.done:
            return
        finding, slot = known.finding, None
        if finding.detector == "overdue":
            slot = self._of_tasks.slot(connection, change)
            finding = self._anew(connection, change, known, slot, now, stops=False) or finding
        elif finding.detector == "overlap":
            explanation = msgspec.structs.replace(finding.explanation, next=by_hand(change.task_arn))
            finding = msgspec.structs.replace(finding, explanation=explanation)
        kept = msgspec.structs.replace(finding, subject=known.subject)
        self._put(connection, incidents.give_up(msgspec.structs.replace(known, finding=kept), words, now), slot, now)

    def _anew(
        self,
        connection: Connection,
        change: TaskChange,
        known: Incident,
        slot: Slot | None,
        now: float,
        *,
        stops: bool,
        **facts: float | None,
    ) -> Finding | None:
        """What is to be said of it now."""
        finding = self._overdue(connection, change, now, stops=stops, again=True)
        if finding is None:
            return None
        if slot is not None:
            finding, _ = self._timetable.about(connection, finding, slot, now)
        kept = {name: known.finding.facts.get(name) for name in ("remind_at", "remind_gap", "reminders")}
        return _with_facts(finding, **kept | facts)

    def _may_stop(self, change: TaskChange) -> bool:
        return "stop_task" in self._rights.of_task(change, self.tags(change.task_arn).tags)

    def _lease(self, connection: Connection, change: TaskChange, now: float) -> None:
        """Its lease as its tags say it now: run out, or renewed after it had run out."""
        terms, slot = self.terms(change), self._of_tasks.slot(connection, change)
        known = self._of_tasks.open(connection, change, slot)
        orphan = known is not None and known.finding.detector == "overdue" and bool(known.finding.facts.get("orphan"))
        if terms.orphan_at is None or now < terms.orphan_at:
            if orphan and known is not None and (terms.warn_at is None or now < terms.warn_at):
                self._put(connection, incidents.resolved(known, known.verdict, RENEWED, now), slot, now)
            return
        self.deadlines.put(task_name(change), {"lease": now + LEASE_AGAIN})
        if known is not None and known.finding.detector == "overdue" and not orphan:
            self._tell_again(connection, change, known, slot, now)
        elif known is None and (finding := self._overdue(connection, change, now, stops=self._may_stop(change))) is not None:
            before = self._of_tasks.any(connection, change, slot)
            if _may_begin(before):
                self._begin(connection, change, finding, before, slot, now)

    def _overdue(self, connection: Connection, change: TaskChange, now: float, *, stops: bool, again: bool = False) -> Finding | None:
        terms = self.terms(change)
        launch = queries.launch_of_task(connection, change.family, change.task_arn, incidents.change_started(change))
        spelt = Spelt(
            stop_at=self._spelt(terms.stop_at, now), lease_until=self._spelt(terms.wishes.lease_until, now), session=_session(launch)
        )
        finding = overdue(change, now, terms, spelt=spelt, again=again, stops=stops)
        return with_tags(finding, self.tags(change.task_arn).tags) if finding is not None else None

    def _spelt(self, moment: float | None, now: float) -> str:
        """`11:02:00` of a moment that is near, else with its day; one that is far with its year."""
        if moment is None:
            return ""
        away = abs(moment - now)
        if away < 12 * HOURS:
            return clock_time(moment, self._config.tz)
        return local_day_time(moment, ZoneInfo(self._config.tz)) if away < 180 * DAYS else iso_minutes(moment, self._config.tz)

    # Shared ----------------------------------------------------------------------------------------------------------------------------

    def _keep(self, connection: Connection, arn: str, tags: TaskTags) -> None:
        self._tags[arn] = tags
        task_tags.write(connection, arn, tags)
        self._ledger.changes += 1

    def _over(self, connection: Connection, arn: str) -> bool:
        row = queries.task_by_arn(connection, arn)
        return row is not None and not row["open"]


def _may_begin(known: Incident | None) -> bool:
    """Whether an overdue task is told as a new matter: nothing was told of it, or something that is over. Not where somebody closed it."""
    return known is None or (known.state == "resolved" and (known.finding.detector == "stuck" or known.done[-1:] == (RENEWED,)))


def _later(moment: float | None, now: float) -> float | None:
    """Only what is to come: what is past was judged now."""
    return moment if moment is not None and moment > now else None


def _with_facts(finding: Finding, **more: float | None) -> Finding:
    facts = {**finding.facts, **{name: value for name, value in more.items() if value is not None}}
    return msgspec.structs.replace(finding, facts=facts)


def _session(launch: Launch | None) -> str:
    """`run-8790` of `arn:aws:sts::123456789012:assumed-role/gh-actions/run-8790`."""
    kind, _, rest = str(launch.caller_arn if launch is not None else "").rpartition(":")[2].partition("/")
    return rest.rpartition("/")[2] if kind == "assumed-role" else ""

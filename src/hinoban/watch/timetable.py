"""The part of the pipeline that follows scheduled runs: what is due, what was seen of it, what was lost, and what changed about it.

Every method runs inside the pipeline's transaction. What the matter is, the detectors say; which slot evidence belongs to, schedules/.
"""

import heapq
import re
from collections.abc import Callable, Sequence
from typing import Protocol
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from hinoban.base.clock import DAYS, SECONDS
from hinoban.base.units import local_day_time, parse_iso
from hinoban.watch import incidents
from hinoban.watch.config import CatchUp
from hinoban.watch.detect.dead_schedule import lost
from hinoban.watch.detect.dead_schedule import subject_of as dead_subject
from hinoban.watch.detect.missed_run import missed_run
from hinoban.watch.detect.slots import facts_of_slot, of_slot, run_it
from hinoban.watch.history.book import Book, Known
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.joins import Joins
from hinoban.watch.kinds import NOT_STARTED
from hinoban.watch.model import DeliveryNews, Doing, Finding, Incident, Launch, SlotNews, TaskChange
from hinoban.watch.register import Register
from hinoban.watch.schedules import expected
from hinoban.watch.schedules import slot as slots
from hinoban.watch.schedules.model import Schedule
from hinoban.watch.schedules.requests import request_at
from hinoban.watch.schedules.slot import Slot

FARTHEST = 7 * DAYS
"""How far back slots are still expected of a watch that was away: the feed reaches no farther."""
MOST = 2_000
"""So many slots of one schedule are written one by one; of a longer absence only the latest."""
_NOT_RUNNING = "NOT_RUNNING"
"""The engine's code for a slot's delivery that nobody was there to make in time."""
_BY_HAND = re.compile(r"hinoban run \S+ --(?:retry|wait)")


class Opens(Protocol):
    """What the pipeline does with a finding about a lost run."""

    def __call__(self, connection: Connection, finding: Finding, launch: Launch | None, now: float, slot: Slot | None = None) -> None: ...


class Timetable:
    """Keeps the book of slots up to date. `open_incident` is the pipeline's own way to open one."""

    def __init__(self, book: Book, ledger: Ledger, zone: str, open_incident: Opens) -> None:
        self.book = book
        self._ledger = ledger
        self._zone = zone
        self._open = open_incident
        self.register = Register(book, ledger, self.next_due, self._make_due, self.when, zone)
        self.joins = Joins(book, self._phase)
        self._next: dict[str, float | None] = {}
        self._heap: list[tuple[float, str]] = []
        self._families: dict[tuple[str, str, str], list[Schedule]] = {}
        self._family_changes = -1

    # What is due -----------------------------------------------------------------------------------------------------------------------

    def expect(self, connection: Connection, now: float, *, sure: Callable[[str, str], bool]) -> float | None:
        """Write the slots that have come due and, where what we see of an (account, region) is `sure` to be complete, judge those whose
        time is over. The moment of the next such thing.
        """
        self._make_due(connection, self._come_due(connection, now), now)
        by_key: dict[str, list[Slot]] = {}
        waiting: list[Slot] = []
        for one in self.book.overdue(connection, now):
            if sure(one.account, one.region):
                by_key.setdefault(one.key, []).append(one)
            else:
                waiting.append(one)
        for several in by_key.values():
            self._judge(connection, several, now)
        next_slot = self._heap[0][0] if self._heap else None
        # What waits for sight is asked again when the caller comes again, not at once.
        moments = (next_slot, self.book.next_deadline())
        for one in waiting:
            self.book.again(one)
        return min((moment for moment in moments if moment is not None), default=None)

    def _come_due(self, connection: Connection, now: float) -> list[Known]:
        """The schedules of which a slot has come due. The heap is brought to what has changed, so that a step costs what is due."""
        held = self.book.schedules(connection)
        fresh, self.book.fresh = self.book.fresh, set()
        for key in fresh:
            known = held.get(key)
            next_at = self.next_due(known, known.expected_until) if known is not None and known.schedule.enabled else None
            self._next[key] = next_at
            if next_at is None:
                del self._next[key]
            else:
                heapq.heappush(self._heap, (next_at, key))
        reached = []
        while self._heap and (self._heap[0][0] <= now or self._next.get(self._heap[0][1]) != self._heap[0][0]):
            next_at, key = heapq.heappop(self._heap)
            if self._next.get(key) == next_at:
                del self._next[key]
                reached.append(held[key])
        return reached

    def next_due(self, known: Known, after: float) -> float | None:
        """The first slot after a moment; None where there is none, or nobody can tell."""
        found = expected.expected(known.schedule, after, after + 400 * DAYS, phase=self._phase(known), limit=1)
        return found[0] if found else None

    def next_slot(self, connection: Connection, slot: Slot, after: float) -> float | None:
        """When the schedule of a slot runs next after a moment, where that can be told."""
        known = self.book.schedules(connection).get(slot.key)
        return self.next_due(known, after) if known is not None else None

    def _make_due(self, connection: Connection, several: Sequence[Known], now: float) -> None:
        """Write the slots of these schedules up to `now` that are not written yet."""
        due: list[Slot] = []
        for known in several:
            if known.expected_until < now:
                since = max(known.expected_until, now - FARTHEST)
                due += [
                    slots.due(known.schedule, at) for at in expected.expected(known.schedule, since, now, phase=self._phase(known))[-MOST:]
                ]
                # Written, so that no later life owes these slots again; and fresh, so that its next one is looked for.
                self.book.put_schedule(connection, msgspec.structs.replace(known, expected_until=now))
        if due:
            there = self.book.existing(connection, min(one.at for one in due), max(one.at for one in due))
            self.book.put_slots(connection, [one for one in due if (one.key, one.at) not in there])

    def _phase(self, known: Known) -> float | None:
        return known.phase if known.phase is not None else expected.phase(known.schedule, ())

    def _judge(self, connection: Connection, several: Sequence[Slot], now: float) -> None:
        """One schedule's slots of which nothing was seen: those that are given up for lost at once are one incident."""
        by_word: dict[str, list[Slot]] = {}
        for slot in several:
            by_word.setdefault(slot.fired, []).append(msgspec.structs.replace(slot, state="unknown"))
        for gone in by_word.values():
            finding = missed_run(gone[0], now, self._zone, until=gone[-1], count=len(gone), shown=self.when(gone[-1].due_by))
            self._lose(connection, gone, finding, now)

    def _lose(self, connection: Connection, lost: Sequence[Slot], finding: Finding, now: float, launch: Launch | None = None) -> None:
        incident_id = incidents.incident_id(finding.subject)
        self.book.put_slots(connection, [msgspec.structs.replace(one, incident_id=incident_id) for one in lost])
        if self._ledger.incident(connection, incident_id) is None:
            self._open(connection, finding, launch, now)

    # What is seen ----------------------------------------------------------------------------------------------------------------------

    def news(self, connection: Connection, news: SlotNews, now: float, catch_up: Callable[[Launch], CatchUp]) -> None:
        """The engine's line on slots of one schedule, for each of its ECS targets. `catch_up` is the policies' word on missed ones."""
        for target, token in news.tokens.items():
            key = f"{news.arn}#{target}"
            known = self.book.schedules(connection).get(key)
            if known is not None and expected.is_rate(known.schedule):
                self.joins.learn(connection, known, news.first)
                known = self.book.schedules(connection).get(key)
            if news.fired:
                slot = self._slot(connection, news, key, target, known, news.first)
                self.book.put_slots(connection, [slots.fired(slot, token)])
            else:
                self._missed(connection, news, key, target, known, now, catch_up)

    def _slot(self, connection: Connection, news: SlotNews, key: str, target: str, known: Known | None, at: float) -> Slot:
        found = self.book.slot(connection, key, at)
        if found is not None:
            return found
        if known is not None:
            return slots.due(known.schedule, at)
        return Slot(
            key=key,
            at=at,
            name=news.name,
            kind=news.kind,
            arn=news.arn,
            region=news.region,
            account=news.account,
            cluster=news.clusters.get(target, ""),
            expression=news.expression,
            timezone=news.timezone,
            due_by=expected.due_by(at),
        )

    def _missed(
        self,
        connection: Connection,
        news: SlotNews,
        key: str,
        target: str,
        known: Known | None,
        now: float,
        catch_up: Callable[[Launch], CatchUp],
    ) -> None:
        """A run of missed slots is one incident, but those that a policy makes up for have their own."""
        moments = [news.first] if news.count == 1 else self._between(known, news)
        several = [slots.missed(self._slot(connection, news, key, target, known, at), news.reason) for at in moments]
        gone = [one for one in several if one.state == "missed" and one.incident_id is None]
        self._certain(connection, [one for one in several if one.state == "missed" and one.incident_id is not None], now)
        pattern = would_be(known.schedule, news.last) if known is not None else None
        alone = {"all": gone, "last": gone[-1:]}.get(catch_up(pattern), []) if pattern is not None else []
        together = gone[: len(gone) - len(alone)]
        if together:
            count = news.count - len(alone)
            finding = missed_run(together[0], now, self._zone, until=together[-1], count=count)
            self._lose(connection, together, finding, now)
        for one in alone:
            self._lose(connection, [one], missed_run(one, now, self._zone), now, would_be(known.schedule, one.at) if known else None)

    def _certain(self, connection: Connection, told: Sequence[Slot], now: float) -> None:
        """Slots that were given up for lost before the engine said so: their incident says now what is known."""
        self.book.put_slots(connection, told)
        for one in told:
            known = self._ledger.open_incidents(connection).get(one.incident_id or "")
            if known is not None and known.finding.explanation.code == "no_evidence" and known.subject == one.subject:
                finding = msgspec.structs.replace(missed_run(one, now, self._zone), subject=known.subject)
                self._ledger.put(connection, incidents.Step(msgspec.structs.replace(known, finding=finding, changed_at=now)), now)

    def _between(self, known: Known | None, news: SlotNews) -> list[float]:
        if known is None:
            return [news.first, news.last]
        found = expected.slots_near(known.schedule, news.first - 1 * SECONDS, news.last, phase=self._phase(known))
        return found[-MOST:] or [news.first, news.last]

    def undelivered(self, connection: Connection, news: DeliveryNews, now: float, catch_up: Callable[[Launch], CatchUp]) -> Slot | None:
        """The slot of an ECS target that could not be delivered to: it is refused, whatever the reason. None of every other delivery.

        One that was decided by an engine that died before it could call RunTask was missed, as if it had died a moment before.
        """
        at = news.detail.get("slot")
        slot = self.book.slot(connection, f"{news.arn}#{news.target_id}", parse_iso(at)) if at and news.what == "failed" else None
        if slot is not None and slot.runtask == "unknown" and news.detail.get("code") == _NOT_RUNNING:
            gone = slots.missed(slot, str(news.detail.get("why")))
            if slot.incident_id is not None:
                self._certain(connection, [gone], now)
            else:
                known = self.book.schedules(connection).get(slot.key)
                pattern = would_be(known.schedule, slot.at) if known is not None else None
                made_up_for = pattern if pattern is not None and catch_up(pattern) != "none" else None
                self._lose(connection, [gone], missed_run(gone, now, self._zone), now, made_up_for)
            slot = self.book.slot(connection, slot.key, slot.at)
        elif slot is not None and slot.runtask == "unknown":
            slot = msgspec.structs.replace(slot, fired="ok", runtask="NO", state="refused")
            self.book.put_slots(connection, [slot])
        return slot

    def late(self, connection: Connection, slot: Slot, now: float) -> None:
        """A run that was given up for lost was launched after all: the end of its incident, if it is the last in it."""
        known = self._ledger.open_incidents(connection).get(slot.incident_id or "")
        if known is None or slot.runtask != "ok" or known.finding.task_arn:
            return
        if known.finding.detector not in NOT_STARTED | {"missed_run"} or known.subject.startswith("dead:"):
            return
        words = "It was launched after all: its record came late."
        if known.finding.detector in NOT_STARTED:
            words = "It was launched by a later call for the same run."
        if known.subject != slot.subject:
            # Given up for lost together with others.
            slot = msgspec.structs.replace(slot, incident_id=None)
            self.book.put_slots(connection, [slot])
            if self.book.of_incident(connection, known.id):
                return
            words = "All were launched after all: their records came late."
            self._ledger.put(connection, incidents.resolved(known, "RAN", words, now), now)
            return
        step = incidents.resolved(known, "RAN", words, now)
        self._ledger.put(connection, incidents.Step(self.linked(connection, slot, step.incident), step.tell), now)

    def about(self, connection: Connection, finding: Finding, slot: Slot, now: float) -> tuple[Finding, Incident | None]:
        """The finding as one about its slot, and the incident of a dead schedule that it belongs to, if one is open."""
        found = of_slot(finding, slot)
        if found.detector in NOT_STARTED:
            # With the target's own parameters and overrides, and for this slot once.
            by_hand = _BY_HAND.sub(lambda _: run_it(slot.name, slot.at, self._zone), found.explanation.next)
            found = msgspec.structs.replace(found, explanation=msgspec.structs.replace(found.explanation, next=by_hand))
        dead = self._ledger.open_incidents(connection).get(incidents.incident_id(dead_subject(slot.key)))
        if dead is None or finding.detector not in NOT_STARTED or finding.explanation.retryable:
            return found, None
        known = self.book.schedules(connection).get(slot.key)
        next_at = self.next_due(known, max(now, slot.at)) if known is not None else None
        more = f"      Next slot {self.when(next_at)} is lost too." if next_at is not None else ""
        return lost(found, dead.finding, slot.kind, run_it(slot.name, slot.at, self._zone), more), dead

    def linked(self, connection: Connection, slot: Slot, incident: Incident) -> Incident:
        """The incident with its slot's hops as they stand now; the slot knows its incident."""
        state = "recovered" if incident.verdict == "RECOVERED" else slot.state
        if slot.incident_id != incident.id or state != slot.state:
            slot = msgspec.structs.replace(slot, incident_id=incident.id, state=state)
            self.book.put_slots(connection, [slot])
        facts = {**incident.finding.facts, **facts_of_slot(slot)}
        if facts == incident.finding.facts:
            return incident
        return msgspec.structs.replace(incident, finding=msgspec.structs.replace(incident.finding, facts=facts))

    def concerned(self, connection: Connection, doing: Doing) -> set[tuple[str, str, str]]:
        """What must be read again after somebody's doing: (account, region, `rule/NAME` or `schedule/GROUP/NAME`)."""
        kind, _, name = doing.subject.partition("/")
        if kind in ("rule", "schedule"):
            return {(doing.account, doing.region, doing.subject)}
        if kind == "definition":
            touched = self._starting(connection).get((doing.account, doing.region, name.partition(":")[0]), [])
        else:
            every = (known.schedule for known in self.book.schedules(connection).values())
            touched = [one for one in every if (one.cluster if kind == "cluster" else one.group) == name]
        return {
            (one.account, one.region, f"rule/{one.name}" if one.kind == "rule" else f"schedule/{one.group or 'default'}/{one.name}")
            for one in touched
            if (one.account, one.region) == (doing.account, doing.region)
        }

    def starts(self, connection: Connection, change: TaskChange) -> bool:
        """Whether a schedule starts tasks of this family."""
        return (change.account, change.region, change.family) in self._starting(connection)

    def _starting(self, connection: Connection) -> dict[tuple[str, str, str], list[Schedule]]:
        """The schedules by the family that they start: many definitions are registered, and few concern any."""
        known = self.book.schedules(connection)
        if self._family_changes != self.book.changes:
            self._families = {}
            for one in (each.schedule for each in known.values()):
                self._families.setdefault((one.account, one.region, one.family), []).append(one)
            self._family_changes = self.book.changes
        return self._families

    @property
    def when(self) -> Callable[[float], str]:
        """A moment for people, in the configured zone."""
        zone = ZoneInfo(self._zone)
        return lambda moment: local_day_time(moment, zone)


def would_be(schedule: Schedule, at: float) -> Launch | None:
    """The RunTask that a slot would have been, as if it had been refused; None where only EventBridge could make it."""
    request = request_at(schedule, at)
    if request is None:
        return None
    return Launch(
        event_id="",
        launch_id="",
        at=at,
        account=schedule.account,
        region=schedule.region,
        request={**request, "startedBy": schedule.started_by},
    )

"""Decides the slots of scheduled rules and of Scheduler schedules, each once: fired, or missed and told.

A decision, its deliveries, its journal line and the mark that says how far things are decided are one transaction, so a crash leaves
either all or nothing of it. What a delivery does is the Deliverer's.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from msgspec import structs

from hinoban.aws import arns
from hinoban.aws.definitions.targets import slot_token
from hinoban.base.clock import SECONDS, Clock
from hinoban.base.ids import Ids
from hinoban.base.supervise import Loop
from hinoban.engine.events.model import DEFAULT_BUS, Rule
from hinoban.engine.events.targets.queue import Delivery
from hinoban.engine.journal import Journal
from hinoban.engine.schedules import lines
from hinoban.engine.schedules.decide import decide, disabled_mark, enabled_mark, first_mark, next_mark
from hinoban.engine.schedules.lines import TARGET_ID, Owner
from hinoban.engine.schedules.marks import Marks
from hinoban.engine.schedules.model import Mark, Schedule, Timing, timing_of
from hinoban.engine.schedules.state import SchedulerState, key_of_arn
from hinoban.store.database import Database

# How often the engine writes down that it lives, and notices a clock that jumped. Less than the 60 s within which a slot still fires.
HEARTBEAT = 30 * SECONDS
# Slots' owners looked at in one turn: others get the event loop in between.
_BATCH = 200
# How long after its last invocation, and how often then, a schedule that deletes itself is looked at.
_ENDING = 1 * SECONDS
_ENDING_AGAIN = 5 * SECONDS


class Rules(Protocol):
    """As much of EventBridge's state as has slots (engine.events.state.EventsState)."""

    rules: Mapping[tuple[str, str, str], Rule]

    def listen(self, hear: Callable[[Rule | None, Rule | None], None]) -> None: ...


class Publisher(Protocol):
    """Publishes the Scheduled Event of a rule (engine.events.router.Router)."""

    def publish(self, region: str, bus: str, event: dict[str, Any], *, also: Sequence[Rule] = (), slot: float | None = None) -> int: ...


class Deliveries(Protocol):
    """Keeps what is to be delivered (engine.events.targets.queue.Queue)."""

    def add(self, delivery: Delivery) -> None: ...

    def has(self, delivery_id: str) -> bool: ...

    def matched(self, owner_arn: str) -> None: ...

    def drop(self, owner_arn: str) -> None: ...


class Slots:
    """The loop over everything scheduled; it hears of changes from the two states."""

    def __init__(
        self,
        state: SchedulerState,
        rules: Rules,
        router: Publisher,
        queue: Deliveries,
        journal: Journal,
        database: Database,
        clock: Clock,
        ids: Ids,
        *,
        account: str,
        heartbeat: float = HEARTBEAT,
    ) -> None:
        self._state = state
        self._rules = rules
        self._router = router
        self._queue = queue
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._account = account
        self._heartbeat = heartbeat
        self._marks = Marks(database)
        self._born = clock.now()
        # The last moment at which everything due was decided; None until that is so for the first time in this life.
        self._seen: float | None = None
        self._next_beat = 0.0
        self._reconciled = False
        self.loop = Loop("slots", self.step, clock)
        rules.listen(self._hear)
        state.listen(self._hear)

    async def step(self, now: float) -> float | None:
        """Decide what is due; answers when to come again."""
        if not self._reconciled:
            self._reconcile(now)
        for _ in range(_BATCH):
            arn = self._marks.take(now)
            if arn is None:
                break
            self._look_at(arn, now)
        else:
            return now
        self._seen = now
        due = self._marks.next_due()
        if due is None:
            return None
        if not self._next_beat - self._heartbeat <= now < self._next_beat:
            self._marks.beat(now)
            self._next_beat = now + self._heartbeat
        return min(due, self._next_beat)

    def rest(self) -> None:
        """Write down that this engine lived until now: it stops in good order."""
        if self._marks.next_due() is not None:
            self._marks.beat(self._clock.now())

    def clear(self) -> None:
        """Forget how far anything was decided (the reset of a test, after both states are cleared)."""
        self._marks.clear()

    # Deciding ------------------------------------------------------------------------------------------------------------------------

    def _look_at(self, arn: str, now: float) -> None:
        mark, owner = self._marks.get(arn), self._owner(arn)
        timing = _timing(owner)
        assert mark is not None, arn
        if owner is None or timing is None:
            self._marks.drop(arn)
        elif mark.ending is not None and isinstance(owner, Schedule):
            self._end(owner, mark, mark.ending, now)
        else:
            self._decide(owner, timing, mark, now)

    def _decide(self, owner: Owner, timing: Timing, mark: Mark, now: float) -> None:
        decided = decide(timing, mark, now)
        if decided.missed is not None:
            line = lines.missed_line(
                owner, decided.missed, self._reason(decided.missed.first, now), line_id=self._ids.uuid(), now=now, account=self._account
            )
            self._journal.write(line)
        after = decided.mark
        for slot in decided.fired:
            last = self._fire(owner, timing, slot, now)
            if after.due is None and last is not None and _deletes_itself(owner):
                after = structs.replace(decided.mark, ending=last.id, due=last.due_at + _ENDING)
        self._marks.put(owner.arn, after)

    def _fire(self, owner: Owner, timing: Timing, slot: float, now: float) -> Delivery | None:
        """One slot: its line, then its deliveries. Within a flexible window the moment is drawn here, once: the delivery's row keeps it."""
        # In milliseconds, as the clock tells them: a moment between two of them is due and never reached.
        invoke_at = max(round(slot + self._ids.dice() * timing.window, 3), now) if timing.window else slot
        line = lines.fired_line(owner, slot, invoke_at, line_id=self._ids.uuid(), now=now, account=self._account)
        self._journal.write(line)
        if isinstance(owner, Rule):
            event = lines.scheduled_event(owner, slot, self._ids.uuid(), self._account)
            self._router.publish(owner.region, DEFAULT_BUS, event, also=[owner], slot=slot)
            return None
        delivery = Delivery(
            id=self._ids.uuid(),
            kind="schedule",
            region=owner.region,
            owner_arn=owner.arn,
            owner_name=owner.name,
            target=lines.targets_of(owner)[TARGET_ID],
            input=owner.target.get("Input"),
            created_at=now,
            due_at=max(invoke_at, now),
            slot=slot,
            token=slot_token(owner.arn, TARGET_ID, slot),
        )
        self._queue.matched(owner.arn)
        self._queue.add(delivery)
        return delivery

    def _end(self, schedule: Schedule, mark: Mark, delivery_id: str, now: float) -> None:
        """Delete a completed schedule once its last invocation is over: delivered or given up.

        Not when it is queued: what is queued for a schedule that is gone is dropped, and its retries are invocations, too.
        A schedule whose last slot was missed stays: it was never invoked, and there is something to see.
        """
        if self._queue.has(delivery_id):
            self._marks.put(schedule.arn, structs.replace(mark, due=now + _ENDING_AGAIN))
        elif _deletes_itself(schedule):
            self._state.delete(schedule)
        else:
            self._marks.put(schedule.arn, structs.replace(mark, due=None, ending=None))

    def _reason(self, first: float, now: float) -> str:
        if self._seen is None and first <= self._born:
            beats = [moment for moment in (self._marks.last_beat, self._journal.lived_until) if moment is not None]
            return lines.absence(max(beats, default=None), self._born)
        return lines.jump(self._born if self._seen is None else self._seen, now)

    # Hearing of changes --------------------------------------------------------------------------------------------------------------

    def _hear(self, before: Owner | None, after: Owner | None) -> None:
        """Bring the mark to what a rule or schedule has become; what was due under its old timing is decided first."""
        owner = after or before
        assert owner is not None
        if after is None:
            self._marks.drop(owner.arn)
            if isinstance(owner, Schedule):
                self._queue.drop(owner.arn)
            return
        was, becomes, mark = _timing(before), _timing(after), self._marks.get(owner.arn)
        if was == becomes and mark is not None:
            return
        now = self._clock.now()
        if before is not None and was is not None and mark is not None and mark.ending is None and mark.due is not None and mark.due <= now:
            self._decide(before, was, mark, now)
            mark = self._marks.get(owner.arn)
        if becomes is None:
            if mark is not None:
                self._marks.put(owner.arn, disabled_mark(mark, now))
            return
        if before is None:
            made = first_mark(becomes, now)
        elif was is None or mark is None:
            made = enabled_mark(becomes, mark, now, after.created_at)
        else:
            made = next_mark(was, becomes, mark, now)
        self._marks.put(owner.arn, made)
        self.loop.wake()

    def _owner(self, arn: str) -> Owner | None:
        parts = arns.parse(arn)
        if parts.service == "events":
            return self._rules.rules.get((parts.region, DEFAULT_BUS, parts.resource.partition("/")[2]))
        return self._state.schedules.get(key_of_arn(arn))

    def _reconcile(self, now: float) -> None:
        """Give a mark to what has none; nothing before now is owed to it. Rows written by a version without slots come to be so."""
        self._reconciled = True
        for owner in self._everything():
            if owner.arn not in self._marks and (timing := _timing(owner)) is not None:
                self._marks.put(owner.arn, first_mark(timing, now))

    def _everything(self) -> Iterator[Owner]:
        yield from self._rules.rules.values()
        yield from self._state.schedules.values()


def _timing(owner: Owner | None) -> Timing | None:
    """When it has slots; None where it has none. A rule's schedule is UTC and on the default bus (facts/eventbridge.md §7)."""
    if isinstance(owner, Rule):
        scheduled = owner.enabled and owner.schedule is not None and owner.bus == DEFAULT_BUS
        return Timing(kind="rule", expression=owner.schedule or "") if scheduled else None
    return timing_of(owner) if owner is not None and owner.state == "ENABLED" else None


def _deletes_itself(owner: Owner) -> bool:
    """One-time, or with an EndDate: without one the Scheduler deletes nothing by itself (user guide, "Deleting a schedule")."""
    return (
        isinstance(owner, Schedule) and owner.after_completion == "DELETE" and (owner.end is not None or owner.expression.startswith("at("))
    )

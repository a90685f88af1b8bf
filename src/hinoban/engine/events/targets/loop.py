"""Carries out what is due: a lane for each target, a few deliveries of a lane at a time, so that a slow target holds up no other.

A delivery ends in the turn in which its target has it, or in which it has failed for good and its dead letter is away: counts, journal
line and the end of its row are one transaction. Before that a crash makes it again (facts/eventbridge.md §6.3: at least once).
"""

import logging
from collections import deque
from collections.abc import Callable

import msgspec

from hinoban.base.clock import Clock
from hinoban.base.ids import Ids
from hinoban.base.supervise import Group, Loop
from hinoban.base.units import iso_seconds
from hinoban.engine.events.targets import connections, counters, queue, retries
from hinoban.engine.events.targets.counters import Counters, LastFailure
from hinoban.engine.events.targets.dlq import DeadLetters
from hinoban.engine.events.targets.failure import Failure
from hinoban.engine.events.targets.kinds import Adapters
from hinoban.engine.events.targets.parcel import Mismatch, Packer, Parcel
from hinoban.engine.events.targets.queue import Delivery, Queue, Trouble
from hinoban.engine.events.targets.telling import Teller
from hinoban.engine.journal import Journal
from hinoban.store.database import Database

MIGRATION = "\n".join((queue.MIGRATION, counters.MIGRATION, connections.MIGRATION))

_AT_ONCE = 8
_log = logging.getLogger(__name__)


class Deliverer:
    """The background work of all targets; `loop` is run by its owner, `close` ends what is under way."""

    def __init__(
        self,
        waiting: Queue,
        adapters: Adapters,
        letters: DeadLetters,
        packer: Packer,
        *,
        database: Database,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        account: str,
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._queue = waiting
        self._counters: Counters = waiting.counters
        self._adapters = adapters
        self._letters = letters
        self._packer = packer
        self._database = database
        self._journal = journal
        self._clock = clock
        self._born = clock.now()
        self._ids = ids
        self._teller = Teller(account, ids)
        self._group = Group(on_failure)
        self._lanes: dict[str, _Lane] = {}
        self.loop = Loop("deliveries", self.step, clock)
        waiting.on_added(self.loop.wake)

    async def step(self, now: float) -> float | None:
        """Put what is due into the lanes of its targets."""
        # What a target is asked for must outlive a crash, so the rows come first.
        await self._database.committed()
        for delivery in self._queue.take(now):
            lane = self._lanes.setdefault(delivery.target_arn, _Lane())
            lane.waiting.append(delivery)
            # One that finds nothing left goes at once; what is under way says nothing about what waits.
            if lane.workers < _AT_ONCE:
                lane.workers += 1
                self._group.start(self._work(delivery.target_arn, lane), f"deliveries to {delivery.target_arn}")
        return self._queue.next_due()

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._lanes

    async def close(self) -> None:
        """Let go of what is under way; its rows stay."""
        await self._group.close()

    async def _work(self, arn: str, lane: "_Lane") -> None:
        try:
            while lane.waiting:
                delivery = lane.waiting.popleft()
                if self._queue.has(delivery.id):
                    await self._attempt(delivery)
                    # Also what was delivered without waiting for anybody lets the others have their turn.
                    await self._database.committed()
        finally:
            lane.workers -= 1
            if not lane.workers and self._lanes.get(arn) is lane:
                del self._lanes[arn]

    async def _attempt(self, delivery: Delivery) -> None:
        now = self._clock.now()
        if retries.is_too_old(delivery.target, attempts=delivery.attempts, created_at=delivery.created_at, now=now):
            last = self._packer.pack(msgspec.structs.replace(delivery, attempts=delivery.attempts - 1))
            await self._give_up(delivery, last, _of_trouble(delivery.last), "MaximumEventAgeInSeconds")
            return
        if retries.slept_through(attempts=delivery.attempts, slot=delivery.slot, due_at=delivery.due_at, born=self._born):
            last = self._packer.pack(msgspec.structs.replace(delivery, attempts=-1))
            await self._give_up(delivery, last, _too_late(delivery.due_at, self._born), None)
            return
        parcel = self._packer.pack(delivery)
        try:
            mismatch = await self._adapters.of(delivery.target_arn).deliver(parcel)
        except Failure as failure:
            await self._failed(delivery, parcel, failure)
        except Exception as error:
            # Ours to repair, not the user's: tried again like any error of a service.
            _log.exception("A delivery of %s to %s failed", delivery.owner_arn, delivery.target_arn)
            why = _ours(error)
            await self._failed(delivery, parcel, Failure("INTERNAL_ERROR", why, why, transient=True))
        else:
            self._delivered(delivery, mismatch)

    def _delivered(self, delivery: Delivery, mismatch: Mismatch | None) -> None:
        """Nothing is awaited between the target's having it and this."""
        if not self._queue.has(delivery.id):
            return
        now, owner, target = self._clock.now(), delivery.owner_arn, delivery.target_id
        self._queue.remove(delivery.id)
        if self._counters.delivered(owner, target):
            self._journal.write(self._teller.recovered(delivery, now))
        if mismatch is None:
            if self._counters.mismatch_ends(owner, target):
                self._journal.write(self._teller.covered(delivery, now))
        elif self._counters.mismatch_is_new(owner, target, mismatch.document):
            self._journal.write(self._teller.mismatched(delivery, mismatch, now))

    async def _failed(self, delivery: Delivery, parcel: Parcel, failure: Failure) -> None:
        if not self._queue.has(delivery.id):
            return
        decision = retries.after_failure(
            delivery.target,
            attempts=parcel.attempt,
            created_at=delivery.created_at,
            transient=failure.transient,
            retry_after=failure.retry_after,
            now=self._clock.now(),
            dice=self._ids.dice(),
        )
        if isinstance(decision, retries.GiveUp):
            await self._give_up(delivery, parcel, failure, decision.exhausted)
            return
        last = Trouble(code=failure.code, message=failure.message, why=failure.why, repair=failure.repair)
        again = msgspec.structs.replace(delivery, attempts=parcel.attempt, due_at=decision.due_at, last=last)
        self._queue.postpone(again)
        self.loop.wake()

    async def _give_up(self, delivery: Delivery, parcel: Parcel, failure: Failure, exhausted: str | None) -> None:
        try:
            dlq = await self._letters.send(parcel, failure, exhausted)
        except Exception as error:
            # The engine goes on, and so does what waits behind this one.
            _log.exception("A dead letter of %s was not sent", delivery.owner_arn)
            dlq = f"failed: {_ours(error)}"
        if not self._queue.has(delivery.id):
            return
        now = self._clock.now()
        self._queue.remove(delivery.id)
        told = LastFailure(at=now, code=failure.code, message=failure.message, why=failure.why, repair=failure.repair)
        self._counters.failed(delivery.owner_arn, delivery.target_id, told)
        self._journal.write(self._teller.failed(delivery, failure, parcel.attempt, dlq, now))


class _Lane:
    """The deliveries of one target that are due, and how many work on them."""

    def __init__(self) -> None:
        self.waiting: deque[Delivery] = deque()
        self.workers = 0


def _of_trouble(last: Trouble | None) -> Failure:
    """The failure of an attempt that an earlier life made."""
    if last is None:
        why = "its event grew too old"
        return Failure("INTERNAL_ERROR", why, why)
    return Failure(last.code, last.message, last.why, repair=last.repair)


def _ours(error: Exception) -> str:
    return f"Hinoban failed on it ({type(error).__name__}); its log says more"


def _too_late(due_at: float, born: float) -> Failure:
    """Nobody was there between the decision that a slot fires and its delivery."""
    why = f"hinoban was not running from {iso_seconds(due_at)} to {iso_seconds(born)}, too late for it"
    return Failure("NOT_RUNNING", why, why)

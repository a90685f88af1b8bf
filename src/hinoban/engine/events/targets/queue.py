"""What is to be delivered: a durable row for each delivery and, in memory, a heap by the moment at which it is due.

Whoever matches an event or decides a slot adds deliveries in its own transaction; the Deliverer takes what is due. A delivery under way
keeps its row, so that after a crash it is made again.
"""

import heapq
import itertools
from collections.abc import Callable, Mapping
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from hinoban.aws.call import Params
from hinoban.engine.events.targets.counters import Counters, OwnerCounts
from hinoban.store.database import Database, Table

MIGRATION = "CREATE TABLE deliveries (id TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
DELIVERIES = Table("deliveries", "id")


class Trouble(Struct, frozen=True, kw_only=True):
    """Why the last attempt failed, kept for the day on which the delivery is given up."""

    code: str
    message: str
    why: str
    repair: str | None = None


class Delivery(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event, or one slot of a Scheduler schedule, on its way to one target.

    `target` is the rule's target or the Scheduler's Target (with `"Id": "target"` put in), as given. `event` is the event of a rule,
    None for a schedule; `input` a schedule's Input, its context attributes not yet replaced. `token` is derived from what is delivered
    (aws.definitions.targets.slot_token): the same at every attempt. `attempts` were made and failed. `created_at` is when the event
    came or the slot was: the event's age counts from it.
    """

    id: str
    kind: Literal["rule", "schedule"]
    region: str
    owner_arn: str
    owner_name: str
    bus: str = "default"
    target: Params
    event: Params | None = None
    input: str | None = None
    created_at: float
    due_at: float
    slot: float | None = None
    token: str
    attempts: int = 0
    forwarded: bool = False
    last: Trouble | None = None

    @property
    def target_id(self) -> str:
        target_id: str = self.target["Id"]
        return target_id

    @property
    def target_arn(self) -> str:
        target_arn: str = self.target["Arn"]
        return target_arn


class Owner(Protocol):
    """As much of a rule as the queue asks about."""

    @property
    def arn(self) -> str: ...

    @property
    def targets(self) -> Mapping[str, Params]: ...


class Queue:
    """The deliveries that are not over."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.counters = Counters(database)
        self._kept: dict[str, Delivery] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._order = itertools.count()
        self._wake: Callable[[], None] = _nobody
        decoder = msgspec.json.Decoder(Delivery)
        for _, value in database.rows(DELIVERIES):
            self._enter(decoder.decode(value))

    # For those who have something to deliver --------------------------------------------------------------------------------------------

    def add(self, delivery: Delivery) -> None:
        """Keep a delivery in this turn's transaction and wake who carries it out."""
        self._keep(delivery)
        self._wake()

    def matched(self, owner_arn: str) -> None:
        """Count one event that the rule matched (or one slot that fired), whether it has targets or not."""
        self.counters.matched(owner_arn)

    def counts(self) -> dict[str, OwnerCounts]:
        """What each rule matched, and what became of what its targets were sent, by the ARN of rule or schedule."""
        return self.counters.all()

    def drop(self, owner_arn: str, target_id: str | None = None) -> None:
        """Take back what waits for the owner's targets (for one of them): it was deleted. What is under way is not tried again."""
        for delivery in [each for each in self._kept.values() if each.owner_arn == owner_arn]:
            if target_id is None or delivery.target_id == target_id:
                self.remove(delivery.id)
        self.counters.forget(owner_arn, target_id)

    def hear(self, before: Owner | None, after: Owner | None) -> None:
        """A rule changed: nothing waits for targets that it no longer has (given to EventsState.listen)."""
        if before is None:
            return
        if after is None:
            self.drop(before.arn)
            return
        for target_id in before.targets.keys() - after.targets.keys():
            self.drop(before.arn, target_id)

    def clear(self) -> None:
        """Forget every delivery and every count."""
        for delivery_id in list(self._kept):
            self.remove(delivery_id)
        self._heap.clear()
        self.counters.clear()

    def __len__(self) -> int:
        return len(self._kept)

    # For the Deliverer ------------------------------------------------------------------------------------------------------------------

    def on_added(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever something is added."""
        self._wake = wake

    def take(self, now: float) -> list[Delivery]:
        """What is due, oldest first; each is given out once, until `postpone` puts it back."""
        taken = []
        while self._heap and self._heap[0][0] <= now:
            due_at, _, delivery_id = heapq.heappop(self._heap)
            delivery = self._kept.get(delivery_id)
            if delivery is not None and delivery.due_at == due_at:
                taken.append(delivery)
        return taken

    def next_due(self) -> float | None:
        """When to come again."""
        return self._heap[0][0] if self._heap else None

    def has(self, delivery_id: str) -> bool:
        """Whether it is still wanted: not over, and not dropped meanwhile."""
        return delivery_id in self._kept

    def postpone(self, delivery: Delivery) -> None:
        """Put a delivery back with its new moment."""
        self._keep(delivery)

    def remove(self, delivery_id: str) -> None:
        """It is over."""
        if self._kept.pop(delivery_id, None) is not None:
            self._database.put(DELIVERIES, (delivery_id,), None)

    def _keep(self, delivery: Delivery) -> None:
        self._enter(delivery)
        self._database.put(DELIVERIES, (delivery.id,), delivery)

    def _enter(self, delivery: Delivery) -> None:
        self._kept[delivery.id] = delivery
        heapq.heappush(self._heap, (delivery.due_at, next(self._order), delivery.id))


def _nobody() -> None:
    """Nobody carries anything out yet."""

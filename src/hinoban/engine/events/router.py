"""From an event to deliveries: each rule that matches is asked once, and each of its targets gets one delivery, all in this turn."""

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from hinoban.aws.call import Params
from hinoban.aws.definitions.targets import slot_token
from hinoban.base.clock import Clock
from hinoban.base.ids import Ids
from hinoban.engine.events.model import DEFAULT_BUS, Rule
from hinoban.engine.events.state import EventsState
from hinoban.engine.events.targets.queue import Delivery


class Queue(Protocol):
    """Where deliveries go (targets/queue.py)."""

    def add(self, delivery: Delivery) -> None: ...

    def matched(self, owner_arn: str) -> None: ...


class Router:
    """Publishes events on buses."""

    def __init__(self, state: EventsState, queue: Queue, ids: Ids, clock: Clock) -> None:
        self._state = state
        self._queue = queue
        self._ids = ids
        self._clock = clock

    def hear(self, envelope: dict[str, Any]) -> None:
        """Given to Journal.listen: what ECS tells goes to the default bus of its region (facts/eventbridge.md §2).

        Records of API calls are the trail's to publish; lines of our own concern no bus."""
        if envelope["source"] == "aws.ecs" and envelope["detail-type"].startswith("ECS "):
            self.publish(envelope["region"], DEFAULT_BUS, envelope)

    def publish(
        self,
        region: str,
        bus: str,
        event: Params,
        *,
        read: bool = False,
        also: Sequence[Rule] = (),
        slot: float | None = None,
        forwarded: bool = False,
    ) -> int:
        """Hold an event against the rules of a bus and queue its deliveries; answers how many rules matched.

        `read`: it tells of a read-only management event. `also`: rules whose slot it is, `slot` the slot's moment. `forwarded`: it came
        from another bus and goes to no third. The event is kept as it is: nobody changes it afterwards."""
        self._state.archives.keep(region, bus, event)
        slots = {rule.key: rule for rule in also}
        for rule in slots.values():
            self._queue_for(rule, event, slot, forwarded)
        matched = [rule for rule in self._state.matching(region, bus, event, read=read) if rule.key not in slots]
        for rule in matched:
            self._queue_for(rule, event, None, forwarded)
        return len(slots) + len(matched)

    def replay(self, region: str, bus: str, event: Params, only: Collection[str]) -> int:
        """The same for an event with `replay-name`: for the rules whose ARNs are in `only`, or for all where that is empty (§9)."""
        matched = [rule for rule in self._state.matching(region, bus, event) if not only or rule.arn in only]
        for rule in matched:
            self._queue_for(rule, event, None, False)
        return len(matched)

    def _queue_for(self, rule: Rule, event: Params, slot: float | None, forwarded: bool) -> None:
        self._queue.matched(rule.arn)
        now = self._clock.now()
        # A replayed event has its old id, and is to have its effect again.
        occasion = slot if slot is not None else f"{event['id']}{event.get('replay-name', '')}"
        for target_id, target in rule.targets.items():
            self._queue.add(
                Delivery(
                    id=self._ids.uuid(),
                    kind="rule",
                    region=rule.region,
                    owner_arn=rule.arn,
                    owner_name=rule.name,
                    bus=rule.bus,
                    target=target,
                    event=event,
                    created_at=now,
                    due_at=now,
                    slot=slot,
                    token=slot_token(rule.arn, target_id, occasion),
                    forwarded=forwarded,
                )
            )

"""The ledger held to: each due slot has exactly one row, each lost run is in exactly one incident and told, no good run is in one.

Lines, records and events come in any order, twice and late; the watch is killed and opened again from its file.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hinoban.base.clock import HOURS, MINUTES
from hinoban.base.errors import HinobanError
from hinoban.base.units import iso_seconds
from hinoban.watch.schedules.slot import LOST
from tests.unit.watch.ledgers import DUE, add_rule, doing, fired, groups_hold, incidents, launch, missed, slots, task
from tests.unit.watch.worlds import World

NAMES = ("close", "report")
HOURLY = "cron(0 * * * ? *)"
REFUSED = {"errorCode": "InvalidParameterException", "errorMessage": "TaskDefinition is inactive", "responseElements": None}
FATES = ("done", "failed", "refused", "missed", "silent")


def evidence(name: str, slot: float, fate: str, number: int, engine: bool) -> list[bytes]:
    """All that is ever told of a slot; without the engine's lines as AWS tells it."""
    ends = {"done": 0, "failed": 3}
    told = [fired(name, slot)] if engine and fate in ("done", "failed", "refused") else []
    if fate == "missed":
        return [missed(name, slot, slot, 1)] if engine else []
    if fate == "refused":
        return [*told, launch(name, slot, number, known=engine, **REFUSED)]
    if fate in ends:
        running = task(name, number, "RUNNING", slot)
        stopped = task(name, number, "STOPPED", slot, at=slot + 9, exit_code=ends[fate])
        return [*told, launch(name, slot, number, known=engine), running, stopped]
    return told


STATES = {"done": "done", "failed": "failed", "refused": "refused", "silent": "unknown"}


class Ledger(RuleBasedStateMachine):
    @initialize(engine=st.booleans())
    def begin(self, engine: bool) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.world = World(Path(self.folder.name))
        self.engine = engine
        self.enabled = dict.fromkeys(NAMES, True)
        for name in NAMES:
            add_rule(self.world, name, HOURLY)
        self.fates: dict[tuple[str, float], str] = {}
        self.held: list[bytes] = []
        self.sent: list[bytes] = []
        self.number = 100
        self.closed: set[str] = set()
        self._do(self.world.turns())

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        self.loop.run_until_complete(what)

    async def _pass(self, seconds: float, step: float) -> None:
        while seconds > 0:
            await self.world.clock.advance(step)
            seconds -= step
            await self.world.watch.turn()

    @rule(fates=st.tuples(*[st.sampled_from(FATES)] * len(NAMES)))
    def an_hour_begins(self, fates: tuple[str, ...]) -> None:
        now = self.world.clock.now()
        slot = now - now % HOURS + HOURS
        self._do(self._pass(slot - now - 30, 30))
        self._do(self._pass(31, 31))
        for name, fate in zip(NAMES, fates, strict=True):
            if self.enabled[name]:
                self.number += 1
                self.fates[name, slot] = fate
                self.held += evidence(name, slot, fate, self.number, self.engine)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def some_news_comes(self, data: st.DataObject) -> None:
        several = data.draw(st.lists(st.sampled_from(range(len(self.held))), unique=True, min_size=1))
        chosen = [self.held[place] for place in several]
        self.held = [one for place, one in enumerate(self.held) if place not in several]
        self.sent += chosen
        self.world.aws.emit(*chosen)
        self._do(self.world.turns())

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def some_news_comes_again(self, data: st.DataObject) -> None:
        self.world.aws.emit(data.draw(st.sampled_from(self.sent)))
        self._do(self.world.turns())

    @rule(minutes=st.integers(1, 12))
    def time_passes(self, minutes: int) -> None:
        now = self.world.clock.now()
        # The end of the story takes ten minutes more, in which no hour may begin.
        left = HOURS - now % HOURS - 12 * MINUTES
        self._do(self._pass(min(minutes * MINUTES, left), 30))

    @rule()
    def the_watch_is_killed(self) -> None:
        self.world.crash()
        self._do(self.world.turns())

    @rule(name=st.sampled_from(NAMES))
    def a_rule_is_switched(self, name: str) -> None:
        self.enabled[name] = not self.enabled[name]
        self.world.aws.rules[name]["State"] = "ENABLED" if self.enabled[name] else "DISABLED"
        self.world.aws.emit(doing("EnableRule" if self.enabled[name] else "DisableRule", name, self.world.clock.now()))
        self._do(self._pass(2, 1))

    @invariant()
    def no_good_run_is_in_an_open_incident(self) -> None:
        if not hasattr(self, "world"):
            return
        known = incidents(self.world)
        for slot in slots(self.world).values():
            incident = known.get(slot.incident_id or "")
            if slot.state == "done" and incident is not None:
                assert incident.state == "resolved", (slot, incident)

    @invariant()
    def each_is_told_by_itself_or_by_one_lead(self) -> None:
        if hasattr(self, "world"):
            groups_hold(self.world)

    @precondition(lambda self: self.fates)
    @rule(data=st.data(), act=st.sampled_from(["ack", "snooze", "resolve", "reopen"]))
    def a_person_does_something(self, data: st.DataObject, act: str) -> None:
        ids = sorted(one.id for one in incidents(self.world).values() if one.state != "resolved")
        if not ids:
            return
        chosen, watch = data.draw(st.sampled_from(ids)), self.world.watch
        with contextlib.suppress(HinobanError):  # what is open cannot be reopened
            if act == "ack":
                watch.ack(chosen, None, "me")
            elif act == "snooze":
                watch.snooze(chosen, self.world.clock.now() + 300, "me")
            elif act == "resolve":
                watch.resolve(chosen, "me")
                self.closed |= {one.id for one in incidents(self.world).values() if chosen in (one.id, one.lead)}
            else:
                watch.reopen(chosen, "me")
        self._do(self.world.turns())

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.sent += self.held
        self.world.aws.emit(*self.held)
        self._do(self._pass(10 * MINUTES, 30))
        found, known = slots(self.world), incidents(self.world)
        assert set(found) == {(name, iso_seconds(slot)) for name, slot in self.fates}
        for (name, slot), fate in self.fates.items():
            row = found[name, iso_seconds(slot)]
            wanted = ("missed" if self.engine else "unknown") if fate == "missed" else STATES[fate]
            assert row.state == wanted, (row, fate)
            incident = known.get(row.incident_id or "")
            if row.state in LOST:
                assert incident is not None
                assert incident.told >= 1
            elif incident is not None:
                assert incident.verdict == "RAN" or incident.id in self.closed
        assert self.world.aws.run_task_calls == []
        self.world.engine.dispose()
        self.loop.close()
        self.folder.cleanup()


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=6, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck))


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), engine=st.booleans())
def test_any_order_of_the_same_events_gives_the_same_slots_and_incidents(data: st.DataObject, engine: bool) -> None:
    recorded = [raw for place, fate in enumerate(FATES) for raw in evidence("close", DUE + place * HOURS, fate, 101 + place, engine=engine)]

    async def told(events: list[bytes]) -> tuple[Any, Any]:
        with tempfile.TemporaryDirectory() as folder:
            world = World(Path(folder))
            add_rule(world, "close", HOURLY)
            await world.turns()
            world.clock._now = DUE + 4 * HOURS + 1
            world.aws.emit(*events)
            for _ in range(12):
                await world.clock.advance(30)
                await world.watch.turn()
            found = {key: (one.state, one.tasks, one.fired, one.runtask, one.incident_id) for key, one in slots(world).items()}
            ends = {one.id: (one.subject, one.verdict, one.state, one.finding.explanation) for one in incidents(world).values()}
            world.engine.dispose()
            return found, ends

    shuffled = data.draw(st.permutations(recorded))
    assert asyncio.run(told(list(shuffled))) == asyncio.run(told(recorded))

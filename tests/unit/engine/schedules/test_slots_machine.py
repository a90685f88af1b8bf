"""Whatever is made, changed, enabled, deleted or killed, however the clock goes: each slot that is owed is decided once.

The model walks through every slot one by one, by the rule of the documentation; it knows no marks, heaps or transactions.
"""

import asyncio
import math
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from hinoban.aws.schedules import parse, zone
from hinoban.aws.schedules import slots as slots_within
from hinoban.base.units import iso
from tests.support.slots import REGION, House

RULE_EXPRESSIONS = st.sampled_from(["rate(1 minute)", "rate(7 minutes)", "rate(1 hour)", "cron(0/2 * * * ? *)", "cron(30 15 * * ? *)"])
EXPRESSIONS = RULE_EXPRESSIONS | st.sampled_from(["at(2026-11-26T15:20:00)", "at(2026-11-27T00:30:00)", "cron(0 0 * * ? *)"])
ZONES = st.sampled_from(["UTC", "Asia/Tokyo", "America/Los_Angeles"])
WINDOWS = st.sampled_from([0, 0, 5])
# Seconds, or None for "no such date".
DATES = st.sampled_from([None, None, 0.0, 90.0, 1800.0, 20_000.0])


class Owed:
    """One rule or schedule as people understand it: slots after `decided`, by this timing."""

    def __init__(self, arn: str, rule: bool) -> None:
        self.arn = arn
        self.rule = rule
        self.enabled = False
        self.fired_now: list[float] = []
        self.timing: dict[str, Any] = {}
        self.anchor = 0.0
        self.decided = -math.inf
        self.created = 0.0

    def owed(self, until: float) -> list[float]:
        timing = self.timing
        once = timing["expression"].startswith("at(")
        start, end = (None, None) if once else (timing["start"], timing["end"])
        low = self.decided if start is None else max(self.decided, start - 0.001)
        expression = parse(timing["expression"], dialect="rule" if self.rule else "scheduler")
        found = slots_within(expression, low, until, zone=zone(timing["zone"]), anchor=self.anchor) if until > low else []
        return [slot for slot in found if end is None or slot <= end]

    def decide(self, now: float, told: Counter[tuple[Any, ...]]) -> None:
        found = self.owed(now) if self.enabled else []
        if not found:
            return
        cut = now - 60 - self.timing["window"] * 60
        missed = [slot for slot in found if slot < cut]
        if missed:
            told[(self.arn, "missed", iso(missed[0]), iso(missed[-1]), len(missed))] += 1
        for slot in found[len(missed) :]:
            told[(self.arn, "fired", iso(slot))] += 1
            self.fired_now.append(slot)
        self.decided = now


class SlotsMachine(RuleBasedStateMachine):
    schedules = Bundle("schedules")
    rules_ = Bundle("rules")

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory(prefix="hinoban-slots-")
        self.directory = Path(self.folder.name)
        self.world: dict[str, Owed] = {}
        self.told: Counter[tuple[Any, ...]] = Counter()
        self.found: Counter[tuple[Any, ...]] = Counter()
        self.read = 0
        self.names = 0
        self.do(self._open)

    def do(self, work: Callable[[], Any]) -> Any:
        """Run a piece of work and commit what it wrote."""

        async def whole() -> Any:
            result = work()
            if asyncio.iscoroutine(result):
                result = await result
            await self.house.database.committed()
            return result

        return self.loop.run_until_complete(whole())

    def _open(self) -> None:
        self.house = House(self.directory)

    def name(self) -> str:
        self.names += 1
        return f"n{self.names}"

    @property
    def now(self) -> float:
        return self.house.clock.now()

    # What people do ------------------------------------------------------------------------------------------------------------------

    @rule(target=schedules, expression=EXPRESSIONS, zone=ZONES, window=WINDOWS, start=DATES, end=DATES, enabled=st.booleans())
    def create(self, expression: str, zone: str, window: int, start: float | None, end: float | None, enabled: bool) -> str:
        name = self.name()
        timing = self._timing(expression, zone, window, start, end)
        arn = self.do(lambda: self.house.create(name, **_params(timing, enabled)))
        owed = self.world[name] = Owed(arn, rule=False)
        owed.timing, owed.enabled, owed.created = timing, enabled, self.now
        owed.anchor = self._anchor(timing, self.now)
        at_once = expression.startswith("rate(") and 0 <= self.now - owed.anchor <= 60
        owed.decided = owed.anchor - 0.001 if at_once else self.now
        if not enabled:
            # What is made disabled was never decided.
            owed.decided = -math.inf
        return name

    @rule(name=schedules, expression=EXPRESSIONS, zone=ZONES, window=WINDOWS, start=DATES, end=DATES, enabled=st.booleans())
    def update(self, name: str, expression: str, zone: str, window: int, start: float | None, end: float | None, enabled: bool) -> None:
        timing = self._timing(expression, zone, window, start, end)
        self._update(name, timing, enabled)

    @rule(name=schedules, enabled=st.booleans())
    def switch(self, name: str, enabled: bool) -> None:
        self._update(name, self.world[name].timing, enabled)

    def _update(self, name: str, timing: dict[str, Any], enabled: bool) -> None:
        owed = self.world[name]
        self.do(lambda: self.house.update(name, **_params(timing, enabled)))
        self._changed(owed, timing, enabled)

    def _changed(self, owed: Owed, timing: dict[str, Any], enabled: bool) -> None:
        """What was due under the old timing is decided; then only what is after now is owed."""
        if (_effective(timing), enabled) == (_effective(owed.timing), owed.enabled):
            owed.timing = timing
            return
        was = owed.enabled
        owed.decide(self.now, self.told)
        if was or enabled:
            owed.decided = max(owed.decided, self.now)
        if not was:
            owed.anchor = self._anchor(timing, self.now if owed.rule else owed.created)
        elif any(_effective(timing)[part] != _effective(owed.timing)[part] for part in ("expression", "start")):
            owed.anchor = self._anchor(timing, self.now)
        owed.timing, owed.enabled = timing, enabled

    @rule(name=consumes(schedules))
    def delete(self, name: str) -> None:
        self.step()
        self.do(lambda: self.house.ask("DeleteSchedule", Name=name))
        del self.world[name]

    @rule(target=rules_, expression=RULE_EXPRESSIONS, enabled=st.booleans())
    def put(self, expression: str, enabled: bool) -> str:
        name = self.name()
        made = self.do(lambda: self.house.put_rule(name, expression, state="ENABLED" if enabled else "DISABLED"))
        owed = self.world[name] = Owed(made.arn, rule=True)
        owed.timing, owed.enabled, owed.anchor = self._timing(expression, "UTC", 0, None, None), enabled, math.floor(self.now)
        owed.decided = self.now if enabled else -math.inf
        return name

    @rule(name=rules_, expression=RULE_EXPRESSIONS | st.none(), enabled=st.booleans())
    def put_again(self, name: str, expression: str | None, enabled: bool) -> None:
        owed = self.world[name]
        text = expression or owed.timing["expression"]
        self.do(lambda: self.house.put_rule(name, text, state="ENABLED" if enabled else "DISABLED"))
        self._changed(owed, self._timing(text, "UTC", 0, None, None), enabled)

    @rule(name=consumes(rules_))
    def take_away(self, name: str) -> None:
        self.step()
        self.do(lambda: self.house.events.delete_rule(self.house.events.rules[(REGION, "default", name)]))
        del self.world[name]

    # What time does ------------------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.001, 1.0, 20.0, 45.5]) | st.floats(0.001, 60.0))
    def tick(self, seconds: float) -> None:
        self._move(seconds)
        self.step()

    @rule(seconds=st.sampled_from([60.0, 61.0, 3600.0, 86_400.0, 200_000.0]))
    def jump(self, seconds: float) -> None:
        self._move(seconds)

    @rule(seconds=st.sampled_from([0.5, 60.0, 3600.0]))
    def set_back(self, seconds: float) -> None:
        self._move(-seconds)

    def _move(self, seconds: float) -> None:
        self.house.set_clock(round(self.now + seconds, 3))

    @rule()
    def step(self) -> None:
        self.do(self.house.step)
        for owed in self.world.values():
            owed.decide(self.now, self.told)

    @rule(sure=st.booleans())
    def die(self, sure: bool) -> None:
        """kill -9, right after a step's decisions (which are lost with it, unless `sure`), or of an engine at rest."""

        async def killed() -> None:
            await self.house.slots.step(self.now)
            if sure:
                await self.house.database.committed()
            self.house.reopen()

        self.loop.run_until_complete(killed())
        if sure:
            for owed in self.world.values():
                owed.decide(self.now, self.told)

    # What must hold ------------------------------------------------------------------------------------------------------------------

    @invariant()
    def every_slot_is_decided_once(self) -> None:
        for line in self.do(lambda: self.house.told(behind=self.read)):
            self.read = line["seq"]
            if line["decision"] == "fired":
                self.found[(line["arn"], "fired", line["slot"])] += 1
            else:
                self.found[(line["arn"], "missed", line["first"], line["last"], line["count"])] += 1
                assert line["reason"].startswith(("hinoban was not running ", "the clock jumped from "))
        assert self.found == self.told

    @invariant()
    def every_fired_slot_has_its_delivery(self) -> None:
        found = Counter((each.owner_arn, each.slot) for each in self.house.queued())
        assert found == Counter((owed.arn, slot) for owed in self.world.values() for slot in owed.fired_now)
        for each in self.house.queued():
            assert each.slot is not None
            assert each.kind == "rule" or each.due_at - each.slot <= 360

    @invariant()
    def what_is_on_disk_is_what_is_kept(self) -> None:
        self.do(lambda: None)
        rows = self.house.database.query("SELECT arn, value FROM schedule_marks")
        assert {arn: msgspec.json.decode(value) for arn, value in rows} == {
            arn: msgspec.to_builtins(mark) for arn, mark in self.house.slots._marks._marks.items()
        }

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.house.database.close()
            self.loop.close()
            self.folder.cleanup()

    # Words ---------------------------------------------------------------------------------------------------------------------------

    def _timing(self, expression: str, zone: str, window: int, start: float | None, end: float | None) -> dict[str, Any]:
        begins = None if start is None else self.now + start
        ends = None if end is None else (begins or self.now) + 1 + end
        return {"expression": expression, "zone": zone, "window": window, "start": begins, "end": ends}

    def _anchor(self, timing: dict[str, Any], since: float) -> float:
        start = _effective(timing)["start"]
        return math.floor(since) if start is None else math.ceil(start)


def _effective(timing: dict[str, Any]) -> dict[str, Any]:
    """A one-time schedule's dates are ignored."""
    return timing | {"start": None, "end": None} if timing["expression"].startswith("at(") else timing


def _params(timing: dict[str, Any], enabled: bool) -> dict[str, Any]:
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": timing["window"]} if timing["window"] else {"Mode": "OFF"}
    dates = {"StartDate": timing["start"], "EndDate": timing["end"]}
    return {
        "expression": timing["expression"],
        "ScheduleExpressionTimezone": timing["zone"],
        "State": "ENABLED" if enabled else "DISABLED",
        "FlexibleTimeWindow": window,
        **{name: value for name, value in dates.items() if value is not None},
    }


SlotsMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestSlots = SlotsMachine.TestCase

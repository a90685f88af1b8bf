"""Any order of changes to buses, rules and targets, with crashes in between, against a simple model."""

import asyncio
import json
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hinoban.aws.event_patterns import compile_text
from tests.support.events import QUEUE, REGION, Hall

T = TypeVar("T")

NAMES = st.sampled_from(["a", "b", "c"])
BUSES = st.sampled_from(["default", "x", "y"])
PATTERNS = ['{"source": ["s1"]}', '{"source": ["s2"]}', '{"detail": {"n": [{"numeric": [">", 5]}]}}', '{"source": [{"prefix": "s"}]}']
EVENTS = [{"source": "s1", "detail": {"n": 1}}, {"source": "s2", "detail": {"n": 9}}, {"source": "t", "detail": {}}]

Model = dict[tuple[str, str], dict[str, Any]]


class EventsMachine(RuleBasedStateMachine):
    """`now` is what memory holds, `kept` what the last commit wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = tempfile.TemporaryDirectory()
        self.rules: Model = {}
        self.buses: set[str] = {"default"}

    def run(self, act: Callable[[], Awaitable[T]]) -> T:
        return self.loop.run_until_complete(_await(act))

    @initialize()
    def open(self) -> None:
        async def make() -> Hall:
            return Hall(Path(self.directory.name))

        self.hall = self.run(make)

    def do(self, operation: str, *, lost: bool, **params: Any) -> dict[str, Any] | str:
        """One call, and its commit or a crash before it; the answer, or the error's text."""

        async def act() -> dict[str, Any] | str:
            try:
                answer: dict[str, Any] | str = self.hall.ask(operation, **params)
            except Exception as error:
                answer = str(error)
            if lost:
                self.hall.reopen()
            else:
                await self.hall.database.committed()
            return answer

        return self.run(act)

    @rule(bus=BUSES, lost=st.booleans())
    def create_bus(self, bus: str, lost: bool) -> None:
        answer = self.do("CreateEventBus", Name=bus, lost=lost)
        assert isinstance(answer, str) == (bus in self.buses)
        if not lost:
            self.buses.add(bus)

    @rule(bus=BUSES, lost=st.booleans())
    def delete_bus(self, bus: str, lost: bool) -> None:
        answer = self.do("DeleteEventBus", Name=bus, lost=lost)
        held = bus == "default" or any(place == bus for place, _ in self.rules)
        assert isinstance(answer, str) == held
        if not lost and not held:
            self.buses.discard(bus)

    @rule(bus=BUSES, name=NAMES, pattern=st.sampled_from(PATTERNS), state=st.sampled_from(["ENABLED", "DISABLED"]), lost=st.booleans())
    def put_rule(self, bus: str, name: str, pattern: str, state: str, lost: bool) -> None:
        answer = self.do("PutRule", Name=name, EventBusName=bus, EventPattern=pattern, State=state, lost=lost)
        assert isinstance(answer, str) == (bus not in self.buses)
        if not lost and bus in self.buses:
            targets = self.rules.get((bus, name), {"targets": {}})["targets"]
            self.rules[(bus, name)] = {"pattern": pattern, "state": state, "targets": targets}

    @rule(bus=BUSES, name=NAMES, on=st.booleans(), lost=st.booleans())
    def turn(self, bus: str, name: str, on: bool, lost: bool) -> None:
        answer = self.do("EnableRule" if on else "DisableRule", Name=name, EventBusName=bus, lost=lost)
        assert isinstance(answer, str) == ((bus, name) not in self.rules)
        if not lost and (bus, name) in self.rules:
            self.rules[(bus, name)]["state"] = "ENABLED" if on else "DISABLED"

    @rule(bus=BUSES, name=NAMES, lost=st.booleans())
    def delete_rule(self, bus: str, name: str, lost: bool) -> None:
        answer = self.do("DeleteRule", Name=name, EventBusName=bus, lost=lost)
        held = bool(self.rules.get((bus, name), {}).get("targets"))
        assert isinstance(answer, str) == (held or bus not in self.buses)
        if not lost and not held:
            self.rules.pop((bus, name), None)

    @rule(bus=BUSES, name=NAMES, ids=st.dictionaries(st.sampled_from("123456"), st.sampled_from("pq"), min_size=1), lost=st.booleans())
    def put_targets(self, bus: str, name: str, ids: dict[str, str], lost: bool) -> None:
        targets = {target_id: {"Id": target_id, "Arn": f"{QUEUE}{suffix}"} for target_id, suffix in ids.items()}
        answer = self.do("PutTargets", Rule=name, EventBusName=bus, Targets=list(targets.values()), lost=lost)
        known = self.rules.get((bus, name))
        good = known is not None and len(known["targets"] | targets) <= 5
        assert isinstance(answer, str) == (not good)
        if known is not None and good and not lost:
            known["targets"] = known["targets"] | targets

    @rule(bus=BUSES, name=NAMES, ids=st.lists(st.sampled_from("123456"), min_size=1, max_size=6), lost=st.booleans())
    def remove_targets(self, bus: str, name: str, ids: list[str], lost: bool) -> None:
        answer = self.do("RemoveTargets", Rule=name, EventBusName=bus, Ids=ids, lost=lost)
        known = self.rules.get((bus, name))
        assert isinstance(answer, str) == (known is None)
        if known is not None and not lost:
            known["targets"] = {target_id: target for target_id, target in known["targets"].items() if target_id not in ids}

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        if not hasattr(self, "hall"):
            return
        ask = self.hall.ask
        assert {bus["Name"] for bus in ask("ListEventBuses")["EventBuses"]} == self.buses
        for bus in self.buses:
            mine = {name: known for (place, name), known in self.rules.items() if place == bus}
            listed = {one["Name"]: (one["EventPattern"], one["State"]) for one in ask("ListRules", EventBusName=bus)["Rules"]}
            assert listed == {name: (known["pattern"], known["state"]) for name, known in mine.items()}
            for name, known in mine.items():
                targets = ask("ListTargetsByRule", Rule=name, EventBusName=bus)["Targets"]
                assert {target["Id"]: target for target in targets} == known["targets"]
            for suffix in "pq":
                having = sorted(name for name, known in mine.items() if _has(known, f"{QUEUE}{suffix}"))
                assert ask("ListRuleNamesByTarget", TargetArn=f"{QUEUE}{suffix}", EventBusName=bus)["RuleNames"] == having

    @invariant()
    def an_event_reaches_the_targets_of_the_rules_that_match_it(self) -> None:
        if not hasattr(self, "hall"):
            return
        for bus in ("default", "x", "y"):
            for event in EVENTS:
                self.hall.queue.deliveries.clear()
                self.hall.router.publish(REGION, bus, {"id": "e"} | event)
                got = sorted((one.owner_name, one.target["Id"]) for one in self.hall.queue.deliveries)
                wanted = sorted(
                    (name, target_id)
                    for (place, name), known in self.rules.items()
                    if place == bus and known["state"] == "ENABLED" and compile_text(known["pattern"])(event)
                    for target_id in known["targets"]
                )
                assert got == wanted, json.dumps([bus, event])

    def teardown(self) -> None:
        if hasattr(self, "hall"):
            self.hall.database.close()
        self.loop.close()
        self.directory.cleanup()


async def _await(act: Callable[[], Awaitable[T]]) -> T:
    return await act()


def _has(known: dict[str, Any], arn: str) -> bool:
    return any(target["Arn"] == arn for target in known["targets"].values())


TestEventsMachine = EventsMachine.TestCase
TestEventsMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)

"""Any order and any duplicates of a recorded set of events: the same history and incidents once all are in, the same messages and launches
where reactions are held until then, and nothing told or launched twice where they are handed over one by one.
"""

import asyncio
import random
import tempfile
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hinoban.watch.config import WatchConfig
from hinoban.watch.history import queries
from hinoban.watch.history.ledger import Message
from hinoban.watch.history.schema import launches, outbox, stops, tasks
from hinoban.watch.model import Incident
from tests.unit.watch.ledgers import DUE, add_rule, incidents, slots
from tests.unit.watch.recordings import everything
from tests.unit.watch.worlds import World

SEEDS = st.integers(0, 2**32)
NOW = DUE + 3600.0
RETRIED = WatchConfig(hold=0.0)
QUICK = settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.explicit, Phase.generate])
"""Nothing is made smaller: an order of a hundred events has no simpler one worth minutes."""


class Handed:
    """A watch that is handed batches, and what stands in its tables after."""

    def __init__(self, folder: str) -> None:
        self.world = World(Path(folder), RETRIED)

    async def begin(self) -> "Handed":
        for name in ("close", "report"):
            add_rule(self.world, name, "cron(0 * * * ? *)")
        await self.world.turns()
        self.world.clock._now = NOW
        return self

    async def hand(self, *batches: list[bytes]) -> None:
        """Only read and remembered: no reaction is carried out."""
        for batch in batches:
            self.world.aws.emit(*batch)
            await self.world.watch.read(self.world.clock.now())

    def history(self) -> Any:
        with self.world.engine.connect() as connection:
            rows = list(connection.execute(select(tasks)).mappings())
            told = {row["id"]: queries.timeline(connection, row) for row in rows}
            flat = sorted(tuple(value for name, value in row.items() if name not in ("key", "timeline")) for row in rows)
            others = [sorted(tuple(row) for row in connection.execute(select(table))) for table in (launches, stops)]
        return flat, told, others

    def incidents(self) -> dict[str, Any]:
        """Each with how it stands; of a service's single crashes it depends on the order which were told before the loop was known."""
        every = incidents(self.world).values()
        return {one.id: ended(one) for one in every if one.finding.detector != "failed_exit" or one.finding.family != "web"}

    def slots(self) -> dict[Any, Any]:
        return {name: (one.state, one.tasks, one.fired, one.runtask, one.incident_id) for name, one in slots(self.world).items()}

    def messages(self) -> Counter[tuple[str, str, str]]:
        with self.world.engine.connect() as connection:
            found = [msgspec.json.decode(value, type=Message) for value in connection.execute(select(outbox.c.value)).scalars()]
        return Counter((one.incident.id, one.change, one.incident.verdict) for one in found)

    def launches(self) -> Counter[str]:
        return Counter(call["clientToken"] for call in self.world.aws.run_task_calls)


def ended(one: Incident) -> Any:
    return one.subject, one.verdict, one.finding.detector, one.state, one.finding.explanation.code


def handed(seed: int, size: int) -> list[list[bytes]]:
    """The recorded events, shuffled, some of them twice, in batches."""
    dice, recorded = random.Random(seed), everything()
    shuffled = [*recorded, *dice.choices(recorded, k=20)]
    dice.shuffle(shuffled)
    return [shuffled[start : start + size] for start in range(0, len(shuffled), size)]


def run(story: Any) -> Any:
    async def told() -> Any:
        with tempfile.TemporaryDirectory() as folder:
            one = await Handed(folder).begin()
            answer = await story(one)
            one.world.engine.dispose()
            return answer

    return asyncio.run(told())


def remembered(batches: list[list[bytes]]) -> Any:
    async def story(one: Handed) -> Any:
        await one.hand(*batches)
        return one.history(), one.incidents(), one.slots()

    return run(story)


def done(batches: list[list[bytes]]) -> Any:
    """What is told and launched once all are in."""

    async def story(one: Handed) -> Any:
        await one.hand(*batches)
        await one.world.turns(60, step=5)
        return one.messages(), one.launches()

    return run(story)


@cache
def as_it_happened() -> Any:
    return remembered([everything()])


@cache
def done_as_it_happened() -> Any:
    return done([everything()])


@QUICK
@given(seed=SEEDS, size=st.sampled_from([1, 7, 50]))
def test_any_order_in_any_batches_gives_the_same_history_and_the_same_incidents(seed: int, size: int) -> None:
    history, found, runs = remembered(handed(seed, size))
    expected = as_it_happened()
    assert history == expected[0]
    assert found == expected[1]
    assert runs == expected[2]


@QUICK
@given(seed=SEEDS)
def test_with_reactions_held_until_all_are_in_the_same_is_told_and_launched(seed: int) -> None:
    expected = done_as_it_happened()
    assert expected[0] and expected[1]
    assert done(handed(seed, 1000)) == expected


@settings(QUICK, max_examples=2)
@given(seed=SEEDS)
def test_handed_over_one_by_one_nothing_is_told_and_nothing_launched_twice(seed: int) -> None:
    async def story(one: Handed) -> Any:
        for batch in handed(seed, 1):
            one.world.aws.emit(*batch)
            await one.world.watch.turn()
        await one.world.turns(60, step=5)
        return one.messages(), one.launches()

    told, launched = run(story)
    assert told and max(told.values()) == 1, told.most_common(3)
    assert not launched or max(launched.values()) == 1

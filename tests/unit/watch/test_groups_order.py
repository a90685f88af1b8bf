"""Any order of the same failures, with any duplicates, in any batches within the window, gives the same groups, each told once to begin with.
Which of a group's incidents speaks for it depends on the order; who is together with whom does not."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hinoban.base.clock import MINUTES
from tests.unit.watch.ledgers import groups_hold, incidents
from tests.unit.watch.samples import NO_ROOM, START, run_task, task_event
from tests.unit.watch.worlds import World

PULL = "CannotPullContainerError: failed to resolve ref registry/web:v2: not found"
RECORDED = [
    *(run_task(number, at=START, family=f"job-{number}", failures=(NO_ROOM,), startedBy="alice") for number in range(4)),
    *(task_event(10 + number, "STOPPED", at=START, family="report", exit_code=3) for number in range(3)),
    *(task_event(20 + number, "STOPPED", at=START, family="report", exit_code=4) for number in range(2)),
    *(task_event(30 + number, "STOPPED", at=START, family="web", code="TaskFailedToStart", reason=PULL) for number in range(3)),
]


async def told(batches: list[list[bytes]]) -> tuple[set[frozenset[str]], list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        await world.turns()
        for batch in batches:
            world.aws.emit(*batch)
            await world.turns(MINUTES, step=30)
        known = incidents(world)
        groups_hold(world)
        together: dict[str, set[str]] = {}
        for one in known.values():
            together.setdefault(one.lead or one.id, set()).add(one.id)
        lines = world.told()
        # Everything once more: nothing is new.
        world.aws.emit(*(event for batch in batches for event in batch))
        await world.turns(20 * MINUTES, step=60)
        assert set(incidents(world)) == set(known)
        last = [line for line in world.told() if line not in lines]
        world.engine.dispose()
        return {frozenset(ids) for ids in together.values()}, last


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_same_failures_give_the_same_groups(data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(RECORDED), max_size=5))
    shuffled = data.draw(st.permutations([*RECORDED, *again]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shuffled)), max_size=3)))
    batches = [list(shuffled[start:end]) for start, end in zip([0, *cuts], [*cuts, len(shuffled)], strict=True)]
    groups, late = asyncio.run(told(batches))
    at_once, nothing = asyncio.run(told([RECORDED]))
    assert groups == at_once and sorted(map(len, groups)) == [2, 3, 3, 4]
    assert nothing == [] and len(late) <= len(groups), "at most what had grown a moment ago is still to be told"

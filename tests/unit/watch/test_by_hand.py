"""Lost runs made up for by hand: never what ran, or may yet run by itself; each in an incident of its own."""

from pathlib import Path

import pytest

from hinoban.base.clock import HOURS, MINUTES
from hinoban.base.errors import HinobanError
from tests.unit.watch.ledgers import DUE, add_rule, fired, incidents, launch, missed, slots, until
from tests.unit.watch.worlds import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    add_rule(world, "close", "cron(0 * * * ? *)")
    return world


async def slept(world: World) -> None:
    await until(world, DUE - 1)
    world.clock._now = DUE + 2 * HOURS + 60
    world.aws.emit(missed("close", DUE, DUE + 2 * HOURS, 3))
    await world.turns(40)


async def finish_all(world: World) -> None:
    await world.turns(5)
    for _, arn in world.aws.launched:
        if world.aws.tasks[arn].get("stopped") is None:
            world.aws.finish(arn)
    await world.turns(5)


async def test_the_first_of_a_grouped_loss_recovers_alone(world: World) -> None:
    await slept(world)
    await world.watch.run_schedule("close", DUE, "s.tanaka")
    await finish_all(world)
    states = [one.state for _, one in sorted(slots(world).items())]
    assert states == ["recovered", "missed", "missed"]
    assert sorted((one.verdict, one.state) for one in incidents(world).values()) == [("DID NOT RUN", "open"), ("RECOVERED", "resolved")]
    lost = world.watch.schedules_since(24 * HOURS, 0)["lost"]
    assert len(lost) == 2


async def test_catching_up_runs_each_lost_slot_once_and_ends_their_common_incident(world: World) -> None:
    await slept(world)
    answer = world.watch.catch_up("close", DUE, DUE + 2 * HOURS, "s.tanaka")
    assert len(answer["queued"]) == 3
    await world.turns(10)
    assert len(world.aws.launched) == 1, "one after another"
    again = world.watch.catch_up("close", DUE, DUE + 2 * HOURS, "s.tanaka")
    assert (again["queued"], len(again["skipped"])) == ([], 3), "what is launched is not lost"
    for _ in range(8):
        await finish_all(world)
    again = world.watch.catch_up("close", DUE, DUE + 2 * HOURS, "s.tanaka")
    assert (again["queued"], len(again["skipped"]), len(world.aws.launched)) == ([], 3, 3)
    assert all(one.state == "resolved" for one in incidents(world).values())
    assert world.watch.schedules_since(24 * HOURS, 0)["lost"] == []


@pytest.mark.parametrize("seen", [False, True])
async def test_a_slot_that_may_still_be_launched_is_not_run_by_hand(world: World, seen: bool) -> None:
    await until(world, DUE + 1)
    if seen:
        world.aws.emit(fired("close", DUE))
        await world.turns()
    with pytest.raises(HinobanError, match="not lost"):
        await world.watch.run_schedule("close", DUE, "s.tanaka")


async def test_nor_is_one_that_ran(world: World) -> None:
    await until(world, DUE + 1)
    world.aws.emit(fired("close", DUE), launch("close", DUE, 41))
    await until(world, DUE + 10 * MINUTES)
    with pytest.raises(HinobanError, match="ran"):
        await world.watch.run_schedule("close", DUE, "s.tanaka")


async def test_a_moment_without_a_slot_names_those_near_it(world: World) -> None:
    await until(world, DUE + 10 * MINUTES)
    with pytest.raises(HinobanError, match="no run"):
        await world.watch.run_schedule("close", DUE + 60, "s.tanaka")


async def test_without_a_slot_it_runs_now_and_is_no_slots_run(world: World) -> None:
    await until(world, DUE - 10 * MINUTES)
    answer = await world.watch.run_schedule("close", None, "s.tanaka")
    assert answer["outcome"] == "launched 1 of 1"
    assert world.aws.run_task_calls[0]["startedBy"] == "hinoban-run/close"

"""A family of the same name in another account, in another region or on another cluster is another family: nothing is concluded from its runs."""

from pathlib import Path

import pytest

from hinoban.base.clock import HOURS, MINUTES
from tests.unit.watch.samples import ACCOUNT, REGION, task_event
from tests.unit.watch.worlds import World

ELSEWHERE = ["account", "region", "cluster"]


def at(place: str, raw: bytes, revision: int = 7) -> bytes:
    """A task's event, at home or elsewhere."""
    raw = raw.replace(b"task-definition/job:7", b"task-definition/job:%d" % revision)
    there = {"account": (ACCOUNT, "999999999999"), "region": (REGION, "eu-west-1"), "cluster": ("default", "dev")}
    return raw.replace(*(word.encode() for word in there[place])) if place in there else raw


async def ran(world: World, place: str, number: int, seconds: float, exit_code: int = 0, revision: int = 7) -> None:
    """A run of `job` that has just ended."""
    now = world.clock.now()
    world.aws.emit(at(place, task_event(number, "STOPPED", exit_code=exit_code, at=now, created=now - seconds), revision))
    await world.turns(5 * MINUTES, step=60)


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
async def test_the_last_good_run_is_one_of_the_same_place(tmp_path: Path, elsewhere: str) -> None:
    world = World(tmp_path)
    await ran(world, "home", 1, 60, revision=8)
    await ran(world, elsewhere, 2, 60, revision=12)
    await ran(world, "home", 3, 60, exit_code=1, revision=8)
    assert "changed" not in world.watch.why("00000003")
    await ran(world, "home", 4, 60, exit_code=1, revision=9)
    assert ":8 → :9" in world.watch.why("00000004")["changed"]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
async def test_what_is_usual_elsewhere_is_not_usual_here(tmp_path: Path, elsewhere: str) -> None:
    world = World(tmp_path)
    for number in range(1, 6):
        await ran(world, elsewhere, number, 1 * HOURS)
    await ran(world, "home", 6, 5, exit_code=1)
    assert "usual" not in world.watch.why("00000006")
    await ran(world, "home", 7, 2 * MINUTES)
    await ran(world, "home", 8, 5, exit_code=1)
    assert world.watch.why("00000008")["usual"] == "the last good run 2 m"


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
async def test_a_run_is_no_orphan_for_being_longer_than_those_elsewhere(tmp_path: Path, elsewhere: str) -> None:
    world = World(tmp_path)
    for number in range(1, 6):
        await ran(world, elsewhere, number, 5 * MINUTES)
        await ran(world, "home", number + 10, 1 * HOURS)
    world.aws.emit(task_event(20, "RUNNING", at=world.clock.now()), at(elsewhere, task_event(21, "RUNNING", at=world.clock.now())))
    await world.turns(1 * HOURS, step=5 * MINUTES)
    [orphan] = world.watch.orphans()["orphans"]
    assert orphan["task"].split("/")[-1].startswith("00000015") and orphan["usual_seconds"] == 5 * MINUTES


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
async def test_two_at_once_are_told_in_each_place(tmp_path: Path, elsewhere: str) -> None:
    world = World(tmp_path)
    for number, place in enumerate((elsewhere, "home"), start=1):
        for starter in ("anna", "ben"):
            raw = task_event(10 * number + len(starter), "RUNNING", at=world.clock.now(), started_by=starter)
            world.aws.emit(at(place, raw))
            await world.turns(60, step=20)
    found = [one for one in world.watch.incidents()["incidents"] if one["detector"] == "overlap"]
    assert len({(one["account"], one["region"], one["cluster"]) for one in found}) == len(found) == 2


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
async def test_a_failure_that_is_heard_of_late_is_made_up_for_however_much_ran_elsewhere(tmp_path: Path, elsewhere: str) -> None:
    world = World(tmp_path)
    failed = world.clock.now()
    await world.turns(10)
    good = {"at": failed + 5, "created": failed + 2}
    world.aws.emit(*(at(elsewhere, task_event(number, "STOPPED", **good)) for number in range(2, 103)))
    world.aws.emit(task_event(200, "STOPPED", at=failed + 6, created=failed + 2))
    await world.turns(10)
    world.aws.emit(task_event(1, "STOPPED", at=failed, created=failed - 60, exit_code=1))
    await world.turns(10)
    [incident] = world.watch.incidents()["incidents"]
    assert (incident["state"], incident["done"]) == ("resolved", ["A later run ended well."])

"""The watch says what it cannot see: an account that fails, a right that was taken away, a queue that has gone quiet; and the others go on."""

from pathlib import Path

import msgspec

from hinoban.base.clock import HOURS, MINUTES
from hinoban.watch.places import Place
from hinoban.watch.schedules.model import Problem
from tests.unit.watch.samples import ACCOUNT, NO_ROOM, REGION, life, run_task
from tests.unit.watch.test_reading import Several


class TwoAccounts(Several):
    places = (Place(ACCOUNT, REGION), Place("210987654321", "us-east-1"))


def titles(world: Several) -> list[str]:
    return [line.splitlines()[0] for line in world.told()]


async def test_one_account_that_fails_is_blind_and_the_other_is_watched_and_retried(tmp_path: Path) -> None:
    world = TwoAccounts(tmp_path)
    await world.turns(40)
    world.two.down = True
    world.one.bring([run_task(1, at=world.clock.now(), failures=(NO_ROOM,), startedBy="events-rule/job")])
    await world.turns(5 * MINUTES, step=5)
    [blind] = [one for one in world.watch.incidents()["incidents"] if one["detector"] == "blind"]
    assert (blind["verdict"], blind["account"], blind["region"]) == ("BLIND", "210987654321", "us-east-1")
    assert blind["cause"].startswith("AWS refuses what the watch needs: two.")
    assert world.aws.launched, "the account that can be seen is retried"
    world.two.down = False
    await world.turns(60, step=5)
    [blind] = [one for one in world.watch.incidents()["incidents"] if one["detector"] == "blind"]
    assert (blind["state"], blind["done"]) == ("resolved", ["two can be seen again."])


async def test_a_right_that_is_taken_away_is_told_once_by_its_name_over_restarts(tmp_path: Path) -> None:
    world = Several(tmp_path)
    denied = Problem(region=REGION, right="cloudtrail:LookupEvents", code="AccessDeniedException", message="not authorized", denied=True)
    world.one.problems = {denied.right: denied}
    await world.turns(3 * MINUTES, step=5)
    world.crash()
    world.one.problems = {denied.right: denied}
    await world.turns(3 * MINUTES, step=5)
    [blind] = world.watch.incidents()["incidents"]
    assert "cloudtrail:LookupEvents" in blind["cause"] and blind["said"] == ["AccessDeniedException: not authorized"]
    assert len(world.told()) == 1
    world.crash()
    await world.turns(30, step=5)
    assert [one["state"] for one in world.watch.incidents()["incidents"]] == ["resolved"]


async def test_a_queue_that_goes_quiet_is_told_and_its_next_event_ends_it(tmp_path: Path) -> None:
    world = Several(tmp_path)
    for number in range(60):
        world.one.bring(life(number, at=world.clock.now(), exit_code=0))
        await world.turns(5 * MINUTES, step=60)
    await world.turns(2 * HOURS, step=60)
    [silent] = world.watch.incidents()["incidents"]
    assert (silent["verdict"], silent["family"]) == ("SILENT", "one")
    world.one.bring(life(99, at=world.clock.now(), exit_code=0))
    await world.turns(60, step=5)
    assert [one["state"] for one in world.watch.incidents()["incidents"]] == ["resolved"]


async def test_a_watch_that_falls_behind_says_so_and_says_when_it_has_caught_up(tmp_path: Path) -> None:
    world = Several(tmp_path)
    late = world.clock.now() - 10 * MINUTES
    for number in range(40):
        world.one.bring(
            [msgspec.json.encode({**msgspec.json.decode(one), "id": f"{number}-{at}"}) for at, one in enumerate(life(number, at=late))]
        )
    for _ in range(30):
        await world.turns(10, step=10)
    verdicts = [one["verdict"] for one in world.watch.incidents()["incidents"]]
    assert "BEHIND" in verdicts
    await world.turns(5 * MINUTES, step=10)
    assert {one["state"] for one in world.watch.incidents()["incidents"] if one["verdict"] == "BEHIND"} == {"resolved"}

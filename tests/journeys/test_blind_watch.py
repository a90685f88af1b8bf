"""The watch says what it cannot see: an account that fails, a right that was taken away, a queue that has gone quiet; and the others go on."""

from pathlib import Path

import msgspec

from hinoban.base.clock import HOURS, MINUTES
from hinoban.base.ids import SeededIds
from hinoban.watch.history.database import open_file
from hinoban.watch.notify.channels import Console
from hinoban.watch.places import Clients, Place
from hinoban.watch.schedules.inventory import Inventory
from hinoban.watch.schedules.model import Problem
from hinoban.watch.service import Watch
from hinoban.watch.sources import Poll
from tests.support.polled import PolledAws, passing
from tests.unit.watch.samples import ACCOUNT, NO_ROOM, REGION, life, run_task
from tests.unit.watch.test_reading import Several


class TwoAccounts(Several):
    places = (Place(ACCOUNT, REGION), Place("210987654321", "us-east-1"))


FURTHER, ROLE = "210987654321", "arn:aws:iam::210987654321:role/hinoban"
REGIONS = (REGION, "us-east-1")


class Polled(Several):
    """A home account, and a further one in two regions that takes no credentials."""

    def _open(self) -> Watch:
        self.engine = open_file(self.path)
        home, self.further = PolledAws(self.clock), PolledAws(self.clock)
        self.refuse("UnrecognizedClientException")
        ours, theirs = home.client(), self.further.client()
        sources = [Poll(ours, self.clock, account=ACCOUNT, wait=0)]
        sources += [Poll(theirs.in_region(region), self.clock, account=FURTHER, wait=0) for region in REGIONS]
        inventories = [
            (Inventory(ours, self.clock, account=ACCOUNT, roles=False), (REGION,)),
            (Inventory(theirs, self.clock, account=FURTHER, roles=False), REGIONS),
        ]
        clients = Clients(ours, {FURTHER: theirs}, {FURTHER: ROLE})
        channels = [Console(self.console, "UTC")]
        return Watch(self.config, self.engine, clients, sources, self.clock, SeededIds(7), channels, inventories=inventories)

    def refuse(self, code: str) -> None:
        for name in ("ListClusters", "LookupEvents", "ListRules", ""):
            self.further.refusals[name] = [code]

    async def look(self, seconds: float) -> None:
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            await passing(self.clock, self.watch.turn(), step=2)
            await self.clock.advance(2)


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


async def test_an_account_that_takes_no_credentials_is_one_matter_and_hides_nothing_of_the_others(tmp_path: Path) -> None:
    world = Polled(tmp_path)
    await world.look(3 * MINUTES)
    [blind] = world.watch.incidents()["incidents"]
    assert (blind["verdict"], blind["family"], blind["account"]) == ("BLIND", f"account {FURTHER}", FURTHER)
    assert f"{FURTHER} ({REGION}, us-east-1)" in blind["cause"] and f"assume-role --role-arn {ROLE}" in blind["next"]
    assert len(titles(world)) == 1
    status = world.watch.status()
    assert "exits" in status["sees"] and "schedules" in " ".join(status["sees"])
    assert all(FURTHER in line and ACCOUNT not in line for line in status["blind"]) and len(status["blind"]) == 3
    states = {one["detector"]: (one["state"], {where["account"] for where in one["blind_in"]}) for one in status["detectors"]}
    assert states["failed_exit"] == ("quiet", {FURTHER}) and states["missed_run"][1] == {FURTHER}
    world.crash()
    world.further.refusals.clear()
    await world.look(2 * MINUTES)
    [blind] = world.watch.incidents()["incidents"]
    assert (blind["state"], blind["done"]) == ("resolved", ["The credentials are taken again."])
    assert world.watch.status()["blind"] == []


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

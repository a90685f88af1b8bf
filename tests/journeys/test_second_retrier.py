"""Seed 003's own function runs beside us: it launches again whatever CloudTrail shows as refused, its own launches and ours. The job runs once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hinoban.base.clock import FakeClock
from hinoban.base.errors import HinobanError
from hinoban.watch.config import WatchConfig
from hinoban.watch.notify import daily_facts
from tests.journeys.test_lost_runs import MIDNIGHT, nightly
from tests.support.engine import Bench
from tests.support.street import Street

KEPT = ("taskDefinition", "cluster", "count", "launchType", "networkConfiguration")
"""What the seed's function takes over of a request: no overrides, no startedBy, no token."""


class TheirFunction:
    """`{ ($.eventName = "RunTask") && ($.responseElements.tasks[0] NOT EXISTS) }`, as late as CloudTrail is; it does not look first."""

    def __init__(self, bench: Bench, delay: float) -> None:
        self._bench = bench
        self._delay = delay
        self._seen = 0
        self._due: list[tuple[float, dict[str, Any]]] = []
        self.launches = 0

    async def step(self) -> None:
        now = self._bench.clock.now()
        for line in self._bench.feed(self._seen):
            self._seen = line["seq"]
            record = line["event"]["detail"]
            if record.get("eventName") == "RunTask" and not (record.get("responseElements") or {}).get("tasks"):
                self._due.append((now + self._delay, record["requestParameters"]))
        ready = [request for at, request in self._due if at <= now]
        self._due = [one for one in self._due if one[0] > now]
        for request in ready:
            self.launches += 1
            await self._bench.call("RunTask", **{name: request[name] for name in KEPT if request.get(name) is not None})


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Street]:
    street = Street(tmp_path, WatchConfig(tz="Asia/Tokyo"))
    street.bench.clock = FakeClock(MIDNIGHT - 90)
    await street.open()
    yield street
    await street.close()


@pytest.mark.parametrize("delay", [1, 9])
@pytest.mark.parametrize("refusals", [1, 3, 20])
async def test_both_retriers_present_the_job_runs_once(here: Street, delay: float, refusals: int) -> None:
    await nightly(here)
    theirs = TheirFunction(here.bench, delay)
    await here.put_in(what="capacity", match={"family": ["daily-close"]}, times=refusals)
    for _ in range(330):
        await here.pass_time(1)
        await theirs.step()
    await here.pass_time(60, step=5)
    assert theirs.launches >= 1
    assert sum(here.bench.runs.values()) == 1
    assert all(one["state"] == "resolved" for one in here.watch.incidents()["incidents"])


async def test_where_their_run_has_ended_well_the_slot_ends_without_a_word_of_ours(here: Street) -> None:
    await nightly(here)
    theirs = TheirFunction(here.bench, 1.5)
    await here.put_in(what="capacity", match={"family": ["daily-close"]}, times=1)
    for _ in range(500):
        await here.pass_time(0.5, step=0.5)
        await theirs.step()
    [ours] = here.watch.incidents()["incidents"]
    assert ours["done"][0].startswith("Stood down: task ") and ours["done"][1:] == ["A later run ended well."]
    assert (ours["state"], ours["told"]) == ("resolved", 0)
    assert here.said() == [f"15:00:29 UTC daily-close DID NOT RUN, made up for by a later run (no Fargate capacity) {ours['id']}"]
    assert sum(here.bench.runs.values()) == 1
    with here.watch.pipeline.transaction() as connection:
        [slot] = here.watch.pipeline.timetable.book.of_incident(connection, ours["id"])
        assert daily_facts.runs(connection, [slot]).by_hand_incidents == (ours["id"],)
    assert slot.state == "recovered"
    with pytest.raises(HinobanError, match="ran"):
        await here.watch.run_schedule("daily-close", slot.at, "s.tanaka")


async def test_they_are_noticed_and_it_is_said(here: Street) -> None:
    await nightly(here)
    theirs = TheirFunction(here.bench, 5)
    await here.put_in(what="capacity", match={"family": ["daily-close"]}, times=10_000)
    for _ in range(280):
        await here.pass_time(5, step=5)
        await theirs.step()
    [ours] = [one for one in here.watch.incidents(None, 1000)["incidents"] if "due_at" in one["facts"]]
    assert ours["done"][-1] == "Gave up: the deadline has passed, and somebody else tries to launch it, too."
    assert sum(here.bench.runs.values()) == 0

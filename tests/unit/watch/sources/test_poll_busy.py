"""Polling an account that launches more than CloudTrail's event history can be read for, at the pace that AWS gets."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from hinoban.base.clock import HOURS, MINUTES
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.sources.poll import DOINGS, STANDING, Poll
from tests.unit.watch.test_reading import Several

CLUSTER = "arn:aws:ecs:ap-northeast-1:123456789012:cluster/default"


class Leaping:
    """A clock that goes at once to where somebody wants to sleep until."""

    def __init__(self) -> None:
        self.moment = 1_800_000_000.0

    def now(self) -> float:
        return self.moment

    async def sleep_until(self, moment: float) -> None:
        self.moment = max(self.moment, moment)


class Busy:
    """An account with so many calls of RunTask an hour; `listed` are the moments of its lists of stopped tasks."""

    region = "ap-northeast-1"

    def __init__(self, clock: Leaping, launches: int) -> None:
        self.clock = clock
        self.apart = 1 * HOURS / launches
        self.listed: list[float] = []
        self.looks: list[tuple[str, float]] = []

    def in_region(self, region: str) -> "Busy":
        return self

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        if operation == "ListClusters":
            return {"clusterArns": [CLUSTER]}
        if operation == "LookupEvents":
            return self._page(params)
        if params.get("desiredStatus") == "STOPPED":
            self.listed.append(self.clock.now())
        return {}

    def _page(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = params["LookupAttributes"][0]["AttributeValue"]
        if "NextToken" not in params:
            self.looks.append((name, self.clock.now()))
        if name != "RunTask":
            return {"Events": []}
        first = int(params["StartTime"] / self.apart) + 1
        newest = int(params.get("NextToken") or params["EndTime"] / self.apart)
        numbers = range(newest, max(first, newest - 49) - 1, -1)
        events = [{"EventId": str(number), "EventTime": number * self.apart} for number in numbers]
        return {"Events": events} | ({"NextToken": str(numbers[-1] - 1)} if numbers and numbers[-1] > first else {})


class Account:
    def __init__(self, launches: int) -> None:
        self.clock = Leaping()
        self.aws = Busy(self.clock, launches)
        self.source = Poll(self.aws, self.clock)
        self.cursor: Cursor | None = None
        self.late: list[float] = []

    async def during(self, seconds: float) -> None:
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            batch = await self.source.poll(self.cursor)
            self.cursor = batch.cursor
            self.late.append(batch.late)
            await self.source.committed()


@pytest.mark.parametrize("launches", [3_000, 8_000, 40_000])
async def test_stopped_tasks_are_listed_each_minute_however_much_is_launched(launches: int) -> None:
    account = Account(launches)
    await account.during(2 * HOURS)
    gaps = [later - first for first, later in itertools.pairwise(account.aws.listed)]
    assert len(gaps) > 100 and max(gaps) <= 1 * MINUTES


async def test_event_history_that_cannot_keep_up_says_so_and_piles_nothing_up() -> None:
    account = Account(40_000)
    await account.during(30 * MINUTES)
    assert account.cursor is not None and account.cursor.newest > account.cursor.seq, "the first look is not through"
    await account.during(3 * HOURS)
    assert account.late[-1] > 1 * HOURS
    assert len(account.source._lookups) <= len(STANDING) + len(DOINGS)


async def test_the_other_calls_are_asked_for_as_well_while_launches_fall_behind() -> None:
    account = Account(40_000)
    await account.during(1 * HOURS)
    assert {name for name, _ in account.aws.looks} == {*STANDING, *DOINGS}


async def test_an_account_at_its_ease_is_not_late() -> None:
    account = Account(600)
    await account.during(10 * MINUTES)
    account.late.clear()
    await account.during(1 * HOURS)
    assert set(account.late) == {0.0}
    assert account.cursor is not None and account.cursor.newest == account.cursor.seq


async def test_while_event_history_is_late_the_watch_is_behind_and_gives_no_run_up_for_lost(tmp_path: Path) -> None:
    world = Several(tmp_path)
    await world.turns(60, step=30)
    reading = world.watch.readings[0]
    assert reading.unproven() is None
    world.one.late = 12 * MINUTES
    await world.turns(4 * MINUTES, step=30)
    words = "CloudTrail's event history is read only up to 12 m ago"
    assert reading.behind() == reading.unproven() == words
    assert world.watch.status()["sources"][0]["behind"] == words
    assert [one["verdict"] for one in world.watch.incidents()["incidents"]] == ["BEHIND"]
    world.one.late = 0.0
    await world.turns(1)
    assert reading.unproven() is None

"""A month of 1,000 schedules on the default buses of four regions, in seconds: the engine is dropped without close at random moments and
opened again on its disk after random absences. Every slot is decided once, each missed one told once, each fired one launched once."""

import heapq
import math
import os
import random
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from hinoban.aws.call import Caller
from hinoban.base.clock import DAYS, FakeClock, settle
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.engine.runtime.driver import ContainerKey
from tests.support.engine import Bench
from tests.support.month import ACCOUNT, END, REGIONS, START, ZONES, Job, expression_of

SEED = int(os.environ.get("HINOBAN_TEST_SEED", "1"))
RULES, SCHEDULES, CHANGES, KILLS = 800, 200, 200, 50
ABSENCES = (2.0, 20.0, 59.0, 61.0, 300.0, 3600.0, 9 * 3600.0, 30 * 3600.0)
PRECISION = 60.0  # seconds (facts/eventbridge.md §8.2)
CALLER = Caller("AKIDEXAMPLE", f"arn:aws:iam::{ACCOUNT}:user/hinoban", "IAMUser")


DEFINITION = {
    "family": "job",
    "cpu": "256",
    "memory": "512",
    "networkMode": "awsvpc",
    "requiresCompatibilities": ["FARGATE"],
    "containerDefinitions": [{"name": "app", "image": "busybox"}],
}


def target_in(region: str) -> dict[str, Any]:
    return {
        "Arn": f"arn:aws:ecs:{region}:{ACCOUNT}:cluster/default",
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/events",
        "EcsParameters": {
            "TaskDefinitionArn": f"arn:aws:ecs:{region}:{ACCOUNT}:task-definition/job",
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"]}},
        },
    }


class Event(msgspec.Struct, rename={"kind": "detail-type"}):
    """As much of an envelope as is looked at."""

    kind: str
    detail: msgspec.Raw


class Line(msgspec.Struct):
    seq: int
    event: Event


_decode = msgspec.json.Decoder(Line).decode


class LeapingClock(FakeClock):
    """Goes straight from one moment at which something is due to the next: what beats in between is late, as on a machine that slept."""

    def leap(self, moment: float) -> None:
        self._now = max(self._now, moment)
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)


class Absence(NamedTuple):
    """The engine died at `since`, perhaps amid what was due at that very moment, and was opened again at `until`."""

    since: float
    until: float


class Launch(NamedTuple):
    at: float
    task_id: str


class Month:
    """The engine, what befalls it, and what its feed says."""

    def __init__(self, directory: Path, dice: random.Random) -> None:
        self.bench = Bench(directory, room=Room(10**9, 10**9), forget_after=60.0, feed_keep=4 * DAYS)
        self.clock = self.bench.clock = LeapingClock(START)
        self.dice = dice
        self.jobs: list[Job] = []
        self.absences: list[Absence] = []
        self.fired: Counter[tuple[str, float]] = Counter()
        self.tokens: dict[tuple[str, float], str] = {}
        self.missed: defaultdict[str, list[tuple[float, float, int]]] = defaultdict(list)
        self.launches: defaultdict[str, list[Launch]] = defaultdict(list)
        self.given_up: Counter[str] = Counter()
        self.read = 0

    # What people do ------------------------------------------------------------------------------------------------------------------

    def ask(self, service: str, operation: str, region: str, **params: Any) -> None:
        self.bench.engine.endpoint.invoke(service, operation, params, region=region, caller=CALLER)

    async def begin(self) -> None:
        await self.bench.open()
        for region in REGIONS:
            self.ask("ecs", "CreateCluster", region)
            self.ask("ecs", "RegisterTaskDefinition", region, **DEFINITION)
        for number in range(RULES + SCHEDULES):
            job = self.job(number)
            job.make(expression_of(self.dice, job.kind), self.dice.random() < 0.95, self.clock.now())
            self.jobs.append(job)
            self.write(job, "CreateSchedule")
            if number % 100 == 99:
                await self.pass_to(self.clock.now() + 1)

    def job(self, number: int) -> Job:
        name, region = f"job-{number}", REGIONS[number % 4]
        if number < RULES:
            return Job(name, "rule", region, "UTC", 0)
        return Job(name, "schedule", region, self.dice.choice(ZONES), 10 if number % 10 == 0 else 0)

    def write(self, job: Job, operation: str) -> None:
        as_it_is = {"Name": job.name, "ScheduleExpression": job.now.expression, "State": "ENABLED" if job.now.enabled else "DISABLED"}
        target = target_in(job.region)
        if job.kind == "rule":
            self.ask("events", "PutRule", job.region, **as_it_is)
            self.ask("events", "PutTargets", job.region, Rule=job.name, Targets=[{"Id": "target", **target}])
            return
        window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": job.window} if job.window else {"Mode": "OFF"}
        more = {"ScheduleExpressionTimezone": job.zone, "FlexibleTimeWindow": window, "Target": target}
        self.ask("scheduler", operation, job.region, **as_it_is, **more)

    def change(self) -> None:
        job, now = self.dice.choice(self.jobs), self.clock.now()
        if self.dice.random() < 0.5:
            job.change(now, expression=expression_of(self.dice, job.kind))
        else:
            job.change(now, enabled=not job.now.enabled)
        self.write(job, "UpdateSchedule")

    # What time does ------------------------------------------------------------------------------------------------------------------

    async def live(self) -> None:
        """From the first moment of the month to its last."""
        changes = sorted(self.dice.uniform(START + 100, END) // 1 + 0.5 for _ in range(CHANGES))
        kills = sorted(round(self.dice.uniform(START + 100, END - 2 * DAYS), 3) for _ in range(KILLS))
        while self.clock.now() < END:
            moment = max(self.clock.now(), min([self.next_due(), END, *changes[:1]]))
            if kills and kills[0] <= moment:
                at_rest = max(kills.pop(0), self.clock.now())
                await self.die(moment if self.dice.random() < 0.7 else at_rest)
                continue
            await self.pass_to(moment)
            if changes and changes[0] <= moment:
                changes.pop(0)
                self.change()
                await self.quiet()

    def next_due(self) -> float:
        events = self.bench.engine.events
        return min(events._slots._marks.next_due() or math.inf, events._queue.next_due() or math.inf)

    async def pass_to(self, moment: float) -> None:
        self.clock.leap(moment)
        await self.quiet()

    async def die(self, moment: float) -> None:
        """kill -9 after a few turns of what is due at `moment`; nobody is there for a while."""
        self.clock.leap(moment)
        await settle(self.dice.randrange(40))
        self.look()
        await self.bench.kill()
        self.clock.leap(round(moment + self.dice.choice(ABSENCES) * self.dice.choice([1.0, self.dice.random()]), 3))
        self.absences.append(Absence(moment, self.clock.now()))
        await self.bench.open()
        await self.quiet()

    async def quiet(self) -> None:
        """Return when everything that is due has been decided, launched and ended."""
        engine = self.bench.engine
        for _ in range(10_000):
            await settle(10)
            if self.next_due() > self.clock.now() and engine.events._targets.deliverer.idle and not engine.state.live_tasks():
                await engine.database.committed()
                self.look()
                return
        raise AssertionError("the engine does not come to rest")

    # What is seen --------------------------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Read on in the feed."""
        while lines := self.bench.engine.journal.read(self.read, 1000):
            for line in lines:
                self.read, event = (found := _decode(line)).seq, found.event
                if event.kind == "Hinoban Slot":
                    self.hear_of_slot(msgspec.json.decode(event.detail))
                elif event.kind == "Hinoban Delivery Failed":
                    self.given_up[msgspec.json.decode(event.detail)["token"]] += 1
                elif event.kind == "AWS API Call via CloudTrail":
                    self.hear_of_call(msgspec.json.decode(event.detail))

    def hear_of_slot(self, detail: dict[str, Any]) -> None:
        arn = detail["arn"]
        if detail["decision"] == "fired":
            slot = seconds(detail["slot"])
            self.fired[(arn, slot)] += 1
            [target] = detail["targets"]
            self.tokens[(arn, slot)] = target["token"]
        else:
            assert detail["reason"].startswith("hinoban was not running from ")
            self.missed[arn].append((seconds(detail["first"]), seconds(detail["last"]), detail["count"]))

    def hear_of_call(self, detail: dict[str, Any]) -> None:
        if detail["eventName"] == "RunTask":
            answer = detail["responseElements"]
            assert answer["failures"] == []
            [task] = answer["tasks"]
            launch = Launch(seconds(detail["eventTime"]), task["taskArn"].rpartition("/")[2])
            self.launches[detail["requestParameters"]["clientToken"]].append(launch)

    # What must hold ------------------------------------------------------------------------------------------------------------------

    def check(self) -> None:
        fired: defaultdict[str, list[float]] = defaultdict(list)
        for arn, slot in self.fired.elements():
            fired[arn].append(slot)
        assert fired.keys() | self.missed.keys() <= {job.arn for job in self.jobs}
        for job in self.jobs:
            owed = sorted(job.slots(END))
            missed = [slot for run in self.missed[job.arn] for slot in slots_of(run, owed)]
            assert sorted(missed + fired[job.arn]) == owed, job
            for slot in owed:
                assert (slot in fired[job.arn]) in self.verdicts(slot, job.grace), (job, slot)
                if slot in fired[job.arn]:
                    self.check_launch(job, slot)
        assert self.launches.keys() | self.given_up.keys() == set(self.tokens.values())
        assert set(self.given_up.values()) <= {1}
        ids = [launch.task_id for launches in self.launches.values() for launch in launches]
        assert self.bench.runs == Counter(ContainerKey(task_id, "app") for task_id in ids)

    def verdicts(self, slot: float, grace: float) -> set[bool]:
        """Whether it may have fired: at once where somebody was there, else as long as it is not late."""
        for since, until in self.absences:
            if since <= slot <= until:
                return {until - slot <= grace} | ({True} if slot == since else set())
        return {True}

    def check_launch(self, job: Job, slot: float) -> None:
        """Launched once and in time, or told that it was not: it was decided and the engine died before it could call RunTask."""
        token = self.tokens[(job.arn, slot)]
        if token in self.given_up:
            assert token not in self.launches
            latest = slot + job.grace
            assert any(since <= latest < until and until - since > 1 for since, until in self.absences), (job, slot)
            return
        [launch] = self.launches[token]
        assert launch.at - slot <= job.grace, (job, slot)


def slots_of(run: tuple[float, float, int], owed: list[float]) -> list[float]:
    """The slots that one line tells of."""
    first, last, _ = run
    found = [slot for slot in owed if first <= slot <= last]
    assert (found[0], found[-1], len(found)) == run
    return found


def seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_slot_of_a_month_is_decided_once_whatever_befalls_the_engine(tmp_path: Path) -> None:
    month = Month(tmp_path, random.Random(SEED))
    await month.begin()
    await month.live()
    month.check()
    await month.bench.close()

"""A storm: tasks of which some fail in every way the fake runtime knows, launches refused, slots due, channels that fail, and kill -9 of the
engine and of who watches it. storm_proofs.py judges what became of it.
"""

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select

from hinoban.base.ids import derived_id
from hinoban.watch.history.book import slots_between
from hinoban.watch.history.database import open_readonly
from hinoban.watch.history.schema import launches, tasks
from tests.real.daemon_support import NETWORK, RealDaemon, task_events, until

CALLERS = 6
SLOT_COUNT = 2
STOPPED = 10
PATIENCE = 240.0  # for a machine that others use, too; with two cores of its own it takes a fraction of it
FAILING = 20
"""One call in so many launches what fails."""

FAILURES = (
    "exit=1",
    "exit=3 run_for=20ms",
    "exit=137",
    "exit=139",
    "oom run_for=10ms",
    "start_error='CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref'",
    "start_error='ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed'",
    "start_error='CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task'",
    "exit=1 start_after=50ms",
    "oom output='out of room'",
)

CONFIG = """
[notify.slack]
token = "xoxb-storm"
channel = "#batch"
api = "{url}/api"
severity = ["page", "ticket", "digest"]
[notify.pagerduty]
routing_key = "0123456789abcdef0123456789abcdef"
url = "{url}"
severity = ["page", "ticket", "digest"]
[[policy]]
retry = {{ attempts = 6, deadline = "5m", base = "500ms", cap = "2s" }}
"""


def definition(family: str, script: str = "") -> dict[str, Any]:
    return {
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "none", "command": ["true"], "environment": fake(script)}],
    }


def fake(script: str) -> list[dict[str, str]]:
    return [{"name": "HINOBAN_FAKE", "value": script}] if script else []


def launch(family: str, count: int, token: str, script: str = "") -> dict[str, Any]:
    overrides = {"overrides": {"containerOverrides": [{"name": "app", "environment": fake(script)}]}} if script else {}
    return {
        "taskDefinition": family,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        "count": count,
        "clientToken": token,
        **overrides,
    }


@dataclass(frozen=True)
class Size:
    """How big a storm is. `spread` is how many seconds its launches take, None for as few as they need; `ahead`, when its slots are due."""

    tasks: int
    at_once: int
    refused: int
    slots: int
    ahead: timedelta
    engine_kills: int
    watch_kills: int
    spread: float | None = None


class Watch(Protocol):
    """Who watches the storm: the engine's own watch, or one that stands beside it."""

    @property
    def state(self) -> Path: ...

    async def get(self, path: str) -> dict[str, Any]: ...

    async def fall(self, after: float) -> None:
        """SIGKILL so many seconds after it is up; it comes back."""


class OwnWatch:
    """The watch that `hinoban up` starts, and starts again."""

    def __init__(self, daemon: RealDaemon) -> None:
        self._daemon = daemon
        self.state = daemon.state

    async def get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = await self._daemon.get(path)
        return found

    async def fall(self, after: float) -> None:
        await self._daemon.watch_up()
        await asyncio.sleep(after)
        watch = self._daemon.watch_process()
        assert watch is not None
        self._daemon.watches.append(watch)
        watch.kill()


class Storm:
    def __init__(self, daemon: RealDaemon, dice: random.Random, size: Size) -> None:
        self.daemon = daemon
        self.dice = dice
        self.size = size
        self.launched = 0
        self.counts: dict[str, int] = {}
        """How many tasks may reach RUNNING, of the families that are launched once."""

    async def prepare(self) -> None:
        """Register what is launched, put the refusals in, and create the schedules."""
        for family in ("storm", "stopped"):
            await self.daemon.call("ecs", "RegisterTaskDefinition", definition(family))
        cluster = (await self.daemon.call("ecs", "DescribeClusters", {}))["clusters"][0]["clusterArn"]
        due = datetime.now(UTC) + self.size.ahead
        faults = []
        for number in range(self.size.refused):
            family = f"refused-{number}"
            self.counts[family] = 1 + number % 3
            faults.append({"what": "capacity", "match": {"family": [family]}, "times": 1 + number % 2})
        for number in range(self.size.slots):
            family = f"slot-{number}"
            self.counts[family] = SLOT_COUNT
            if number % 3 == 0:
                faults.append({"what": "capacity", "match": {"family": [family]}, "times": 1 + number % 2})
        for family in self.counts:
            # Not in an override: CloudTrail hides those, and what is hidden is not launched again.
            await self.daemon.call("ecs", "RegisterTaskDefinition", definition(family, "run_for=20ms"))
        await self.daemon.put_in(*faults)
        for number in range(self.size.slots):
            await self.daemon.call("scheduler", "CreateSchedule", self._schedule(f"slot-{number}", due, cluster))

    def _schedule(self, name: str, due: datetime, cluster: str) -> dict[str, Any]:
        target = {
            "Arn": cluster,
            "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
            "EcsParameters": {
                "TaskDefinitionArn": cluster.replace("cluster/default", f"task-definition/{name}"),
                "TaskCount": SLOT_COUNT,
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": NETWORK["awsvpcConfiguration"]["subnets"]}},
            },
        }
        return {"Name": name, "ScheduleExpression": f"at({due:%Y-%m-%dT%H:%M:%S})", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}

    def calls(self) -> Iterator[dict[str, Any]]:
        """Every launch of the storm, well mixed."""
        several = []
        for number in range(self.size.tasks // self.size.at_once):
            script = (
                FAILURES[number // FAILING % len(FAILURES)] if number % FAILING == 0 else self.dice.choice(("", "", "", "run_for=50ms"))
            )
            several.append(launch("storm", self.size.at_once, f"storm-{number}", script))
        for number in range(self.size.refused):
            several.append(launch(f"refused-{number}", 1 + number % 3, f"refused-{number}"))
        self.dice.shuffle(several)
        yield from several

    async def blow(self, watch: Watch) -> None:
        """Launch all of it through a few callers, and kill amid it."""
        calls = list(self.calls())
        left = iter(calls)
        pause = CALLERS * (self.size.spread or 0.0) / len(calls)

        async def caller() -> None:
            for asked in left:
                await self.daemon.call("ecs", "RunTask", asked)
                self.launched += asked["count"]
                if pause:
                    await asyncio.sleep(self.dice.uniform(0.0, 2 * pause))

        async with asyncio.TaskGroup() as group:
            killing = group.create_task(self._kill(watch))
            for one in [group.create_task(caller()) for _ in range(CALLERS)]:
                await one
            await killing

    async def _kill(self, watch: Watch) -> None:
        share = self.size.tasks / (self.size.engine_kills + 1)
        for life in range(self.size.engine_kills):
            wanted = share * (life + self.dice.uniform(0.6, 1.0))
            for _ in range(self.size.watch_kills):
                await watch.fall(self.dice.uniform(0.0, 1.5))
            await until(lambda wanted=wanted: self.launched >= wanted, "more is launched", PATIENCE)
            await self.daemon.kill()
            await self.daemon.start()
        await watch.fall(self.dice.uniform(0.0, 1.5))

    async def stop_some(self) -> list[str]:
        """Tasks that somebody stops: no failures."""
        arns = []
        for number in range(STOPPED):
            answer = await self.daemon.call("ecs", "RunTask", launch("stopped", 1, f"stopped-{number}", "run_for=forever"))
            arns.append(answer["tasks"][0]["taskArn"])
            await self.daemon.call("ecs", "StopTask", {"task": arns[-1], "reason": "enough"})
        return arns

    async def calm(self, watch: Watch) -> None:
        """Return when everything is read, retried and told."""

        async def still() -> bool:
            status = await watch.get("status")
            undone = [status["retries"].get(state, 0) for state in ("waiting", "launching")] + [status["outbox"].get("queued", 0)]
            return status["behind"] is None and status["tasks_open"] == 0 and not any(undone)

        def slots_are_over() -> bool:
            with open_readonly(watch.state / "watch.db").connect() as connection:
                found = slots_between(connection, 0, float("inf"))
            return len(found) == self.size.slots and not any(slot.open for slot in found)

        async def all_is_read() -> bool:
            _, envelopes = await self.daemon.feed()
            with open_readonly(watch.state / "watch.db").connect() as connection:
                read = set(connection.execute(select(tasks.c.arn)).scalars()), set(connection.execute(select(launches.c.id)).scalars())
            return read[0] >= task_events(envelopes).keys() and read[1] >= launched(envelopes) and await still()

        await until(slots_are_over, "every slot is over", PATIENCE)
        await until(still, "all is told", PATIENCE)
        await until(all_is_read, "every task and launch is read, and all is told", PATIENCE)


def launched(envelopes: Sequence[dict[str, Any]]) -> set[str]:
    """The records of all launches but the watch's own, of which it knows without being told."""
    records = [envelope["detail"] for envelope in envelopes if envelope["detail"].get("eventName") == "RunTask"]
    return {
        derived_id("lch", one["eventID"]) for one in records if not (one["requestParameters"].get("startedBy") or "").startswith("hinoban/")
    }

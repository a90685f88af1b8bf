"""How late slots are decided and launched at 100,000 Scheduler schedules of which 50 a second are due, beside those 50 a second alone."""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from benchmarks.figures import Figure
from benchmarks.hinoban_server import definition
from benchmarks.inside import KEYS, REGION
from hinoban.aws.call import Caller
from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds
from hinoban.daemon.engine import Engine
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.engine.runtime.fake import FakeDriver

SCHEDULES = 100_000
A_SECOND = 50
SECONDS = 20
AHEAD = 15  # seconds until the first slot: the engine is put down and opened again meanwhile
BATCH = 500
ACCOUNT = "123456789012"
CALLER = Caller(KEYS.access_key_id, f"arn:aws:iam::{ACCOUNT}:user/hinoban", "IAMUser")


class Lateness(NamedTuple):
    """Seconds after the slot: when it was decided, and when RunTask was called; and how long the engine took to open."""

    decided: list[float]
    launched: list[float]
    start: float


def measure() -> list[Figure]:
    """Few schedules first, then many, both with the same slots."""
    few, many = asyncio.run(_live(A_SECOND * SECONDS)), asyncio.run(_live(SCHEDULES))
    beside = f"with {A_SECOND * SECONDS:,} schedules: "
    decided = f"decided p50 {_at(many.decided, 0.5) * 1000:.0f} ms, p99 {_at(many.decided, 0.99) * 1000:.0f} ms"
    late = _at(many.launched, 0.99)
    return [
        Figure(
            f"lateness at {SCHEDULES:,} schedules, p99",
            f"{late * 1000:.0f} ms",
            f"{beside}{_at(few.launched, 0.99) * 1000:.0f} ms",
            late / _at(few.launched, 0.99),
            note=f"from the slot to RunTask, {A_SECOND} due each second for {SECONDS} s; {decided}",
        ),
        Figure(f"start with {SCHEDULES:,} schedules", f"{many.start:.2f} s", f"{beside}{few.start:.2f} s"),
    ]


def _at(sample: list[float], share: float) -> float:
    return sorted(sample)[int(len(sample) * share)]


async def _live(schedules: int) -> Lateness:
    """An engine with so many schedules, opened again on its disk shortly before the first slots."""
    with tempfile.TemporaryDirectory(prefix="hinoban-bench-") as folder:
        engine = await _open(Path(folder))
        engine.endpoint.invoke("ecs", "RegisterTaskDefinition", definition(), region=REGION, caller=CALLER)
        idle = schedules - A_SECOND * SECONDS
        await _create(engine, (("cron(0 0 1 1 ? 2199)", f"idle-{number}") for number in range(idle)))
        first = int(time.time()) + AHEAD
        await _create(engine, _due(first))
        await engine.close(keep=False)
        began = time.monotonic()
        engine = await _open(Path(folder))
        start = time.monotonic() - began
        if time.time() >= first:
            raise AssertionError("it took too long until the first slot")
        try:
            await asyncio.sleep(first + SECONDS - time.time())
            return Lateness(*await _read(engine), start)
        finally:
            await engine.close(keep=False)


def _due(first: int) -> Iterator[tuple[str, str]]:
    for number in range(A_SECOND * SECONDS):
        moment = datetime.fromtimestamp(first + number // A_SECOND, UTC)
        yield f"at({moment:%Y-%m-%dT%H:%M:%S})", f"due-{number}"


async def _open(folder: Path) -> Engine:
    clock = SystemClock()
    engine = Engine(
        folder,
        driver=FakeDriver(clock),
        clock=clock,
        ids=SystemIds(),
        credentials=KEYS,
        account=ACCOUNT,
        region=REGION,
        room=Room(10**12, 10**12),
        on_failure=_fail,
    )
    await engine.start()
    return engine


def _fail(error: BaseException) -> None:
    raise error


async def _create(engine: Engine, schedules: Iterator[tuple[str, str]]) -> None:
    cluster = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/default"
    parameters = {
        "TaskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/bench",
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"]}},
    }
    target = {"Arn": cluster, "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/scheduler", "EcsParameters": parameters}
    for number, (expression, name) in enumerate(schedules):
        asked = {"Name": name, "ScheduleExpression": expression, "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
        engine.endpoint.invoke("scheduler", "CreateSchedule", asked, region=REGION, caller=CALLER)
        if number % BATCH == BATCH - 1:
            await engine.database.committed()
    await engine.database.committed()


async def _read(engine: Engine) -> tuple[list[float], list[float]]:
    """By the journal: when each slot's line was written, and the record of its RunTask. Every slot has one of each, or it does not count."""
    deadline = time.monotonic() + 30
    while True:
        rows = engine.database.query("SELECT at, event FROM journal WHERE at > ? ORDER BY seq", (time.time() - SECONDS - AHEAD - 60,))
        slots: dict[str, tuple[float, float]] = {}
        calls: dict[str, float] = {}
        for at, raw in rows:
            event: dict[str, Any] = msgspec.json.decode(raw)
            detail = event["detail"]
            if event["detail-type"] == "Hinoban Slot":
                [target] = detail["targets"]
                assert detail["decision"] == "fired", detail
                assert target["token"] not in slots, "decided twice"
                slots[target["token"]] = (at, datetime.fromisoformat(detail["slot"]).timestamp())
            elif detail.get("eventName") == "RunTask":
                assert detail["responseElements"]["failures"] == []
                calls[detail["requestParameters"]["clientToken"]] = at
        if len(slots) == len(calls) == A_SECOND * SECONDS:
            assert slots.keys() == calls.keys()
            return [at - slot for at, slot in slots.values()], [calls[token] - slot for token, (_, slot) in slots.items()]
        if time.monotonic() > deadline:
            raise AssertionError(f"{len(slots)} slots and {len(calls)} launches, not {A_SECOND * SECONDS} each")
        await asyncio.sleep(0.5)

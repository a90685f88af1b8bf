"""What one RunTask costs in an engine with 10,000 live tasks and in one with 100: in turns, in one process, without a socket."""

import asyncio
import statistics
import time

import msgspec
import uvloop

from benchmarks.figures import Figure
from benchmarks.hinoban_server import run_task
from benchmarks.inside import REGION, call, fake_engine, request_of
from hinoban.daemon.engine import Engine
from hinoban.daemon.memory import collect_seldom

FEW, MANY = 100, 10_000
ROUNDS = 40
CALLS_A_ROUND = 25
QUIET_WITHIN = 60.0  # seconds


def measure() -> list[Figure]:
    """Medians over the rounds of both engines."""
    few, many = uvloop.run(_rounds())
    return [
        Figure(f"one RunTask at {MANY:,} live tasks", f"{many * 1e6:,.0f} µs", f"at {FEW} {few * 1e6:,.0f} µs", many / few, ("<=", 1.2))
    ]


async def _rounds() -> tuple[float, float]:
    collect_seldom()
    async with fake_engine() as few, fake_engine() as many:
        await _fill(few, FEW)
        await _fill(many, MANY)
        costs: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            for engine, taken in zip((few, many), costs, strict=True):
                taken.append(await _cost(engine))
        # The few are still few: what the rounds launched was stopped again.
        if (left := len(few.state.live_tasks())) != FEW:
            raise AssertionError(f"{left} tasks live, not {FEW}")
        return statistics.median(costs[0]), statistics.median(costs[1])


async def _fill(engine: Engine, tasks: int) -> None:
    for _ in range(tasks // 10):
        await call(engine, "RunTask", run_task() | {"count": 10})
    await _quiet(engine, tasks)


async def _cost(engine: Engine) -> float:
    """Seconds for one RunTask, from the request to its task being RUNNING; the tasks are stopped again, outside the measure."""
    requests = [request_of("RunTask", run_task()) for _ in range(CALLS_A_ROUND)]
    lived = len(engine.state.live_tasks())
    began = time.perf_counter()
    answers = [await engine.endpoint.handle(request) for request in requests]
    await _running(engine, lived + CALLS_A_ROUND)
    took = time.perf_counter() - began
    for answer in answers:
        (task,) = msgspec.json.decode(answer.body)["tasks"]
        await call(engine, "StopTask", {"task": task["taskArn"]})
    await _quiet(engine, lived)
    return took / CALLS_A_ROUND


async def _running(engine: Engine, tasks: int) -> None:
    deadline = time.monotonic() + QUIET_WITHIN
    while engine.state.counts(REGION, "default") != (tasks, 0):
        if time.monotonic() > deadline:
            raise AssertionError(f"not {tasks} tasks run but {engine.state.counts(REGION, 'default')}")
        await asyncio.sleep(0)


async def _quiet(engine: Engine, tasks: int) -> None:
    """Return when so many tasks run and nothing else is under way."""
    await _running(engine, tasks)
    await engine.database.committed()

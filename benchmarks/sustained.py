"""A minute of RunTask in a closed loop, every task carried to STOPPED and remembered by the watch, whose lag must not grow.

The rate counts tasks that ended, over the time until the last of them had ended and was remembered.
"""

import asyncio
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures import Figure
from benchmarks.hinoban_server import Hinoban, hinoban_server, lag, run_task, until_watching
from benchmarks.moto_server import moto_server
from benchmarks.wrk import NO_FAILURES, Answers, Target, replay, signed

SECONDS = 60
MOTO_SECONDS = 60
CONNECTIONS = 16
DIFFERENT = 1000  # requests signed, sent in turn
DRAINED_WITHIN = 30.0  # seconds
# An event's way to the watch takes one poll: about so many seconds of events may be under way at any moment.
FLAT_SECONDS = 2.0
RUN_TASK = "AmazonEC2ContainerServiceV20141113.RunTask"


def measure() -> list[Figure]:
    """Ours, then moto's."""
    ours, answers, lags = _ours()
    with moto_server() as moto:
        theirs = _load(moto.target, moto.run_task(), MOTO_SECONDS)
    note = f"{lags}; p50 {answers.p50 * 1000:.0f} ms, p99 {answers.p99 * 1000:.0f} ms; moto p50 {theirs.p50 * 1000:.0f} ms"
    name = f"RunTask, {SECONDS} s, each to STOPPED"
    return [Figure(name, f"{ours:,.0f}/s", f"moto {theirs.rate:,.0f}/s", ours / theirs.rate, (">=", 2.0), note)]


@dataclass
class Lags:
    """Events that the watch was behind, sampled each second while the load was on."""

    events: list[int] = field(default_factory=list)

    def check(self, events_a_second: float) -> None:
        """AssertionError unless the lag stayed flat: never beyond FLAT_SECONDS of events, and no higher at the end than in the middle."""
        if not self.events:
            raise AssertionError("no sample of the lag was taken")
        bound = events_a_second * FLAT_SECONDS
        third = max(1, len(self.events) // 3)
        middle, end = sorted(self.events[third : 2 * third]), sorted(self.events[-third:])
        growth = end[len(end) // 2] - middle[len(middle) // 2]
        if max(self.events[third:]) > bound or growth > bound / 4:
            raise AssertionError(f"the watch's lag is not flat (bound {bound:.0f} events): {self.events}")

    def __str__(self) -> str:
        ordered = sorted(self.events)
        return f"lag flat: median {ordered[len(ordered) // 2]}, highest {ordered[-1]}, last {self.events[-1]} events"


def _ours() -> tuple[float, Answers, Lags]:
    with hinoban_server() as hinoban:
        began = time.monotonic()
        with _sampled(hinoban) as lags:
            answers = _load(hinoban.target, run_task(), SECONDS)
        asyncio.run(_drained(hinoban))
        took = time.monotonic() - began
        ended = _remembered(hinoban)
        # wrk cuts its last requests off: their tasks ran, and nobody read the answers.
        if not answers.answered <= ended <= answers.answered + CONNECTIONS:
            raise AssertionError(f"{answers.answered} tasks were launched and {ended} were seen to end well")
        lags.check(_newest(hinoban) / took)
        return ended / took, answers, lags


def _load(target: Target, members: dict[str, Any], seconds: int) -> Answers:
    bodies = (json.dumps(members | {"startedBy": f"sustained-{number}"}).encode() for number in range(DIFFERENT))
    requests = [signed(target, "ecs", RUN_TASK, body) for body in bodies]
    return replay(target, requests, expect=NO_FAILURES, seconds=seconds, connections=CONNECTIONS, cycle=True).checked()


@contextmanager
def _sampled(hinoban: Hinoban) -> Iterator[Lags]:
    """The lag, sampled each second by a thread of its own until the block ends."""
    lags, over = Lags(), threading.Event()

    async def sample() -> None:
        async with hinoban.client() as client:
            while not over.is_set():
                if (behind := await lag(client)) is not None and not over.is_set():
                    lags.events.append(behind)
                await asyncio.to_thread(over.wait, 1.0)

    thread = threading.Thread(target=asyncio.run, args=(sample(),), name="lag")
    thread.start()
    try:
        yield lags
    finally:
        over.set()
        thread.join()


async def _drained(hinoban: Hinoban) -> None:
    """Return when no task lives any more and the watch has read of the last one's end."""
    deadline = time.monotonic() + DRAINED_WITHIN
    async with hinoban.client() as client:
        while time.monotonic() < deadline:
            (cluster,) = (await client.call("ecs", "DescribeClusters", {}))["clusters"]
            if cluster["runningTasksCount"] + cluster["pendingTasksCount"] == 0:
                await until_watching(client)
                return
            await asyncio.sleep(0.05)
    raise AssertionError(f"tasks still lived {DRAINED_WITHIN:.0f} s after the load: {cluster}")


def _remembered(hinoban: Hinoban) -> int:
    """Tasks whose whole life stands in the history, each ended with exit code 0."""
    with closing(sqlite3.connect(f"file:{hinoban.state / 'watch.db'}?mode=ro", uri=True)) as connection:
        every, well = connection.execute(
            "SELECT COUNT(*), SUM(last_status = 'STOPPED' AND exit_code = 0 AND timeline IS NOT NULL) FROM tasks"
        ).fetchone()
    if every != well:
        raise AssertionError(f"of {every} tasks {well} were remembered to their end")
    return int(well)


def _newest(hinoban: Hinoban) -> int:
    with closing(sqlite3.connect(f"file:{hinoban.state / 'engine.db'}?mode=ro", uri=True)) as connection:
        return int(connection.execute("SELECT MAX(seq) FROM journal").fetchone()[0])

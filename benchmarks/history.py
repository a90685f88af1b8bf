"""The watch's memory against a bare SQLite table: the same recorded events, the same batches, the same durability.

Recorded are the feed's lines of tasks that ran to their end; ours makes of them rows, indexes, folded timelines and an incident's
material, with and without a hundred policies to be asked; the bare table only keeps the bytes. Told besides: what it is where each event
of a task comes in another batch, so that each is read whole and every row is written five times.
"""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

from benchmarks.figures import Figure
from benchmarks.hinoban_server import FAMILY, Hinoban, hinoban_server, run_task, until_watching
from benchmarks.retold import recorded, retold
from hinoban.base.ids import SystemIds
from hinoban.watch import detect
from hinoban.watch.config import Policy, WatchConfig
from hinoban.watch.history.database import open_file
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.sources.source import Batch, batch_of_lines

TASKS = 2000
BATCH = 1000  # events, as many as the watch asks the feed for
TURNS = 5


def measure() -> list[Figure]:
    """Turn about, each with a fresh file; medians."""
    with hinoban_server() as hinoban:
        lines = asyncio.run(_record(hinoban))
    batches = [batch_of_lines(lines[first : first + BATCH], "bench", first, len(lines), 0.0) for first in range(0, len(lines), BATCH)]
    lived = _batches(list(retold(recorded(), TASKS, at_once=TASKS // 2)))
    many = WatchConfig(policies=policies())
    return [
        _figure("history, events remembered", batches, WatchConfig(), (">=", 0.3)),
        _figure(f"history, with {len(many.policies)} policies", batches, many, (">=", 0.25)),
        _figure("history, of tasks that live on", lived, many, None),
    ]


def policies() -> tuple[Policy, ...]:
    """As a company of many teams has them: by group, family, cluster, launch tag or a team's prefix; one of them speaks of the tasks here."""
    matches: list[dict[str, Any]] = [{"detail": {"group": [f"family:{FAMILY}"]}}]
    for team in range(9):
        matches.append({"hinoban": {"family": [{"prefix": f"team-{team}-"}]}})
        matches += [{"detail": {"group": [f"family:job-{team}-{job}"]}} for job in range(4)]
        matches += [{"hinoban": {"family": [f"night-{team}-{job}", f"day-{team}-{job}"]}} for job in range(3)]
        matches += [{"hinoban": {"cluster": [f"team-{team}-{stage}"]}} for stage in ("stg", "prd")]
        matches.append({"hinoban": {"tags": {"team": [f"team-{team}"]}}})
    return tuple(Policy(match=match, max_runtime=3600.0 + place) for place, match in enumerate(matches))


def _batches(events: list[bytes]) -> list[Batch]:
    starts = range(0, len(events), BATCH)
    return [Batch(events=events[first : first + BATCH], cursor=Cursor("bench", first, len(events), 0.0)) for first in starts]


def _figure(name: str, batches: list[Batch], config: WatchConfig, target: tuple[Literal[">=", "<="], float] | None) -> Figure:
    events = sum(len(batch.events) for batch in batches)
    size = sum(len(raw) for batch in batches for raw in batch.events)
    ours, bare = zip(*((_ours(batches, config), _bare(batches)) for _ in range(TURNS)), strict=True)
    our_rate, bare_rate = events / statistics.median(ours), events / statistics.median(bare)
    note = f"{events:,} events of {TASKS:,} tasks, {size / 1e6:.0f} MB, in batches of {BATCH:,}"
    return Figure(name, f"{our_rate:,.0f}/s", f"bare inserts {bare_rate:,.0f}/s", our_rate / bare_rate, target, note)


async def _record(hinoban: Hinoban) -> list[bytes]:
    async with hinoban.client() as client:
        for _ in range(TASKS // 10):
            await client.call("ecs", "RunTask", run_task() | {"count": 10})
        await until_watching(client)
        lines: list[bytes] = []
        while True:
            _, more = await client.feed("feed", {"after": len(lines), "limit": BATCH, "wait": 1}, wait=1.0)
            if not more:
                return lines
            lines += more


def _ours(batches: list[Batch], config: WatchConfig) -> float:
    with tempfile.TemporaryDirectory(prefix="hinoban-bench-") as folder:
        engine = open_file(Path(folder, "watch.db"))
        try:
            pipeline = Pipeline(engine, config, detectors=detect, channels=["console"], ids=SystemIds())
            began = time.perf_counter()
            remembered = sum(pipeline.take("journal", batch, 0.0) for batch in batches)
            took = time.perf_counter() - began
            with engine.connect() as connection:
                ended = connection.exec_driver_sql("SELECT COUNT(*) FROM tasks WHERE last_status = 'STOPPED' AND timeline IS NOT NULL")
                if (whole := ended.scalar()) != TASKS:
                    raise AssertionError(f"{whole} tasks of {TASKS} were remembered to their end ({remembered} events)")
            return took
        finally:
            engine.dispose()


def _bare(batches: list[Batch]) -> float:
    with tempfile.TemporaryDirectory(prefix="hinoban-bench-") as folder, closing(sqlite3.connect(Path(folder, "bare.db"))) as connection:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE events (seq INTEGER PRIMARY KEY, raw BLOB NOT NULL)")
        began = time.perf_counter()
        for batch in batches:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO events (raw) VALUES (?)", [(raw,) for raw in batch.events])
            connection.execute("COMMIT")
        took = time.perf_counter() - began
        (kept,) = connection.execute("SELECT COUNT(*) FROM events").fetchone()
        if kept != sum(len(batch.events) for batch in batches):
            raise AssertionError(f"the bare table holds {kept} events")
        return took

"""What a remembered task costs for good: bytes in watch.db, the time of `why` among millions, the watch's memory.

The bytes are those of tasks that the watch took in event by event. For the other two, rows as the watch wrote them are copied under other
ids, as many as HINOBAN_BENCH_TASKS says: whole, with their timelines, indexes and launches.
"""

import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.figures import Figure
from benchmarks.remember import take
from benchmarks.retold import EVENTS, FIRST, Life, recorded, retold
from hinoban.base.ids import derived_id
from hinoban.watch.answers import Answers
from hinoban.watch.history.database import open_file
from hinoban.watch.model import Launch

TOLD = int(os.environ.get("HINOBAN_BENCH_TOLD", "100000"))
MANY = int(os.environ.get("HINOBAN_BENCH_TASKS", "500000"))
"""The issue's figure is 5,000,000: some four minutes and 7 GB."""
FEW = 10_000
FRESH = 3_000
AT_ONCE = 200
ASKED = 1000
WITHIN = 20.0  # ms
_LAUNCHED = 10  # tasks of one launch
_YEAR = 365 * 86400.0


def measure() -> list[Figure]:
    """Bytes, then `why` and memory on two copies."""
    lives = recorded()
    with tempfile.TemporaryDirectory(prefix="hinoban-bench-") as folder:
        told = Path(folder, "told.db")
        figures = [_bytes(told, lives)]
        few, many = _copied(told, Path(folder, "few.db"), FEW), _copied(told, Path(folder, "many.db"), MANY)
        figures.append(_why(many, lives))
        figures.append(_memory(few, many, lives))
    return figures


def _bytes(path: Path, lives: list[Life]) -> Figure:
    raw = 0

    def counted() -> Iterator[bytes]:
        nonlocal raw
        for event in retold(lives, TOLD, at_once=AT_ONCE):
            raw += len(event)
            yield event

    if (count := take(path, counted(), FIRST)) != TOLD * EVENTS:
        raise AssertionError(f"{count} events were told of {TOLD} tasks")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (whole,) = connection.execute("SELECT COUNT(*) FROM tasks WHERE last_status = 'STOPPED' AND timeline IS NOT NULL").fetchone()
        (failed,) = connection.execute("SELECT COUNT(*) FROM incidents").fetchone()
    if whole != TOLD:
        raise AssertionError(f"{whole} tasks of {TOLD} were remembered to their end")
    ours, events = path.stat().st_size / TOLD, raw / TOLD
    note = f"{TOLD:,} tasks of {EVENTS} events, about {AT_ONCE} alive at a time; the whole file, with indexes and {failed:,} incidents"
    return Figure("a finished task in watch.db", f"{ours:,.0f} B", f"its raw events {events:,.0f} B", ours / events, ("<=", 1 / 8), note)


def _copied(told: Path, path: Path, count: int) -> Path:
    """A watch.db of `count` tasks over a year: rows of `told` under other ids, and with each tenth the launch of ten."""
    open_file(path).dispose()
    dice = random.Random(count)
    with closing(sqlite3.connect(told)) as source, closing(sqlite3.connect(path)) as target:
        found = source.execute("SELECT * FROM tasks ORDER BY key LIMIT 2000")
        names = [column[0] for column in found.description]
        rows = [dict(zip(names, row, strict=True)) for row in found]
        indexes = target.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = 'tasks' AND sql IS NOT NULL"
        ).fetchall()
        target.execute("PRAGMA journal_mode = OFF")
        target.execute("PRAGMA synchronous = OFF")
        for name, _ in indexes:
            target.execute(f"DROP INDEX {name}")
        columns = ", ".join(f'"{name}"' for name in names)
        insert = f"INSERT INTO tasks ({columns}) VALUES ({', '.join('?' * len(names))})"
        launches: list[tuple[Any, ...]] = []
        target.executemany(insert, (tuple(row.values()) for row in _others(rows, count, dice, launches)))
        target.executemany("INSERT INTO launches (id, at, family, refused, value) VALUES (?, ?, ?, ?, ?)", launches)
        for _, statement in indexes:
            target.execute(statement)
        target.commit()
    return path


def _others(rows: list[dict[str, Any]], count: int, dice: random.Random, launches: list[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    arns: list[str] = []
    for key in range(1, count + 1):
        row = rows[key % len(rows)]
        task, later = f"{dice.getrandbits(128):032x}", FIRST - row["created_at"] - _YEAR * (1 - key / count)
        arn = row["arn"].replace(row["id"], task)
        moments = {name: row[name] + later for name in ("created_at", "started_at", "stopped_at")}
        yield {**row, **moments, "key": key, "id": task, "arn": arn}
        arns.append(arn)
        if len(arns) == _LAUNCHED:
            request = {"taskDefinition": row["family"], "launchType": "FARGATE", "count": _LAUNCHED, "startedBy": row["started_by"]}
            launch = Launch(
                event_id=task,
                launch_id=derived_id("lch", task),
                at=moments["created_at"],
                account=row["account"],
                region=row["region"],
                request=request,
                task_arns=tuple(arns),
            )
            launches.append((launch.launch_id, launch.at, launch.family, 0, msgspec.json.encode(launch)))
            arns = []


def _why(path: Path, lives: list[Life]) -> Figure:
    """Every tenth that is asked for failed a moment ago and is an incident, the others are any of the many."""
    take(path, retold(lives, FRESH, at_once=AT_ONCE, seed=2), FIRST)
    dice = random.Random(3)
    engine = open_file(path)
    try:
        with engine.connect() as connection:
            failed = (
                connection.exec_driver_sql("SELECT arn FROM tasks WHERE verdict IS NOT NULL ORDER BY key DESC LIMIT 100").scalars().all()
            )
            keys = [dice.randrange(1, MANY + 1) for _ in range(ASKED)]
            ids = [connection.exec_driver_sql("SELECT id FROM tasks WHERE key = ?", (key,)).scalar_one() for key in keys]
        ids[::10] = [dice.choice(failed).rpartition("/")[2] for _ in ids[::10]]
        answers = Answers(engine)
        took = []
        for task in ids:
            began = time.perf_counter()
            told = answers.why(task)
            took.append((time.perf_counter() - began) * 1000)
            if not told["task"].endswith(task):
                raise AssertionError(f"why {task} answered of {told['task']}")
    finally:
        engine.dispose()
    p99 = statistics.quantiles(took, n=100)[98]
    note = f"{ASKED:,} ids of {MANY:,} tasks ({path.stat().st_size / 1e9:.1f} GB), each tenth an incident; the median {statistics.median(took):.1f} ms"
    return Figure("why by id, p99", f"{p99:.1f} ms", f"the limit {WITHIN:.0f} ms", p99 / WITHIN, ("<=", 1.0), note)


def _memory(few: Path, many: Path, lives: list[Life]) -> Figure:
    """Each in a process of its own that opens the file and remembers a few thousand more."""
    events = few.with_name("events")
    with events.open("wb") as file:
        file.writelines(event + b"\n" for event in retold(lives, FRESH, at_once=AT_ONCE, seed=4))
    small, large = (_resident(path, events) for path in (few, many))
    name = f"memory of the watch at {MANY:,} tasks"
    note = f"after {FRESH:,} tasks more; SQLite's own cache of 32 MiB is full only with the larger file"
    return Figure(name, f"{large:.0f} MiB", f"at {FEW:,} tasks {small:.0f} MiB", large / small, ("<=", 1.25), note)


def _resident(path: Path, events: Path) -> float:
    command = [sys.executable, "-m", "benchmarks.remember", str(path), str(events)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

"""`python -m benchmarks.remember WATCH_DB EVENTS`: the watch's pipeline alone remembers events, a line each; prints the process's MiB at its end."""

import sys
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import psutil

from hinoban.base.ids import SystemIds
from hinoban.watch import detect
from hinoban.watch.config import WatchConfig
from hinoban.watch.history.database import open_file
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.sources.source import Batch

BATCH = 1000  # events, as many as the watch asks the feed for


def take(path: Path, events: Iterable[bytes], now: float) -> int:
    """Let the watch remember events; how many."""
    engine = open_file(path)
    try:
        pipeline = Pipeline(engine, WatchConfig(), detectors=detect, channels=["console"], ids=SystemIds())
        several, count = iter(events), 0
        while batch := list(islice(several, BATCH)):
            count += len(batch)
            pipeline.take("bench", Batch(events=batch, cursor=Cursor("feed", count, count, 0.0)), now)
        return count
    finally:
        engine.dispose()


if __name__ == "__main__":
    with Path(sys.argv[2]).open("rb") as file:
        take(Path(sys.argv[1]), (line.rstrip(b"\n") for line in file), 1_795_705_200.0)
    print(psutil.Process().memory_info().rss / 2**20)

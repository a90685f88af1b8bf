"""From typing `hinoban up` to the first answers, and the memory it takes; told, without a target."""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.hinoban_server import start, stop, until_watching

TRIES = 3


def measure() -> list[Figure]:
    """Each try with a fresh state folder; medians."""
    tries = [_once() for _ in range(TRIES)]
    listening, answer, watching, engine, watch = (statistics.median(column) for column in zip(*tries, strict=True))
    return [
        Figure(
            "cold start to the first ListClusters",
            f"{answer:.2f} s",
            note=f"it listens after {listening:.2f} s, the watch has read the feed after {watching:.2f} s",
        ),
        Figure("memory at rest", f"{engine + watch:.0f} MiB", note=f"engine {engine:.0f} MiB, watch {watch:.0f} MiB"),
    ]


def _once() -> tuple[float, float, float, float, float]:
    with tempfile.TemporaryDirectory(prefix="hinoban-bench-") as folder:
        began = time.monotonic()
        hinoban = start(Path(folder, "state"), "process")
        listening = time.monotonic() - began

        async def first() -> tuple[float, float]:
            async with hinoban.client() as client:
                clusters = await client.call("ecs", "ListClusters", {})
                answered = time.monotonic() - began
                if len(clusters["clusterArns"]) != 1:
                    raise AssertionError(f"a fresh start answered {clusters}")
                await until_watching(client)
                return answered, time.monotonic() - began

        try:
            answer, watching = asyncio.run(first())
            return listening, answer, watching, *hinoban.resident()
        finally:
            stop(hinoban)

"""How long after a task's end its failure is told: from the engine's `stoppedAt` to the webhook's arrival, one at a time and all at once.

Every task is of a family of its own: several failures of one cause are told as one, and only the first of them at once.
"""

import asyncio
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.hinoban_server import Hinoban, definition, hinoban_server, run_task
from hinoban.aws.client import Client

TASKS = int(os.environ.get("HINOBAN_BENCH_FAILING", "200"))
LIMIT = 1.0  # seconds
ALONE_A_SECOND = 10
TOLD_WITHIN = 60.0
DESCRIBED = 100  # DescribeTasks takes so many
CONFIG = '[[notify.webhook]]\nurl = "{url}"\nsecret = "0123456789abcdef0123456789abcdef"\n'


def measure() -> list[Figure]:
    """A steady flow of failures first, then as many at once."""
    with _receiver() as (url, arrived), tempfile.TemporaryDirectory(prefix="hinoban-bench-") as folder:
        config = Path(folder, "hinoban.toml")
        config.write_text(CONFIG.format(url=url))
        with hinoban_server(script="exit=3", options=("--config", str(config))) as hinoban:
            return asyncio.run(_both(hinoban, arrived))


async def _both(hinoban: Hinoban, arrived: dict[str, float]) -> list[Figure]:
    async with hinoban.client() as client:
        steady = await _delays(client, arrived, "steady", 1 / ALONE_A_SECOND)
        at_once = await _delays(client, arrived, "at-once", 0.0)
    return [
        _figure(f"failure to message, {ALONE_A_SECOND} a second, p99", steady, limited=True),
        _figure(f"failure to message, {TASKS} at once, p99", at_once, limited=False),
    ]


def _figure(name: str, delays: list[float], *, limited: bool) -> Figure:
    """Its line of the table. What fails all at once is told, without a target."""
    ordered = sorted(delays)
    p50, p99 = (ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    ours, note = f"{p99 * 1000:.0f} ms", f"of {len(ordered)} tasks: p50 {p50 * 1000:.0f} ms, longest {ordered[-1] * 1000:.0f} ms"
    if not limited:
        return Figure(name, ours, note=note)
    return Figure(name, ours, f"the limit {LIMIT * 1000:,.0f} ms", p99 / LIMIT, ("<=", 1.0), note)


async def _delays(client: Client, arrived: dict[str, float], prefix: str, apart: float) -> list[float]:
    """Seconds from each task's end to its message. Every task has just one first message, or it does not count."""
    families = [f"{prefix}-{number}" for number in range(TASKS)]
    for family in families:
        await client.call("ecs", "RegisterTaskDefinition", definition(script="exit=3") | {"family": family})
    launches = []
    async with asyncio.TaskGroup() as group:
        for family in families:
            launches.append(group.create_task(client.call("ecs", "RunTask", run_task() | {"taskDefinition": family})))
            await asyncio.sleep(apart)
    arns = [task["taskArn"] for one in launches for task in one.result()["tasks"]]
    if len(arns) != TASKS:
        raise AssertionError(f"{len(arns)} of {TASKS} tasks were launched")
    deadline = time.monotonic() + TOLD_WITHIN
    while missing := [arn for arn in arns if arn not in arrived]:
        if time.monotonic() > deadline:
            raise AssertionError(f"{len(missing)} of {TASKS} failures were not told within {TOLD_WITHIN:.0f} s, {missing[0]} for one")
        await asyncio.sleep(0.05)
    return [arrived[arn] - stopped for arn, stopped in (await _stopped(client, arns)).items()]


async def _stopped(client: Client, arns: list[str]) -> dict[str, float]:
    """When the engine says that each ended."""
    found: dict[str, float] = {}
    for start in range(0, len(arns), DESCRIBED):
        answer = await client.call("ecs", "DescribeTasks", {"tasks": arns[start : start + DESCRIBED]})
        for task in answer["tasks"]:
            if task["containers"][0].get("exitCode") != 3:
                raise AssertionError(f"{task['taskArn']} did not end with exit code 3: {task['containers']}")
            found[task["taskArn"]] = task["stoppedAt"]
    return found


@contextmanager
def _receiver() -> Iterator[tuple[str, dict[str, float]]]:
    """A webhook's URL on this machine, and when the first message about each task came."""
    arrived: dict[str, float] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            now = time.time()
            said = json.loads(body)
            if said.get("task"):
                arrived.setdefault(said["task"], now)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *said: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="webhook")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", arrived
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

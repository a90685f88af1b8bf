"""From RunTask to a running container, against bare `create` and `start` of the same container: turn about, on the same Docker daemon.

Bare calls go through the same client and carry the same body; what ours adds is the API call, the rows, the events and an inspect.
"""

import asyncio
import io
import shutil
import statistics
import tarfile
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from benchmarks.figures import Figure, skipped
from benchmarks.hinoban_server import definition, run_task
from benchmarks.inside import REGION, call, engine_on
from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds
from hinoban.daemon.engine import Engine
from hinoban.engine.ecs.specs import container_spec
from hinoban.engine.runtime.docker.body import create_body, prefix
from hinoban.engine.runtime.docker.client import DockerApi, docker_answers, docker_socket
from hinoban.engine.runtime.docker.driver import DockerDriver

NAME = "Docker, RunTask to RUNNING"
IMAGE, TAG = "hinoban-bench/busybox", "1"
COMMAND = ("/busybox", "sleep", "600")
PAIRS = 12
STARTS_WITHIN = 60.0  # seconds


def measure() -> list[Figure]:
    """Medians of the pairs; skipped where Docker or a static busybox is not here."""
    if not uvloop.run(docker_answers(docker_socket())):
        return [skipped(NAME, f"no Docker daemon answers at {docker_socket()}")]
    if (busybox := shutil.which("busybox")) is None:
        return [skipped(NAME, "no busybox to make an image of (apt-get install busybox-static)")]
    ours, bare = uvloop.run(_pairs(Path(busybox)))
    ours_median, bare_median = statistics.median(ours), statistics.median(bare)
    between = sorted(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
    note = f"{PAIRS} pairs; ratio within a pair: median {statistics.median(between):.2f}, from {between[0]:.2f} to {between[-1]:.2f}"
    shown = f"create+start {bare_median * 1000:.0f} ms"
    return [Figure(NAME, f"{ours_median * 1000:.0f} ms", shown, ours_median / bare_median, ("<=", 1.15), note)]


async def _pairs(busybox: Path) -> tuple[list[float], list[float]]:
    ids = SystemIds()
    engine_id = ids.hex32()
    api = DockerApi(docker_socket())
    try:
        await _import(api, busybox)
        async with engine_on(DockerDriver(engine_id, SystemClock(), ids, url=docker_socket())) as engine:
            await call(engine, "RegisterTaskDefinition", definition(f"{IMAGE}:{TAG}", COMMAND))
            await _ours(engine)  # the first start of a daemon's life loads what later ones find
            ours, bare = [], []
            for number in range(PAIRS):
                # Who goes first changes, so that neither always finds the machine warm.
                if number % 2:
                    bare.append(await _bare(api, engine, engine_id))
                ours.append(await _ours(engine))
                if number % 2 == 0:
                    bare.append(await _bare(api, engine, engine_id))
            return ours, bare
    finally:
        await api.close()


async def _ours(engine: Engine) -> float:
    """Seconds from the request to the task's RUNNING."""
    began = time.perf_counter()
    answer: Any = await call(engine, "RunTask", run_task())
    task_id = answer["tasks"][0]["taskArn"].rpartition("/")[2]
    while (status := engine.state.tasks[task_id].last_status) != "RUNNING":
        if status == "STOPPED" or time.perf_counter() - began > STARTS_WITHIN:
            raise AssertionError(f"the task did not start: {engine.state.tasks[task_id]}")
        await asyncio.sleep(0.001)
    return time.perf_counter() - began


async def _bare(api: DockerApi, engine: Engine, engine_id: str) -> float:
    """Seconds for create and start of the container that our last task has, by another name."""
    task = engine.state.live_tasks()[-1]
    family = engine.state.families[(REGION, task.family)][task.revision]
    body = create_body(engine_id, container_spec(task, family, task.containers[0], ()), network=prefix(engine_id))
    body["Labels"] = {}  # nobody of ours is to take it for its own
    began = time.perf_counter()
    made = await api.call("POST", "containers/create", None, body)
    await api.call("POST", f"containers/{made['Id']}/start")
    took = time.perf_counter() - began
    seen = await api.call("GET", f"containers/{made['Id']}/json")
    await api.call("DELETE", f"containers/{made['Id']}", {"force": "true", "v": "true"})
    if not seen["State"]["Running"]:
        raise AssertionError(f"the bare container did not run: {msgspec.json.encode(seen['State'])!r}")
    return took


async def _import(api: DockerApi, busybox: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        program = tarfile.TarInfo("busybox")
        program.size, program.mode = busybox.stat().st_size, 0o755
        with busybox.open("rb") as content:
            tar.addfile(program, content)
    async with api.stream("POST", "images/create", {"fromSrc": "-", "repo": IMAGE, "tag": TAG}, body=packed.getvalue()) as answer:
        await answer.read()

"""`hinoban up` in a child process, with a state folder of its own, and what RunTask needs there."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.wrk import Target
from hinoban.aws.client import Client
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import SystemClock

STARTS_WITHIN = 30.0  # seconds
ENDS_WITHIN = 30.0
ROOM = "100000vcpu:400000GB"
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
FAMILY = "bench"


@dataclass(frozen=True)
class Hinoban:
    """A running daemon."""

    target: Target
    state: Path
    process: "subprocess.Popen[bytes]"

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Our own client of this daemon."""
        keys = Credentials(self.target.access_key_id, self.target.secret_access_key)
        client = Client(self.target.endpoint, keys, self.target.region, clock=SystemClock())
        try:
            yield client
        finally:
            await client.close()

    def resident(self) -> tuple[float, float]:
        """MiB of memory of the engine and of the watch."""
        engine = psutil.Process(self.process.pid)
        watch = sum(child.memory_info().rss for child in engine.children(recursive=True))
        return engine.memory_info().rss / 2**20, watch / 2**20


def run_task() -> dict[str, Any]:
    """The members of a RunTask request that is answered with one task."""
    return {"taskDefinition": FAMILY, "launchType": "FARGATE", "networkConfiguration": NETWORK}


def definition(image: str = "busybox", command: tuple[str, ...] = ("true",), *, script: str | None = None) -> dict[str, Any]:
    """RegisterTaskDefinition's members: one container; `script` is the fake runtime's (absent: it exits 0 at once)."""
    container: dict[str, Any] = {"name": "app", "image": image, "essential": True, "command": list(command)}
    if script is not None:
        container["environment"] = [{"name": "HINOBAN_FAKE", "value": script}]
    return {
        "family": FAMILY,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container],
    }


@contextmanager
def hinoban_server(runtime: str = "fake", *, script: str | None = None, options: Sequence[str] = ()) -> Iterator[Hinoban]:
    """Start a daemon on a free loopback port, register a definition, and stop it at the end."""
    with tempfile.TemporaryDirectory(prefix="hinoban-bench-") as folder:
        hinoban = start(Path(folder, "state"), runtime, options)
        try:
            asyncio.run(_prepare(hinoban, script))
            yield hinoban
        finally:
            stop(hinoban)


def start(state: Path, runtime: str, options: Sequence[str] = ()) -> Hinoban:
    """Start a daemon; returns as soon as it says where it listens."""
    arguments = ["up", "--port", "0", "--state", str(state), "--runtime", runtime, "--capacity", ROOM, *options]
    process = subprocess.Popen([sys.executable, "-m", "hinoban", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        return _announced(process, state)
    except BaseException:
        # Also when we are told to end meanwhile: nobody else knows of it yet.
        _end(process)
        raise


def _announced(process: "subprocess.Popen[bytes]", state: Path) -> Hinoban:
    deadline = time.monotonic() + STARTS_WITHIN
    announced = state / "daemon.json"
    while not announced.exists():
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"hinoban up did not start within {STARTS_WITHIN:.0f} s (exit code {process.poll()})")
        time.sleep(0.002)
    facts = json.loads(announced.read_bytes())
    keys = json.loads((state / "credentials.json").read_bytes())
    return Hinoban(Target(facts["url"], facts["region"], keys["access_key_id"], keys["secret_access_key"]), state, process)


def stop(hinoban: Hinoban) -> None:
    """End the daemon, by force where it does not go by itself."""
    _end(hinoban.process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(timeout=ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def _prepare(hinoban: Hinoban, script: str | None) -> None:
    async with hinoban.client() as client:
        await client.call("ecs", "RegisterTaskDefinition", definition(script=script))
        await until_watching(client)


async def until_watching(client: Client, within: float = STARTS_WITHIN) -> None:
    """Return when the watch has read everything that was told."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if (behind := await lag(client)) == 0:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"the watch did not catch up within {within:.0f} s: {behind} events behind")


async def lag(client: Client) -> int | None:
    """Events that were told and that the watch has not remembered yet, by the engine's count; None while the watch does not answer."""
    try:
        status = await client.get("status")
    except Exception:  # 503 while it starts
        return None
    # Far beyond the newest: an answer without a line, whose header names the newest.
    headers, _ = await client.feed("feed", {"after": status["cursor"], "limit": 1, "wait": 0})
    return int(headers["x-hinoban-last"]) - int(status["cursor"])

"""A whole engine in this process, called through its endpoint as a signed client calls it, without a socket."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from benchmarks.hinoban_server import definition
from hinoban.aws.http import HttpRequest
from hinoban.aws.sigv4 import Credentials, sign
from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds
from hinoban.daemon.engine import Engine
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.engine.runtime.driver import Driver
from hinoban.engine.runtime.fake import FakeDriver

REGION = "ap-northeast-1"
KEYS = Credentials("AKIDBENCH", "a-secret")
URL = "http://127.0.0.1:4566/"


@asynccontextmanager
async def engine_on(driver: Driver) -> AsyncIterator[Engine]:
    """An engine in a folder of its own; nothing it started is left behind."""
    with tempfile.TemporaryDirectory(prefix="hinoban-bench-") as folder:
        failures: list[BaseException] = []
        engine = Engine(
            Path(folder),
            driver=driver,
            clock=SystemClock(),
            ids=SystemIds(),
            credentials=KEYS,
            account="123456789012",
            region=REGION,
            room=Room(10**12, 10**12),
            on_failure=failures.append,
        )
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close(keep=False)
            if failures:
                raise failures[0]


@asynccontextmanager
async def fake_engine() -> AsyncIterator[Engine]:
    """An engine on the fake runtime with a definition whose tasks run for ever."""
    async with engine_on(FakeDriver(SystemClock())) as engine:
        await call(engine, "RegisterTaskDefinition", definition(script="run_for=forever"))
        yield engine


async def call(engine: Engine, operation: str, members: dict[str, object]) -> dict[str, object]:
    """The answer; AssertionError unless it is a 200."""
    answer = await engine.endpoint.handle(request_of(operation, members))
    if answer.status != 200:
        raise AssertionError(f"{operation}: {answer.status} {answer.body[:300]!r}")
    found: dict[str, object] = msgspec.json.decode(answer.body)
    return found


def request_of(operation: str, members: dict[str, object]) -> HttpRequest:
    """A signed request."""
    body = msgspec.json.encode(members)
    headers = {"x-amz-target": f"AmazonEC2ContainerServiceV20141113.{operation}", "content-type": "application/x-amz-json-1.1"}
    headers |= sign("POST", URL, headers, body, KEYS, REGION, "ecs", SystemClock().now())
    return HttpRequest("POST", "/", "", headers, body, "127.0.0.1")

"""The whole engine behind its front door on a real socket, for tests whose client is somebody else's."""

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import boto3
import uvicorn
from botocore.client import BaseClient
from botocore.config import Config

from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds
from hinoban.daemon.engine import Engine
from hinoban.daemon.http import FrontDoor
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.engine.runtime.fake import FakeDriver

T = TypeVar("T")
App = Callable[[Any, Any, Any], Awaitable[None]]

ACCOUNT = "123456789012"
REGION = "ap-northeast-1"
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret")


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


class _Served(threading.Thread):
    """An engine with scripted containers on its own event loop."""

    def __init__(self, directory: Path, api: App) -> None:
        super().__init__(daemon=True)
        self.api = api
        self.directory = directory
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.server: uvicorn.Server | None = None
        self.failures: list[BaseException] = []

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        clock = SystemClock()
        engine = Engine(
            self.directory,
            driver=FakeDriver(clock),
            clock=clock,
            ids=SystemIds(),
            credentials=CREDENTIALS,
            account=ACCOUNT,
            region=REGION,
            room=Room(64 * 1024, 64 * 1024),
            on_failure=self.failures.append,
        )
        await engine.start()
        door = FrontDoor(engine.endpoint, engine.verifier, self.api)
        config = uvicorn.Config(door, loop="none", http="httptools", lifespan="off", log_level="warning", ws="none")
        self.server = uvicorn.Server(config)
        await self.server.serve(sockets=[self.listener])
        await engine.close(keep=False)


@contextmanager
def served(directory: Path, api: App = _nothing) -> Iterator[int]:
    """The port of an engine that lives until the end of the block, with `api` in place of the JSON API; none of its loops may fail."""
    thread = _Served(directory, api)
    thread.start()
    yield thread.listener.getsockname()[1]
    assert thread.server is not None, thread.failures
    thread.server.should_exit = True
    thread.join(10)
    assert thread.failures == []


def client(service: str, port: int) -> BaseClient:
    """boto3's client of a service, without retries."""
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=REGION,
        aws_access_key_id=CREDENTIALS.access_key_id,
        aws_secret_access_key=CREDENTIALS.secret_access_key,
        config=Config(retries={"total_max_attempts": 1}, proxies={}, read_timeout=20),
    )


def eventually(ask: Callable[[], T], seconds: float = 20.0) -> T:
    """The first answer that is not empty; AssertionError when there was none in time."""
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, "nothing came in time"
        threading.Event().wait(0.05)
    return found

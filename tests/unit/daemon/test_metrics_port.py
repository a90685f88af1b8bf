"""The port for Prometheus: served where it is free; where it is taken the watch goes on, and says so."""

import asyncio
import logging
import socket
from pathlib import Path

import httpx
import pytest

from hinoban.daemon.metrics_port import metrics_server
from tests.unit.watch.worlds import World


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
    return port


async def test_it_serves_what_the_watch_measures(tmp_path: Path) -> None:
    world, port = World(tmp_path), free_port()
    served = metrics_server(port, world.watch)
    assert served is not None
    task = asyncio.ensure_future(served)
    try:
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(retries=20)) as client:
            answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (answer.status_code, "hinoban_watch_well 0" in answer.text) == (200, True), "it has not begun to read"


def test_a_port_that_is_taken_does_not_end_the_watch(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, caplog.at_level(logging.ERROR):
        assert metrics_server(taken.getsockname()[1], World(tmp_path).watch) is None
    assert "Give another watch.metrics_port" in caplog.text
    assert metrics_server(None, World(tmp_path).watch) is None

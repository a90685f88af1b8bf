"""Runs a watch and answers for it on a Unix socket, until one of its parts ends."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import uvicorn

from hinoban.base.clock import Clock
from hinoban.base.supervise import Group
from hinoban.daemon.memory import collect_seldom
from hinoban.daemon.metrics_port import metrics_server
from hinoban.daemon.serving import Server
from hinoban.watch.service import Watch
from hinoban.web import watch_api


async def keep(watch: Watch, socket: str, clock: Clock, metrics_port: int | None, beside: Mapping[str, Coroutine[Any, Any, Any]]) -> None:
    """Returns when the watch, its socket or one of `beside` ends; raises what one of them failed with. `metrics_port` None: no such port."""
    failed: list[BaseException] = []
    work = Group(failed.append)
    server = Server(
        uvicorn.Config(
            watch_api.create(watch, clock), uds=socket, loop="none", lifespan="off", access_log=False, log_level="warning", ws="none"
        )
    )
    running = {work.start(server.serve(), "http"), work.start(watch.run(), "watch")}
    running |= {work.start(one, name) for name, one in beside.items()}
    if (metrics := metrics_server(metrics_port, watch)) is not None:
        work.start(metrics, "metrics")
    collect_seldom()
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    await work.close()
    if failed:
        raise failed[0]

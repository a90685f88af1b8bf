"""The whole street on one fake clock: an engine with scripted containers, and the watch that sees it only through the front door."""

import asyncio
import io
from pathlib import Path
from typing import Any

import httpx
import msgspec

from hinoban.aws.client import Client
from hinoban.daemon.http import FrontDoor
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.engine.journal import FeedGone
from hinoban.watch.allow import EVERYTHING
from hinoban.watch.config import WatchConfig
from hinoban.watch.history.database import open_file
from hinoban.watch.notify.channels import Console
from hinoban.watch.places import Clients
from hinoban.watch.service import Watch
from hinoban.watch.sources.journal import Journal
from hinoban.web import engine_api
from tests.support.engine import CREDENTIALS, REGION, Bench


class Street:
    """`pass_time` moves engine and watch on together; either can be killed and opened again."""

    def __init__(self, directory: Path, config: WatchConfig | None = None, room: Room | None = None, **settings: Any) -> None:
        self.bench = Bench(directory, room=room, **settings)
        self.config = config or WatchConfig()
        self.console = io.StringIO()
        self.watch: Watch
        self.client: Client

    async def open(self) -> "Street":
        await self.bench.open()
        self._connect()
        self._watch()
        return self

    def _connect(self) -> None:
        engine = self.bench.engine

        async def no_watch(method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
            return 503, b"{}"

        api = engine_api.create(
            engine.journal, FeedGone, engine.faults, engine.database.committed, engine.reset, engine.regions, engine.events.listed, no_watch
        )
        transport = httpx.ASGITransport(app=FrontDoor(engine.endpoint, engine.verifier, api))
        self.client = Client("http://127.0.0.1:4566", CREDENTIALS, REGION, clock=self.bench.clock, transport=transport)

    def _watch(self) -> None:
        clock = self.bench.clock
        self.watch = Watch(
            self.config,
            open_file(self.bench.directory / "watch.db"),
            Clients(self.client),
            # No long poll: on a fake clock nobody waits.
            [Journal(self.client, clock, wait=0.0)],
            clock,
            self.bench.ids,
            [Console(self.console, "UTC")],
            allow=EVERYTHING,
        )

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Let `seconds` go by; the watch has its turn after every `step`."""
        await self.watch.turn()
        left = seconds
        while left > 0:
            await self.bench.clock.advance(min(step, left))
            left -= step
            await self.watch.turn()

    async def restart_engine(self) -> None:
        """kill -9 of the engine's process: its containers live on, the watch finds it again."""
        await self.bench.reopen()
        self._connect()
        self._watch()

    async def put_in(self, **fault: Any) -> None:
        await self.client.post("faults", {"faults": [fault]})

    def said(self) -> list[str]:
        """The first line of each message that was told."""
        return [line for line in self.console.getvalue().splitlines() if not line.startswith(" ")]

    def incident(self) -> dict[str, Any]:
        """The one incident there is."""
        (found,) = self.watch.incidents()["incidents"]
        return msgspec.json.decode(msgspec.json.encode(found))  # type: ignore[no-any-return]  # a dict, as encoded

    async def close(self) -> None:
        await self.client.close()
        await self.bench.close()
        await asyncio.sleep(0)

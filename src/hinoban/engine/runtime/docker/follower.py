"""Watches one running container: its output line by line, then how it ended. Never tells an end it has not read from Docker."""

import asyncio
from typing import Any

from aiodocker import DockerError

from hinoban.base.clock import Clock
from hinoban.engine.runtime.docker.client import DockerApi, Unreachable
from hinoban.engine.runtime.docker.container import Phase, Tracked
from hinoban.engine.runtime.docker.logs import Line, since
from hinoban.engine.runtime.docker.network import TaskNetworks
from hinoban.engine.runtime.docker.outbox import Outbox
from hinoban.engine.runtime.docker.patience import Patience
from hinoban.engine.runtime.docker.pull import NOT_FOUND, Images, Pulled
from hinoban.engine.runtime.docker.report import exited, has_ended, has_run, started, vanished
from hinoban.engine.runtime.driver import Exited, Output

_SHARED = "container:"


class Follower:
    """One for all containers; `follow` runs once for each."""

    def __init__(self, api: DockerApi, clock: Clock, patience: Patience, outbox: Outbox, images: Images, networks: TaskNetworks) -> None:
        self._api = api
        self._clock = clock
        self._patience = patience
        self._outbox = outbox
        self._images = images
        self._networks = networks

    async def adopt(self, tracked: Tracked, busy: asyncio.Semaphore) -> None:
        """A container of an earlier life that ran or still runs."""
        async with busy:
            inspected = await self.inspect(tracked.runtime_id)
        await self.report(tracked, inspected)

    async def report(self, tracked: Tracked, inspected: dict[str, Any] | None, *, pulled: Pulled = None) -> None:
        """Tell that it started, then all until its end."""
        tracked.phase = Phase.LIVE
        tracked.signalable.set()
        if inspected is None:
            await self._end(tracked, vanished(tracked.key, self._clock.now()))
            return
        if has_run(inspected):
            address, digest = await self._shared_address(inspected), await self._digest_of(inspected)
            observation = started(tracked.key, inspected, digest=digest, address=address, pulled=pulled)
            tracked.told.append(observation)
            await self._outbox.put(observation)
        await self._follow(tracked)

    async def inspect(self, name: str) -> dict[str, Any] | None:
        """What Docker knows of a container, however long it takes to answer; None where it knows none."""
        for attempt in self._patience.tries():
            await attempt.turn()
            try:
                found: dict[str, Any] = await self._api.call("GET", f"containers/{name}/json")
                return found
            except DockerError as error:
                if error.status == NOT_FOUND:
                    return None
            except Unreachable:
                continue
        return None

    async def _digest_of(self, inspected: dict[str, Any]) -> str | None:
        try:
            return await self._images.digest_by_id(inspected["Image"])
        except (Unreachable, DockerError):
            return None

    async def _shared_address(self, inspected: dict[str, Any]) -> str | None:
        mode = str(inspected["HostConfig"]["NetworkMode"])
        if not mode.startswith(_SHARED):
            return None
        for attempt in self._patience.tries():
            await attempt.turn()
            try:
                return await self._networks.address(mode.removeprefix(_SHARED))
            except (Unreachable, DockerError):
                continue
        return None

    async def _follow(self, tracked: Tracked) -> None:
        for attempt in self._patience.tries():
            await attempt.turn()
            if await self._read(tracked, follow=True):
                attempt.went_well()
            inspected = await self.inspect(tracked.runtime_id)
            if inspected is None:
                await self._put(tracked, tracked.reader.end())
                await self._end(tracked, vanished(tracked.key, self._clock.now()))
                return
            if has_ended(inspected):
                # Docker may end a followed stream just before the last lines: what it has now is all there is.
                await self._read(tracked, follow=False)
                await self._put(tracked, tracked.reader.end())
                await self._end(tracked, exited(tracked.key, inspected))
                return
            tracked.dead = False

    async def _read(self, tracked: Tracked, *, follow: bool) -> bool:
        """Hand on the output behind the cursor until the stream ends or breaks; whether anything was read."""
        reader = tracked.reader
        reader.reconnect()
        before = reader.cursor
        params = {"stdout": "1", "stderr": "1", "timestamps": "1", "since": since(reader.cursor)}
        if follow:
            params["follow"] = "1"
        else:
            tracked.dead = True
        try:
            async with tracked.reading(), self._api.stream("GET", f"containers/{tracked.runtime_id}/logs", params) as answer:
                tracked.bound_reading()
                async for chunk in answer.content.iter_any():
                    await self._put(tracked, reader.feed(chunk))
        except (Unreachable, DockerError, TimeoutError):
            pass  # who calls inspects the container, and comes again where it lives
        return reader.cursor > before

    async def _put(self, tracked: Tracked, lines: tuple[Line, ...]) -> None:
        if lines:
            await self._outbox.put(Output(tracked.key, lines, tracked.reader.cursor))

    async def _end(self, tracked: Tracked, end: Exited) -> None:
        tracked.phase = Phase.ENDED
        tracked.told.append(end)
        await self._outbox.put(end)

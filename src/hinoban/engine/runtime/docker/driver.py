"""Runs containers through Docker: the verbs of the driver contract, and adoption of what an earlier life of the engine left.

Docker keeps the truth (name, labels, exit, output); this keeps only what was told. Starting is in starter.py, watching in follower.py.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from aiodocker import DockerError

from hinoban.base.clock import Clock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import Ids
from hinoban.base.supervise import Group
from hinoban.engine.runtime.docker.body import ENGINE_LABEL, PAUSE_LABEL, TASK_LABEL, key_of
from hinoban.engine.runtime.docker.client import DockerApi, Unreachable
from hinoban.engine.runtime.docker.container import Phase, Tracked
from hinoban.engine.runtime.docker.follower import Follower
from hinoban.engine.runtime.docker.network import TaskNetworks
from hinoban.engine.runtime.docker.outbox import Outbox
from hinoban.engine.runtime.docker.patience import Patience
from hinoban.engine.runtime.docker.pull import MISSING, NOT_FOUND, Images
from hinoban.engine.runtime.docker.report import vanished
from hinoban.engine.runtime.docker.starter import Starter
from hinoban.engine.runtime.driver import Capabilities, ContainerKey, ContainerSpec, Observation

_AT_ONCE = 16  # starts, removals and adoptions that Docker gets at a time
_GOODBYE_SECONDS = 2  # from SIGTERM to SIGKILL when everything is taken down
_CLOSE_SECONDS = 60.0
_LOOKS = 2
_CONFLICT = 409
log = logging.getLogger(__name__)


class DockerDriver:
    """The Docker runtime of one engine. `pull` is "missing" (only images that are not here) or "always"."""

    def __init__(self, engine_id: str, clock: Clock, ids: Ids, *, url: str = "unix:///var/run/docker.sock", pull: str = MISSING) -> None:
        self._engine_id = engine_id
        self._url = url
        self._clock = clock
        self._ids = ids
        self._pull = pull
        self._outbox = Outbox()
        self._group = Group(self._outbox.close)
        self._tracked: dict[ContainerKey, Tracked] = {}
        self._busy = asyncio.Semaphore(_AT_ONCE)
        self._removals: set[asyncio.Task[None]] = set()
        self._opened = False

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(memory="hard")

    async def open(self, cursors: dict[ContainerKey, int], expected: frozenset[ContainerKey] = frozenset()) -> None:
        """Connect and adopt. Raises HinobanError where Docker does not answer."""
        try:
            self._api = DockerApi(self._url)
        except ValueError as error:
            todo = "Write e.g. DOCKER_HOST=unix:///var/run/docker.sock, or use --runtime process"
            raise HinobanError("Docker cannot be used", f"{self._url} is no address of a Docker daemon ({error})", todo) from error
        patience = Patience(self._ids)
        self._patience = patience
        self._networks = TaskNetworks(self._api, self._engine_id)
        images = Images(self._api, self._clock, self._group, self._pull)
        self._follower = Follower(self._api, self._clock, patience, self._outbox, images, self._networks)
        self._starter = Starter(self._api, self._clock, patience, self._outbox, images, self._networks, self._follower, self._engine_id)
        try:
            version = await self._api.call("GET", "version")
            await self._networks.open(str(version["Arch"]))
            found = await self._list()
        except (Unreachable, DockerError) as error:
            await self._api.close()
            why = f"{self._url} does not answer ({error})"
            todo = "Start Docker, set DOCKER_HOST, or use --runtime process"
            raise HinobanError("Docker cannot be used", why, todo) from error
        self._opened = True
        self._adopt(found, cursors)
        for key in sorted(expected - self._tracked.keys()):
            self._group.start(self._outbox.put(vanished(key, self._clock.now())), f"tell of {key.name}")
        self._group.start(self._events(), "docker events")

    async def start(self, spec: ContainerSpec) -> None:
        tracked = self._tracked.get(spec.key)
        if tracked is None or tracked.phase is Phase.CREATED:
            adopted = tracked is not None
            tracked = tracked or Tracked(spec.key, Phase.STARTING)
            tracked.phase = Phase.STARTING
            self._tracked[spec.key] = tracked
            self._group.start(self._starter.run(tracked, spec, self._busy, adopted=adopted), f"container {spec.key.name}")
        elif tracked.phase in (Phase.LIVE, Phase.ENDED, Phase.FAILED):
            self._group.start(self._tell_again(tracked), f"tell {spec.key.name}")

    async def stop(self, key: ContainerKey, timeout: float) -> None:
        tracked = self._tracked.get(key)
        if tracked is not None and tracked.phase in (Phase.CREATED, Phase.STARTING, Phase.LIVE) and not tracked.stopping.done():
            tracked.stopping.set_result(None)
            if tracked.phase is not Phase.CREATED:
                self._group.start(self._stop(tracked, timeout), f"stop {key.name}")

    async def remove(self, key: ContainerKey) -> None:
        tracked = self._tracked.get(key)
        if tracked is None or tracked.phase not in (Phase.CREATED, Phase.ENDED, Phase.FAILED):
            return
        del self._tracked[key]
        last = not any(other.task_id == key.task_id for other in self._tracked)
        removal = self._group.start(self._remove(tracked, last=last), f"remove {key.name}")
        self._removals.add(removal)
        removal.add_done_callback(self._removals.discard)

    def observations(self) -> AsyncIterator[Observation]:
        return self._outbox.take()

    async def close(self, *, keep: bool) -> None:
        if not self._opened:
            self._outbox.close()
            return
        if self._removals:
            await asyncio.wait(self._removals, timeout=_CLOSE_SECONDS / 6)
        await self._group.close()
        try:
            if not keep:
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._take_everything_down()
        except (TimeoutError, Unreachable, DockerError) as error:
            what = "Containers may still be running"
            todo = f"Remove them with: docker rm -f $(docker ps -aq --filter label={ENGINE_LABEL}={self._engine_id})"
            raise HinobanError(what, f"Docker did not answer in time ({error})", todo) from error
        finally:
            self._outbox.close()
            await self._api.close()

    async def _tell_again(self, tracked: Tracked) -> None:
        for observation in tuple(tracked.told):
            await self._outbox.put(observation)

    async def _stop(self, tracked: Tracked, timeout: float) -> None:
        await tracked.signalable.wait()
        # Docker counts whole seconds; more time, never less.
        params = {"t": str(math.ceil(timeout))}
        for attempt in self._patience.tries():
            await attempt.turn()
            if tracked.phase is not Phase.LIVE:
                return
            try:
                await self._api.call("POST", f"containers/{tracked.runtime_id}/stop", params, extra=timeout)
                return
            except DockerError as error:
                if error.status in (NOT_FOUND, _CONFLICT):
                    return
            except Unreachable:
                continue

    async def _remove(self, tracked: Tracked, *, last: bool) -> None:
        complained = False
        for attempt in self._patience.tries():
            await attempt.turn()
            try:
                async with self._busy:
                    await self._delete(tracked.runtime_id)
                    if last:
                        await self._networks.release(tracked.key.task_id)
                return
            except Unreachable:
                continue
            except DockerError as error:
                # Its file system may be busy for a while: told once, and tried again. What is over must not end what runs.
                if not complained:
                    log.warning("the container %s cannot be removed yet: %s", tracked.runtime_id[:12], error.message)
                complained = True

    async def _delete(self, runtime_id: str, params: dict[str, str] | None = None) -> None:
        if not runtime_id:
            return
        try:
            await self._api.call("DELETE", f"containers/{runtime_id}", {"v": "1"} | (params or {}))
        except DockerError as error:
            # Gone, or already going.
            if error.status not in (NOT_FOUND, _CONFLICT):
                raise

    async def _list(self) -> list[dict[str, Any]]:
        filters = msgspec.json.encode({"label": [f"{ENGINE_LABEL}={self._engine_id}"]}).decode()
        found: list[dict[str, Any]] = await self._api.call("GET", "containers/json", {"all": "1", "filters": filters})
        return found

    def _adopt(self, found: list[dict[str, Any]], cursors: dict[ContainerKey, int]) -> None:
        for entry in found:
            if (key := key_of(entry["Labels"])) is not None:
                phase = Phase.CREATED if entry["State"] == "created" else Phase.LIVE
                tracked = Tracked(key, phase, runtime_id=entry["Id"], cursor=cursors.get(key, 0))
                self._tracked[key] = tracked
                if phase is Phase.LIVE:
                    tracked.signalable.set()
                    self._group.start(self._follower.adopt(tracked, self._busy), f"container {key.name}")
        tasks = {key.task_id for key in self._tracked}
        for entry in found:
            if PAUSE_LABEL in entry["Labels"] and entry["Labels"][TASK_LABEL] not in tasks:
                self._group.start(self._drop_pause(entry["Id"]), "remove a pause container")

    async def _drop_pause(self, runtime_id: str) -> None:
        # One that stays now is found again by the next `open`, and goes at the latest with everything else.
        with contextlib.suppress(Unreachable, DockerError):
            await self._delete(runtime_id, {"force": "1"})

    async def _events(self) -> None:
        """Docker's events, each time they begin with a look at everything: they only say when to look, never what is."""
        label = f"{ENGINE_LABEL}={self._engine_id}"
        filters = msgspec.json.encode({"type": ["container"], "event": ["die", "destroy"], "label": [label]}).decode()
        for attempt in self._patience.tries():
            await attempt.turn()
            try:
                async with self._api.stream("GET", "events", {"filters": filters}) as answer:
                    await self._look()
                    attempt.went_well()
                    async for line in answer.content:
                        event = msgspec.json.decode(line)
                        key = key_of(event["Actor"]["Attributes"])
                        if key in self._tracked:
                            self._tracked[key].has_died()
            except (Unreachable, DockerError):
                continue

    async def _look(self) -> None:
        running = {entry["Id"] for entry in await self._list() if entry["State"] in ("running", "paused", "restarting")}
        for tracked in self._tracked.values():
            if tracked.phase is Phase.LIVE and tracked.runtime_id not in running:
                tracked.has_died()

    async def _take_everything_down(self) -> None:
        # A creation that was under way when we let go may come out after the first look.
        for _ in range(_LOOKS):
            await asyncio.gather(*(self._take_down(entry) for entry in await self._list()))
        await self._networks.remove_bridge()

    async def _take_down(self, entry: dict[str, Any]) -> None:
        async with self._busy:
            if entry["State"] == "running" and PAUSE_LABEL not in entry["Labels"]:
                with contextlib.suppress(DockerError):  # the removal by force decides
                    await self._api.call("POST", f"containers/{entry['Id']}/stop", {"t": str(_GOODBYE_SECONDS)})
            await self._delete(entry["Id"], {"force": "1"})

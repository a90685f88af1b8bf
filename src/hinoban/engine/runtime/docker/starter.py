"""Brings one container from its spec to running, or to the words why not; never runs one twice.

The name is Docker's own lock: where a container of that name exists, it is looked at (Docker answers after a start that is under
way), and only one that never ran is started.
"""

import asyncio
from typing import Any

from aiodocker import DockerError

from hinoban.base.clock import Clock
from hinoban.engine.runtime.docker.body import container_name, create_body
from hinoban.engine.runtime.docker.client import DockerApi, Unreachable
from hinoban.engine.runtime.docker.container import Phase, Tracked
from hinoban.engine.runtime.docker.follower import Follower
from hinoban.engine.runtime.docker.network import TaskNetworks
from hinoban.engine.runtime.docker.outbox import Outbox
from hinoban.engine.runtime.docker.patience import Patience
from hinoban.engine.runtime.docker.pull import IN_PULL, NOT_FOUND, Images, Pulled, PullError
from hinoban.engine.runtime.docker.report import has_run
from hinoban.engine.runtime.driver import ContainerSpec, StartFailed

_CONFLICT = 409
_BEFORE_PULL = "TaskStoppedBeforePullBeginError: Task stopped before image pull could begin for task"


class _Refused(Exception):
    """Docker will not run it; the text is ECS's reason."""


class Starter:
    """One for all containers; `run` runs once for each."""

    def __init__(
        self,
        api: DockerApi,
        clock: Clock,
        patience: Patience,
        outbox: Outbox,
        images: Images,
        networks: TaskNetworks,
        follower: Follower,
        engine_id: str,
    ) -> None:
        self._api = api
        self._clock = clock
        self._patience = patience
        self._outbox = outbox
        self._images = images
        self._networks = networks
        self._follower = follower
        self._engine_id = engine_id

    async def run(self, tracked: Tracked, spec: ContainerSpec, busy: asyncio.Semaphore, *, adopted: bool) -> None:
        """Start it and follow it to its end, or tell that it failed. `adopted`: Docker has it already, and may have started it."""
        pulled: Pulled = None
        try:
            pulled = await self._image(tracked, spec)
            async with busy:
                if tracked.stopping.done():
                    raise _Refused(_BEFORE_PULL if pulled is None else IN_PULL)
                inspected = await self._start(tracked, spec, adopted=adopted)
        except PullError as error:
            await self._fail(tracked, error.reason, error.pulled)
        except _Refused as error:
            await self._fail(tracked, str(error), pulled)
        else:
            await self._follower.report(tracked, inspected, pulled=pulled)

    async def _image(self, tracked: Tracked, spec: ContainerSpec) -> Pulled:
        if tracked.stopping.done():
            raise _Refused(_BEFORE_PULL)
        for attempt in self._patience.tries():
            await attempt.turn()
            try:
                return await self._images.ensure(spec.image, tracked.stopping)
            except Unreachable:
                continue
            except DockerError as error:
                raise _Refused(f"CannotPullContainerError: {error.message}") from error
        raise AssertionError("patience has no end")

    async def _start(self, tracked: Tracked, spec: ContainerSpec, *, adopted: bool) -> dict[str, Any] | None:
        name = container_name(self._engine_id, spec.key)
        look = adopted
        for attempt in self._patience.tries():
            await attempt.turn()
            try:
                if look:
                    inspected = await self._follower.inspect(name)
                    if inspected is not None:
                        tracked.runtime_id = inspected["Id"]
                        if has_run(inspected):
                            return inspected
                if not tracked.runtime_id:
                    tracked.runtime_id = await self._create(name, spec)
                await self._launch(tracked.runtime_id)
                return await self._follower.inspect(tracked.runtime_id)
            except _Exists:
                look = True
            except _Gone:
                tracked.runtime_id = ""
            except Unreachable:
                look = True
        raise AssertionError("patience has no end")

    async def _create(self, name: str, spec: ContainerSpec) -> str:
        try:
            network = await self._network(spec)
            for again in (True, False):
                try:
                    body = create_body(self._engine_id, spec, network=network)
                    created = await self._api.call("POST", "containers/create", {"name": name}, body)
                    return str(created["Id"])
                except DockerError as error:
                    if error.status != NOT_FOUND or not again:
                        raise
                    # The image was here when we looked, and is no more.
                    self._images.forget(spec.image)
                    await self._images.ensure(spec.image)
        except DockerError as error:
            if error.status == _CONFLICT:
                raise _Exists from error
            raise _Refused(f"CannotCreateContainerError: API error ({error.status}): {error.message.strip()}") from error
        raise AssertionError("the second try returned or raised")

    async def _network(self, spec: ContainerSpec) -> str:
        if spec.network_mode != "awsvpc" or not spec.shared_namespace:
            return self._networks.bridge
        return f"container:{await self._networks.hold(spec.key.task_id)}"

    async def _launch(self, runtime_id: str) -> None:
        try:
            await self._api.call("POST", f"containers/{runtime_id}/start")
        except DockerError as error:
            if error.status == NOT_FOUND and "no such container" in error.message.lower():
                raise _Gone from error
            raise _Refused(f"CannotStartContainerError: API error ({error.status}): {error.message.strip()}") from error

    async def _fail(self, tracked: Tracked, reason: str, pulled: Pulled) -> None:
        tracked.phase = Phase.FAILED
        tracked.signalable.set()
        failed = StartFailed(tracked.key, self._clock.now(), reason, *(pulled or (None, None)))
        tracked.told.append(failed)
        await self._outbox.put(failed)


class _Exists(Exception):
    """A container of that name is there."""


class _Gone(Exception):
    """It was created and then removed by another hand before it ran."""

"""The network of awsvpc tasks: the engine's own bridge, and the pause container that several containers of a task share."""

import asyncio
import hashlib
import logging

from aiodocker import DockerError

from hinoban.engine.runtime.docker.body import ENGINE_LABEL, pause_body, pause_name, prefix
from hinoban.engine.runtime.docker.client import DockerApi
from hinoban.engine.runtime.docker.pause_elf import image_tar
from hinoban.engine.runtime.docker.pull import NOT_FOUND
from hinoban.engine.runtime.docker.report import address_of

_CONFLICT = 409
_DEFAULT_BRIDGE = "bridge"
_PAUSE_REPOSITORY = "hinoban/pause"
log = logging.getLogger(__name__)


class TaskNetworks:
    """Makes and removes networks and pause containers; every verb is safe to repeat. Raises DockerError and Unreachable."""

    def __init__(self, api: DockerApi, engine_id: str) -> None:
        self._api = api
        self._engine_id = engine_id
        self._own = prefix(engine_id)
        self._architecture = "amd64"
        self._locks: dict[str, asyncio.Lock] = {}
        self._pause_image: str | None = None
        self.bridge = _DEFAULT_BRIDGE

    async def open(self, architecture: str) -> None:
        """Find or make the engine's own bridge; where Docker refuses, tasks go to its default bridge, and the log says so."""
        self._architecture = architecture
        try:
            await self._api.call("GET", f"networks/{self._own}")
        except DockerError as error:
            if error.status != NOT_FOUND or not await self._make_bridge():
                return
        self.bridge = self._own

    async def _make_bridge(self) -> bool:
        body = {"Name": self._own, "CheckDuplicate": True, "Driver": "bridge", "Labels": {ENGINE_LABEL: self._engine_id}}
        try:
            await self._api.call("POST", "networks/create", body=body)
        except DockerError as error:
            if error.status == _CONFLICT:
                return True
            log.warning("Docker made no network for us (%s); awsvpc tasks use its default bridge", error.message)
            return False
        return True

    async def remove_bridge(self) -> None:
        """Take our bridge away, unless something else still hangs on it."""
        if self.bridge == self._own:
            try:
                await self._api.call("DELETE", f"networks/{self._own}")
            except DockerError as error:
                log.info("the network %s stays: %s", self._own, error.message)

    async def hold(self, task_id: str) -> str:
        """The id of a task's running pause container, made if there is none."""
        async with self._locks.setdefault(task_id, asyncio.Lock()):
            name = pause_name(self._engine_id, task_id)
            body = pause_body(self._engine_id, task_id, await self._image(), self.bridge)
            try:
                await self._api.call("POST", "containers/create", {"name": name}, body)
            except DockerError as error:
                if error.status != _CONFLICT:
                    raise
            await self._api.call("POST", f"containers/{name}/start")
            inspected = await self._api.call("GET", f"containers/{name}/json")
            return str(inspected["Id"])

    async def address(self, pause_id: str) -> str | None:
        """The address of a task's pause container; None where it is gone."""
        try:
            return address_of(await self._api.call("GET", f"containers/{pause_id}/json"))
        except DockerError as error:
            if error.status == NOT_FOUND:
                return None
            raise

    async def release(self, task_id: str) -> None:
        """The task's last container is gone: so is its namespace."""
        self._locks.pop(task_id, None)
        try:
            await self._api.call("DELETE", f"containers/{pause_name(self._engine_id, task_id)}", {"force": "1"})
        except DockerError as error:
            if error.status not in (NOT_FOUND, _CONFLICT):
                raise

    async def _image(self) -> str:
        if self._pause_image is None:
            try:
                layer = image_tar(self._architecture)
            except KeyError:
                raise DockerError(0, f"no pause program for machine {self._architecture}: only amd64 and arm64") from None
            tag = hashlib.sha256(layer).hexdigest()[:12]
            image = f"{_PAUSE_REPOSITORY}:{tag}"
            try:
                await self._api.call("GET", f"images/{image}/json")
            except DockerError as error:
                if error.status != NOT_FOUND:
                    raise
                params = {"fromSrc": "-", "repo": _PAUSE_REPOSITORY, "tag": tag}
                async with self._api.stream("POST", "images/create", params, body=layer) as answer:
                    await answer.read()
            self._pause_image = image
        return self._pause_image

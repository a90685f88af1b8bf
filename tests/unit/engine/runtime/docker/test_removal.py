"""A container that Docker cannot remove yet is asked for again; the engine goes on meanwhile."""

from typing import Any, cast

from aiodocker import DockerError

from hinoban.base.clock import SystemClock
from hinoban.base.ids import SeededIds
from hinoban.engine.runtime.docker.client import DockerApi
from hinoban.engine.runtime.docker.container import Phase, Tracked
from hinoban.engine.runtime.docker.driver import DockerDriver
from hinoban.engine.runtime.docker.patience import Patience
from hinoban.engine.runtime.driver import ContainerKey


class BusyDocker:
    """Refuses the first removals, as with `device or resource busy`."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.asked = 0

    async def call(self, method: str, path: str, params: object = None) -> Any:
        self.asked += 1
        if self.asked <= self.refusals:
            raise DockerError(500, "driver failed to remove root filesystem: device or resource busy")


async def test_a_refused_removal_is_tried_again_and_ends_nothing() -> None:
    driver = DockerDriver("engine", SystemClock(), SeededIds())
    docker = BusyDocker(refusals=2)
    driver._api, driver._patience = cast(DockerApi, docker), Patience(SeededIds())
    key = ContainerKey("0" * 32, "app")
    driver._tracked[key] = Tracked(key, Phase.ENDED, runtime_id="abc")
    other = ContainerKey(key.task_id, "other")
    driver._tracked[other] = Tracked(other, Phase.LIVE, runtime_id="def")
    await driver.remove(key)
    (removal,) = driver._removals
    await removal
    assert docker.asked == 3
    assert not driver._outbox._closed

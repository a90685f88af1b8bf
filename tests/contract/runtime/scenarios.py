"""How the contract suite talks to a driver: what containers should do, in each driver's own way, and a watcher of its reports.

To put a driver under the suite, add a `Scenarios` for it and a line in conftest.py's `HARNESSES` (docs/checklists/runtime.md).
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from hinoban.engine.runtime.driver import ContainerKey, ContainerSpec, Driver, Exited, Observation, Output, Started, StartFailed

WAIT_SECONDS = 30.0
_numbers = itertools.count(1)


def spec(**fields: Any) -> ContainerSpec:
    """A container with a key of its own; `task_id` and `name` may be given."""
    key = ContainerKey(fields.pop("task_id", f"{next(_numbers):032x}"), fields.pop("name", "app"))
    base = {"region": "ap-northeast-1", "cluster": "default", "family": "job", "revision": 1, "image": "busybox:stable"}
    return ContainerSpec(**{**base, "key": key, **fields})


class Scenarios(Protocol):
    """Specs that do the thing asked for; `**fields` are further fields of the spec."""

    def exits(self, code: int, **fields: Any) -> ContainerSpec: ...

    def runs_for(self, seconds: float, **fields: Any) -> ContainerSpec: ...

    def prints(self, lines: list[str], **fields: Any) -> ContainerSpec:
        """Prints the lines and exits 0."""
        ...

    def prints_and_runs(self, lines: list[str], **fields: Any) -> ContainerSpec:
        """Prints the lines and runs until it is stopped."""
        ...

    def ignores_term(self, **fields: Any) -> ContainerSpec:
        """Prints `ready` once it ignores SIGTERM, and runs until it is killed."""
        ...

    def eats_memory(self, **fields: Any) -> ContainerSpec:
        """Goes beyond a limit of 32 MiB that it sets for itself."""
        ...

    def cannot_start(self, **fields: Any) -> ContainerSpec:
        """Its start fails with a reason of the family CannotStartContainerError."""
        ...


class Harness(Protocol):
    """Makes drivers that share one world, so that a second one is the engine after its crash."""

    scenarios: Scenarios

    def make(self) -> Driver: ...

    async def crash(self, driver: Driver) -> None:
        """Let the driver go as `kill -9` of the engine would: no goodbye, containers run on."""
        ...

    def runs(self, key: ContainerKey) -> int:
        """How often the container was really run, as far as the driver's world can tell."""
        ...

    async def close(self) -> None: ...


class Watcher:
    """Collects what a driver reports, and waits for conditions on it."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.seen: list[Observation] = []
        self._changed = asyncio.Condition()
        self._work: Coroutine[Any, Any, None] = self._collect()
        self.task = asyncio.get_running_loop().create_task(self._work)

    async def _collect(self) -> None:
        async for observation in self.driver.observations():
            self.seen.append(observation)
            async with self._changed:
                self._changed.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_SECONDS), self._changed:
            await self._changed.wait_for(condition)

    def of(self, key: ContainerKey, kind: type[Any]) -> list[Any]:
        return [each for each in self.seen if each.key == key and isinstance(each, kind)]

    async def started(self, key: ContainerKey) -> Started:
        await self.until(lambda: bool(self.of(key, Started) or self.of(key, StartFailed)))
        assert self.of(key, Started), self.of(key, StartFailed)
        return self.of(key, Started)[0]

    async def ended(self, key: ContainerKey) -> Exited:
        await self.until(lambda: bool(self.of(key, Exited) or self.of(key, StartFailed)))
        assert self.of(key, Exited), self.of(key, StartFailed)
        return self.of(key, Exited)[0]

    async def failed(self, key: ContainerKey) -> StartFailed:
        await self.until(lambda: bool(self.of(key, Exited) or self.of(key, StartFailed)))
        assert self.of(key, StartFailed), self.of(key, Exited)
        return self.of(key, StartFailed)[0]

    def lines(self, key: ContainerKey) -> list[str]:
        return [text for output in self.of(key, Output) for _, text in output.lines]

    async def printed(self, key: ContainerKey, text: str) -> None:
        await self.until(lambda: text in self.lines(key))

"""The drivers under the contract suite."""

import asyncio
import shlex
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds
from hinoban.engine.runtime.docker.body import ENGINE_LABEL, key_of
from hinoban.engine.runtime.docker.client import DockerApi, docker_socket
from hinoban.engine.runtime.docker.driver import DockerDriver
from hinoban.engine.runtime.driver import ContainerKey, ContainerSpec, Driver
from hinoban.engine.runtime.fake import SCRIPT_VARIABLE, FakeDriver, FakeWorld
from hinoban.engine.runtime.process.driver import ProcessDriver
from tests.contract.runtime.scenarios import Harness, Scenarios, Watcher, spec
from tests.docker_support import make_image


class FakeScenarios:
    def _spec(self, script: str, fields: dict[str, Any]) -> ContainerSpec:
        return spec(**fields, environment={SCRIPT_VARIABLE: script})

    def exits(self, code: int, **fields: Any) -> ContainerSpec:
        return self._spec(f"exit={code}", fields)

    def runs_for(self, seconds: float, **fields: Any) -> ContainerSpec:
        return self._spec(f"run_for={seconds}s", fields)

    def prints(self, lines: list[str], **fields: Any) -> ContainerSpec:
        return self._spec(" ".join(shlex.quote(f"output={line}") for line in lines), fields)

    def prints_and_runs(self, lines: list[str], **fields: Any) -> ContainerSpec:
        return self._spec("run_for=forever " + " ".join(shlex.quote(f"output={line}") for line in lines), fields)

    def ignores_term(self, **fields: Any) -> ContainerSpec:
        return self._spec("run_for=forever ignore_term output=ready", fields)

    def eats_memory(self, **fields: Any) -> ContainerSpec:
        return self._spec("run_for=100ms oom", {"memory_mib": 32, **fields})

    def cannot_start(self, **fields: Any) -> ContainerSpec:
        return self._spec("start_error='CannotStartContainerError: as scripted'", fields)


class ShellScenarios:
    """For drivers that run commands: everything said in /bin/sh. `ran` is a file to which each container appends its task id."""

    def __init__(self, ran: str | None = None) -> None:
        self._ran = ran

    def script(self, text: str, **fields: Any) -> ContainerSpec:
        made = spec(**fields)
        note = f"echo {made.key.task_id} >> {shlex.quote(self._ran)}; " if self._ran else ""
        return spec(
            **{
                **fields,
                "task_id": made.key.task_id,
                "name": made.key.name,
                "entry_point": ("/bin/sh", "-c"),
                "command": (note + text,),
            }
        )

    def exits(self, code: int, **fields: Any) -> ContainerSpec:
        return self.script(f"exit {code}", **fields)

    def runs_for(self, seconds: float, **fields: Any) -> ContainerSpec:
        return self.script(f"exec sleep {seconds}", **fields)

    def prints(self, lines: list[str], **fields: Any) -> ContainerSpec:
        return self.script("".join(f"printf '%s\\n' {shlex.quote(line)};" for line in lines), **fields)

    def prints_and_runs(self, lines: list[str], **fields: Any) -> ContainerSpec:
        # In a container the command is process 1, which a signal without a handler does not end.
        printing = "".join(f"printf '%s\\n' {shlex.quote(line)};" for line in lines)
        return self.script(f"trap 'kill $!; exit 143' TERM; sleep 300 & {printing} wait", **fields)

    def ignores_term(self, **fields: Any) -> ContainerSpec:
        return self.script("trap '' TERM; echo ready; while :; do sleep 1; done", **fields)

    def eats_memory(self, **fields: Any) -> ContainerSpec:
        return self.script("x=0123456789abcdef; while :; do x=$x$x; done", **{"memory_mib": 32, **fields})

    def cannot_start(self, **fields: Any) -> ContainerSpec:
        return spec(**{**fields, "entry_point": ("no-such-program-anywhere",), "command": ()})


class FakeHarness:
    scenarios: Scenarios = FakeScenarios()

    def __init__(self, _directory: Path) -> None:
        self._runs: Counter[ContainerKey] = Counter()
        self._world = FakeWorld(lambda key: self._runs.update((key,)))

    def make(self) -> Driver:
        return FakeDriver(SystemClock(), world=self._world)

    async def crash(self, driver: Driver) -> None:
        assert isinstance(driver, FakeDriver)
        await driver._group.close()

    def runs(self, key: ContainerKey) -> int:
        return self._runs[key]

    async def close(self) -> None:
        return


class ProcessHarness:
    def __init__(self, directory: Path, *, sampled: bool = False) -> None:
        self._directory = directory
        self._ran = Path("/tmp") / f"hinoban-ran-{directory.name}-{id(self)}"
        self._ran.touch()
        self._ran.chmod(0o666)
        self._sampled = sampled
        self.scenarios: Scenarios = ShellScenarios(str(self._ran))

    def make(self) -> ProcessDriver:
        return ProcessDriver(self._directory, SystemClock(), SystemIds(), sampled=self._sampled)

    async def crash(self, driver: Driver) -> None:
        assert isinstance(driver, ProcessDriver)
        await driver._group.close()
        assert driver._writer is not None
        driver._writer.transport.abort()

    def runs(self, key: ContainerKey) -> int:
        return self._ran.read_text().split().count(key.task_id)

    async def close(self) -> None:
        self._ran.unlink()
        driver = self.make()
        await driver.open({})
        await driver.close(keep=False)


class DockerScenarios(ShellScenarios):
    """The same in a container of the test image."""

    def __init__(self, image: str) -> None:
        super().__init__()
        self._image = image

    def script(self, text: str, **fields: Any) -> ContainerSpec:
        return super().script(text, **{**fields, "image": self._image})

    def cannot_start(self, **fields: Any) -> ContainerSpec:
        return super().cannot_start(**{**fields, "image": self._image})


class DockerHarness:
    """Real containers; Docker's own start events say how often each was run."""

    def __init__(self, directory: Path) -> None:
        self._url = docker_socket()
        self.scenarios: Scenarios = DockerScenarios(make_image(self._url))
        self._engine_id = f"contract{SystemIds().hex32()}"
        self._runs: Counter[ContainerKey | None] = Counter()
        self._listener = asyncio.get_running_loop().create_task(self._listen(SystemClock().now()))

    async def _listen(self, since: float) -> None:
        api = DockerApi(self._url)
        filters = msgspec.json.encode({"event": ["start"], "label": [f"{ENGINE_LABEL}={self._engine_id}"]}).decode()
        try:
            async with api.stream("GET", "events", {"filters": filters, "since": f"{since:.3f}"}) as answer:
                async for line in answer.content:
                    self._runs[key_of(msgspec.json.decode(line)["Actor"]["Attributes"])] += 1
        finally:
            await api.close()

    def make(self) -> Driver:
        return DockerDriver(self._engine_id, SystemClock(), SystemIds(), url=self._url)

    async def crash(self, driver: Driver) -> None:
        assert isinstance(driver, DockerDriver)
        await driver._group.close()
        await driver._api.close()

    def runs(self, key: ContainerKey) -> int:
        return self._runs[key]

    async def close(self) -> None:
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        driver = self.make()
        await driver.open({})
        await driver.close(keep=False)


HARNESSES: dict[str, Callable[[Path], Harness]] = {
    "fake": FakeHarness,
    "process": ProcessHarness,
    "process-sampled": lambda directory: ProcessHarness(directory, sampled=True),
    "docker": DockerHarness,
}

Open = Callable[..., Awaitable[Watcher]]


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.docker if name == "docker" else ()) for name in HARNESSES])
async def harness(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Harness]:
    made = HARNESSES[request.param](tmp_path)
    yield made
    await made.close()


@pytest.fixture
async def make_driver(harness: Harness) -> AsyncIterator[Open]:
    """Opens a driver of the harness's world, watched; `cursors` as for `Driver.open`."""
    watchers: list[Watcher] = []

    async def opened(cursors: dict[ContainerKey, int] | None = None) -> Watcher:
        driver = harness.make()
        await driver.open(cursors or {})
        watchers.append(Watcher(driver))
        return watchers[-1]

    yield opened
    for watcher in reversed(watchers):
        if not watcher.task.done():
            await watcher.driver.close(keep=watcher is not watchers[-1])
            watcher.task.cancel()
    await asyncio.gather(*(watcher.task for watcher in watchers), return_exceptions=True)

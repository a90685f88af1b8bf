"""The Docker driver on a real daemon: what the common contract suite does not ask."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiodocker import DockerError

from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds
from hinoban.engine.runtime.docker.body import container_name, create_body, pause_name, prefix
from hinoban.engine.runtime.docker.client import DockerApi
from hinoban.engine.runtime.docker.driver import DockerDriver
from hinoban.engine.runtime.driver import ContainerKey, ContainerSpec, Exited, Observation, Output, PortMapping, Started, StartFailed

pytestmark = pytest.mark.docker
IDS = SystemIds()


class Life:
    """One life of an engine: its driver and everything that it was told."""

    def __init__(self, engine_id: str, url: str) -> None:
        self.engine_id = engine_id
        self.driver = DockerDriver(engine_id, SystemClock(), IDS, url=url)
        self.told: list[Observation] = []
        self._news = asyncio.Event()

    async def listen(self) -> None:
        async for observation in self.driver.observations():
            self.told.append(observation)
            self._news.set()

    def of(self, key: ContainerKey, kind: type | None = None) -> list[Observation]:
        return [each for each in self.told if each.key == key and (kind is None or isinstance(each, kind))]

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def first(self, key: ContainerKey, *kinds: type) -> Observation:
        await self.until(lambda: any(isinstance(each, kinds) for each in self.of(key)))
        return next(each for each in self.of(key) if isinstance(each, kinds))

    def lines(self, key: ContainerKey) -> list[str]:
        return [text for each in self.of(key, Output) for _, text in each.lines]

    def cursor(self, key: ContainerKey) -> int:
        return max((each.cursor for each in self.of(key, Output)), default=0)


@asynccontextmanager
async def life(url: str, engine_id: str, cursors: dict[ContainerKey, int] | None = None, *, keep: bool = False) -> AsyncIterator[Life]:
    lived = Life(engine_id, url)
    await lived.driver.open(cursors or {})
    listener = asyncio.get_running_loop().create_task(lived.listen())
    try:
        yield lived
    except BaseException:
        await lived.driver.close(keep=False)
        raise
    else:
        await lived.driver.close(keep=keep)
    finally:
        await listener


@pytest.fixture
def engine_id() -> str:
    return f"test{IDS.hex32()}"


def spec(image: str, script: str, key: ContainerKey | None = None, **fields) -> ContainerSpec:
    given = {"region": "eu-west-1", "cluster": "default", "family": "f", "revision": 1, "image": image, "command": ("sh", "-c", script)}
    return ContainerSpec(key=key or ContainerKey(IDS.hex32(), "app"), **(given | fields))


async def test_a_container_beyond_its_memory_ends_with_137_and_oom(docker_url, docker_image, engine_id):
    async with life(docker_url, engine_id) as now:
        wanted = spec(docker_image, "exec tail /dev/zero", memory_mib=16)
        await now.driver.start(wanted)
        end = await now.first(wanted.key, Exited)
        assert (end.exit_code, end.oom) == (137, True)
        assert end.reason is None  # the words are ECS's, and the engine's to say


async def test_an_image_that_nobody_has_is_a_failed_pull_with_its_times(docker_url, engine_id):
    async with life(docker_url, engine_id) as now:
        wanted = spec("127.0.0.1:1/nobody/has:it", "true")
        await now.driver.start(wanted)
        failed = await now.first(wanted.key, StartFailed)
        assert failed.reason.startswith("CannotPullContainerError: ")
        assert failed.pull_started_at <= failed.pull_stopped_at


async def test_a_command_that_is_not_there_is_told_in_dockers_words(docker_url, docker_image, engine_id):
    async with life(docker_url, engine_id) as now:
        wanted = spec(docker_image, "", command=("nosuch",))
        await now.driver.start(wanted)
        failed = await now.first(wanted.key, StartFailed)
        assert failed.reason.startswith("CannotStartContainerError: ")
        assert "executable file not found in $PATH" in failed.reason


async def test_the_next_life_loses_and_doubles_nothing_and_runs_nothing_twice(docker_url, docker_image, engine_id):
    script = "n=0; while [ $n -lt 60 ]; do echo line $n; n=$((n+1)); sleep 0.05; done; exit 7"
    wanted = spec(docker_image, script)
    lines: list[str] = []
    cursor = 0
    for _ in range(3):
        async with life(docker_url, engine_id, {wanted.key: cursor}, keep=True) as now:
            await now.driver.start(wanted)
            await now.first(wanted.key, Output)
        lines += now.lines(wanted.key)
        cursor = max(cursor, now.cursor(wanted.key))
    async with life(docker_url, engine_id, {wanted.key: cursor}) as now:
        await now.driver.start(wanted)
        end = await now.first(wanted.key, Exited)
        assert end.exit_code == 7
        assert isinstance(now.of(wanted.key)[0], Started)
        assert isinstance(now.of(wanted.key)[-1], Exited)
    lines += now.lines(wanted.key)
    assert lines == [f"line {number}" for number in range(60)]


async def test_a_container_that_was_only_created_before_the_crash_is_started_once(docker_url, docker_image, engine_id):
    wanted = spec(docker_image, "echo once")
    api = DockerApi(docker_url)
    name = container_name(engine_id, wanted.key)
    await api.call("POST", "containers/create", {"name": name}, create_body(engine_id, wanted, network="bridge"))
    await api.close()
    async with life(docker_url, engine_id) as now:
        assert now.of(wanted.key) == []
        await now.driver.start(wanted)
        await now.first(wanted.key, Exited)
        await now.driver.start(wanted)
        await now.until(lambda: len(now.of(wanted.key, Exited)) == 2)
        assert now.lines(wanted.key) == ["once"]


async def test_a_container_removed_by_hand_ended_and_nobody_knows_how(docker_url, docker_image, engine_id):
    async with life(docker_url, engine_id) as now:
        wanted = spec(docker_image, "sleep 100")
        await now.driver.start(wanted)
        begun = await now.first(wanted.key, Started)
        api = DockerApi(docker_url)
        await api.call("DELETE", f"containers/{begun.runtime_id}", {"force": "1"})
        await api.close()
        end = await now.first(wanted.key, Exited)
        assert end.exit_code in (None, 137)
        if end.exit_code is None:
            assert end.reason.startswith("ContainerVanishedError: ")


async def test_a_stop_is_sigterm_first(docker_url, docker_image, engine_id):
    async with life(docker_url, engine_id) as now:
        wanted = spec(docker_image, "trap 'exit 5' TERM; echo ready; while true; do sleep 0.05; done")
        await now.driver.start(wanted)
        await now.first(wanted.key, Output)
        await now.driver.stop(wanted.key, 20)
        assert (await now.first(wanted.key, Exited)).exit_code == 5


async def test_a_stop_at_once_leaves_nothing_running(docker_url, docker_image, engine_id):
    async with life(docker_url, engine_id) as now:
        wanted = spec(docker_image, "sleep 100")
        await now.driver.start(wanted)
        await now.driver.stop(wanted.key, 0)
        await now.first(wanted.key, Exited, StartFailed)


async def test_containers_of_one_task_share_a_namespace_until_the_last_is_removed(docker_url, docker_image, engine_id):
    async with life(docker_url, engine_id) as now:
        task_id = IDS.hex32()
        server = spec(docker_image, "echo hi > /tmp/x; httpd -f -p 8099 -h /tmp", ContainerKey(task_id, "server"), shared_namespace=True)
        asks = "until wget -q -O - http://127.0.0.1:8099/x; do sleep 0.05; done"
        client = spec(docker_image, asks, ContainerKey(task_id, "client"), shared_namespace=True)
        await now.driver.start(server)
        await now.driver.start(client)
        await now.first(client.key, Exited)
        assert now.lines(client.key)[-1] == "hi"
        assert now.of(server.key, Started)[0].address == now.of(client.key, Started)[0].address is not None
        await now.driver.stop(server.key, 0)
        await now.first(server.key, Exited)
        await now.driver.remove(server.key)
        await now.driver.remove(client.key)
        api = DockerApi(docker_url)
        with pytest.raises(DockerError, match="No such container"):
            async with asyncio.timeout(20):
                while True:
                    await api.call("GET", f"containers/{pause_name(engine_id, task_id)}/json")
        await api.close()


async def test_bridge_mode_tells_the_port_that_docker_chose_and_a_taken_one_fails(docker_url, docker_image, engine_id):
    async with life(docker_url, engine_id) as now:
        free = spec(docker_image, "sleep 100", network_mode="bridge", ports=(PortMapping(80, 0),))
        await now.driver.start(free)
        (port,) = (await now.first(free.key, Started)).ports
        assert port.container_port == 80
        assert port.host_port > 0
        taken = spec(docker_image, "sleep 100", network_mode="bridge", ports=(PortMapping(80, port.host_port),))
        await now.driver.start(taken)
        failed = await now.first(taken.key, StartFailed)
        assert failed.reason.startswith("CannotStartContainerError: ")
        assert "port is already allocated" in failed.reason


async def test_close_leaves_neither_containers_nor_network(docker_url, docker_image, engine_id):
    async with life(docker_url, engine_id) as now:
        wanted = spec(docker_image, "sleep 100")
        await now.driver.start(wanted)
        await now.first(wanted.key, Started)
    api = DockerApi(docker_url)
    with pytest.raises(DockerError):
        await api.call("GET", f"containers/{container_name(engine_id, wanted.key)}/json")
    with pytest.raises(DockerError):
        await api.call("GET", f"networks/{prefix(engine_id)}")
    await api.close()

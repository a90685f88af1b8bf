"""Docker goes away and comes back: nothing false is told, and nothing is missed. A relay in front of the real daemon plays the outage."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from hinoban.base.clock import SystemClock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import SystemIds
from hinoban.engine.runtime.docker.client import docker_answers
from hinoban.engine.runtime.docker.driver import DockerDriver
from hinoban.engine.runtime.driver import ContainerKey, ContainerSpec, Exited, Observation, Output, Started

pytestmark = pytest.mark.docker
IDS = SystemIds()


class Relay:
    """Passes bytes between a socket of its own and Docker's, until it is cut."""

    def __init__(self, path: Path, docker_url: str) -> None:
        self.url = f"unix://{path}"
        self._path = path
        self._docker = docker_url.removeprefix("unix://")
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def up(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._writers):
            writer.transport.abort()
        self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_unix_connection(self._docker)
        self._writers |= {writer, back}
        await asyncio.gather(self._pump(reader, back), self._pump(there, writer))

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.transport.abort()
        self._writers.discard(target)


def spec(image: str, script: str) -> ContainerSpec:
    key = ContainerKey(IDS.hex32(), "app")
    return ContainerSpec(key=key, region="r", cluster="c", family="f", revision=1, image=image, command=("sh", "-c", script))


async def test_an_outage_is_sat_out_and_every_line_and_exit_is_told_once(docker_url, docker_image, tmp_path):
    relay = Relay(tmp_path / "d.sock", docker_url)
    await relay.up()
    assert await docker_answers(relay.url)
    driver = DockerDriver(f"outage{IDS.hex32()}", SystemClock(), IDS, url=relay.url)
    await driver.open({})
    told: list[Observation] = []
    counts = spec(docker_image, "n=0; while [ $n -lt 15 ]; do echo $n; n=$((n+1)); sleep 0.1; done; exit 4")
    late = spec(docker_image, "echo late; exit 6")
    ends = 0
    try:
        await driver.start(counts)
        async with asyncio.timeout(60):
            async for each in driver.observations():
                told.append(each)
                if isinstance(each, Output) and len(told) == 2:
                    await relay.cut()
                    assert not await docker_answers(relay.url)
                    await driver.start(late)  # asked for in the outage
                    await asyncio.sleep(2)  # the container ends meanwhile
                    assert not [one for one in told if isinstance(one, Exited)]
                    await relay.up()
                ends += isinstance(each, Exited)
                if ends == 2:
                    break
    finally:
        await driver.close(keep=False)
        await relay.cut()
    by_key = {wanted.key: [one for one in told if one.key == wanted.key] for wanted in (counts, late)}
    for seen in by_key.values():
        assert [type(one) for one in seen if not isinstance(one, Output)] == [Started, Exited]
    assert [text for one in by_key[counts.key] if isinstance(one, Output) for _, text in one.lines] == [str(n) for n in range(15)]
    assert [by_key[wanted.key][-1].exit_code for wanted in (counts, late)] == [4, 6]


@pytest.mark.parametrize("url", ["unix:///nowhere/docker.sock", "tcp://127.0.0.1:1", "/var/run/docker.sock"])
async def test_no_docker_is_an_error_that_says_what_to_do(url):
    driver = DockerDriver("nobody", SystemClock(), IDS, url=url)
    assert not await docker_answers(url)
    with pytest.raises(HinobanError, match="--runtime process"):
        await driver.open({})
    await driver.close(keep=False)

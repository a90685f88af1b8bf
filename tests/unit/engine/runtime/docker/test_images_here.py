"""Which images are here, and pulling those that are not, against a Docker of a few lines."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiodocker import DockerError

from hinoban.base.clock import FakeClock
from hinoban.base.supervise import Group
from hinoban.engine.runtime.docker.pull import ALWAYS, IN_PULL, MISSING, Images, PullError


class Lines:
    def __init__(self, lines: list[bytes]) -> None:
        self.content = self._each(lines)

    async def _each(self, lines: list[bytes]):
        for line in lines:
            yield line


class StubDocker:
    def __init__(self, *here: str, says: bytes = b'{"status":"done"}\n') -> None:
        self.here = set(here)
        self.says = says
        self.calls: list[str] = []
        self.open = asyncio.Event()
        self.open.set()

    async def call(self, method: str, path: str, params: Any = None, body: Any = None) -> Any:
        self.calls.append(f"{method} {path}")
        image = path.removeprefix("images/").removesuffix("/json")
        if image not in self.here:
            raise DockerError(404, f"No such image: {image}")
        return {"Id": image if image.startswith("sha256:") else "sha256:old", "RepoDigests": []}

    @asynccontextmanager
    async def stream(self, method: str, path: str, params: dict[str, str]):
        self.calls.append(f"pull {params['fromImage']}:{params['tag']}")
        await self.open.wait()
        if b"error" not in self.says:
            self.here.add(f"{params['fromImage']}:{params['tag']}")
        yield Lines([b'{"status":"Pulling"}\n', self.says])


def images(docker: StubDocker, policy: str = MISSING) -> Images:
    return Images(docker, FakeClock(100.0), Group(lambda error: None), policy)


async def test_an_image_that_is_here_is_not_pulled_and_looked_up_once():
    docker = StubDocker("job:1")
    known = images(docker)
    assert await known.ensure("job:1") is None
    assert await known.ensure("job:1") is None
    assert docker.calls == ["GET images/job:1/json"]
    known.forget("job:1")
    await known.ensure("job:1")
    assert len(docker.calls) == 2


async def test_the_digest_is_that_of_the_image_that_runs_whatever_its_name_means_by_now():
    docker = StubDocker("job:1", "sha256:old", "sha256:new")
    known = images(docker)
    await known.ensure("job:1")
    for image_id in ("sha256:old", "sha256:new", "sha256:old"):
        assert await known.digest_by_id(image_id) == image_id
    assert docker.calls.count("GET images/sha256:old/json") == 1
    assert await known.digest_by_id("sha256:gone") is None


async def test_one_pull_serves_all_who_wait_for_it():
    docker = StubDocker()
    known = images(docker)
    got = await asyncio.gather(*(known.ensure("job:1") for _ in range(5)))
    assert got == [(100.0, 100.0)] * 5
    assert [call for call in docker.calls if call.startswith("pull")] == ["pull job:1"]


async def test_always_pulls_what_is_here_too():
    docker = StubDocker("job:1")
    await images(docker, ALWAYS).ensure("job:1")
    assert docker.calls[0] == "pull job:1"


async def test_an_error_in_the_middle_of_a_pull_is_told_with_its_times():
    docker = StubDocker(says=b'{"errorDetail":{"message":"manifest unknown"},"error":"manifest unknown"}\n')
    with pytest.raises(PullError) as refused:
        await images(docker).ensure("job:1")
    assert refused.value.reason.endswith("docker.io/library/job:1: not found")
    assert refused.value.pulled == (100.0, 100.0)


async def test_a_container_stopped_while_it_waits_ends_its_wait_and_not_the_pull_of_the_others():
    docker = StubDocker()
    docker.open.clear()
    known = images(docker)
    stopping = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(stopping.set_result, None)
    with pytest.raises(PullError) as ended:
        await known.ensure("job:1", stopping)
    assert ended.value.reason == IN_PULL
    docker.open.set()
    assert await known.ensure("job:1") is not None
    assert docker.calls.count("pull job:1") == 1

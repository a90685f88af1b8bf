"""Which runtime runs the containers, and the words for it."""

from pathlib import Path

import psutil

from hinoban.base.clock import Clock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import Ids
from hinoban.engine.ecs.decide.capacity import CPU_OVERCOMMIT, UNITS_PER_VCPU, Room
from hinoban.engine.runtime.driver import Driver


async def choose(runtime: str, directory: Path, engine_id: str, pull: str, clock: Clock, ids: Ids) -> tuple[Driver, str]:
    """The driver, and what `hinoban up` says of it. `auto` takes Docker where its socket answers."""
    if runtime == "fake":
        from hinoban.engine.runtime.fake import FakeDriver

        return FakeDriver(clock), "scripts (fake runtime: nothing really runs)"
    if runtime in ("auto", "docker"):
        from hinoban.engine.runtime.docker.client import docker_answers, docker_socket, why_silent
        from hinoban.engine.runtime.docker.driver import DockerDriver

        url = docker_socket()
        if await docker_answers(url):
            return DockerDriver(engine_id, clock, ids, url=url, pull=pull), f"Docker containers ({url})"
        why = why_silent(url)
        if runtime == "docker":
            raise HinobanError(
                f"`--runtime docker` cannot reach Docker at {url}",
                why,
                "Start Docker (or set DOCKER_HOST), or run plain processes: hinoban up --runtime process",
                exit_code=2,
            )
    else:
        why = "as asked for"
    from hinoban.engine.runtime.process.driver import ProcessDriver

    return ProcessDriver(directory, clock, ids), f"processes ({why})"


def machine_room() -> Room:
    """This machine's memory, and 16 times its cores of CPU (docs/decisions/0009)."""
    return Room((psutil.cpu_count() or 1) * CPU_OVERCOMMIT * UNITS_PER_VCPU, psutil.virtual_memory().total // 2**20)

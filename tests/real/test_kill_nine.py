"""kill -9 of each of Hinoban's processes, amid running and finishing tasks: nothing runs twice, no end is lost or made up, and the
history has every event once."""

import asyncio
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest
from aiodocker import DockerError

from hinoban.engine.runtime.docker.body import ENGINE_LABEL, container_name, key_of
from hinoban.engine.runtime.docker.client import DockerApi
from hinoban.engine.runtime.driver import ContainerKey
from tests.docker_support import docker_image as docker_image
from tests.docker_support import docker_url as docker_url
from tests.real.daemon_support import PATIENCE, Make, RealDaemon, check_history, check_incidents, ended, is_alive, until
from tests.real.daemon_support import daemons as daemons

FAMILY = "killed"
CAPACITY = ("--capacity", "64vcpu:64GB")
FINISHING = range(50)
RUNNING = range(50, 100)
TICKING = 50  # prints all the time
STOPPED = range(75, 100)
STOPPED_AMID = range(75, 85)  # told to while the last kill comes
KILLS = 10
LINES = 20
SEED = int(os.environ.get("HINOBAN_TEST_SEED", "1"))


def code_of(number: int) -> int:
    """A task's own exit code; every fifth ends well."""
    return 0 if number % 5 == 0 else 1 + number


def lines_of(number: int) -> list[str]:
    """What a task prints from its beginning to its end."""
    last = "stopped" if number in STOPPED else "let go"
    return [f"ran {number}", *(f"line {line} of {number}" for line in range(LINES)), f"{last} {number}"]


def definition(script: str, image: str) -> dict[str, Any]:
    container = {"name": "app", "image": image, "command": ["sh", "-c", script]}
    return {
        "family": FAMILY,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [container],
    }


TICK = f'if [ "$NUMBER" = {TICKING} ]; then (t=0; while :; do echo "tick $t"; t=$((t+1)); sleep 0.02; done) & fi'
PRINT = f'{TICK}; echo "ran $NUMBER"; i=0; while [ $i -lt {LINES} ]; do echo "line $i of $NUMBER"; i=$((i+1)); done'
ON_STOP = "trap 'kill $!; echo \"stopped $NUMBER\"; exit $CODE' TERM"


class Work(Protocol):
    """Tasks that run until they are let go."""

    definition: dict[str, Any]
    pace: float
    """Seconds in which a few tasks start or end."""

    async def let_go(self, number: int, arns: dict[int, str]) -> None:
        """Let this task end with its own code, when it has come so far."""
        ...

    async def ran(self, arns: dict[int, str]) -> Counter[int]:
        """How often each number ran, by what the tasks themselves left."""
        ...


class ProcessWork:
    """Each task appends its number to a file, then waits for somebody to open its pipe."""

    pace = 0.05

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ran = directory / "ran"
        self._ran.touch()
        self._ran.chmod(0o666)
        for number in range(100):
            os.mkfifo(directory / f"gate-{number}")
            (directory / f"gate-{number}").chmod(0o666)
        script = (
            f'cd {directory}; {ON_STOP}; echo "$NUMBER" >> ran; {PRINT}; cat "gate-$NUMBER" > /dev/null & wait $!; '
            'echo "let go $NUMBER"; exit $CODE'
        )
        self.definition = definition(script, "none")

    async def let_go(self, number: int, arns: dict[int, str]) -> None:
        def opened() -> bool:
            try:
                os.close(os.open(self._directory / f"gate-{number}", os.O_WRONLY | os.O_NONBLOCK))
            except OSError:
                return False  # no reader yet
            return True

        await until(opened, f"task {number} waits for its pipe")

    async def ran(self, arns: dict[int, str]) -> Counter[int]:
        return Counter(int(word) for word in self._ran.read_text().split())


class DockerWork:
    """A directory cannot be shared with a Fargate task: Docker's own start events say how often each ran, and SIGUSR1 lets it go."""

    pace = 0.4

    def __init__(self, image: str, api: DockerApi, daemon: RealDaemon) -> None:
        self._api = api
        self._daemon = daemon
        self._began = time.time()
        self._starts: Counter[str] = Counter()
        go = 'trap \'trap "" USR1; kill $!; echo "let go $NUMBER"; exit $CODE\' USR1'
        self.definition = definition(f"{go}; {ON_STOP}; {PRINT}; sleep 3000 & wait $!", image)

    @property
    def _engine_id(self) -> str:
        return (self._daemon.state / "engine-id").read_text().strip()

    async def let_go(self, number: int, arns: dict[int, str]) -> None:
        await until(lambda: number in arns, f"task {number} is launched")
        name = container_name(self._engine_id, ContainerKey(arns[number].rpartition("/")[2], "app"))
        signalled = 0.0
        loop = asyncio.get_running_loop()

        async def gone() -> bool:
            nonlocal signalled
            if signalled and loop.time() < signalled + 1:
                return False  # the shell may be slow to hear; one that has not set its trap yet does not hear at all
            try:
                await self._api.call("POST", f"containers/{name}/kill", {"signal": "USR1"})
            except DockerError:
                return signalled > 0  # not running any more, or not yet
            signalled = loop.time()
            return False

        await until(gone, f"task {number} ends after SIGUSR1")

    async def listen(self) -> None:
        """Count starts until cancelled; Docker remembers too few events to ask for them afterwards."""
        await until(lambda: (self._daemon.state / "engine-id").exists(), "the engine has an id")
        filters = msgspec.json.encode({"event": ["start"], "label": [f"{ENGINE_LABEL}={self._engine_id}"]}).decode()
        async with self._api.stream("GET", "events", {"filters": filters, "since": f"{self._began:.3f}"}) as answer:
            async for line in answer.content:
                if (key := key_of(msgspec.json.decode(line)["Actor"]["Attributes"])) is not None:
                    self._starts[key.task_id] += 1

    async def ran(self, arns: dict[int, str]) -> Counter[int]:
        numbers = {arn.rpartition("/")[2]: number for number, arn in arns.items()}
        return Counter({numbers[task_id]: count for task_id, count in self._starts.items()})


@pytest.fixture
def process_work() -> Iterator[ProcessWork]:
    # Not below tmp_path: as root each task is a user of its own, and may not enter there.
    directory = Path(tempfile.mkdtemp(prefix="hinoban-kill-nine-"))
    directory.chmod(0o711)
    yield ProcessWork(directory)
    shutil.rmtree(directory)


class Progress:
    """Counts what was answered or let go, so that a kill comes amid it."""

    def __init__(self) -> None:
        self._count = 0
        self._noted = asyncio.Event()

    def note(self) -> None:
        self._count += 1
        self._noted.set()

    async def more(self, count: int) -> None:
        """Return when `count` more are noted."""
        wanted = self._count + count
        async with asyncio.timeout(PATIENCE):
            while self._count < wanted:
                self._noted.clear()
                await self._noted.wait()


async def kill_ten_times(daemon: RealDaemon, work: Work, dice: random.Random) -> dict[int, str]:
    """Launches over the first kills, ends over the last ones; the numbers' ARNs."""
    await daemon.start()
    await daemon.call("ecs", "RegisterTaskDefinition", work.definition)
    arns: dict[int, str] = {}
    feed_ids = set()
    progress = Progress()

    async def launch(number: int) -> None:
        arns[number] = await daemon.run_task(FAMILY, number, {"NUMBER": str(number), "CODE": str(code_of(number))})
        progress.note()

    async def let_go(number: int, wait: float = 0.0) -> None:
        await asyncio.sleep(wait)
        await work.let_go(number, arns)
        progress.note()

    async def stop(number: int) -> None:
        await until(lambda: number in arns, f"task {number} is launched")
        await daemon.call("ecs", "StopTask", {"task": arns[number], "reason": "enough"})

    async with asyncio.TaskGroup() as group:
        for kill in range(KILLS):
            if kill % 2:
                # Every other life lasts until its watch is at work too.
                await daemon.watch_up()
                feed_ids.add((await daemon.feed())[0])
            first = kill * 10 % 50
            if kill < KILLS // 2:
                for number in (*FINISHING[first : first + 10], *RUNNING[first : first + 10]):
                    group.create_task(launch(number))
            else:
                for number in FINISHING[first : first + 10]:
                    group.create_task(let_go(number, dice.uniform(0.0, 4 * work.pace)))
            if kill == KILLS - 1:
                for number in STOPPED_AMID:
                    group.create_task(stop(number))
            await progress.more(dice.randrange(10))
            await asyncio.sleep(dice.uniform(0.0, work.pace))
            await daemon.kill()
            if kill in (3, 7):
                # Also while it takes up what the life before left.
                daemon.spawn()
                await asyncio.sleep(dice.uniform(0.3, 1.0))
                await daemon.kill()
            await daemon.start()
    left = [number for number in RUNNING if number not in STOPPED_AMID]
    running = await daemon.described([arns[number] for number in left])
    assert {task["desiredStatus"] for task in running.values()} == {"RUNNING"}
    assert len(feed_ids) == 1
    async with asyncio.TaskGroup() as group:
        for number in left:
            group.create_task(stop(number) if number in STOPPED else let_go(number))
    return arns


async def check_ten_kills(daemon: RealDaemon, work: Work, seed: int) -> None:
    arns = await kill_ten_times(daemon, work, random.Random(seed))
    tasks = await ended(daemon, arns)
    assert len(set(arns.values())) == 100
    for number, task in tasks.items():
        container = task["containers"][0]
        assert (container["exitCode"], container.get("reason")) == (code_of(number), None), number
        assert task["stopCode"] == ("UserInitiated" if number in STOPPED else "EssentialContainerExited")
    assert await work.ran(arns) == Counter(range(100))
    for number, arn in arns.items():
        lines = await daemon.lines(f"{FAMILY}/app/{arn.rpartition('/')[2]}")
        ticks = [line for line in lines if line.startswith("tick ")]
        assert [line for line in lines if not line.startswith("tick ")] == lines_of(number)
        assert ticks == [f"tick {tick}" for tick in range(len(ticks))]
        assert (number == TICKING) == (len(ticks) > KILLS)
    await check_history(daemon, {task["taskArn"]: task for task in tasks.values()})
    await check_incidents(daemon, {arns[number] for number in arns if code_of(number) and number not in STOPPED})
    assert len(daemon.watches) >= KILLS // 2
    await until(lambda: not any(map(is_alive, daemon.watches)), "the watches of dead daemons are gone")
    assert daemon.watch_process() is not None


@pytest.mark.timeout(240)
async def test_ten_kills_of_the_daemon_change_nothing_for_processes(daemons: Make, process_work: ProcessWork) -> None:
    daemon = daemons("--runtime", "process", *CAPACITY)
    await check_ten_kills(daemon, process_work, SEED)


@pytest.mark.docker
@pytest.mark.timeout(240)
async def test_ten_kills_of_the_daemon_change_nothing_for_docker(daemons: Make, docker_url: str, docker_image: str) -> None:
    daemon = daemons("--runtime", "docker", *CAPACITY)
    api = DockerApi(docker_url)
    work = DockerWork(docker_image, api, daemon)
    listener = asyncio.create_task(work.listen())
    try:
        await check_ten_kills(daemon, work, SEED)
    finally:
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
        await api.close()

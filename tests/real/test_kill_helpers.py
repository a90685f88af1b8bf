"""kill -9 of the two processes that `hinoban up` starts: the watch's misses and repeats nothing, the supervisor's is told for what it is."""

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from hinoban.engine.runtime.process import procfs
from tests.real.daemon_support import Make, RealDaemon, check_history, check_incidents, ended, is_alive, until
from tests.real.daemon_support import daemons as daemons

FAMILY = "helped"
PROCESSES = ("--runtime", "process", "--capacity", "64vcpu:64GB")
pytestmark = pytest.mark.timeout(240)
SECRET = "0123456789abcdef0123456789abcdef"


def definition(script: str) -> dict[str, Any]:
    return {
        "family": FAMILY,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "none", "command": ["sh", "-c", script]}],
    }


class Receiver:
    """A webhook's other end on loopback that takes its time, so that a kill may come between a delivery and its receipt."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[str, dict[str, Any]]] = []
        self.url = ""
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/hook"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n"):
                headers = dict(line.split(": ", 1) for line in head[1:] if line)
                body = msgspec.json.decode(await reader.readexactly(int(headers["content-length"])))
                self.deliveries.append((headers["x-hinoban-delivery"], body))
                await asyncio.sleep(0.05)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory that every task's user may enter and write to; tmp_path is closed to them."""
    directory = Path(tempfile.mkdtemp(prefix="hinoban-kill-"))
    directory.chmod(0o711)
    (directory / "ran").touch()
    (directory / "ran").chmod(0o666)
    yield directory
    shutil.rmtree(directory)


async def kill_watch(daemon: RealDaemon) -> psutil.Process:
    """SIGKILL to the watch alone; which one it was."""
    watch = await until(daemon.watch_process, "a watch is there")
    watch.kill()
    await until(lambda: not is_alive(watch), "the watch is dead")
    return watch


async def test_a_killed_watch_misses_nothing_and_tells_nothing_anew(daemons: Make, receiver: Receiver, tmp_path: Path) -> None:
    config = tmp_path / "hinoban.toml"
    config.write_text(f'[[notify.webhook]]\nname = "on-call"\nurl = "{receiver.url}"\nsecret = "{SECRET}"\n')
    daemon = daemons(*PROCESSES, "--config", str(config))
    await daemon.start()
    await daemon.watch_up()
    await daemon.call("ecs", "RegisterTaskDefinition", definition("echo ran; exit $CODE"))
    arns: dict[int, str] = {}

    async def launch(number: int) -> None:
        arns[number] = await daemon.run_task(FAMILY, number, {"CODE": str(number)})

    killed = []
    for burst, wanted in enumerate((5, 8)):
        async with asyncio.TaskGroup() as group:
            for number in range(burst * 20 + 1, burst * 20 + 21):
                group.create_task(launch(number))
        # Amid its work: of the burst's messages some are delivered, one is on its way.
        told = len(receiver.deliveries)
        await until(lambda told=told, wanted=wanted: len(receiver.deliveries) >= told + wanted, "some messages are told")
        killed.append(await kill_watch(daemon))
    tasks = await ended(daemon, arns)
    assert {number: task["containers"][0]["exitCode"] for number, task in tasks.items()} == {number: number for number in arns}
    await check_history(daemon, {task["taskArn"]: task for task in tasks.values()})
    await check_incidents(daemon, set(arns.values()))
    again = await until(daemon.watch_process, "a watch is there again")
    assert again.pid not in {watch.pid for watch in killed}
    await until(lambda: {body["task"] for _, body in receiver.deliveries} >= set(arns.values()), "every failure is told", within=30)
    messages = {body["id"]: delivery for delivery, body in receiver.deliveries}
    assert Counter(body["task"] for _, body in {body["id"]: (0, body) for _, body in receiver.deliveries}.values()) == Counter(
        arns.values()
    )
    # A delivery whose receipt a kill swallowed is repeated under its own name, and nothing else is.
    assert all(messages[body["id"]] == delivery for delivery, body in receiver.deliveries)
    assert len(receiver.deliveries) - len(messages) <= len(killed)


def processes_of(arn: str) -> list[int]:
    """The living processes of a task."""
    mark = f"{arn.rpartition('/')[2]}/app"
    return [pid for pid in procfs.all_pids() if procfs.marked(pid, mark) and procfs.start_time(pid) is not None]


async def test_a_killed_supervisor_leaves_nothing_running_and_its_tasks_exits_are_unknown(daemons: Make, shared: Path) -> None:
    os.mkfifo(shared / "gate")
    (shared / "gate").chmod(0o666)
    daemon = daemons(*PROCESSES)
    await daemon.start()
    script = f'cd {shared}; echo "$NUMBER" >> ran; cat gate > /dev/null & wait $!; exit 7'
    await daemon.call("ecs", "RegisterTaskDefinition", definition(script))
    arns: dict[int, str] = {}

    async def launch(number: int) -> None:
        arns[number] = await daemon.run_task(FAMILY, number, {"NUMBER": str(number)})

    def ran() -> Counter[int]:
        return Counter(int(word) for word in (shared / "ran").read_text().split())

    async with asyncio.TaskGroup() as group:
        for number in range(30):
            group.create_task(launch(number))
    await until(lambda: len(ran()) == 30, "thirty tasks run")
    supervisor = daemon.supervisor()
    assert supervisor is not None
    # Ten more are on their way.
    async with asyncio.TaskGroup() as group:
        for number in range(30, 40):
            group.create_task(launch(number))
    supervisor.kill()
    old = await ended(daemon, {number: arns[number] for number in range(30)})
    for task in old.values():
        container = task["containers"][0]
        assert "exitCode" not in container
        assert container["reason"].startswith("ContainerVanishedError: ")
        assert task["stopCode"] == "EssentialContainerExited"
    assert [pid for number in range(30) for pid in processes_of(arns[number])] == []

    def opened() -> bool:
        try:
            os.close(os.open(shared / "gate", os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    async def let_go() -> bool:
        opened()
        tasks = await daemon.described([arns[number] for number in range(30, 40)])
        return all(task["lastStatus"] == "STOPPED" for task in tasks.values())

    await until(let_go, "the ten late tasks end too")
    late = await ended(daemon, {number: arns[number] for number in range(30, 40)})
    for number, task in late.items():
        container = task["containers"][0]
        if container.get("exitCode") == 7:
            assert ran()[number] == 1  # the next supervisor ran it
        elif task["stopCode"] == "TaskFailedToStart":
            assert ran()[number] == 0
        else:
            assert container["reason"].startswith("ContainerVanishedError: ")
    assert max(ran().values()) == 1
    assert [pid for arn in arns.values() for pid in processes_of(arn)] == []
    tasks = old | late
    await check_history(daemon, {task["taskArn"]: task for task in tasks.values()})
    await check_incidents(daemon, set(arns.values()))

"""Runs containers as plain processes of this machine, through a supervisor that outlives the daemon (supervisor.py).

Says what to run and hands on what is told; limits, timers, pipes and records are the supervisor's.
"""

import asyncio
import re
import socket
import subprocess
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from hinoban.base.clock import Clock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import Ids
from hinoban.base.supervise import Group
from hinoban.engine.runtime.driver import (
    Capabilities,
    ContainerKey,
    ContainerSpec,
    Exited,
    Observation,
    Output,
    PortMapping,
    Started,
    StartFailed,
)
from hinoban.engine.runtime.process import cgroups, wire
from hinoban.engine.runtime.process.launch import find_or_launch

_MIB = 1 << 20
_ADDRESS = "127.0.0.1"
# A line of 256 KiB may be six times as long in JSON.
_MESSAGE_BYTES = 32 << 20
_NAME = re.compile(r"[A-Za-z0-9_-]{1,255}")
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class _Told:
    """What was reported of one container; `asked` and `stop` are what to ask again if the supervisor dies before it answers."""

    __slots__ = ("asked", "cursor", "end", "started", "stop")

    def __init__(self, asked: dict[str, Any] | None, cursor: int = 0) -> None:
        self.asked = asked
        self.stop: tuple[float, float] | None = None
        self.started: Started | None = None
        self.cursor = cursor
        self.end: Exited | StartFailed | None = None


class ProcessDriver:
    """The driver `process`. `state_dir` is the engine's; ours is `processes/` in it, with `supervisor.log`.

    `sampled` forces memory limits to be kept by sampling; `grace` is how long an idle supervisor waits for a daemon, in seconds.
    """

    def __init__(self, state_dir: Path, clock: Clock, ids: Ids, *, sampled: bool = False, grace: float = 10.0) -> None:
        self._directory = (state_dir / wire.DIRECTORY).absolute()
        self._clock = clock
        self._ids = ids
        self._sampled = sampled
        self._grace = grace
        self._memory = "sampled" if sampled or not cgroups.usable() else "hard"
        self._told: dict[ContainerKey, _Told] = {}
        self._ready: deque[Observation] = deque()
        self._news = asyncio.Event()
        self._failure: BaseException | None = None
        self._closed = False
        self._group = Group(self._fail)
        self._child: subprocess.Popen[bytes] | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._expected: frozenset[ContainerKey] = frozenset()

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(memory=self._memory)

    async def open(self, cursors: dict[ContainerKey, int], expected: frozenset[ContainerKey] = frozenset()) -> None:
        self._expected = expected
        self._told = {key: _Told(None, cursor) for key, cursor in cursors.items()}
        await self._connect()
        self._group.start(self._listen(), "process runtime")

    async def start(self, spec: ContainerSpec) -> None:
        key = spec.key
        known = self._told.get(key)
        if known is not None and (known.started or known.end):
            self._tell(*(each for each in (known.started, known.end) if each is not None))
            return
        told = known or _Told(None)
        self._told[key] = told
        if (reason := _refusal(spec)) is not None:
            told.end = StartFailed(key, self._clock.now(), reason)
            self._tell(told.end)
            return
        told.asked = start_message(spec, f"{key.task_id}-{self._ids.digits(10)}")
        await self._say(told.asked)

    async def stop(self, key: ContainerKey, timeout: float) -> None:
        # A key that we do not know may be one that the supervisor is about to tell of.
        if (told := self._told.get(key)) is not None:
            if told.end is not None:
                return
            told.stop = (self._clock.now(), timeout)
        await self._say({"op": "stop", "task": key.task_id, "name": key.name, "timeout": timeout})

    async def remove(self, key: ContainerKey) -> None:
        if (told := self._told.get(key)) is not None and told.end is not None:
            del self._told[key]
        await self._say({"op": "remove", "task": key.task_id, "name": key.name})

    async def observations(self) -> AsyncIterator[Observation]:
        while not self._closed:
            await self._news.wait()
            self._news.clear()
            while self._ready and not self._closed:
                yield self._ready.popleft()
            if self._failure is not None:
                raise self._failure

    async def close(self, *, keep: bool) -> None:
        if self._closed:
            return
        self._closed = True
        self._news.set()
        await self._group.close()
        if self._writer is None or self._reader is None:
            return
        if not keep:
            await self._say({"op": "shutdown"})
            await _until_end(self._reader)
        self._writer.close()
        if self._child is not None and not keep:
            await asyncio.to_thread(self._child.wait)

    # The supervisor

    async def _connect(self) -> None:
        """Connect and greet; again where the supervisor ended by itself just then."""
        for _ in range(10):
            sock, child = await find_or_launch(self._directory, grace=self._grace, sampled=self._sampled)
            self._child = child or self._child
            hello = await self._greet(sock)
            if hello is None:
                continue
            if hello["version"] != wire.VERSION:
                raise HinobanError(
                    "The process runtime cannot take over its containers",
                    f"the supervisor in {self._directory} is of another Hinoban (it speaks {hello['version']}, we {wire.VERSION})",
                    "Start the version that left them running and stop it with Ctrl-C, or end process "
                    f"{hello['pid']}; what it runs is killed at the next start",
                )
            self._memory = hello["memory"]
            return
        raise HinobanError(
            "The process runtime cannot work",
            f"its supervisor in {self._directory} hangs up again and again",
            f"Read {self._directory / wire.LOG}",
        )

    async def _greet(self, sock: socket.socket) -> dict[str, Any] | None:
        self._reader, self._writer = await asyncio.open_unix_connection(sock=sock, limit=_MESSAGE_BYTES)
        cursors = [[key.task_id, key.name, told.cursor] for key, told in self._told.items()]
        try:
            await self._say({"op": "hello", "version": wire.VERSION, "cursors": cursors, "expected": sorted(self._expected)})
            line = await self._reader.readline()
        except ConnectionError:
            return None
        return _decode(line) if line.endswith(b"\n") else None

    async def _say(self, message: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(_encode(message) + b"\n")
            await self._writer.drain()

    async def _listen(self) -> None:
        """Hand on what the supervisor tells; when it died, start another one, which tells what became of its containers."""
        while not self._closed:
            line = await self._line()
            if line:
                self._hear(_decode(line))
                continue
            if self._child is not None:
                self._child.poll()
            await self._connect()
            await self._ask_again()

    async def _line(self) -> bytes:
        assert self._reader is not None
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return b""
        return line if line.endswith(b"\n") else b""

    async def _ask_again(self) -> None:
        """What was asked and not answered; a key that has its mark on disk is not run again by this."""
        for key, told in list(self._told.items()):
            if told.asked is not None:
                await self._say(told.asked)
            if told.stop is not None and told.end is None:
                left = max(0.0, told.stop[0] + told.stop[1] - self._clock.now())
                await self._say({"op": "stop", "task": key.task_id, "name": key.name, "timeout": left})

    def _hear(self, message: dict[str, Any]) -> None:
        key = ContainerKey(message["task"], message["name"])
        told = self._told.setdefault(key, _Told(None))
        told.asked = None
        match message["op"]:
            case "started":
                if told.started is None:
                    ports = tuple(msgspec.convert(message["ports"], list[PortMapping]))
                    told.started = Started(key, message["at"], message["runtime_id"], address=_ADDRESS, ports=ports)
                    self._tell(told.started)
            case "output":
                if message["cursor"] > told.cursor:
                    told.cursor = message["cursor"]
                    self._tell(Output(key, tuple((moment, text) for moment, text in message["lines"]), told.cursor))
            case "exited":
                if told.end is None:
                    told.end = Exited(key, message["at"], message["code"], message["oom"], message["reason"])
                    self._tell(told.end)
            case "start_failed":
                if told.end is None:
                    told.end = StartFailed(key, message["at"], message["reason"])
                    self._tell(told.end)

    def _tell(self, *observations: Observation) -> None:
        self._ready.extend(observations)
        self._news.set()

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._news.set()


def start_message(spec: ContainerSpec, runtime_id: str) -> dict[str, Any]:
    """The spec in the supervisor's words: sizes in bytes, the ports to check, the mark for stray processes."""
    return {
        "op": "start",
        "task": spec.key.task_id,
        "name": spec.key.name,
        "argv": [*(spec.entry_point or ()), *(spec.command or ())],
        "env": spec.environment,
        "cwd": spec.working_directory,
        "user": spec.user,
        "mark": f"{spec.key.task_id}/{spec.key.name}",
        "memory": spec.memory_mib * _MIB if spec.memory_mib else None,
        "task_memory": spec.task_memory_mib * _MIB if spec.task_memory_mib else None,
        "ports": [[port.bind_ip, port.host_port, port.protocol] for port in spec.ports if port.host_port],
        # On the host's network a process listens on its own port, whatever it is mapped to.
        "told_ports": [msgspec.structs.replace(port, host_port=port.host_port or port.container_port) for port in spec.ports],
        "runtime_id": runtime_id,
    }


def _refusal(spec: ContainerSpec) -> str | None:
    """Why this container cannot be run as a process at all, with ECS's family (facts/ecs.md §2.3)."""
    if not spec.entry_point and not spec.command:
        return (
            f"CannotPullContainerError: {spec.image} cannot be run: the process runtime does not run images (no Docker socket) "
            f"and the container has no command. Give the container {spec.key.name} a command, map the image in hinoban.toml "
            "under [[image]], or start with Docker"
        )
    if not _NAME.fullmatch(spec.key.name) or not _NAME.fullmatch(spec.key.task_id):
        return f"CannotCreateContainerError: {spec.key.task_id}/{spec.key.name}: a name has only letters, digits, - and _"
    return None


async def _until_end(reader: asyncio.StreamReader) -> None:
    """Read until the supervisor hangs up."""
    try:
        while await reader.read(1 << 16):
            continue
    except ConnectionError:
        return

"""A driver whose containers follow a script instead of running: for journeys, benchmarks, drills and demos.

Its containers live in a `FakeWorld`, which outlives the driver as real containers outlive the engine: dropping a driver and
opening another one on the same world is what `kill -9` of the engine looks like from here.
"""

import asyncio
import functools
import hashlib
import heapq
import itertools
import shlex
import zlib
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import msgspec

from hinoban.base.clock import Clock
from hinoban.base.supervise import Group, Loop
from hinoban.base.units import parse_duration
from hinoban.engine.runtime.driver import Capabilities, ContainerKey, ContainerSpec, Exited, Observation, Output, Started, StartFailed

SCRIPT_VARIABLE = "HINOBAN_FAKE"
_KILLED, _TERMINATED = 137, 143


class FakeScript(msgspec.Struct, frozen=True, kw_only=True):
    """What one container does. Durations in seconds; `run_for` None runs until it is stopped.

    `oom` ends it as a memory limit does (137). `output` is printed line by line, `output_every` apart, the first at the start;
    lines that are not due before the end are never printed. `start_error` is a whole reason with its family
    (`CannotPullContainerError: ...`); such a container never runs.
    """

    run_for: float | None = 0.0
    exit_code: int = 0
    oom: bool = False
    start_after: float = 0.0
    start_error: str | None = None
    output: tuple[str, ...] = ()
    output_every: float = 0.0
    ignore_term: bool = False


Scripts = Mapping[str, FakeScript] | Callable[[ContainerSpec], FakeScript | None]
_DEFAULT = FakeScript()


@functools.lru_cache(maxsize=1024)
def parse_script(text: str) -> FakeScript:
    """The script in words: `run_for=2s exit=3 oom output='first line' output=second every=1s ignore_term start_after=1s
    start_error='CannotPullContainerError: ...'`; `run_for=forever`. ValueError names what is allowed."""
    fields: dict[str, object] = {}
    output: list[str] = []
    for word in shlex.split(text):
        name, _, value = word.partition("=")
        match name:
            case "run_for":
                fields["run_for"] = None if value == "forever" else parse_duration(value)
            case "exit":
                fields["exit_code"] = int(value)
            case "oom" | "ignore_term":
                fields[name] = True
            case "start_after":
                fields["start_after"] = parse_duration(value)
            case "every":
                fields["output_every"] = parse_duration(value)
            case "start_error":
                fields["start_error"] = value
            case "output":
                output.append(value)
            case _:
                raise ValueError(
                    f"{name!r} is no word of a script; allowed: run_for exit oom ignore_term start_after start_error output every"
                )
    return msgspec.convert({**fields, "output": output}, FakeScript)


class _Container:
    """One container of the world and how far it has come."""

    __slots__ = ("address", "asked_at", "end", "end_by", "image", "killed_at", "lines", "script", "started")

    def __init__(self, script: FakeScript, image: str, address: str, asked_at: float) -> None:
        self.script = script
        self.image = image
        self.address = address
        self.asked_at = asked_at
        self.started: Started | None = None
        self.end: Exited | StartFailed | None = None
        self.end_by: float | None = None
        self.killed_at: float | None = None
        self.lines: list[tuple[int, str]] = []


class FakeWorld:
    """The containers themselves. They go on by their script whether or not a driver looks.

    `on_run` hears the key of each container that really begins to run, so that a test can count.
    """

    def __init__(self, on_run: Callable[[ContainerKey], None] | None = None) -> None:
        self._containers: dict[ContainerKey, _Container] = {}
        self._due: list[tuple[float, int, ContainerKey]] = []
        self._order = itertools.count()
        self._on_run = on_run
        self.owner: object | None = None

    def __contains__(self, key: ContainerKey) -> bool:
        return key in self._containers

    def __iter__(self) -> Iterator[ContainerKey]:
        """Every container that was not removed."""
        return iter(list(self._containers))

    def create(self, spec: ContainerSpec, script: FakeScript, now: float) -> None:
        """Take a new container; its first event is due at once or after `start_after`."""
        self._containers[spec.key] = _Container(script, spec.image, _address(spec.key.task_id), now)
        self._schedule(spec.key, now + script.start_after)

    def stop(self, key: ContainerKey, kill_at: float, now: float) -> None:
        """SIGTERM now and SIGKILL at `kill_at`; a container that is still starting gets them when it has started."""
        container = self._containers.get(key)
        if container is None or container.end is not None:
            return
        container.killed_at = min(kill_at, container.killed_at or kill_at)
        self._schedule(key, now)
        self._schedule(key, container.killed_at)

    def kill_all(self, now: float) -> None:
        """SIGKILL everything that has not ended."""
        for key, container in self._containers.items():
            if container.end is None:
                container.end = Exited(key, now, _KILLED)
        self._due.clear()

    def remove(self, key: ContainerKey) -> None:
        """Forget an ended container."""
        container = self._containers.get(key)
        if container is not None and container.end is not None:
            del self._containers[key]

    def report(self, key: ContainerKey, cursor: int | None = None) -> list[Observation]:
        """The state of one container, with its output behind `cursor` (a count of lines; None: without output)."""
        container = self._containers[key]
        found: list[Observation] = [container.started] if container.started else []
        if cursor is not None and (lines := tuple(container.lines[cursor:])):
            found.append(Output(key, lines, len(container.lines)))
        if container.end:
            found.append(container.end)
        return found

    def next_due(self) -> float | None:
        """When something happens next."""
        return self._due[0][0] if self._due else None

    def advance(self, now: float) -> list[Observation]:
        """Let everything happen that is due by `now`, each thing at its own moment."""
        happened: list[Observation] = []
        while self._due and self._due[0][0] <= now:
            moment, _, key = heapq.heappop(self._due)
            container = self._containers.get(key)
            if container is not None and container.end is None:
                self._step(key, container, moment, happened)
        return happened

    def _schedule(self, key: ContainerKey, moment: float) -> None:
        heapq.heappush(self._due, (moment, next(self._order), key))

    def _step(self, key: ContainerKey, container: _Container, moment: float, happened: list[Observation]) -> None:
        script = container.script
        if container.started is None:
            if moment < container.asked_at + script.start_after:
                return
            if script.start_error is not None:
                container.end = StartFailed(key, moment, script.start_error, container.asked_at, moment)
                happened.append(container.end)
                return
            container.started = Started(
                key,
                moment,
                runtime_id=f"{key.task_id}-{zlib.crc32(key.name.encode()):010d}",
                image_digest=_digest(container.image),
                address=container.address,
                pull_started_at=container.asked_at,
                pull_stopped_at=moment,
            )
            if script.run_for is not None:
                container.end_by = moment + script.run_for
                self._schedule(key, container.end_by)
            if self._on_run is not None:
                self._on_run(key)
            happened.append(container.started)
        self._print(key, container, moment, happened)
        self._end(key, container, moment, happened)

    def _print(self, key: ContainerKey, container: _Container, moment: float, happened: list[Observation]) -> None:
        script, printed, started = container.script, len(container.lines), container.started
        if printed == len(script.output) or started is None:
            return
        first = printed
        while printed < len(script.output) and (due := started.at + printed * script.output_every) <= moment:
            container.lines.append((round(due * 1000), script.output[printed]))
            printed += 1
        if printed > first:
            happened.append(Output(key, tuple(container.lines[first:]), printed))
        if printed < len(script.output) and printed > first:
            self._schedule(key, started.at + printed * script.output_every)

    def _end(self, key: ContainerKey, container: _Container, moment: float, happened: list[Observation]) -> None:
        script, end_by, killed_at = container.script, container.end_by, container.killed_at
        if end_by is not None and moment >= end_by:
            container.end = Exited(key, moment, _KILLED if script.oom else script.exit_code, script.oom)
        elif killed_at is not None and not script.ignore_term:
            container.end = Exited(key, moment, _TERMINATED)
        elif killed_at is not None and moment >= killed_at:
            container.end = Exited(key, moment, _KILLED)
        if container.end is not None:
            happened.append(container.end)


class FakeDriver:
    """Runs scripts on the given clock. A container's script is the one of `scripts` for `<family>/<container>`, `<family>` or
    `<container>` (or what the callable answers), else the one in the variable HINOBAN_FAKE of its environment, else: exit 0 at once."""

    def __init__(self, clock: Clock, scripts: Scripts | None = None, *, world: FakeWorld | None = None) -> None:
        self._clock = clock
        self._scripts: Scripts = scripts if scripts is not None else {}
        self.world = world or FakeWorld()
        self._ready: deque[Observation] = deque()
        self._news = asyncio.Event()
        self._closed = False
        self._failure: BaseException | None = None
        self._group = Group(self._fail)
        self._loop = Loop("fake containers", self._step, clock)
        self._next: float | None = None

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(memory="scripted")

    async def open(self, cursors: dict[ContainerKey, int], expected: frozenset[ContainerKey] = frozenset()) -> None:
        self.world.owner = self
        now = self._clock.now()
        self.world.advance(now)
        for key in self.world:
            self._tell(self.world.report(key, cursors.get(key, 0)))
        vanished = "ContainerVanishedError: the container is gone from its world"
        self._tell([Exited(key, now, None, reason=vanished) for key in sorted(expected) if key not in self.world])
        self._group.start(self._loop.run(), "fake containers")

    async def start(self, spec: ContainerSpec) -> None:
        if spec.key in self.world:
            self._tell(self.world.report(spec.key))
            return
        try:
            script = self._script(spec)
        except ValueError as error:
            script = FakeScript(start_error=f"CannotCreateContainerError: {SCRIPT_VARIABLE}: {error}")
        now = self._clock.now()
        self.world.create(spec, script, now)
        self._advance(now)

    async def stop(self, key: ContainerKey, timeout: float) -> None:
        now = self._clock.now()
        self.world.stop(key, now + timeout, now)
        self._advance(now)

    async def remove(self, key: ContainerKey) -> None:
        self.world.remove(key)

    async def observations(self) -> AsyncIterator[Observation]:
        while not self._closed:
            await self._news.wait()
            self._news.clear()
            if self._failure is not None:
                raise self._failure
            while self._ready and not self._closed:
                yield self._ready.popleft()

    async def close(self, *, keep: bool) -> None:
        self._closed = True
        self._news.set()
        await self._group.close()
        if not keep and self.world.owner is self:
            self.world.advance(self._clock.now())
            self.world.kill_all(self._clock.now())

    def _script(self, spec: ContainerSpec) -> FakeScript:
        found: FakeScript | None = None
        if callable(self._scripts):
            found = self._scripts(spec)
        elif self._scripts:
            names = (f"{spec.family}/{spec.key.name}", spec.family, spec.key.name)
            found = next((self._scripts[name] for name in names if name in self._scripts), None)
        if found is None and (text := spec.environment.get(SCRIPT_VARIABLE)) is not None:
            found = parse_script(text)
        return found or _DEFAULT

    async def _step(self, now: float) -> float | None:
        # Another driver took the world over: this one is the memory of a dead engine and keeps still.
        if self.world.owner is not self:
            return None
        self._tell(self.world.advance(now))
        self._next = self.world.next_due()
        return self._next

    def _advance(self, now: float) -> None:
        self._tell(self.world.advance(now))
        due = self.world.next_due()
        if due is not None and (self._next is None or due < self._next):
            self._next = due
            self._loop.wake()

    def _tell(self, observations: list[Observation]) -> None:
        if observations:
            self._ready.extend(observations)
            self._news.set()

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._news.set()


@functools.lru_cache(maxsize=1024)
def _digest(image: str) -> str:
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _address(task_id: str) -> str:
    number = zlib.crc32(task_id.encode())
    return f"10.0.{number >> 8 & 255}.{number & 255}"

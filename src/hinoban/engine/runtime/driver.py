"""The contract of everything that runs containers: few verbs, and observations as an async iterator.

A driver is told what to run and reports what happened. It decides nothing about tasks: which container is essential, what a
stopped task is called, what is retried. docs/checklists/runtime.md says how to add one; tests/contract/runtime holds the suite.
"""

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol

import msgspec


class ContainerKey(NamedTuple):
    """Names one container of one task for good: a task id is never used twice."""

    task_id: str
    name: str


class PortMapping(msgspec.Struct, frozen=True):
    """A container's port as asked for; `host_port` 0 means any free one."""

    container_port: int
    host_port: int
    protocol: str = "tcp"
    bind_ip: str = "0.0.0.0"


class ContainerSpec(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a driver needs to run one container, overrides applied, secrets resolved.

    `entry_point` None means: the image's own. `memory_mib` is the hard limit that kills (None: only the task's);
    `task_memory_mib` limits the whole task. `cpu_units` is a share (1024 = one vCPU). Environment holds the definition's and ours only.
    `shared_namespace`: the task has several containers and they share one network namespace (awsvpc).
    """

    key: ContainerKey
    region: str
    cluster: str
    family: str
    revision: int
    image: str
    entry_point: tuple[str, ...] | None = None
    command: tuple[str, ...] | None = None
    environment: dict[str, str] = {}
    working_directory: str | None = None
    user: str | None = None
    cpu_units: int = 0
    task_cpu_units: int = 0
    memory_mib: int | None = None
    task_memory_mib: int | None = None
    ports: tuple[PortMapping, ...] = ()
    network_mode: str = "awsvpc"
    read_only_root: bool = False
    shared_namespace: bool = False


class Started(msgspec.Struct, frozen=True):
    """The container's process runs. Times are seconds since the epoch; pull times are absent where nothing was pulled."""

    key: ContainerKey
    at: float
    runtime_id: str
    image_digest: str | None = None
    address: str | None = None
    ports: tuple[PortMapping, ...] = ()
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None


class Exited(msgspec.Struct, frozen=True):
    """The container's process ended. `exit_code` is 128 + signal where a signal ended it, None where nobody can know.

    `oom` is true only where a memory limit killed it (then the code is 137). `reason` is what the runtime says of an
    unusual end, with ECS's error family as its prefix.
    """

    key: ContainerKey
    at: float
    exit_code: int | None
    oom: bool = False
    reason: str | None = None


class StartFailed(msgspec.Struct, frozen=True):
    """The container never ran. `reason` begins with ECS's error family, e.g. `CannotPullContainerError: ...` (facts/ecs.md §2.3)."""

    key: ContainerKey
    at: float
    reason: str
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None


class Output(msgspec.Struct, frozen=True):
    """Lines the container wrote, oldest first, each with its time in milliseconds.

    `cursor` says up to where (a number that only grows; the driver's own measure): handed back to `open`, it makes the driver
    go on behind it. All output of a container is reported before its `Exited`.
    """

    key: ContainerKey
    lines: tuple[tuple[int, str], ...]
    cursor: int


Observation = Started | Exited | StartFailed | Output


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a driver can do, declared instead of found out.

    `memory`: how a limit is kept.
    """

    memory: str  # "hard" | "sampled" | "scripted"


class Driver(Protocol):
    """Runs containers and reports on them. Every verb is safe to repeat."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def open(self, cursors: dict[ContainerKey, int], expected: frozenset[ContainerKey] = frozenset()) -> None:
        """Connect, and report (through `observations`) every container of an earlier life of the engine: `Started` if it ran,
        its output behind the cursor given here (0 where none is), `Exited` if it ended. A key in `expected` (the engine saw it
        run) that nothing is known of any more: `Exited` without a code, `ContainerVanishedError`. HinobanError if it cannot work."""
        ...

    async def start(self, spec: ContainerSpec) -> None:
        """Run the container. Returns when the request is taken; the outcome is an observation, also a failure.

        A key that was started before (also before a crash) is never run a second time: its state is reported again."""
        ...

    async def stop(self, key: ContainerKey, timeout: float) -> None:
        """SIGTERM (or the image's own stop signal) now, SIGKILL after `timeout` seconds. Returns at once. Unknown or ended keys: nothing."""
        ...

    async def remove(self, key: ContainerKey) -> None:
        """Forget an ended container and free what it holds; called only after its end is on disk. Unknown keys: nothing."""
        ...

    def observations(self) -> AsyncIterator[Observation]:
        """What happens, in order for each container; one consumer; ends at `close`."""
        ...

    async def close(self, *, keep: bool) -> None:
        """Let go. With `keep` containers run on and are found again by `open`; without it nothing of ours is left running."""
        ...

"""A task and its containers, as values: what AWS shows of them, and the little that only we know."""

from typing import Any

import msgspec

from hinoban.engine.runtime.driver import ContainerKey, PortMapping


class Dependency(msgspec.Struct, frozen=True):
    """`dependsOn` of a container definition: `condition` is START, COMPLETE, SUCCESS or HEALTHY (facts/ecs.md §1.5)."""

    container: str
    condition: str


class Container(msgspec.Struct, frozen=True, kw_only=True):
    """One container of a task. `asked` and `stop_asked` say what the runtime was told; `last_status` what it told us."""

    name: str
    arn: str
    image: str
    cpu: str
    essential: bool
    memory: str | None = None
    memory_reservation: str | None = None
    stop_timeout: float = 30.0
    depends_on: tuple[Dependency, ...] = ()
    last_status: str = "PENDING"
    asked: bool = False
    stop_asked: bool = False
    exit_code: int | None = None
    reason: str | None = None
    runtime_id: str | None = None
    image_digest: str | None = None
    started_at: float | None = None
    exited_at: float | None = None
    ports: tuple[PortMapping, ...] = ()

    @property
    def alive(self) -> bool:
        """The runtime was asked to run it and has not yet said that it ended."""
        return self.asked and self.last_status != "STOPPED"


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task in AWS's own terms (facts/ecs.md §1.3); times are seconds since the epoch, absent ones None."""

    region: str
    account: str
    cluster: str
    id: str
    arn: str
    cluster_arn: str
    definition_arn: str
    family: str
    revision: int
    containers: tuple[Container, ...]
    overrides: dict[str, Any]
    cpu: str
    memory: str
    cpu_units: int
    memory_mib: int
    launch_type: str
    group: str
    availability_zone: str
    created_at: float
    attachment_id: str
    subnet: str
    interface_id: str
    mac_address: str
    platform_version: str = "1.4.0"
    platform_family: str = "Linux"
    architecture: str = "x86_64"
    ephemeral_storage_gib: int = 20
    enable_execute_command: bool = False
    capacity_provider: str | None = None
    started_by: str | None = None
    tags: tuple[dict[str, Any], ...] = ()
    version: int = 1
    last_status: str = "PROVISIONING"
    desired_status: str = "RUNNING"
    address: str | None = None
    connected_at: float | None = None
    pull_started_at: float | None = None
    pull_stopped_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    execution_stopped_at: float | None = None
    stopped_at: float | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    updated_at: float = 0.0

    @property
    def finished(self) -> bool:
        return self.last_status == "STOPPED"

    def container(self, name: str) -> Container | None:
        return next((container for container in self.containers if container.name == name), None)

    def with_container(self, changed: Container) -> "Task":
        """The task with this container in place of the one of its name."""
        return msgspec.structs.replace(
            self, containers=tuple(changed if container.name == changed.name else container for container in self.containers)
        )

    def key(self, container: Container) -> ContainerKey:
        return ContainerKey(self.id, container.name)

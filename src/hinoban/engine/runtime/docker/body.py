"""What we send to Docker, as data: names, labels and the body of a container's creation. PURE; tests compare it."""

import re
from collections.abc import Mapping
from typing import Any

from hinoban.engine.runtime.driver import ContainerKey, ContainerSpec, PortMapping

ENGINE_LABEL = "hinoban.engine"
TASK_LABEL = "hinoban.task-id"
PORTS_LABEL = "hinoban.ports"
PAUSE_LABEL = "hinoban.pause"
REGION_LABEL = "hinoban.region"
# The labels that the ECS agent itself puts on (facts/ecs.md, task metadata v4, "Labels").
NAME_LABEL = "com.amazonaws.ecs.container-name"
CLUSTER_LABEL = "com.amazonaws.ecs.cluster"
FAMILY_LABEL = "com.amazonaws.ecs.task-definition-family"
REVISION_LABEL = "com.amazonaws.ecs.task-definition-version"

_SHORT_ID = 12
_MIB = 1024 * 1024
_SMALLEST_SHARE = 2  # Linux's minimum (facts/ecs.md §8.2)
# Docker keeps output only until it was taken over into our logs; this bounds what a task may write while the engine is down.
LOG_CONFIG: dict[str, Any] = {"Type": "json-file", "Config": {"max-size": "20m", "max-file": "5"}}


def prefix(engine_id: str) -> str:
    """What the names of all that is ours in Docker begin with."""
    return f"hinoban-{re.sub('[^a-zA-Z0-9_]', '', engine_id)[:_SHORT_ID]}"


def container_name(engine_id: str, key: ContainerKey) -> str:
    """The same container always has the same name, so that Docker itself refuses a second one."""
    return f"{prefix(engine_id)}-{key.task_id}-{key.name}"


def pause_name(engine_id: str, task_id: str) -> str:
    """The pause container's name; no container's name in ECS holds a dot, so none can be taken for it."""
    return f"{prefix(engine_id)}-{task_id}.pause"


def key_of(labels: Mapping[str, str]) -> ContainerKey | None:
    """Whose container it is; None for a pause container or a foreign one."""
    if PAUSE_LABEL in labels or TASK_LABEL not in labels or NAME_LABEL not in labels:
        return None
    return ContainerKey(labels[TASK_LABEL], labels[NAME_LABEL])


def memory_bytes(spec: ContainerSpec) -> int:
    """The hard limit: the smaller of the container's and the task's; 0 is none.

    Differs from AWS: several containers of one task are each held to the task's memory, not together: a parent cgroup would have
    to be made on Docker's own host, by a path that depends on its cgroup version and driver.
    """
    return min((limit for limit in (spec.memory_mib, spec.task_memory_mib) if limit), default=0) * _MIB


def encode_ports(ports: tuple[PortMapping, ...]) -> str:
    """Ports as one label, `80:80/tcp,53:53/udp`; for modes where Docker publishes nothing and so remembers nothing."""
    return ",".join(f"{port.container_port}:{port.host_port}/{port.protocol}" for port in ports)


def decode_ports(text: str) -> tuple[PortMapping, ...]:
    """What `encode_ports` wrote."""
    found = re.findall(r"(\d+):(\d+)/(\w+)", text)
    return tuple(PortMapping(int(inside), int(outside), protocol) for inside, outside, protocol in found)


def labels_of(engine_id: str, spec: ContainerSpec) -> dict[str, str]:
    """Whose container this is (the first two and the name), and what a person wants to see in `docker ps`."""
    labels = {
        ENGINE_LABEL: engine_id,
        TASK_LABEL: spec.key.task_id,
        NAME_LABEL: spec.key.name,
        CLUSTER_LABEL: spec.cluster,
        FAMILY_LABEL: spec.family,
        REVISION_LABEL: str(spec.revision),
        REGION_LABEL: spec.region,
    }
    if spec.ports and spec.network_mode != "bridge":
        labels[PORTS_LABEL] = encode_ports(tuple(PortMapping(p.container_port, p.container_port, p.protocol) for p in spec.ports))
    return labels


def create_body(engine_id: str, spec: ContainerSpec, *, network: str) -> dict[str, Any]:
    """The body of `POST /containers/create`. `network` is Docker's NetworkMode of an awsvpc task: our bridge, or `container:<pause>`.

    Ports are published in bridge mode only: on awsvpc the task has its own address, as on AWS.
    """
    host: dict[str, Any] = {
        "LogConfig": LOG_CONFIG,
        "RestartPolicy": {"Name": "no"},
        "AutoRemove": False,
        "CpuShares": max(_SMALLEST_SHARE, spec.cpu_units or spec.task_cpu_units),
        "ReadonlyRootfs": spec.read_only_root,
        "NetworkMode": network if spec.network_mode == "awsvpc" else spec.network_mode,
    }
    if limit := memory_bytes(spec):
        # Memory and swap together equal memory: no swap.
        host |= {"Memory": limit, "MemorySwap": limit}
    body: dict[str, Any] = {
        "Image": spec.image,
        "Labels": labels_of(engine_id, spec),
        "Env": [f"{name}={value}" for name, value in spec.environment.items()],
        "Tty": False,
        "HostConfig": host,
    }
    if spec.network_mode == "bridge" and spec.ports:
        body["ExposedPorts"] = {f"{port.container_port}/{port.protocol}": {} for port in spec.ports}
        bindings: dict[str, list[dict[str, str]]] = {}
        for port in spec.ports:
            binding = {"HostIp": port.bind_ip, "HostPort": str(port.host_port or "")}
            bindings.setdefault(f"{port.container_port}/{port.protocol}", []).append(binding)
        host["PortBindings"] = bindings
    if spec.entry_point is not None:
        body["Entrypoint"] = list(spec.entry_point)
    if spec.command is not None:
        body["Cmd"] = list(spec.command)
    if spec.working_directory:
        body["WorkingDir"] = spec.working_directory
    if spec.user:
        body["User"] = spec.user
    return body


def pause_body(engine_id: str, task_id: str, image: str, network: str) -> dict[str, Any]:
    """The container that holds a task's network namespace and does nothing else."""
    return {
        "Image": image,
        "Entrypoint": ["/pause"],
        "Labels": {ENGINE_LABEL: engine_id, TASK_LABEL: task_id, PAUSE_LABEL: "true"},
        "HostConfig": {"LogConfig": {"Type": "none"}, "RestartPolicy": {"Name": "no"}, "NetworkMode": network, "ReadonlyRootfs": True},
    }

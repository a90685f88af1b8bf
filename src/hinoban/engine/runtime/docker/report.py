"""What Docker's inspect says, as observations. PURE."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hinoban.engine.runtime.docker.body import PORTS_LABEL, decode_ports
from hinoban.engine.runtime.driver import ContainerKey, Exited, PortMapping, Started

KILLED = 137  # 128 + SIGKILL
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")


def nanoseconds(text: str) -> int:
    """A moment in Docker's spelling (RFC 3339, up to nine decimals), as nanoseconds since the epoch; ValueError otherwise."""
    found = _MOMENT.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not a moment in RFC 3339")
    whole = datetime.fromisoformat(found[1] + found[3].replace("Z", "+00:00"))
    return int(whole.timestamp()) * 10**9 + int((found[2] or "0").ljust(9, "0"))


def seconds(text: str) -> float:
    """The same moment in seconds, rounded down to milliseconds."""
    return nanoseconds(text) // 10**6 / 1000


def has_run(inspected: Mapping[str, Any]) -> bool:
    """Whether the container's process was ever started (Docker writes the year 1 where it was not)."""
    return not str(inspected["State"].get("StartedAt") or "0001").startswith("0001")


def has_ended(inspected: Mapping[str, Any]) -> bool:
    """Whether it ran and runs no more."""
    return inspected["State"]["Status"] in ("exited", "dead") and has_run(inspected)


def address_of(inspected: Mapping[str, Any]) -> str | None:
    """The container's own address, None where it has none (host's network, or another container's namespace)."""
    settings = inspected.get("NetworkSettings") or {}
    for network in (settings.get("Networks") or {}).values():
        if network.get("IPAddress"):
            return str(network["IPAddress"])
    return None


def ports_of(inspected: Mapping[str, Any]) -> tuple[PortMapping, ...]:
    """The ports as they came to be: published ones with the host's port that Docker chose, else those of the definition."""
    labels = inspected["Config"].get("Labels") or {}
    if PORTS_LABEL in labels:
        return decode_ports(labels[PORTS_LABEL])
    found = []
    for inside, bindings in ((inspected.get("NetworkSettings") or {}).get("Ports") or {}).items():
        number, _, protocol = inside.partition("/")
        for binding in bindings or ():
            # Docker tells a port bound on every address once for IPv4 and once for IPv6.
            if ":" not in binding["HostIp"]:
                found.append(PortMapping(int(number), int(binding["HostPort"]), protocol, binding["HostIp"]))
    return tuple(sorted(found, key=lambda port: (port.container_port, port.protocol, port.host_port)))


def started(
    key: ContainerKey,
    inspected: Mapping[str, Any],
    *,
    digest: str | None,
    address: str | None = None,
    pulled: tuple[float, float] | None = None,
) -> Started:
    """The container as it started; `address` is that of its pause container where it has one."""
    return Started(
        key=key,
        at=seconds(inspected["State"]["StartedAt"]),
        runtime_id=inspected["Id"],
        image_digest=digest or inspected["Image"],
        address=address or address_of(inspected),
        ports=ports_of(inspected),
        pull_started_at=pulled[0] if pulled else None,
        pull_stopped_at=pulled[1] if pulled else None,
    )


def exited(key: ContainerKey, inspected: Mapping[str, Any]) -> Exited:
    """The container as it ended. Docker's OOMKilled is also set where only a child was killed: then the code is its own, and no OOM."""
    state = inspected["State"]
    code = int(state["ExitCode"])
    oom = bool(state.get("OOMKilled")) and code == KILLED
    error = str(state.get("Error") or "")
    reason = f"DockerStateError: {error}" if error and not oom else None
    # Docker notes the start after the process runs: a quick one can be over, by Docker's own words, before it began.
    at = max(seconds(state["FinishedAt"]), seconds(state["StartedAt"]))
    return Exited(key=key, at=at, exit_code=code, oom=oom, reason=reason)


def vanished(key: ContainerKey, now: float) -> Exited:
    """The container was removed by another hand; nobody can know how it ended."""
    return Exited(key=key, at=now, exit_code=None, reason="ContainerVanishedError: the container was removed from Docker by hand")


def image_digest(inspected: Mapping[str, Any]) -> str:
    """The registry's digest of an image, or its id where it never saw a registry."""
    digests = inspected.get("RepoDigests") or ()
    for name in digests:
        _, _, digest = name.partition("@")
        if digest:
            return str(digest)
    return str(inspected["Id"])

"""Rules on the network: port mappings for each network mode, and what a container may not set there (facts/ecs.md §4.2, §8.8)."""

import re
from collections import defaultdict
from itertools import pairwise
from typing import Any

from hinoban.aws.definitions.refusal import Draft, Rule, of_each_container, refuse
from hinoban.aws.errors import AwsError

MAX_PORT_RANGES = 100

_RANGE = re.compile(r"(\d{1,5})-(\d{1,5})", re.ASCII)
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
# Member -> how AWS's text begins; the first two as in facts/ecs.md §4.2, the others as clients report them.
_NOT_IN_AWSVPC = {
    "hostname": "hostname is not",
    "dnsServers": "DNS servers are not",
    "extraHosts": "Extra hosts are not",
    "disableNetworking": "Disable Networking is not",
}


def awsvpc_settings(draft: Draft, container: dict[str, Any]) -> AwsError | None:
    """In awsvpc the network belongs to the task, not to its containers."""
    if draft.network_mode != "awsvpc":
        return None
    member = next((each for each in _NOT_IN_AWSVPC if container.get(each)), None)
    return refuse(f"{_NOT_IN_AWSVPC[member]} supported on container when networkMode=awsvpc") if member else None


def port_mappings(draft: Draft, container: dict[str, Any]) -> AwsError | None:
    """A port or a range, not both; host and container port are one number where they share a network."""
    for mapping in container.get("portMappings") or ():
        if draft.network_mode == "none":
            return refuse("Port mappings are not supported when networkMode=none")  # UNCONFIRMED text (facts/ecs.md §8.8 has the rule)
        if (refusal := _one_mapping(draft, container, mapping)) is not None:
            return refusal
    ranges = sum("containerPortRange" in each for each in container.get("portMappings") or ())
    if ranges > MAX_PORT_RANGES:
        return refuse(f"The maximum number of container port ranges is {MAX_PORT_RANGES}.")  # UNCONFIRMED text
    return None


def _one_mapping(draft: Draft, container: dict[str, Any], mapping: dict[str, Any]) -> AwsError | None:
    port, host_port, port_range = mapping.get("containerPort"), mapping.get("hostPort"), mapping.get("containerPortRange")
    if port_range is not None:
        if port is not None or host_port is not None:
            return refuse("cannot specify both single port and port range")
        return None if _bounds(port_range) else refuse("Invalid 'containerPortRange' setting")
    if port is None or not 1 <= port <= 65535:
        return refuse(f"Invalid 'containerPort' setting for container '{container['name']}'")  # UNCONFIRMED text
    if host_port is not None and not 0 <= host_port <= 65535:
        return refuse(f"Invalid 'hostPort' setting for container '{container['name']}'")  # UNCONFIRMED text
    if draft.network_mode in ("awsvpc", "host") and host_port is not None and host_port != port:
        return refuse(f"When networkMode={draft.network_mode}, the host ports and container ports in port mappings must match.")
    name = mapping.get("name")
    if name is not None and not _NAME.fullmatch(name):
        return refuse(f"Invalid 'name' setting for a port mapping of container '{container['name']}'")  # UNCONFIRMED text
    return None


def ports_used_once(draft: Draft) -> AwsError | None:
    """Containers that share a network cannot listen on one port twice; in bridge mode each has its own, so only its own ranges count."""
    shared = draft.network_mode in ("awsvpc", "host")
    taken: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for container in draft.containers:
        for mapping in container.get("portMappings") or ():
            ports = _ports(mapping, singles=shared)
            if ports:
                taken["" if shared else container["name"], mapping.get("protocol") or "tcp"].append(ports)
    for ranges in taken.values():
        ranges.sort()
        if any(low <= previous_high for (_, previous_high), (low, _) in pairwise(ranges)):
            return refuse("container port is used multiple times in task")
    return None


def port_names_used_once(draft: Draft) -> AwsError | None:
    """A port mapping's name stands for one port of the task."""
    names = [each["name"] for container in draft.containers for each in container.get("portMappings") or () if each.get("name")]
    return refuse("port mapping name is already used") if len(set(names)) < len(names) else None


def _bounds(text: str) -> tuple[int, int] | None:
    found = _RANGE.fullmatch(text)
    low, high = (int(found[1]), int(found[2])) if found else (0, 0)
    return (low, high) if 1 <= low < high <= 65535 else None


def _ports(mapping: dict[str, Any], *, singles: bool) -> tuple[int, int] | None:
    if "containerPortRange" in mapping:
        return _bounds(mapping["containerPortRange"])
    port = mapping.get("containerPort")
    return (port, port) if singles and port is not None else None


RULES: tuple[Rule, ...] = (of_each_container(awsvpc_settings, port_mappings), ports_used_once, port_names_used_once)

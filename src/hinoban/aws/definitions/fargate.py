"""Rules that hold where a definition requires FARGATE; the same rules say whether one that does not could run there (facts/ecs.md §4)."""

import re
from typing import Any

from hinoban.aws.definitions.refusal import NO_FARGATE_CONFIGURATION, Draft, Rule, of_each_container, refuse
from hinoban.aws.definitions.sizes import is_fargate_size
from hinoban.aws.errors import AwsError

ECR_IMAGE = re.compile(r"\d{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/.+", re.ASCII)

_UNSUPPORTED = "Fargate compatible task definitions do not support {}"
# facts/ecs.md §4.2 has the text for devices, maxSwap, sharedMemorySize; §4.3 names the others, whose texts are UNCONFIRMED.
_CONTAINER_MEMBERS = ("dnsSearchDomains", "dockerSecurityOptions")
_LINUX_MEMBERS = ("devices", "maxSwap", "sharedMemorySize", "swappiness", "tmpfs")


def network_mode(draft: Draft) -> AwsError | None:
    """Only awsvpc, and it must be said."""
    return None if draft.network_mode == "awsvpc" else refuse("Fargate only supports network mode ‘awsvpc’.")


def size_given(draft: Draft) -> AwsError | None:
    """Task-level cpu and memory."""
    for member in ("cpu", "memory"):
        if not draft.request.get(member):
            return refuse(f"Fargate requires that '{member}' be defined at the task level.")
    return None


def size_offered(draft: Draft) -> AwsError | None:
    """One of the pairs of fargate_sizes.toml."""
    if draft.cpu is None or draft.memory is None or is_fargate_size(draft.cpu, draft.memory, "windows" if draft.windows else "linux"):
        return None
    return refuse(NO_FARGATE_CONFIGURATION.format(cpu=draft.cpu, memory=draft.memory))


def execution_role(draft: Draft) -> AwsError | None:
    """ECR images are pulled with it. awslogs and secrets ask for it in their own rules."""
    if draft.request.get("executionRoleArn") or not any(ECR_IMAGE.match(each["image"]) for each in draft.containers):
        return None
    return refuse("Fargate requires task definition to have execution role ARN to support ECR images.")


def namespaces(draft: Draft) -> AwsError | None:
    """No ipcMode; of pidMode only `task`."""
    if draft.request.get("ipcMode"):
        return refuse(_UNSUPPORTED.format("ipcMode"))
    mode = draft.request.get("pidMode")
    if mode and mode != "task":
        return refuse(f"Tasks using the Fargate launch type do not support pidMode '{mode}'. The supported value for pidMode is 'task'.")
    return None


def constraints(draft: Draft) -> AwsError | None:
    """Nobody chooses where a Fargate task runs."""
    return refuse(_UNSUPPORTED.format("constraints")) if draft.request.get("placementConstraints") else None


def volumes(draft: Draft) -> AwsError | None:
    """Neither the host's folders nor Docker's volumes."""
    for each in draft.request.get("volumes") or ():
        if (each.get("host") or {}).get("sourcePath"):
            return refuse(_UNSUPPORTED.format("sourcePath"))
        if each.get("dockerVolumeConfiguration"):
            return refuse(_UNSUPPORTED.format("dockerVolumeConfiguration"))
    return None


def privileged(_: Draft, container: dict[str, Any]) -> AwsError | None:
    """No container has the host's powers."""
    return refuse("Fargate requires that the 'privileged' setting be 'false'") if container.get("privileged") else None


def host_settings(_: Draft, container: dict[str, Any]) -> AwsError | None:
    """Nothing that reaches into the host: devices, swap, shared memory, GPUs, capabilities but SYS_PTRACE."""
    linux = container.get("linuxParameters") or {}
    # swappiness and maxSwap may be zero and are refused all the same.
    found = [each for each in _CONTAINER_MEMBERS if container.get(each)]
    found += [each for each in _LINUX_MEMBERS if linux.get(each) not in (None, [])]
    if any(each["type"] == "GPU" for each in container.get("resourceRequirements") or ()):
        found.append("gpu")
    if set((linux.get("capabilities") or {}).get("add") or ()) - {"SYS_PTRACE"}:
        found.append("capabilities.add")
    return refuse(_UNSUPPORTED.format(found[0])) if found else None


RULES: tuple[Rule, ...] = (
    network_mode,
    size_given,
    size_offered,
    execution_role,
    namespaces,
    constraints,
    volumes,
    of_each_container(privileged, host_settings),
)

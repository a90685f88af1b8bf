"""What AWS computes from a definition: the attributes an instance must have, and the launch types it can be run with (facts/ecs.md §8.3, §11.4)."""

from collections.abc import Iterator
from typing import Any

from hinoban.aws.definitions import containers, fargate, log_drivers
from hinoban.aws.definitions.fargate import ECR_IMAGE
from hinoban.aws.definitions.refusal import Draft, of_each_container

_CAPABILITY = "com.amazonaws.ecs.capability."
_DOCKER = _CAPABILITY + "docker-remote-api."
_NEW_CAPABILITY = "ecs.capability."

# The Docker API that brought each log driver; the rest came with 1.18.
_DRIVER_API = {"awslogs": "1.19", "journald": "1.19", "fluentd": "1.20", "gelf": "1.20", "splunk": "1.22", "awsfirelens": "1.19"}
_LINUX_API = {"initProcessEnabled": "1.25", "sharedMemorySize": "1.22", "tmpfs": "1.22"}

_FARGATE_RULES = (*fargate.RULES, *log_drivers.RULES, of_each_container(containers.timeouts))


def required(draft: Draft) -> list[dict[str, str]]:
    """The `requiresAttributes`: computed from log drivers, roles, ECR images, secrets, network mode, volumes, dependencies, checks.

    The names are those of definitions that AWS answered (public captures of 2021-2025) and of the agent's capabilities; that the list
    is complete for rare settings, and which Docker API AWS names for them, is UNCONFIRMED. Ours is sorted; AWS's order means nothing.
    """
    names = set(_of_task(draft))
    for container in draft.containers:
        names.update(_of_container(draft, container))
    return [{"name": name} for name in sorted(names)]


def _of_task(draft: Draft) -> Iterator[str]:
    request = draft.request
    if draft.network_mode == "awsvpc":
        yield _NEW_CAPABILITY + "task-eni"
        yield _DOCKER + "1.18"
    if request.get("taskRoleArn"):
        yield _CAPABILITY + "task-iam-role"
        if draft.network_mode == "host":
            yield _CAPABILITY + "task-iam-role-network-host"
    if request.get("pidMode") or request.get("ipcMode"):
        yield _NEW_CAPABILITY + "pid-ipc-namespace-sharing"
    if request.get("proxyConfiguration"):
        yield _NEW_CAPABILITY + "aws-appmesh"
    for volume in request.get("volumes") or ():
        if volume.get("dockerVolumeConfiguration") or volume.get("efsVolumeConfiguration"):
            yield _DOCKER + "1.25"
        if efs := volume.get("efsVolumeConfiguration"):
            yield _NEW_CAPABILITY + "efs"
            if efs.get("authorizationConfig") or efs.get("transitEncryption") == "ENABLED":
                yield _NEW_CAPABILITY + "efsAuth"


def _of_container(draft: Draft, container: dict[str, Any]) -> Iterator[str]:
    execution_role = draft.request.get("executionRoleArn")
    if logs := container.get("logConfiguration"):
        yield f"{_CAPABILITY}logging-driver.{logs['logDriver']}"
        yield _DOCKER + _DRIVER_API.get(logs["logDriver"], "1.18")
        if logs["logDriver"] == "awslogs" and execution_role:
            yield _NEW_CAPABILITY + "execution-role-awslogs"
        for secret in logs.get("secretOptions") or ():
            yield f"{_NEW_CAPABILITY}secrets.{_store(secret)}.bootstrap.log-driver"
    if ECR_IMAGE.match(container["image"]):
        yield _CAPABILITY + "ecr-auth"
        if execution_role:
            yield _NEW_CAPABILITY + "execution-role-ecr-pull"
    for secret in container.get("secrets") or ():
        yield f"{_NEW_CAPABILITY}secrets.{_store(secret)}.environment-variables"
    if check := container.get("healthCheck"):
        yield _NEW_CAPABILITY + "container-health-check"
        yield _DOCKER + ("1.29" if check.get("startPeriod") is not None else "1.24")
    if container.get("dependsOn") or container.get("startTimeout") or container.get("stopTimeout"):
        yield _NEW_CAPABILITY + "container-ordering"
    for name, member in _OTHERS:
        if container.get(member):
            yield name
    if router := container.get("firelensConfiguration"):
        yield f"{_NEW_CAPABILITY}firelens.{router['type']}"
    linux = container.get("linuxParameters") or {}
    yield from (_DOCKER + version for member, version in _LINUX_API.items() if linux.get(member))


_OTHERS = (
    (_CAPABILITY + "privileged-container", "privileged"),
    (_DOCKER + "1.17", "readonlyRootFilesystem"),
    (_DOCKER + "1.18", "ulimits"),
    (_DOCKER + "1.21", "memoryReservation"),
    (_NEW_CAPABILITY + "env-files.s3", "environmentFiles"),
    (_NEW_CAPABILITY + "private-registry-authentication.secretsmanager", "repositoryCredentials"),
    (_NEW_CAPABILITY + "container-restart-policy", "restartPolicy"),
)


def _store(secret: dict[str, Any]) -> str:
    """Secrets Manager (`asm`) by its ARN, else a parameter (`ssm`), which may be a bare name (facts/ecs.md §9.3)."""
    return "asm" if ":secretsmanager:" in secret["valueFrom"] else "ssm"


def compatibilities(draft: Draft) -> list[str]:
    """The launch types that the definition satisfies; awsvpc typically `["EC2", "MANAGED_INSTANCES", "FARGATE"]` (facts/ecs.md §11.4).

    Which definitions without awsvpc AWS calls fit for EXTERNAL and MANAGED_INSTANCES is UNCONFIRMED: here, bridge, host and none without
    EFS or a proxy are EXTERNAL; awsvpc and host on Linux with task-level sizes are MANAGED_INSTANCES.
    """
    request = draft.request
    awsvpc = draft.network_mode == "awsvpc"
    efs = any(each.get("efsVolumeConfiguration") for each in request.get("volumes") or ())
    found = []
    if not awsvpc and not efs and not request.get("proxyConfiguration") and not request.get("ephemeralStorage"):
        found.append("EXTERNAL")
    if not request.get("ephemeralStorage"):
        found.append("EC2")
    if draft.network_mode in ("awsvpc", "host") and draft.cpu and draft.memory and not draft.windows:
        found.append("MANAGED_INSTANCES")
    if awsvpc and _could_run_on_fargate(draft):
        found.append("FARGATE")
    return found


def _could_run_on_fargate(draft: Draft) -> bool:
    if draft.fargate:
        return True  # its rules have been kept already
    there = Draft(
        request=draft.request,
        containers=draft.containers,
        names=draft.names,
        network_mode=draft.network_mode,
        fargate=True,
        windows=draft.windows,
        cpu=draft.cpu,
        memory=draft.memory,
    )
    return all(rule(there) is None for rule in _FARGATE_RULES)

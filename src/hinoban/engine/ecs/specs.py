"""What the runtime is handed, built as data: a container of a task -> ContainerSpec, and where its output goes. PURE."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from hinoban.aws.definitions.overrides import effective
from hinoban.engine.ecs.model.task_definitions import TaskDefinition
from hinoban.engine.ecs.model.tasks import Container, Task
from hinoban.engine.runtime.driver import ContainerSpec, PortMapping
from hinoban.engine.runtime.images import ImageRule, resolve


class LogTarget(NamedTuple):
    """The stream that takes a container's output. `create` is false where the group must exist beforehand, as on AWS."""

    region: str
    group: str
    stream: str
    create: bool


class CannotStart(Exception):
    """The container cannot be started at all; the text is the reason in ECS's words."""


def log_target(task: Task, definition: TaskDefinition, container: Container) -> LogTarget:
    """facts/ecs.md §9.1 for awslogs.

    Differs from AWS: output of a container without a logConfiguration (or with another driver) is lost there; here it goes to
    `/hinoban/<cluster>`, stream `<family>/<container>/<task id>`.
    """
    logging = _container_definition(definition.body, container.name).get("logConfiguration") or {}
    options = logging.get("options") or {}
    if logging.get("logDriver") == "awslogs" and options.get("awslogs-group"):
        prefix = options.get("awslogs-stream-prefix")
        stream = f"{prefix}/{container.name}/{task.id}" if prefix else task.id
        create = str(options.get("awslogs-create-group", "false")).lower() == "true"
        return LogTarget(options.get("awslogs-region") or task.region, options["awslogs-group"], stream, create)
    return LogTarget(task.region, f"/hinoban/{task.cluster}", f"{task.family}/{container.name}/{task.id}", True)


def container_spec(task: Task, definition: TaskDefinition, container: Container, images: Sequence[ImageRule]) -> ContainerSpec:
    """Overrides applied, the image map applied; CannotStart for what this machine cannot give."""
    whole = effective(definition.body, task.overrides)
    body = _container_definition(whole, container.name)
    if body.get("secrets"):
        # Differs from AWS: neither Secrets Manager nor Parameter Store is here yet.
        names = ", ".join(secret["name"] for secret in body["secrets"])
        raise CannotStart(
            "ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: "
            f"Hinoban has no store of secrets yet (container {container.name}: {names})"
        )
    if body.get("environmentFiles"):
        raise CannotStart(f"ResourceInitializationError: failed to download env files: Hinoban has no S3 yet (container {container.name})")
    image = resolve(body["image"], images)
    environment = {"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE", "AWS_REGION": task.region, "AWS_DEFAULT_REGION": task.region}
    environment.update((pair["name"], pair["value"]) for pair in body.get("environment", ()))
    return ContainerSpec(
        key=task.key(container),
        region=task.region,
        cluster=task.cluster,
        family=task.family,
        revision=task.revision,
        image=image.image,
        entry_point=None if image.command is not None else _words(body.get("entryPoint")),
        command=image.command if image.command is not None else _words(body.get("command")),
        environment=environment,
        working_directory=body.get("workingDirectory"),
        user=body.get("user"),
        cpu_units=int(body.get("cpu", 0)),
        task_cpu_units=task.cpu_units,
        memory_mib=body.get("memory"),
        task_memory_mib=task.memory_mib,
        ports=tuple(_port(mapping) for mapping in body.get("portMappings", ()) if "containerPort" in mapping),
        network_mode=whole.get("networkMode", "awsvpc"),
        read_only_root=bool(body.get("readonlyRootFilesystem", False)),
        shared_namespace=len(task.containers) > 1,
    )


def _container_definition(body: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(container for container in body["containerDefinitions"] if container["name"] == name)
    return found


def _words(value: list[str] | None) -> tuple[str, ...] | None:
    return tuple(value) if value else None


def _port(mapping: dict[str, Any]) -> PortMapping:
    return PortMapping(mapping["containerPort"], mapping.get("hostPort", mapping["containerPort"]), mapping.get("protocol", "tcp"))

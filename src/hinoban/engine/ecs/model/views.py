"""A task as the API answers it and as an event tells it: two spellings of one value (facts/ecs.md §§1.3, 6.2)."""

from typing import Any

from hinoban.base.units import iso, iso_seconds
from hinoban.engine.ecs.model.clusters import Cluster
from hinoban.engine.ecs.model.task_definitions import TaskDefinition
from hinoban.engine.ecs.model.tasks import Container, Task

_TIMES = (
    ("connectivityAt", "connected_at"),
    ("pullStartedAt", "pull_started_at"),
    ("pullStoppedAt", "pull_stopped_at"),
    ("startedAt", "started_at"),
    ("stoppingAt", "stopping_at"),
    ("executionStoppedAt", "execution_stopped_at"),
    ("stoppedAt", "stopped_at"),
)
_PROVISIONED = ("PENDING", "ACTIVATING", "RUNNING", "DEACTIVATING", "STOPPING")


def _set(target: dict[str, Any], **members: Any) -> None:
    """Add the members that have a value: an absent member is omitted, never null."""
    for name, value in members.items():
        if value is not None:
            target[name] = value


def _attachment(task: Task, kind: str) -> dict[str, Any]:
    if task.last_status == "PROVISIONING":
        status = "PRECREATED"
    elif task.last_status in _PROVISIONED:
        status = "ATTACHED"
    else:
        status = "DELETED"
    details = [{"name": "subnetId", "value": task.subnet}]
    if status != "PRECREATED":
        details.append({"name": "networkInterfaceId", "value": task.interface_id})
        details.append({"name": "macAddress", "value": task.mac_address})
        if task.address is not None:
            details.append({"name": "privateIPv4Address", "value": task.address})
    return {"id": task.attachment_id, "type": kind, "status": status, "details": details}


def _container(task: Task, container: Container) -> dict[str, Any]:
    view: dict[str, Any] = {"containerArn": container.arn, "taskArn": task.arn, "name": container.name, "image": container.image}
    # Spelt out here and below, not by _set: this runs for every event.
    if container.image_digest is not None:
        view["imageDigest"] = container.image_digest
    if container.runtime_id is not None:
        view["runtimeId"] = container.runtime_id
    view["lastStatus"] = container.last_status
    if container.exit_code is not None:
        view["exitCode"] = container.exit_code
    if container.reason is not None:
        view["reason"] = container.reason
    if container.ports and container.last_status == "RUNNING":
        view["networkBindings"] = [
            {"bindIP": port.bind_ip, "containerPort": port.container_port, "hostPort": port.host_port, "protocol": port.protocol}
            for port in container.ports
        ]
    elif task.launch_type == "FARGATE":
        view["networkBindings"] = []
    interface = {"attachmentId": task.attachment_id}
    if task.address is not None:
        interface["privateIpv4Address"] = task.address
    view["networkInterfaces"] = [interface]
    view["cpu"] = container.cpu
    if container.memory is not None:
        view["memory"] = container.memory
    if container.memory_reservation is not None:
        view["memoryReservation"] = container.memory_reservation
    return view


def _common(task: Task) -> dict[str, Any]:
    view: dict[str, Any] = {
        "taskArn": task.arn,
        "clusterArn": task.cluster_arn,
        "taskDefinitionArn": task.definition_arn,
        "availabilityZone": task.availability_zone,
        "lastStatus": task.last_status,
        "desiredStatus": task.desired_status,
        "cpu": task.cpu,
        "memory": task.memory,
        "launchType": task.launch_type,
        "platformVersion": task.platform_version,
        "group": task.group,
        "version": task.version,
        "enableExecuteCommand": task.enable_execute_command,
        "ephemeralStorage": {"sizeInGiB": task.ephemeral_storage_gib},
    }
    if task.capacity_provider is not None:
        view["capacityProviderName"] = task.capacity_provider
    if task.connected_at is not None:
        view["connectivity"] = "CONNECTED"
    if task.started_by is not None:
        view["startedBy"] = task.started_by
    if task.stop_code is not None:
        view["stopCode"] = task.stop_code
    if task.stopped_reason is not None:
        view["stoppedReason"] = task.stopped_reason
    return view


def task_view(task: Task, *, tags: bool = False) -> dict[str, Any]:
    """The Task object of DescribeTasks, RunTask and StopTask; `tags` only where they were asked for."""
    view = _common(task)
    view["attachments"] = [_attachment(task, "ElasticNetworkInterface")]
    view["attributes"] = [{"name": "ecs.cpu-architecture", "value": task.architecture}]
    view["containers"] = [_container(task, container) | {"healthStatus": "UNKNOWN"} for container in task.containers]
    view["createdAt"] = task.created_at
    for name, field in _TIMES:
        if (value := getattr(task, field)) is not None:
            view[name] = value
    view["fargateEphemeralStorage"] = {"sizeInGiB": task.ephemeral_storage_gib}
    view["healthStatus"] = "UNKNOWN"
    view["overrides"] = task.overrides
    view["platformFamily"] = task.platform_family
    view["tags"] = list(task.tags) if tags else []
    return view


def fault_subject(task: Task) -> dict[str, Any]:
    """What the pattern of a fault sees of a task."""
    return {
        "region": task.region,
        "cluster": task.cluster,
        "family": task.family,
        "revision": task.revision,
        "startedBy": task.started_by,
        "group": task.group,
    }


def task_event(task: Task, event_id: str) -> dict[str, Any]:
    """The envelope of "ECS Task State Change": no healthStatus, no tags, no platformFamily; attachments are of type `eni`."""
    detail = _common(task)
    detail["attachments"] = [_attachment(task, "eni")]
    detail["attributes"] = [{"name": "ecs.cpu-architecture", "value": task.architecture}]
    detail["containers"] = [_container(task, container) for container in task.containers]
    for container in detail["containers"]:
        if not container.get("networkBindings"):
            container.pop("networkBindings", None)
    detail["createdAt"] = iso(task.created_at)
    for name, field in _TIMES:
        if (value := getattr(task, field)) is not None:
            detail[name] = iso(value)
    detail["overrides"] = {"containerOverrides": task.overrides.get("containerOverrides", [])}
    detail["updatedAt"] = iso(task.updated_at)
    return {
        "version": "0",
        "id": event_id,
        "detail-type": "ECS Task State Change",
        "source": "aws.ecs",
        "account": task.account,
        "time": iso_seconds(task.updated_at),
        "region": task.region,
        "resources": [task.arn],
        "detail": detail,
    }


def definition_view(definition: TaskDefinition) -> dict[str, Any]:
    """The TaskDefinition object of Register, Describe and Deregister."""
    view = {
        "taskDefinitionArn": definition.arn,
        "family": definition.family,
        "revision": definition.revision,
        "status": definition.status,
        **definition.body,
        "registeredAt": definition.registered_at,
        "registeredBy": definition.registered_by,
    }
    _set(view, deregisteredAt=definition.deregistered_at)
    return view


def cluster_view(cluster: Cluster, running: int, pending: int, include: list[str]) -> dict[str, Any]:
    """The Cluster object; settings, configuration, tags, statistics and attachments only where `include` asks for them."""
    view: dict[str, Any] = {
        "clusterArn": cluster.arn,
        "clusterName": cluster.name,
        "status": cluster.status,
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": running,
        "pendingTasksCount": pending,
        "activeServicesCount": 0,
        "statistics": [],
        "tags": list(cluster.tags) if "TAGS" in include else [],
        "settings": list(cluster.settings) if "SETTINGS" in include else [],
        "capacityProviders": list(cluster.capacity_providers),
        "defaultCapacityProviderStrategy": list(cluster.default_strategy),
    }
    if "CONFIGURATIONS" in include:
        _set(view, configuration=cluster.configuration)
    if "STATISTICS" in include:
        view["statistics"] = [
            {"name": name, "value": str(value)}
            for name, value in (
                ("runningEC2TasksCount", 0),
                ("runningFargateTasksCount", running),
                ("pendingEC2TasksCount", 0),
                ("pendingFargateTasksCount", pending),
                ("activeEC2ServiceCount", 0),
                ("activeFargateServiceCount", 0),
            )
        ]
    return view

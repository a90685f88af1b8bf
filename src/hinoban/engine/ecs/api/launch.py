"""RunTask: defaults, limits, idempotency, room; PROVISIONING rows in one transaction with their events (facts/ecs.md §3)."""

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Call, Params, Result
from hinoban.aws.definitions import overrides, sizes
from hinoban.aws.errors import AwsError
from hinoban.base.ids import Ids
from hinoban.engine.ecs.api.names import active_cluster, check_tags, client_exception, invalid_parameter
from hinoban.engine.ecs.api.task_definitions import find
from hinoban.engine.ecs.decide import stop_reasons
from hinoban.engine.ecs.decide.capacity import Room, fits
from hinoban.engine.ecs.decide.placement import distribute
from hinoban.engine.ecs.model.clusters import Cluster
from hinoban.engine.ecs.model.task_definitions import TaskDefinition
from hinoban.engine.ecs.model.tasks import Container, Dependency, Task
from hinoban.engine.ecs.model.views import fault_subject, task_view
from hinoban.engine.ecs.state import LaunchToken, State
from hinoban.engine.faults.table import Faults

_MOST_AT_ONCE = 10
_LAUNCH_TYPES = ("EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES")
_PLATFORM_VERSIONS = {"LATEST": "1.4.0", "1.4.0": "1.4.0", "1.3.0": "1.3.0"}
_DEFAULT_STOP_TIMEOUT = 30.0
_DEFAULT_STORAGE_GIB = 20
_ZONES = {"ap-northeast-1": "acd", "us-west-1": "ac"}


class Launcher:
    """Carries out RunTask up to the point where the loop takes over."""

    def __init__(self, state: State, ids: Ids, room: Room, faults: Faults, wake: Callable[[str], None]) -> None:
        self._state = state
        self._ids = ids
        self._room = room
        self._faults = faults
        self._wake = wake

    def run_task(self, call: Call, params: Params) -> Result:
        """The tasks that were accepted and, in `failures`, why the others were not; both in a 200 answer."""
        cluster = active_cluster(self._state, call, params)
        token = params.get("clientToken")
        _check_lengths(params)
        if token is not None and (answer := self._replay(call, cluster, token, params)) is not None:
            return answer
        count = params.get("count", 1)
        if not 1 <= count <= _MOST_AT_ONCE:
            # UNCONFIRMED wording; the limit is facts/ecs.md §11.2.
            raise invalid_parameter(f"Invalid count {count}. The number of tasks must be between 1 and {_MOST_AT_ONCE}.")
        definition = _definition(self._state, call, params["taskDefinition"])
        launch_types = self._launch_types(cluster, definition, params, count)
        network = _network(definition, params)
        given = params.get("overrides", {})
        effective = overrides.effective(definition.body, given)
        tasks, failures = [], []
        for index, provider in enumerate(launch_types):
            task = self._new_task(call, cluster, definition, effective, params, network[index % len(network)], provider)
            reason = self._refusal(task)
            if reason is not None:
                failures.append({"reason": reason})
                continue
            self._state.put_task(task, told=True)
            self._wake(task.id)
            tasks.append(task)
        if token is not None:
            kept = LaunchToken(
                request=_fingerprint(params), task_ids=tuple(task.id for task in tasks), failures=tuple(failures), created_at=call.now
            )
            self._state.put_token(call.region, cluster.name, token, kept)
        return {"tasks": [task_view(task, tags=True) for task in tasks], "failures": failures}

    def _replay(self, call: Call, cluster: Cluster, token: str, params: Params) -> Result | None:
        """What this token answered before, while it protects; ConflictException for another request (facts/ecs.md §3.6)."""
        known = self._state.token(cluster.region, cluster.name, token)
        if known is None:
            return None
        if known.request != _fingerprint(params):
            raise AwsError(
                "ConflictException",
                "The provided clientToken is already in use with a different RunTask request.",
                fields={"resourceIds": [arns.task_arn(call.region, call.account, cluster.name, task_id) for task_id in known.task_ids]},
            )
        return {"tasks": [self._replayed(call, cluster, task_id) for task_id in known.task_ids], "failures": list(known.failures)}

    def _replayed(self, call: Call, cluster: Cluster, task_id: str) -> Result:
        """A task of an earlier launch; of a stopped one only its name and statuses are told again (facts/ecs.md §3.6)."""
        task = self._state.tasks.get(task_id)
        if task is not None and not task.finished:
            return task_view(task, tags=True)
        arn = arns.task_arn(call.region, call.account, cluster.name, task_id)
        return {"taskArn": arn, "lastStatus": "STOPPED", "desiredStatus": "STOPPED"}

    def _launch_types(self, cluster: Cluster, definition: TaskDefinition, params: Params, count: int) -> list[str | None]:
        """For each task its capacity provider, None for a plain FARGATE launch; raises for what cannot be launched at all."""
        launch_type = params.get("launchType")
        strategy = params.get("capacityProviderStrategy")
        if launch_type is not None and strategy:
            raise invalid_parameter("Specifying both a launch type and capacity provider strategy is not supported.")
        if launch_type is not None and launch_type not in _LAUNCH_TYPES:
            raise invalid_parameter(f"Launch type should be one of [{', '.join(_LAUNCH_TYPES)}]")
        if launch_type is None and not strategy:
            strategy = list(cluster.default_strategy)
        if strategy:
            _check_strategy(cluster, strategy)
        elif launch_type != "FARGATE":
            if "platformVersion" in params:
                raise invalid_parameter("The platform version must be null when specifying an EC2 launch type.")
            # Differs from AWS: container instances cannot be registered yet, so no cluster has any (facts/ecs.md §3.3).
            raise invalid_parameter("No Container Instances were found in your cluster.")
        if "FARGATE" not in definition.body.get("compatibilities", ()):
            raise invalid_parameter("Task definition does not support launch_type FARGATE.")
        if params.get("platformVersion", "LATEST") not in _PLATFORM_VERSIONS:
            raise AwsError("PlatformUnknownException", f"The platform version {params['platformVersion']} does not exist.")
        return list(distribute(strategy, count)) if strategy else [None] * count

    def _refusal(self, task: Task) -> str | None:
        """Why there is no room for this task now, in AWS's words; None where there is."""
        if (put_in := self._faults.strike("capacity", fault_subject(task))) is not None:
            return put_in
        fit = fits(self._room, self._state.used, Room(task.cpu_units, task.memory_mib))
        return None if fit else stop_reasons.NO_FARGATE_CAPACITY

    def _new_task(
        self,
        call: Call,
        cluster: Cluster,
        definition: TaskDefinition,
        effective: Params,
        params: Params,
        subnet: str,
        provider: str | None,
    ) -> Task:
        task_id = self._ids.hex32()
        reserved = sizes.reserved(effective)
        given = params.get("overrides", {})
        storage = (effective.get("ephemeralStorage") or {}).get("sizeInGiB", _DEFAULT_STORAGE_GIB)
        platform = effective.get("runtimePlatform") or {}
        return Task(
            region=call.region,
            account=call.account,
            cluster=cluster.name,
            id=task_id,
            arn=arns.task_arn(call.region, call.account, cluster.name, task_id),
            cluster_arn=cluster.arn,
            definition_arn=definition.arn,
            family=definition.family,
            revision=definition.revision,
            containers=tuple(self._new_container(call, cluster, task_id, container) for container in effective["containerDefinitions"]),
            overrides=overrides.listed(definition.body, given),
            cpu=effective["cpu"],
            memory=effective["memory"],
            cpu_units=reserved.cpu_units,
            memory_mib=reserved.memory_mib,
            launch_type="FARGATE",
            group=params.get("group") or f"family:{definition.family}",
            availability_zone=_zone(call.region, subnet),
            created_at=call.now,
            attachment_id=self._ids.uuid(),
            subnet=subnet,
            interface_id=f"eni-{self._ids.hex32()[:17]}",
            mac_address=_mac(self._ids.hex32()),
            platform_version=_PLATFORM_VERSIONS[params.get("platformVersion", "LATEST")],
            architecture="arm64" if platform.get("cpuArchitecture") == "ARM64" else "x86_64",
            ephemeral_storage_gib=storage,
            enable_execute_command=params.get("enableExecuteCommand", False),
            capacity_provider=provider,
            started_by=params.get("startedBy"),
            tags=_tags(cluster, definition, params),
            updated_at=call.now,
        )

    def _new_container(self, call: Call, cluster: Cluster, task_id: str, container: Params) -> Container:
        def text(name: str) -> str | None:
            return str(container[name]) if name in container else None

        return Container(
            name=container["name"],
            arn=arns.container_arn(call.region, call.account, cluster.name, task_id, self._ids.uuid()),
            image=container["image"],
            cpu=str(container.get("cpu", 0)),
            memory=text("memory"),
            memory_reservation=text("memoryReservation"),
            essential=container.get("essential", True),
            stop_timeout=float(container.get("stopTimeout", _DEFAULT_STOP_TIMEOUT)),
            depends_on=tuple(Dependency(need["containerName"], need["condition"]) for need in container.get("dependsOn", ())),
        )


def _check_lengths(params: Params) -> None:
    """The limits of facts/ecs.md §3.1; AWS's own words for them are UNCONFIRMED."""
    for name, most in (("clientToken", 64), ("startedBy", 128)):
        if len(params.get(name) or "") > most:
            raise invalid_parameter(f"{name} must have length less than or equal to {most}.")


def _definition(state: State, call: Call, text: str) -> TaskDefinition:
    definition = find(state, call.region, text)
    if definition is None:
        raise client_exception("TaskDefinition not found.")
    if definition.status != "ACTIVE":
        raise invalid_parameter("TaskDefinition is inactive")
    return definition


def _check_strategy(cluster: Cluster, strategy: list[dict[str, Any]]) -> None:
    if any(item["capacityProvider"] not in cluster.capacity_providers for item in strategy):
        raise invalid_parameter(
            "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster."
        )
    if sum(1 for item in strategy if item.get("base", 0) > 0) > 1:
        raise invalid_parameter(
            "There are multiple capacity providers in the specified capacity provider strategy with a base value defined."
        )
    if not any(item.get("weight", 0) > 0 for item in strategy):
        raise invalid_parameter("There are no capacity providers in the capacity provider strategy with a weight value greater than zero.")


def _network(definition: TaskDefinition, params: Params) -> list[str]:
    """The subnets to spread over. Subnets are checked only when a call created one: so far any id will do."""
    configuration = (params.get("networkConfiguration") or {}).get("awsvpcConfiguration")
    if configuration is None:
        raise invalid_parameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
    if not (subnets := configuration.get("subnets")):
        raise invalid_parameter("subnets can not be empty.")
    return list(subnets)


def _tags(cluster: Cluster, definition: TaskDefinition, params: Params) -> tuple[dict[str, Any], ...]:
    """The request's tags, over those of the definition where `propagateTags` asks for them, and ECS's own."""
    check_tags(params)
    propagate = params.get("propagateTags", "NONE")
    if propagate == "SERVICE":
        raise invalid_parameter("Tasks can only propagate tags from a task definition. Specify a valid value and try again.")
    tags = {}
    if propagate == "TASK_DEFINITION":
        tags.update({tag["key"]: tag for tag in definition.tags})
    tags.update({tag["key"]: tag for tag in params.get("tags", ())})
    if params.get("enableECSManagedTags"):
        tags["aws:ecs:clusterName"] = {"key": "aws:ecs:clusterName", "value": cluster.name}
    return tuple(tags.values())


def _fingerprint(params: Params) -> str:
    """What makes two requests the same: everything but the token."""
    request = {name: value for name, value in params.items() if name != "clientToken"}
    return hashlib.sha256(msgspec.json.encode(request, order="deterministic")).hexdigest()


@functools.lru_cache(maxsize=1024)
def _zone(region: str, subnet: str) -> str:
    """The zone a subnet is in: always the same one for the same id."""
    letters = _ZONES.get(region, "abc")
    return region + letters[hashlib.sha256(subnet.encode()).digest()[0] % len(letters)]


def _mac(chance: str) -> str:
    """A locally administered hardware address."""
    return ":".join(["0a", *(chance[index : index + 2] for index in range(0, 10, 2))])

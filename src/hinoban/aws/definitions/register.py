"""RegisterTaskDefinition without its state: refuses what AWS refuses, and fills in what AWS fills in.

The rules live in files by noun; here is their order: what names things first, then the task, Fargate, containers, network, logs,
dependencies, and the size last. AWS tells one fault at a time; in which order it looks is UNCONFIRMED where two are there.
"""

from collections.abc import Iterator
from typing import Any

from hinoban.aws.definitions import attributes, containers, dependencies, fargate, log_drivers, ports, task_level
from hinoban.aws.definitions.refusal import Draft, Rule
from hinoban.aws.definitions.sizes import parse_cpu, parse_memory
from hinoban.aws.errors import AwsError

_NAMING: tuple[Rule, ...] = (*task_level.FIRST, *containers.FIRST)
_REST: tuple[Rule, ...] = (*containers.RULES, *ports.RULES, *log_drivers.RULES, *dependencies.RULES)
_ANYWHERE: tuple[Rule, ...] = (*task_level.RULES, *_REST)
_ON_FARGATE: tuple[Rule, ...] = (*task_level.RULES, *fargate.RULES, *_REST)

# Kept as given; containers, volumes, sizes and network mode are normalised, tags are answered beside the definition.
_AS_GIVEN = (
    "taskRoleArn",
    "executionRoleArn",
    "requiresCompatibilities",
    "runtimePlatform",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "ephemeralStorage",
    "enableFaultInjection",
    "trustedExecutionConfiguration",
)
_NO_VOLUME_CONFIGURATION = {"name"}
_CONTAINER_LISTS = ("environment", "mountPoints", "volumesFrom", "systemControls")
_HEALTH_CHECK_DEFAULTS = {"interval": 30, "timeout": 5, "retries": 3}


def normalise(request: dict[str, Any], *, account: str, region: str) -> dict[str, Any]:
    """The `taskDefinition` that AWS answers to a RegisterTaskDefinition request, as a new dict (values inside are shared with `request`).

    `request` has the shape of botocore's model. Without taskDefinitionArn, revision, status, registeredAt and registeredBy, which
    the engine knows; without tags, which are answered beside it. Roles may be given by name and are answered as ARNs of `account`
    (UNCONFIRMED). Defaults: facts/ecs.md §11.4. Raises AwsError, one fault at a time.
    """
    draft = _draft(request)
    refusal = next(_refusals(draft), None)
    if refusal is None:
        body = _body(draft, account=account, region=region)
        refusal = task_level.size(body)
    if refusal is not None:
        raise refusal
    body["requiresAttributes"] = attributes.required(draft)
    body["compatibilities"] = attributes.compatibilities(draft)
    return body


def refusals(request: dict[str, Any]) -> Iterator[AwsError]:
    """Every fault that the rules see, in their order, each rule's first; one in the naming hides the others."""
    return _refusals(_draft(request))


def _refusals(draft: Draft) -> Iterator[AwsError]:
    for rule in _NAMING:
        if (refusal := rule(draft)) is not None:
            yield refusal
            return
    for rule in _ON_FARGATE if draft.fargate else _ANYWHERE:
        if (refusal := rule(draft)) is not None:
            yield refusal


def _draft(request: dict[str, Any]) -> Draft:
    of_containers = request.get("containerDefinitions") or []
    family = (request.get("runtimePlatform") or {}).get("operatingSystemFamily") or "LINUX"
    return Draft(
        request=request,
        containers=of_containers,
        names=frozenset(each.get("name") or "" for each in of_containers),
        network_mode=request.get("networkMode") or "bridge",
        fargate="FARGATE" in (request.get("requiresCompatibilities") or ()),
        windows=family.startswith("WINDOWS"),
        cpu=_size(parse_cpu, request.get("cpu")),
        memory=_size(parse_memory, request.get("memory")),
    )


def _size(parse: Any, text: str | None) -> int | None:
    try:
        return int(parse(text)) if text else None
    except ValueError:
        return None


def _body(draft: Draft, *, account: str, region: str) -> dict[str, Any]:
    request = draft.request
    body: dict[str, Any] = {
        "containerDefinitions": [_container(draft, each) for each in draft.containers],
        "family": request["family"],
        "volumes": [_volume(each) for each in request.get("volumes") or ()],
        "placementConstraints": request.get("placementConstraints") or [],
    }
    body.update((member, request[member]) for member in _AS_GIVEN if request.get(member) not in (None, "", []))
    # facts/ecs.md §8.8: bridge on Linux; on Windows `default`, which the API leaves out.
    if request.get("networkMode") or not draft.windows:
        body["networkMode"] = draft.network_mode
    if draft.cpu is not None:
        body["cpu"] = str(draft.cpu)
    if draft.memory is not None:
        body["memory"] = str(draft.memory)
    for role in ("taskRoleArn", "executionRoleArn"):
        if role in body and not body[role].startswith("arn:"):
            body[role] = f"arn:{_partition(region)}:iam::{account}:role/{body[role]}"
    return body


def _partition(region: str) -> str:
    return "aws-cn" if region.startswith("cn-") else "aws-us-gov" if region.startswith("us-gov-") else "aws"


def _volume(volume: dict[str, Any]) -> dict[str, Any]:
    """A volume that says nothing but its name is an empty folder of the host, answered as `host: {}`."""
    return {**volume, "host": {}} if volume.keys() == _NO_VOLUME_CONFIGURATION else volume


def _container(draft: Draft, container: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {"cpu": 0, "essential": True, **container}
    for member in _CONTAINER_LISTS:
        if not result.get(member):
            result[member] = []
    result["portMappings"] = [_port_mapping(draft, each) for each in container.get("portMappings") or ()]
    if check := container.get("healthCheck"):
        result["healthCheck"] = {**_HEALTH_CHECK_DEFAULTS, **check}
    return result


def _port_mapping(draft: Draft, mapping: dict[str, Any]) -> dict[str, Any]:
    """tcp; the host port is the container's where they share a network, else 0: any free one (facts/ecs.md §8.8, §11.4)."""
    result = {"protocol": "tcp", **mapping}
    if "containerPortRange" not in mapping:
        result.setdefault("hostPort", mapping["containerPort"] if draft.network_mode in ("awsvpc", "host") else 0)
    return result

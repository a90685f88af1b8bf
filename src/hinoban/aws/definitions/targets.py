"""An ECS target of a rule or of a Scheduler schedule, as the RunTask that it becomes (facts/eventbridge.md §6.2, §8.3). PURE."""

import hashlib
from typing import Any, Literal

import msgspec

from hinoban.aws.call import Params
from hinoban.aws.errors import AwsError

_STARTED_BY = 36  # characters: ECS cuts there (facts/eventbridge.md §6.2)
_PREFIXES = {"rule": "events-rule/", "schedule": "chronos-schedule/"}

# EcsParameters -> RunTask; what is not here needs more than another name.
_RENAMED = {
    "TaskDefinitionArn": "taskDefinition",
    "TaskCount": "count",
    "LaunchType": "launchType",
    "PlatformVersion": "platformVersion",
    "Group": "group",
    "CapacityProviderStrategy": "capacityProviderStrategy",
    "EnableECSManagedTags": "enableECSManagedTags",
    "EnableExecuteCommand": "enableExecuteCommand",
    "PlacementConstraints": "placementConstraints",
    "PlacementStrategy": "placementStrategy",
    "PropagateTags": "propagateTags",
    "ReferenceId": "referenceId",
}


def started_by(kind: Literal["rule", "schedule"], name: str) -> str:
    """`events-rule/<name>` or `chronos-schedule/<name>`, cut to 36 characters: what tells a task's launcher."""
    return f"{_PREFIXES[kind]}{name}"[:_STARTED_BY]


def slot_token(target_arn_owner: str, target_id: str, slot: float | str) -> str:
    """The token of one slot (or, given its id, of one event) for one target: 64 characters, the same whoever derives it.

    `target_arn_owner` is the ARN of the rule or schedule. RunTask's clientToken: a slot is launched once.
    """
    about = slot if isinstance(slot, str) else f"{slot:.3f}"
    return hashlib.sha256("\x1f".join((target_arn_owner, target_id, about)).encode()).hexdigest()


def task_override(text: str) -> Params:
    """The TaskOverride that an Input or a filled InputTemplate spells; AwsError where it is none."""
    try:
        override = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise AwsError("InvalidParameterException", f"The input is not JSON: {error}") from None
    if not isinstance(override, dict):
        raise AwsError("InvalidParameterException", "The input is not a TaskOverride: it must be a JSON object.")
    return override


def run_task_request(target: Params, *, started_by: str, token: str, override: Params | None) -> Params:
    """RunTask's parameters for a target with EcsParameters, in ECS's spelling; `override` is mapped one to one."""
    given = target.get("EcsParameters", {})
    request: Params = {"cluster": target["Arn"], "startedBy": started_by, "clientToken": token}
    request.update((name, given[member]) for member, name in _RENAMED.items() if member in given)
    if (network := given.get("NetworkConfiguration")) is not None:
        request["networkConfiguration"] = _network(network)
    if tags := given.get("Tags"):
        request["tags"] = [_tag(tag) for tag in tags]
    if override:
        request["overrides"] = override
    return request


def _network(network: Params) -> Params:
    """The outer key is in lower case, the inner ones are not (facts/eventbridge.md §6.2)."""
    return {outer: {_lower_first(name): value for name, value in inner.items()} for outer, inner in network.items()}


def _tag(tag: dict[str, Any]) -> dict[str, str]:
    """A rule's `{Key, Value}`, or one of Scheduler's maps, whose keys its clients also write small."""
    small = {name.lower(): value for name, value in tag.items()}
    return {"key": small.get("key", ""), "value": small.get("value", "")}


def _lower_first(name: str) -> str:
    return name[:1].lower() + name[1:]

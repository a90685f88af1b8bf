"""Rules on what containers need of each other and of the task's volumes: dependsOn, links, volumesFrom, mount points (facts/ecs.md §1.5, §4.2)."""

from collections.abc import Mapping
from typing import Any

from hinoban.aws.definitions.refusal import Draft, Rule, of_each_container, refuse
from hinoban.aws.errors import AwsError


def depends_on(draft: Draft) -> AwsError | None:
    """Only on what exists and can ever reach the condition; the first text as clients report it (eagletmt/hako pull request 99)."""
    containers = {each["name"]: each for each in draft.containers}
    for container in draft.containers:
        for each in container.get("dependsOn") or ():
            target = containers.get(each["containerName"])
            if target is None:
                return refuse(f"Cannot depend on container + '{each['containerName']}' because it does not exist")
            if each["condition"] in ("SUCCESS", "COMPLETE") and target.get("essential", True):
                return refuse("A dependency container with SUCCESS or COMPLETE condition cannot be an essential container")
            if each["condition"] == "HEALTHY" and not target.get("healthCheck"):
                return refuse("A dependency container with HEALTHY condition must have health check configured")
    return None


def dependencies_without_a_cycle(draft: Draft) -> AwsError | None:
    """No container waits for itself; the text is UNCONFIRMED, worded like that of links."""
    edges = {each["name"]: [to["containerName"] for to in each.get("dependsOn") or ()] for each in draft.containers}
    return refuse("Container dependencies should not have a cycle") if _has_a_cycle(edges) else None


def links(draft: Draft) -> AwsError | None:
    """Links (`name` or `name:alias`) lead to containers, without a cycle, and not in awsvpc.

    The cycle's text: Shippable/support issue 4194; awsvpc's as clients report it; that of an unknown container is UNCONFIRMED.
    """
    if not any(each.get("links") for each in draft.containers):
        return None
    if draft.network_mode == "awsvpc":
        return refuse("Links are not supported when networkMode=awsvpc")
    edges = {each["name"]: [link.partition(":")[0] for link in each.get("links") or ()] for each in draft.containers}
    for target in (target for targets in edges.values() for target in targets):
        if target not in draft.names:
            return refuse(f"Invalid 'links' setting. Unknown container: '{target}'")
    return refuse("Container links should not have a cycle") if _has_a_cycle(edges) else None


def volumes_from(draft: Draft, container: dict[str, Any]) -> AwsError | None:
    """Only from containers of this task."""
    for each in container.get("volumesFrom") or ():
        if each.get("sourceContainer") not in draft.names:
            return refuse(f"Invalid 'volumesFrom' setting. Unknown container: '{each.get('sourceContainer')}'")
    return None


def mount_points(draft: Draft) -> AwsError | None:
    """Only of volumes that the task has; a volume configured at launch must be mounted by someone."""
    volumes = draft.request.get("volumes") or ()
    known = {each.get("name") for each in volumes}
    mounted = {point.get("sourceVolume") for each in draft.containers for point in each.get("mountPoints") or ()}
    for container in draft.containers:
        for point in container.get("mountPoints") or ():
            if point.get("sourceVolume") not in known:
                return refuse(f"Unknown volume '{point.get('sourceVolume')}'")
    idle = [str(each.get("name")) for each in volumes if each.get("configuredAtLaunch") and each.get("name") not in mounted]
    return refuse(f"Volumes [{', '.join(idle)}] are not referenced by any of the containers") if idle else None


def _has_a_cycle(edges: Mapping[str, list[str]]) -> bool:
    """Whether somebody can be reached from himself: takes away, again and again, those who need nobody that is left."""
    left = {name: set(targets) for name, targets in edges.items() if targets}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    return bool(left)


RULES: tuple[Rule, ...] = (depends_on, dependencies_without_a_cycle, links, of_each_container(volumes_from), mount_points)

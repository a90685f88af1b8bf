"""The containers of one task: which may start, which must stop, whether the task is up or over (facts/ecs.md §§1.4, 1.5)."""

from typing import NamedTuple

import msgspec

from hinoban.engine.ecs.decide import stop_reasons
from hinoban.engine.ecs.model.tasks import Container, Dependency, Task


class Ending(NamedTuple):
    """Why a task ends: AWS's stop code and reason."""

    stop_code: str
    reason: str


def ending(task: Task) -> Ending | None:
    """Why this task is to end, judged by its containers; None while nothing calls for it.

    A container that never started and must have done so: TaskFailedToStart, its reason the task's (Fargate shows it in both).
    An essential container that ended, with any exit code: EssentialContainerExited.
    """
    for container in task.containers:
        failed = container.last_status == "STOPPED" and container.started_at is None and container.reason is not None
        if failed and (container.essential or (container.reason or "").startswith(stop_reasons.FAILS_ANY_CONTAINER)):
            return Ending("TaskFailedToStart", container.reason or "")
    if any(container.essential and container.last_status == "STOPPED" for container in task.containers):
        return Ending("EssentialContainerExited", stop_reasons.ESSENTIAL_EXITED)
    return None


def up(task: Task) -> bool:
    """Every container runs, or is not essential and has run already: the task is RUNNING (facts/ecs.md §1.4)."""
    return all(
        container.last_status == "RUNNING" or (container.last_status == "STOPPED" and not container.essential)
        for container in task.containers
    )


def over(task: Task) -> bool:
    """No container is alive in the runtime any more."""
    return not any(container.alive for container in task.containers)


def startable(task: Task) -> tuple[Container, ...]:
    """The containers that were not asked for yet and whose dependencies are met."""
    return tuple(
        container
        for container in task.containers
        if not container.asked and container.last_status == "PENDING" and all(_met(task, need) for need in container.depends_on)
    )


def _met(task: Task, need: Dependency) -> bool:
    other = task.container(need.container)
    if other is None:
        return False
    if need.condition == "COMPLETE":
        return other.last_status == "STOPPED" and other.exit_code is not None
    if need.condition == "SUCCESS":
        return other.last_status == "STOPPED" and other.exit_code == 0
    # Differs from AWS: container health checks are not run yet, so HEALTHY is met when the dependency runs.
    return other.last_status == "RUNNING" or (other.last_status == "STOPPED" and other.started_at is not None)


def doomed(task: Task) -> tuple[Container, ...]:
    """The containers that can never start because of a dependency, as they end: STOPPED, exit code 143 (facts/ecs.md §1.5)."""
    ended = []
    for container in task.containers:
        if container.asked or container.last_status != "PENDING":
            continue
        for need in container.depends_on:
            other = task.container(need.container)
            text = None
            if other is not None and other.last_status == "STOPPED":
                if need.condition == "SUCCESS" and other.exit_code != 0:
                    text = stop_reasons.DEPENDENCY_FAILED
                elif other.started_at is None:
                    text = stop_reasons.DEPENDENCY_NEVER_STARTS
                elif need.condition == "COMPLETE" and other.exit_code is None:
                    # COMPLETE wants a known exit code (facts/ecs.md §1.5); this one never will be, and nothing may wait for ever.
                    text = stop_reasons.DEPENDENCY_FAILED
            if text is not None:
                reason = text.format(name=container.name, other=need.container)
                ended.append(msgspec.structs.replace(container, last_status="STOPPED", exit_code=143, reason=reason))
                break
    return tuple(ended)


def stoppable(task: Task) -> tuple[Container, ...]:
    """The containers to stop now: those alive whose dependents have all ended (the reverse of the starting order)."""
    return tuple(
        container
        for container in task.containers
        if container.alive
        and not container.stop_asked
        and not any(other.alive and any(need.container == container.name for need in other.depends_on) for other in task.containers)
    )

"""What happens to a task next: a pure function of the task and what was observed, one visible change at a time.

Each change that AWS would show is one step with its own `version` and event (facts/ecs.md §1.2). The order of an ending
(facts/ecs.md §12): desiredStatus STOPPED with its stop code, then STOPPING, DEPROVISIONING, STOPPED. Where the last
container ended by itself there is nothing left to stop, and STOPPING is skipped.
"""

from typing import NamedTuple

import msgspec

from hinoban.engine.ecs.decide import containers, stop_reasons
from hinoban.engine.ecs.decide.task_states import follow
from hinoban.engine.ecs.model.tasks import Container, Task
from hinoban.engine.runtime.driver import ContainerKey, Exited, Observation, Started, StartFailed

_replace = msgspec.structs.replace


class StartContainer(NamedTuple):
    """Ask the runtime to run this container; `again`: an earlier life may have asked already."""

    key: ContainerKey
    again: bool = False


class StopContainer(NamedTuple):
    """Ask the runtime to end this container: SIGTERM, SIGKILL after `timeout` seconds."""

    key: ContainerKey
    timeout: float


class RemoveTask(NamedTuple):
    """The task is over and on disk: the runtime may forget its containers."""

    keys: tuple[ContainerKey, ...]


Command = StartContainer | StopContainer | RemoveTask


class Step(NamedTuple):
    """The task as it is next and what the runtime is told. `told` is false where nothing that AWS shows has changed."""

    task: Task
    commands: tuple[Command, ...]
    told: bool


def observe(task: Task, seen: Observation) -> Task:
    """The task with what the runtime reported written into it; the same task where it is no news."""
    container = task.container(seen.key.name)
    if container is None or container.last_status == "STOPPED":
        return task
    if isinstance(seen, Started):
        return task if container.last_status == "RUNNING" else _started(task, container, seen)
    if isinstance(seen, Exited):
        return _exited(task, container, seen)
    if isinstance(seen, StartFailed) and container.last_status != "RUNNING":
        failed = task.with_container(_replace(container, last_status="STOPPED", reason=seen.reason[:1024], exited_at=seen.at))
        return _pulled(failed, seen.pull_started_at, seen.pull_stopped_at)
    return task


def _started(task: Task, container: Container, seen: Started) -> Task:
    running = _replace(
        container,
        last_status="RUNNING",
        asked=True,
        runtime_id=seen.runtime_id,
        image_digest=seen.image_digest,
        started_at=seen.at,
        ports=seen.ports,
    )
    task = _pulled(task.with_container(running), seen.pull_started_at, seen.pull_stopped_at)
    return task if task.address is not None or seen.address is None else _replace(task, address=seen.address)


def _exited(task: Task, container: Container, seen: Exited) -> Task:
    reason = seen.reason
    if seen.oom and seen.exit_code == 137:
        # The text stands in the container's reason and only with exit 137 (facts/ecs.md §2.3).
        reason = stop_reasons.OUT_OF_MEMORY
    ended = _replace(
        container,
        last_status="STOPPED",
        exit_code=seen.exit_code,
        reason=None if reason is None else reason[:1024],
        # A container that ended did start, also where its start was never reported.
        started_at=container.started_at if container.started_at is not None else seen.at,
        exited_at=seen.at,
    )
    return task.with_container(ended)


def _pulled(task: Task, started: float | None, stopped: float | None) -> Task:
    """The first pull's beginning and the last one's end (facts/ecs.md §1.2)."""
    if started is None:
        return task
    first = started if task.pull_started_at is None else min(task.pull_started_at, started)
    last = stopped if task.pull_stopped_at is None or stopped is None else max(task.pull_stopped_at, stopped)
    return _replace(task, pull_started_at=first, pull_stopped_at=last)


def stop(task: Task, stop_code: str, reason: str, now: float) -> Task:
    """The task told to end; one that is ending already keeps its first reason."""
    if task.desired_status == "STOPPED":
        return task
    return _replace(task, desired_status="STOPPED", stop_code=stop_code, stopped_reason=reason, version=task.version + 1, updated_at=now)


def advance(before: Task, task: Task, now: float) -> Step | None:
    """The next step of `task`; `before` is what was told of it last (the same value where nothing was observed). None: nothing to do."""
    commands: tuple[Command, ...] = ()
    if task.last_status == "STOPPED":
        return None
    if task.desired_status == "RUNNING":
        for container in containers.doomed(task):
            task = task.with_container(container)
        if (end := containers.ending(task)) is not None:
            task = _replace(task, desired_status="STOPPED", stop_code=end.stop_code, stopped_reason=end.reason)
        else:
            task, commands = _toward_running(task, now)
    if task.desired_status == "STOPPED":
        task = _note_execution_end(task)
        # Only what the runtime still runs must be told to stop, and AWS shows desiredStatus STOPPED before STOPPING.
        if containers.over(task) or before.desired_status == "STOPPED":
            task, commands = _toward_stopped(task, now)
    if task == before:
        return None
    told = _visible(task) != _visible(before)
    if told:
        task = _replace(task, version=before.version + 1, updated_at=now)
    return Step(task, commands, told)


def _toward_running(task: Task, now: float) -> tuple[Task, tuple[Command, ...]]:
    if task.last_status == "PROVISIONING":
        return _replace(task, last_status=follow("PROVISIONING", "attached"), connected_at=now), ()
    if task.last_status == "PENDING" and containers.up(task):
        return _replace(task, last_status=follow("PENDING", "started"), started_at=_last_start(task)), ()
    commands = []
    for container in containers.startable(task):
        task = task.with_container(_replace(container, asked=True))
        commands.append(StartContainer(task.key(container)))
    return task, tuple(commands)


def _last_start(task: Task) -> float:
    return max(container.started_at or 0.0 for container in task.containers)


def _note_execution_end(task: Task) -> Task:
    """executionStoppedAt: when the first essential container was seen STOPPED (facts/ecs.md §1.2)."""
    if task.execution_stopped_at is not None or task.started_at is None:
        return task
    ends = [container.exited_at for container in task.containers if container.essential and container.exited_at is not None]
    return _replace(task, execution_stopped_at=min(ends)) if ends else task


def _toward_stopped(task: Task, now: float) -> tuple[Task, tuple[Command, ...]]:
    if task.last_status == "DEPROVISIONING":
        gone = tuple(task.key(container) for container in task.containers if container.asked)
        return _replace(task, last_status=follow("DEPROVISIONING", "detached"), stopped_at=now), (RemoveTask(gone),)
    if containers.over(task):
        for container in task.containers:
            if container.last_status != "STOPPED":
                task = task.with_container(_replace(container, last_status="STOPPED"))
        stopping_at = task.stopping_at if task.stopping_at is not None else now
        return _replace(task, last_status=follow(task.last_status, "ended"), stopping_at=stopping_at), ()
    if task.last_status != "STOPPING":
        task = _replace(task, last_status=follow(task.last_status, "stop"), stopping_at=now)
    commands = []
    for container in containers.stoppable(task):
        task = task.with_container(_replace(container, stop_asked=True))
        commands.append(StopContainer(task.key(container), container.stop_timeout))
    return task, tuple(commands)


def _visible(task: Task) -> tuple[object, ...]:
    """What AWS counts as a change of state: statuses of the task and its containers, and what came with them."""
    return (
        task.last_status,
        task.desired_status,
        task.stop_code,
        tuple((container.last_status, container.exit_code, container.reason) for container in task.containers),
    )

"""Log lines of tasks, read only through GetLogEvents, and tasks followed until they end."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from hinoban.aws.errors import AwsError
from hinoban.aws.exits import deciding_exit
from hinoban.cli.connection import Source
from hinoban.cli.definition_file import essential_containers
from hinoban.cli.shell import Shell, print_line, say
from hinoban.cli.tasks import Task, family_revision, short, task_id

POLL_SECONDS = 0.3
NEVER_STARTED = 125
UNKNOWN_END = 1

Put = Callable[[str], None]
"""Where log lines go: print_line, or say where stdout is kept for JSON."""


class Ended(msgspec.Struct, frozen=True):
    """The exit code that stands for a task, and the task as it was last described (None where ECS has forgotten it)."""

    code: int
    task: Task | None = None


class LogStream:
    """A container's stream and how far it was read."""

    def __init__(self, container: str, group: str, name: str, *, tail: int | None = None) -> None:
        self.container = container
        self.group = group
        self.name = name
        self._tail = tail
        self._token: str | None = None

    async def read(self, source: Source) -> AsyncIterator[dict[str, Any]]:
        """Events not read before; none while the stream does not exist yet."""
        while True:
            params: dict[str, Any] = {"logGroupName": self.group, "logStreamName": self.name, "startFromHead": True}
            if self._token is not None:
                params["nextToken"] = self._token
            elif self._tail is not None:
                params |= {"limit": max(self._tail, 1), "startFromHead": False}
            try:
                answer = await source.call("logs", "GetLogEvents", params)
            except AwsError as error:
                if error.code == "ResourceNotFoundException":
                    return
                raise
            first, before, self._token = self._token is None, self._token, answer["nextForwardToken"]
            if not (first and self._tail == 0):
                for event in answer["events"]:
                    yield event
            if self._token == before or not answer["events"]:
                return


def streams_of(task: Task, definition: dict[str, Any], tail: int | None = None) -> list[LogStream]:
    """Where the task's containers write: their awslogs stream, else `/hinoban/<cluster>` (Differs from AWS, where that is lost)."""
    found = []
    cluster = str(task["clusterArn"]).rpartition("/")[2]
    for container in definition["containerDefinitions"]:
        name = container["name"]
        configuration = container.get("logConfiguration") or {}
        options = configuration.get("options") or {}
        if configuration.get("logDriver") == "awslogs" and options.get("awslogs-stream-prefix"):
            stream = f"{options['awslogs-stream-prefix']}/{name}/{task_id(task['taskArn'])}"
            found.append(LogStream(name, options["awslogs-group"], stream, tail=tail))
        elif configuration.get("logDriver") == "awslogs":
            runtime_id = next((one.get("runtimeId") for one in task.get("containers", []) if one["name"] == name), None)
            if runtime_id:
                found.append(LogStream(name, options["awslogs-group"], runtime_id, tail=tail))
        else:
            family = family_revision(task).partition(":")[0]
            found.append(LogStream(name, f"/hinoban/{cluster}", f"{family}/{name}/{task_id(task['taskArn'])}", tail=tail))
    return found


async def describe_definition(source: Source, name: str) -> dict[str, Any]:
    """The task definition of a family, family:revision or ARN."""
    answer = await source.call("ecs", "DescribeTaskDefinition", {"taskDefinition": name})
    definition: dict[str, Any] = answer["taskDefinition"]
    return definition


async def describe_task(source: Source, cluster: str, arn: str) -> Task | None:
    """The task, None where ECS has forgotten it."""
    tasks = (await source.call("ecs", "DescribeTasks", {"cluster": cluster, "tasks": [arn]})).get("tasks", [])
    return tasks[0] if tasks else None


async def print_new(source: Source, streams: list[LogStream], label: str = "", put: Put = print_line) -> None:
    """Print what the streams have that was not read; the container's name stands before a line where there are several."""
    for stream in streams:
        mark = f"{label}{stream.container} | " if label or len(streams) > 1 else ""
        async for event in stream.read(source):
            put(mark + event["message"])


async def follow_task(shell: Shell, source: Source, cluster: str, arn: str, label: str = "", put: Put = print_line) -> Ended:
    """Print a task's log lines until it has stopped; how it ended."""
    streams: list[LogStream] | None = None
    definition: dict[str, Any] = {}
    while True:
        task = await describe_task(source, cluster, arn)
        if task is None:
            say(f"Task {short(arn)} is no longer described; hinoban why {short(arn)} may know its end.")
            return Ended(UNKNOWN_END)
        if not definition:
            definition = await describe_definition(source, task["taskDefinitionArn"])
        if streams is None or task["lastStatus"] != "STOPPED":
            known = {stream.name: stream for stream in streams or []}
            streams = [known.get(stream.name, stream) for stream in streams_of(task, definition)]
        await print_new(source, streams, label, put)
        if task["lastStatus"] == "STOPPED":
            return Ended(tell_end(task, definition), task)
        await shell.pause(POLL_SECONDS)


def tell_end(task: Task, definition: dict[str, Any]) -> int:
    """Say how the task ended and which exit code stands for it."""
    name, reason = f"{short(task['taskArn'])} ({family_revision(task)})", task.get("stoppedReason", "")
    details = [f"{one['name']}: {one['reason']}" for one in task.get("containers", []) if one.get("reason")]
    words = " · ".join([reason, *(detail for detail in details if reason not in detail)] if reason else details)
    if task.get("stopCode") == "TaskFailedToStart":
        say(f"Task {name} never started. {words}")
        return NEVER_STARTED
    code = exit_code(task, definition)
    if code is None:
        say(f"Task {name} stopped, its exit code is unknown. {words}")
        return UNKNOWN_END
    say(f"Task {name} stopped with exit code {code}.{'' if code == 0 else f' {words}'}")
    return code


def exit_code(task: Task, definition: dict[str, Any]) -> int | None:
    """The exit code of the essential container that ended the task; None where none is known."""
    essential = essential_containers(definition)
    found = {one["name"]: one for one in task.get("containers", [])}
    return deciding_exit(found[name] for name in essential if name in found)

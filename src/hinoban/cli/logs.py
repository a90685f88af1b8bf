"""`logs`: what a task's containers wrote, also after ECS has forgotten the task and without a daemon."""

from typing import Annotated, Any

import msgspec
import typer

from hinoban.aws.errors import AwsError
from hinoban.base.errors import HinobanError
from hinoban.cli.connection import Source, Target
from hinoban.cli.follow import POLL_SECONDS, LogStream, describe_definition, describe_task, streams_of
from hinoban.cli.shell import Format, OutputOption, PortOption, StateOption, print_line, say, shell_of, with_source
from hinoban.cli.tasks import Task, all_tasks, every, no_such_task, pick

_encode = msgspec.json.encode


def logs(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TASK|FAMILY", help="A task's id (may be shortened), or a family: its newest task.")],
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has stopped.")] = False,
    tail: Annotated[int | None, typer.Option("--tail", help="Begin with the last N lines of each container.", min=0, metavar="N")] = None,
    container: Annotated[str | None, typer.Option("--container", help="Only this container.")] = None,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Print a task's log lines. Works without a daemon too. JSON is one object a line: timestamp, container, message."""
    shell = shell_of(ctx)

    async def work(source: Source) -> None:
        task, streams = await find_streams(source, name, tail)
        if container is not None:
            streams = [stream for stream in streams if stream.container == container]
        if not streams:
            raise HinobanError(f"No log of {name}", "it has no container of that name, or nothing was written", "See: hinoban ps -a")
        while True:
            ended = not follow or task is None or task["lastStatus"] == "STOPPED"
            await _print(source, streams, output)
            if ended or task is None:
                if follow and task is None:
                    say("Nothing more will come: no daemon knows this task.")
                return
            await shell.pause(POLL_SECONDS)
            task = await describe_task(source, task["clusterArn"], task["taskArn"])

    with_source(ctx, Target(port, state), output, work)


async def find_streams(source: Source, name: str, tail: int | None = None) -> tuple[Task | None, list[LogStream]]:
    """The task (None where ECS does not know it any more) and its containers' streams."""
    task = await _find_task(source, name)
    if task is not None:
        return task, streams_of(task, await describe_definition(source, task["taskDefinitionArn"]), tail)
    return None, await _remembered(source, name, tail)


async def _find_task(source: Source, name: str) -> Task | None:
    try:
        tasks = await all_tasks(source, ("RUNNING", "STOPPED"))
    except (AwsError, HinobanError, NotImplementedError, LookupError):
        # A state folder answers for logs alone; the streams' names are searched instead.
        return None
    family = name.partition(":")[0]
    for task in tasks:
        definition = str(task["taskDefinitionArn"]).rpartition("/")[2]
        if definition == name or definition.partition(":")[0] == name == family:
            return task
    return pick(tasks, name)


async def _remembered(source: Source, name: str, tail: int | None) -> list[LogStream]:
    """Streams called `<family or prefix>/<container>/<task id>` of that task, or of the family's newest task."""
    wanted = name.rpartition("/")[2]
    found: dict[str, list[tuple[int, LogStream]]] = {}
    for group in await every(source, "logs", "DescribeLogGroups", {}, "logGroups"):
        group_name = group["logGroupName"]
        for stream in await every(source, "logs", "DescribeLogStreams", {"logGroupName": group_name}, "logStreams"):
            parts = str(stream["logStreamName"]).split("/")
            if len(parts) >= 3 and (parts[-1].startswith(wanted) or parts[0] == name):
                entry = (stream["creationTime"], LogStream(parts[-2], group_name, stream["logStreamName"], tail=tail))
                found.setdefault(parts[-1], []).append(entry)
    if not found:
        raise no_such_task(name, "neither a task nor a log stream has that name")
    newest = max(found.values(), key=lambda entries: max(created for created, _ in entries))
    return [stream for _, stream in newest]


async def _print(source: Source, streams: list[LogStream], output: Format) -> None:
    for stream in streams:
        async for event in stream.read(source):
            if output is Format.JSON:
                line: dict[str, Any] = {"timestamp": event["timestamp"], "container": stream.container, "message": event["message"]}
                print_line(_encode(line).decode())
            else:
                print_line(f"{stream.container} | {event['message']}" if len(streams) > 1 else event["message"])

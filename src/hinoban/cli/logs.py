"""`logs`: what a task's containers wrote, also after ECS has forgotten the task and without a daemon."""

from typing import Annotated, Any

import msgspec
import typer

from hinoban.aws.errors import AwsError
from hinoban.base.errors import HinobanError
from hinoban.cli.connection import Source, Target
from hinoban.cli.follow import POLL_SECONDS, LogStream, describe_definition, describe_task, streams_of
from hinoban.cli.shell import Format, OutputOption, PortOption, StateOption, print_line, say, shell_of, with_source
from hinoban.cli.tasks import LEAST, Task, all_tasks, every, is_of, no_such_task, pick

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
        found = await find_log(source, name, tail)
        task, streams = found.task, found.streams
        if container is not None:
            streams = [stream for stream in streams if stream.container == container]
            if not streams:
                raise HinobanError(
                    f"No container {container} in {name}",
                    f"it has {', '.join(dict.fromkeys(stream.container for stream in found.streams)) or 'none'}",
                    f"Leave --container out: hinoban logs {name}",
                )
        while True:
            ended = not follow or task is None or task["lastStatus"] == "STOPPED"
            printed = await _print(source, streams, output)
            if ended or task is None:
                if not printed and found.kept and container is None:
                    print_kept(found.kept, tail, output)
                elif follow and task is None:
                    say("Nothing more will come: ECS does not know this task any more.")
                return
            await shell.pause(POLL_SECONDS)
            task = await describe_task(source, task["clusterArn"], task["taskArn"])

    with_source(ctx, Target(port, state), output, work)


class Log(msgspec.Struct):
    """A task (None where ECS has forgotten it), its containers' streams, and the last lines that the watch kept."""

    task: Task | None
    streams: list[LogStream]
    kept: list[str] = []


async def find_log(source: Source, name: str, tail: int | None = None) -> Log:
    """Asks ECS, then the watch, then the names of the streams: each remembers longer and knows less."""
    task = await _of_ecs(source, name)
    if task is not None:
        return Log(task, streams_of(task, await describe_definition(source, task["taskDefinitionArn"]), tail))
    try:
        return await _of_watch(source, name, tail)
    except HinobanError as error:
        streams = await _by_name(source, name, tail)
        if not streams:
            raise error
        return Log(None, streams)


async def _of_ecs(source: Source, name: str) -> Task | None:
    try:
        tasks = await all_tasks(source, ("RUNNING", "STOPPED"))
    except (AwsError, HinobanError):
        # A state folder has no tasks of ECS; the watch remembers them.
        return None
    return next((task for task in tasks if is_of(name, str(task["taskDefinitionArn"]))), None) or pick(tasks, name)


async def _of_watch(source: Source, name: str, tail: int | None) -> Log:
    """The family's newest task, or the task that `why` finds: its definition says where it wrote."""
    family, _, revision = name.partition(":")
    rows = [] if name.startswith("arn:") else (await source.get("history", {"family": family, "limit": 100})).get("tasks", [])
    newest = next((row for row in rows if not revision or str(row["revision"]) == revision), None)
    answer = await source.get("why", {"name": newest["arn"] if newest else name})
    if not answer.get("task") or not answer.get("task_definition"):
        raise no_such_task(name, "it never had a task")
    as_task: Task = {
        "taskArn": answer["task"],
        "clusterArn": answer["cluster"],
        "taskDefinitionArn": answer["task_definition"],
        "containers": answer["containers"],
    }
    try:
        streams = streams_of(as_task, await describe_definition(source, answer["task_definition"]), tail)
    except (AwsError, HinobanError):
        streams = await _by_name(source, answer["task"], tail)
    return Log(None, streams, answer.get("log") or [])


async def _by_name(source: Source, name: str, tail: int | None) -> list[LogStream]:
    """Streams called `<family or prefix>/<container>/<task id>` of that task, or of the family's newest task."""
    wanted, family = name.rpartition("/")[2], name if name.startswith("arn:") else name.partition(":")[0]
    found: dict[str, list[tuple[int, LogStream]]] = {}
    for group in await every(source, "logs", "DescribeLogGroups", {}, "logGroups"):
        group_name = group["logGroupName"]
        for stream in await every(source, "logs", "DescribeLogStreams", {"logGroupName": group_name}, "logStreams"):
            parts = str(stream["logStreamName"]).split("/")
            if len(parts) >= 3 and ((len(wanted) >= LEAST and parts[-1].startswith(wanted)) or parts[0] == family):
                entry = (stream["creationTime"], LogStream(parts[-2], group_name, stream["logStreamName"], tail=tail))
                found.setdefault(parts[-1], []).append(entry)
    if not found:
        return []
    newest = max(found.values(), key=lambda entries: max(created for created, _ in entries))
    return [stream for _, stream in newest]


async def _print(source: Source, streams: list[LogStream], output: Format) -> bool:
    """Print what is new; whether there was anything."""
    printed = False
    for stream in streams:
        async for event in stream.read(source):
            printed = True
            if output is Format.JSON:
                line: dict[str, Any] = {"timestamp": event["timestamp"], "container": stream.container, "message": event["message"]}
                print_line(_encode(line).decode())
            else:
                print_line(f"{stream.container} | {event['message']}" if len(streams) > 1 else event["message"])
    return printed


def print_kept(lines: list[str], tail: int | None, output: Format) -> None:
    """Print the lines that stand with the incident; their times were not kept."""
    say("The log itself is gone; these last lines were kept with the incident.")
    for message in lines if tail is None else lines[len(lines) - min(tail, len(lines)) :]:
        print_line(_encode({"timestamp": None, "container": None, "message": message}).decode() if output is Format.JSON else message)

"""`ps` and `stop`, and finding a task by a shortened id over all clusters."""

from typing import Annotated, Any

import typer

from hinoban.base.errors import HinobanError
from hinoban.base.units import format_duration
from hinoban.cli.connection import OnlineSource, Source, Target
from hinoban.cli.shell import Format, OutputOption, PortOption, StateOption, print_json, print_table, say, shell_of, with_daemon

SHORT = 8
LEAST = 4
"""How much of an id must be written at least."""
DESCRIBE = 100
HEAD = ("TASK", "FAMILY:REV", "STATUS", "SINCE", "EXIT", "REASON")

Task = dict[str, Any]


def ps(
    ctx: typer.Context,
    everything: Annotated[bool, typer.Option("--all", "-a", help="Stopped tasks too.")] = False,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """List tasks of all clusters, the newest first."""
    shell = shell_of(ctx)

    async def work(source: OnlineSource) -> None:
        tasks = await all_tasks(source, ("RUNNING", "STOPPED") if everything else ("RUNNING",))
        if output is Format.JSON:
            print_json({"tasks": tasks})
        elif tasks:
            now = shell.clock.now()
            print_table(HEAD, [_row(task, now) for task in tasks], shell.environ)
        else:
            say("No tasks." if everything else "No running tasks (stopped ones: hinoban ps -a).")

    with_daemon(ctx, Target(port, state), output, work)


def stop(
    ctx: typer.Context,
    task: Annotated[
        str, typer.Argument(metavar="TASK|FAMILY[:REV]", help="A task's id or ARN (may be shortened), or a family: its only task.")
    ],
    reason: Annotated[str | None, typer.Option("--reason", help="Kept as the task's stopped reason.")] = None,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Stop a task: SIGTERM now, SIGKILL after its stop timeout."""

    async def work(source: OnlineSource) -> None:
        found = to_stop(await all_tasks(source, ("RUNNING", "STOPPED")), task)
        ended = found["lastStatus"] == "STOPPED"
        if not ended:
            params = {"cluster": found["clusterArn"], "task": found["taskArn"]} | ({} if reason is None else {"reason": reason})
            found = (await source.call("ecs", "StopTask", params))["task"]
        name = f"{short(found['taskArn'])} ({family_revision(found)})"
        if output is Format.JSON:
            print_json({"task": found})
        elif ended:
            codes = _codes(found)
            say(f"{name} is already stopped, {'exit ' + codes if codes else 'without an exit code'}.")
        else:
            say(f"Stopping {name}.")

    with_daemon(ctx, Target(port, state), output, work)


async def all_tasks(source: Source, statuses: tuple[str, ...], family: str | None = None) -> list[Task]:
    """Every task of every cluster that ECS still describes, the newest first."""
    tasks: list[Task] = []
    for cluster in await every(source, "ecs", "ListClusters", {}, "clusterArns"):
        arns: list[str] = []
        for status in statuses:
            asked = {"cluster": cluster, "desiredStatus": status} | ({"family": family} if family else {})
            arns += [arn for arn in await every(source, "ecs", "ListTasks", asked, "taskArns") if arn not in arns]
        for index in range(0, len(arns), DESCRIBE):
            answer = await source.call("ecs", "DescribeTasks", {"cluster": cluster, "tasks": arns[index : index + DESCRIBE]})
            tasks += answer.get("tasks", [])
    return sorted(tasks, key=lambda task: float(task.get("createdAt", 0)), reverse=True)


async def every(source: Source, service: str, operation: str, params: dict[str, Any], key: str) -> list[Any]:
    """The items of all pages."""
    items: list[Any] = []
    token = None
    while True:
        answer = await source.call(service, operation, params | ({"nextToken": token} if token else {}))
        items += answer.get(key, [])
        token = answer.get("nextToken")
        if not token:
            return items


def pick(tasks: list[Task], text: str) -> Task | None:
    """The one task whose id begins so, with four characters at the least; HinobanError where several do."""
    wanted = text.rpartition("/")[2].lower()
    found = [task for task in tasks if task_id(task["taskArn"]).startswith(wanted)] if len(wanted) >= LEAST else []
    if len(found) > 1:
        ids = ", ".join(short(task["taskArn"]) for task in found[:5])
        raise HinobanError(f"{text} names {len(found)} tasks", f"all of these begin so: {ids}", "Write more of the id.", exit_code=2)
    return found[0] if found else None


def to_stop(tasks: list[Task], text: str) -> Task:
    """The task meant: the only one of a family that has not stopped, or the one whose id begins so; HinobanError where it is not one."""
    of_family = [task for task in tasks if is_of(text, task["taskDefinitionArn"])]
    live = [task for task in of_family if task["lastStatus"] != "STOPPED"]
    if len(live) > 1:
        ids = ", ".join(f"{short(task['taskArn'])} ({family_revision(task)})" for task in live[:5])
        raise HinobanError(f"{text} has {len(live)} running tasks", f"it may be any of {ids}", "Stop one by its id.", exit_code=2)
    if live:
        return live[0]
    if of_family:
        raise no_such_task(text, f"no task of it runs; the last was {short(of_family[0]['taskArn'])}")
    found = pick(tasks, text)
    if found is None:
        least = f"; an id has {LEAST} characters at the least" if len(text) < LEAST else ""
        raise no_such_task(text, f"no task has that id, and none is of that family{least}")
    return found


def is_of(name: str, definition_arn: str) -> bool:
    """Whether `name` is the definition's family, or family:revision."""
    definition = definition_arn.rpartition("/")[2]
    return name in (definition, definition.partition(":")[0])


def no_such_task(text: str, why: str) -> HinobanError:
    return HinobanError(f"No task {text}", why, "See them with: hinoban ps -a      (older ones: hinoban why NAME)")


def task_id(arn: str) -> str:
    return arn.rpartition("/")[2]


def short(arn: str) -> str:
    """The first 8 characters of a task's id."""
    return task_id(arn)[:SHORT]


def family_revision(task: Task) -> str:
    return str(task["taskDefinitionArn"]).rpartition("/")[2]


def _codes(task: Task) -> str:
    return ",".join(str(container["exitCode"]) for container in task.get("containers", []) if "exitCode" in container)


def _row(task: Task, now: float) -> tuple[str, ...]:
    since = task.get("stoppedAt") or task.get("startedAt") or task.get("createdAt") or now
    reasons = [task.get("stoppedReason", ""), *(container.get("reason", "") for container in task.get("containers", []))]
    return (
        short(task["taskArn"]),
        family_revision(task),
        task["lastStatus"],
        format_duration(now - float(since)),
        _codes(task) or "-",
        " · ".join(dict.fromkeys(reason for reason in reasons if reason)),
    )

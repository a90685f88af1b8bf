"""`why`: what became of a task, an incident, a launch or a name, and what to do next."""

from typing import Annotated, Any

import typer

from hinoban.aws.errors import AwsError
from hinoban.base.clock import DAYS
from hinoban.base.errors import HinobanError
from hinoban.base.text import one_line
from hinoban.cli.connection import Source, Target
from hinoban.cli.remote import EndpointOption, OneOffOption, ProfileOption, Remote
from hinoban.cli.shell import (
    Format,
    OutputOption,
    PortOption,
    Shell,
    StateOption,
    labelled,
    print_json,
    print_line,
    shell_of,
    with_one_off,
    with_source,
)
from hinoban.cli.tasks import Task, all_tasks, family_revision, is_of, pick, short

LOOKS_BACK = 1 * DAYS
PATIENCE = 3
"""How often the watch is asked again, a second apart, about a task that only ECS knows so far."""


def why(
    ctx: typer.Context,
    name: Annotated[
        str, typer.Argument(help="A task, an incident, a launch (ids may be shortened), or a family (:REV): its last bad run.")
    ],
    full: Annotated[bool, typer.Option("--full", help="All lines, not twelve at the most.")] = False,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    region: Annotated[str | None, typer.Option("--region", help="The region to read, with --profile or --endpoint-url.")] = None,
    one_off: OneOffOption = False,
) -> None:
    """Say what happened, why, and what to do next. Works without a daemon too; with --profile on an account that nobody watches."""

    shell = shell_of(ctx)

    async def work(source: Source) -> None:
        answer = await ask(shell, source, name, query(name, full=full or output is Format.JSON))
        if output is Format.JSON:
            print_json(answer)
        else:
            print_story(answer)

    remote = Remote(profile, endpoint_url, one_off, region)
    if remote.wanted:
        with_one_off(ctx, remote, LOOKS_BACK, output, work)
    else:
        with_source(ctx, Target(port, state), output, work)


async def ask(shell: Shell, source: Source, name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The watch's answer; about a task that it has not heard of in a while, what ECS says."""
    try:
        return await source.get("why", asked)
    except HinobanError as error:
        if (known := await _of_revision(source, name)) is not None:
            return await source.get("why", asked | {"name": known})
        task = await _described(source, name)
        if task is None:
            raise
        asked = asked | {"name": task["taskArn"]}
        for _ in range(PATIENCE):
            await shell.pause(1.0)
            try:
                return await source.get("why", asked)
            except HinobanError:
                continue
        return _as_ecs_says(task, error)


async def _of_revision(source: Source, name: str) -> str | None:
    """What `family:revision` means to the watch: the revision's last incident, else its last task."""
    family, colon, revision = name.partition(":")
    if not colon or not revision.isdecimal():
        return None
    try:
        incidents = (await source.get("incidents", {"limit": 1000})).get("incidents", [])
        rows = (await source.get("history", {"family": family, "limit": 1000})).get("tasks", [])
    except HinobanError:
        return None
    found = [one["id"] for one in incidents if one["family"] == family and str(one["revision"]) == revision]
    found += [row["arn"] for row in rows if str(row["revision"]) == revision]
    return found[0] if found else None


async def _described(source: Source, name: str) -> Task | None:
    """The newest task of the family that ECS knows, or the one whose id begins so."""
    try:
        tasks = await all_tasks(source, ("RUNNING", "STOPPED"))
        return next((task for task in tasks if is_of(name, task["taskDefinitionArn"])), None) or pick(tasks, name)
    except (AwsError, HinobanError):
        return None


def _as_ecs_says(task: Task, error: HinobanError) -> dict[str, Any]:
    title = f"{family_revision(task)} · task {short(task['taskArn'])} · {task['lastStatus']}"
    cause = f"Unknown so far: the watch cannot tell ({error.why}). This is what ECS says now."
    said = task.get("stoppedReason", "")
    next_step = f"Ask again: hinoban why {short(task['taskArn'])}"
    labels = [("Cause", cause), ("Said", said), ("Next", next_step)]
    told = {label.lower(): text for label, text in labels if text}
    lines = [title, *(labelled(label, text) for label, text in labels if text)]
    return {"title": title, **told, "lines": lines, "task": task["taskArn"], "launch": None, "log": []}


def query(name: str, *, full: bool) -> dict[str, Any]:
    """What `GET why` is asked."""
    return {"name": name} | ({"full": "true"} if full else {})


def print_story(answer: dict[str, Any]) -> None:
    """The answer's text; how much of it there is was asked with `full`."""
    for line in answer["lines"]:
        print_line(one_line(line))

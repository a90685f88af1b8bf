"""`run`: a definition file or a family, run as a Fargate task; with --wait its log lines and its exit code."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from hinoban.aws.errors import AwsError
from hinoban.base.errors import HinobanError
from hinoban.base.supervise import Group
from hinoban.cli.connection import OnlineSource, Target
from hinoban.cli.definition_file import essential_containers, load, says_the_same
from hinoban.cli.follow import NEVER_STARTED, Ended, Put, describe_definition, follow_task
from hinoban.cli.lease import Lease
from hinoban.cli.retries import follow_retries
from hinoban.cli.shell import Format, OutputOption, PortOption, Shell, StateOption, print_json, print_line, say, shell_of, with_daemon
from hinoban.cli.tasks import short

REFUSED = 4
RETRY_TAG = {"key": "hinoban:retry", "value": "on-start-failure"}
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-hinoban"], "assignPublicIp": "ENABLED"}}


def run_command(
    ctx: typer.Context,
    what: Annotated[str, typer.Argument(metavar="FILE.json|FAMILY[:REV]", help="A task definition file, or a registered family.")],
    command: Annotated[
        list[str] | None, typer.Argument(help="After --: the essential container's command.", metavar="[-- COMMAND...]")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Print its log lines and end with its exit code.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Have the watch retry it if it cannot start.")] = False,
    lease: Annotated[
        str | None,
        typer.Option("--lease", help="Held for so long; --wait renews it, and the watch tells when it has run out.", metavar="30m"),
    ] = None,
    owner: Annotated[str | None, typer.Option("--owner", help="Who looks after it: a name, or the URL of the job.", metavar="URL")] = None,
    count: Annotated[int, typer.Option("--count", help="How many tasks.", min=1, max=10)] = 1,
    cluster: Annotated[str, typer.Option("--cluster", help="The cluster.")] = "default",
    variables: Annotated[
        list[str] | None, typer.Option("-e", "--env", help="A variable of the essential container.", metavar="NAME=VALUE")
    ] = None,
    container: Annotated[
        str | None, typer.Option("--container", help="The container that -e and the command are for, where several are essential.")
    ] = None,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Run a task. Without --wait its id is printed."""
    shell = shell_of(ctx)
    for variable in variables or ():
        if not variable.partition("=")[1]:
            raise typer.BadParameter(f"{variable!r} is not NAME=VALUE.", param_hint="-e")

    async def work(source: OnlineSource) -> int:
        held = Lease(lease, owner)
        definition = await registered(source, what)
        params = request(definition, cluster=cluster, count=count, retry=retry, tags=held.tags())
        if variables or command:
            params["overrides"] = {"containerOverrides": [override(definition, container, variables or [], command or [])]}
        launched_at = shell.clock.now()
        answer = await source.call("ecs", "RunTask", params)
        tasks, failures = answer.get("tasks", []), answer.get("failures", [])
        if output is Format.JSON and not wait:
            print_json({"tasks": tasks, "failures": failures})
        for failure in failures:
            say(f"Refused: {': '.join(str(failure[key]) for key in ('arn', 'reason', 'detail') if failure.get(key))}")
        if not wait:
            return _tell_launch(tasks, failures, definition["family"], retry=retry, output=output)
        put = say if output is Format.JSON else print_line
        arns = [str(task["taskArn"]) for task in tasks]
        renewing = Group(_raise)
        renewing.start(held.renew(shell, source, arns), "lease")
        try:
            ends = await _follow_all(shell, source, cluster, list(arns), put)
            last = next((end for end in ends if end.code), Ended(REFUSED if failures else 0))
            if retry and (failures or last.code == NEVER_STARTED):
                say("The watch will retry it; waiting for that (Ctrl-C leaves it to the watch).")
                last = await follow_retries(
                    shell, source, definition["family"], cluster, since=launched_at, otherwise=last, put=put, launched=arns.append
                )
                ends.append(last)
        finally:
            await renewing.close()
        if output is Format.JSON:
            final = {task["taskArn"]: task for task in (*tasks, *(end.task for end in ends if end.task))}
            print_json({"tasks": list(final.values()), "failures": failures, "exitCode": last.code})
        return last.code

    with_daemon(ctx, Target(port, state), output, work)


async def registered(source: OnlineSource, what: str) -> dict[str, Any]:
    """The definition to run; a file is registered unless the family's latest revision says the same."""
    path = Path(what)
    if not (what.endswith(".json") or path.is_file()):
        return await describe_definition(source, what)
    wanted = load(path)
    tags = wanted.pop("tags", [])
    try:
        answer = await source.call("ecs", "DescribeTaskDefinition", {"taskDefinition": wanted["family"], "include": ["TAGS"]})
    except AwsError as error:
        if error.code not in ("ClientException", "InvalidParameterException"):
            raise
    else:
        latest: dict[str, Any] = answer["taskDefinition"]
        if latest.get("status") == "ACTIVE" and says_the_same(latest, wanted) and says_the_same(answer.get("tags", []), tags):
            return latest
    registration = await source.call("ecs", "RegisterTaskDefinition", wanted | ({"tags": tags} if tags else {}))
    definition: dict[str, Any] = registration["taskDefinition"]
    say(f"Registered {definition['family']}:{definition['revision']}.")
    return definition


def request(definition: dict[str, Any], *, cluster: str, count: int, retry: bool, tags: list[dict[str, str]]) -> dict[str, Any]:
    """The RunTask request, without overrides."""
    tags = [*([RETRY_TAG] if retry else []), *tags]
    params: dict[str, Any] = {
        "cluster": cluster,
        "taskDefinition": definition["taskDefinitionArn"],
        "launchType": "FARGATE",
        "count": count,
        "startedBy": "hinoban-run",
    }
    if definition.get("networkMode") == "awsvpc":
        params["networkConfiguration"] = NETWORK
    if tags:
        params["tags"] = tags
    return params


def override(definition: dict[str, Any], container: str | None, variables: list[str], command: list[str]) -> dict[str, Any]:
    """The override of the container named, else of the only essential one; HinobanError where that is not clear."""
    every = [one["name"] for one in definition["containerDefinitions"]]
    names = [container] if container is not None else essential_containers(definition)
    if len(names) != 1 or names[0] not in every:
        why = f"it has no container {container}" if container else f"several of its containers are essential: {', '.join(names)}"
        raise HinobanError(
            f"Which container of {definition['family']} -e or the command is for is not clear",
            why,
            f"Name one of {', '.join(every)}: --container NAME",
            exit_code=2,
        )
    changes: dict[str, Any] = {"name": names[0]}
    if command:
        changes["command"] = command
    if variables:
        pairs = [variable.partition("=") for variable in variables]
        changes["environment"] = [{"name": name, "value": value} for name, _, value in pairs]
    return changes


def _raise(error: BaseException) -> None:
    raise error


def _tell_launch(tasks: list[dict[str, Any]], failures: list[Any], family: str, *, retry: bool, output: Format) -> int:
    if output is Format.TABLE:
        for task in tasks:
            print_line(str(task["taskArn"]).rpartition("/")[2])
    if failures:
        say(f"The watch will retry it; follow it with: hinoban why {family}" if retry else f"See: hinoban why {family}")
    return REFUSED if failures else 0


async def _follow_all(shell: Shell, source: OnlineSource, cluster: str, arns: list[str], put: Put) -> list[Ended]:
    """Follow the tasks together; how each ended, in the order of the launch."""
    labels = [f"{short(arn)} " if len(arns) > 1 else "" for arn in arns]
    try:
        work = (follow_task(shell, source, cluster, arn, label, put) for arn, label in zip(arns, labels, strict=True))
        return list(await asyncio.gather(*work))
    except asyncio.CancelledError:
        say(f"Left running: {', '.join(short(arn) for arn in arns)} (stop with: hinoban stop {short(arns[0])})")
        raise

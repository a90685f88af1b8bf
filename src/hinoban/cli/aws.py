"""`aws policy`: the IAM rights that Hinoban needs on an AWS account, as a policy document."""

from typing import Annotated

import typer

from hinoban.base.errors import ConfigError
from hinoban.cli.shell import guarded, print_json

app = typer.Typer(help="What Hinoban needs on an AWS account.", no_args_is_help=True)


@app.callback()
def begin() -> None:
    """What Hinoban needs on an AWS account."""


@app.command("policy")
def policy(
    observe: Annotated[bool, typer.Option("--observe", help="To watch: reads only (the default).")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="To launch again what was refused.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="To stop tasks that a policy says to stop.")] = False,
    service: Annotated[bool, typer.Option("--service", help="To scale down or roll back services in a crash loop.")] = False,
    queue: Annotated[
        str | None, typer.Option("--queue", help="The queue that brings events: the rights of reading it.", metavar="ARN")
    ] = None,
    assume: Annotated[
        list[str] | None,
        typer.Option("--assume", help="A further account's role ([[aws.account]] role_arn): the right to take it.", metavar="ROLE_ARN"),
    ] = None,
) -> None:
    """Print the IAM policy document that gives exactly the rights needed; docs/on-aws.md says what each is for."""

    def work() -> None:
        from hinoban.aws import iam_needed

        if queue is not None and not queue.startswith("arn:"):
            raise ConfigError("--queue", f"{queue!r} is no ARN", "Write e.g. arn:aws:sqs:ap-northeast-1:123456789012:hinoban-events")
        for role in assume or ():
            if not (role.startswith("arn:") and ":role/" in role):
                raise ConfigError("--assume", f"{role!r} is no role's ARN", "Write e.g. arn:aws:iam::210987654321:role/hinoban")
        chosen: list[iam_needed.Purpose] = []
        if observe or not (retry or stop or service or queue or assume):
            chosen.append("observe")
        chosen += ["retry"] if retry else []
        chosen += ["stop"] if stop else []
        chosen += ["service"] if service else []
        print_json(iam_needed.policy(chosen, queue_arn=queue, role_arns=assume or ()))

    guarded(work)

"""The command line: names the commands. Each lives in its group's file and imports what is heavy only when it runs."""

from typing import Annotated

import typer

from hinoban.cli import aws, daemon, env, history, incidents, logs, orphans, policy, retry, rules, run, schedules, status, tasks, why
from hinoban.cli.shell import system_shell

app = typer.Typer(
    name="hinoban",
    help="Runs Amazon ECS task definitions on this machine and sees to it that no failure goes unseen.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(asked: bool) -> None:
    if asked:
        daemon.version()
        raise typer.Exit


@app.callback()
def begin(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print Hinoban's version.", is_eager=True, callback=_print_version)] = False,
) -> None:
    """Runs Amazon ECS task definitions on this machine and sees to it that no failure goes unseen."""
    if ctx.obj is None:
        ctx.obj = system_shell()


app.command("up")(daemon.up)
app.command("watch")(daemon.watch)
app.command("env")(env.env)
app.command("run")(run.run_command)
app.command("ps")(tasks.ps)
app.command("why")(why.why)
app.command("logs")(logs.logs)
app.command("retry")(retry.retry)
app.add_typer(incidents.app, name="incidents")
app.add_typer(schedules.app, name="schedules")
app.command("rules")(rules.rules)
app.command("history")(history.history)
app.command("orphans")(orphans.orphans)
app.add_typer(policy.app, name="policy")
app.command("status")(status.status)
app.command("stop")(tasks.stop)
app.add_typer(aws.app, name="aws")
app.command("demo")(daemon.demo)
app.command("version")(daemon.version)


def main() -> None:
    """The entry point of the `hinoban` command."""
    app()

"""`policy try`: what a configuration would have told, retried and stopped, had it been there."""

from pathlib import Path
from typing import Annotated

import typer

from hinoban.base.errors import HinobanError
from hinoban.base.units import parse_duration
from hinoban.cli.connection import Target, readable_state
from hinoban.cli.shell import Format, OutputOption, PortOption, StateOption, guarded, print_json, print_line, shell_of

app = typer.Typer(no_args_is_help=True, help="Policies: try them on what happened before they are used.")


@app.callback()
def begin() -> None:
    """Policies: try them on what happened before they are used."""


@app.command("try")
def try_(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A configuration, as `hinoban up --config` takes it.", metavar="FILE")],
    since: Annotated[str, typer.Option("--since", help="How far back, e.g. 30d.")] = "30d",
    port: PortOption = None,
    state: StateOption = None,
    output: OutputOption = Format.TABLE,
) -> None:
    """Replay what is remembered with the policies of FILE: what would have been told, retried, stopped.

    Changes nothing and calls nobody; a daemon may run meanwhile.
    """

    def work() -> int:
        from hinoban.daemon.policy_try import run_try

        try:
            back = parse_duration(since)
        except ValueError as error:
            raise HinobanError(f"--since {since} cannot be used", str(error), "Write e.g. --since 30d", exit_code=2) from error
        shell = shell_of(ctx)
        found = run_try(readable_state(Target(port, state), shell.environ), file, back, shell.clock)
        if output is Format.JSON:
            print_json({name: value for name, value in found.items() if name != "lines"})
        else:
            for line in found["lines"]:
                print_line(line)
        return 0

    guarded(work, output)

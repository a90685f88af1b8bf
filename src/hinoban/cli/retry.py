"""`retry`: runs once more what failed, with the overrides it was launched with, unless another run lives."""

import getpass
import sys
from typing import Annotated

import typer

from hinoban.base.errors import HinobanError
from hinoban.base.text import one_line
from hinoban.cli.connection import OnlineSource, Target
from hinoban.cli.shell import Format, OutputOption, PortOption, StateOption, print_json, print_line, say, with_daemon
from hinoban.cli.why import query


def retry(
    ctx: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="The task or incident that failed, its id may be shortened; of incidents told as one, all that are lost.",
            metavar="TASK|INCIDENT",
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")] = False,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Run once more what failed, with the same overrides. Refuses while another run of the family lives; never runs twice."""

    async def work(source: OnlineSource) -> int:
        if not yes and not await _agreed(source, name):
            say("Nothing was done.")
            return 1
        answer = await source.post("retry", {"name": name, "by": getpass.getuser()})
        if output is Format.JSON:
            print_json(answer)
        else:
            for one in (answer, *answer["others"]):
                queued = f"attempt {one['attempt']} is queued. See: hinoban why {one['incident']}"
                print_line(one_line(f"{one['incident']}: {queued if one['attempt'] is not None else one['outcome']}"))
        return 1 if any(one["attempt"] is None for one in answer["others"]) else 0

    with_daemon(ctx, Target(port, state), output, work)


async def _agreed(source: OnlineSource, name: str) -> bool:
    """Whether a person at a terminal agrees, who has seen what it is about."""
    if not at_a_terminal():
        raise HinobanError("Nobody is there to ask", "standard input is no terminal", f"Say so: hinoban retry {name} --yes")
    say((await source.get("why", query(name, full=False)))["title"])
    return typer.confirm("Run it once more?", err=True)


def at_a_terminal() -> bool:
    """Whether somebody can be asked."""
    return sys.stdin.isatty()

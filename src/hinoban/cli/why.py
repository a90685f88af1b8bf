"""`why`: what became of a task, an incident, a launch or a name, and what to do next."""

from typing import Annotated, Any

import typer

from hinoban.cli.connection import Source, Target
from hinoban.cli.shell import Format, OutputOption, PortOption, StateOption, print_json, print_line, with_source


def why(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A task, an incident, a launch (ids may be shortened), or a family: its last bad run.")],
    full: Annotated[bool, typer.Option("--full", help="All lines, not twelve at the most.")] = False,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Say what happened, why, and what to do next. Works without a daemon too."""

    async def work(source: Source) -> None:
        answer = await source.get("why", query(name, full=full or output is Format.JSON))
        if output is Format.JSON:
            print_json(answer)
        else:
            print_story(answer)

    with_source(ctx, Target(port, state), output, work)


def query(name: str, *, full: bool) -> dict[str, Any]:
    """What `GET why` is asked."""
    return {"name": name} | ({"full": "true"} if full else {})


def print_story(answer: dict[str, Any]) -> None:
    """The answer's text; how much of it there is was asked with `full`."""
    for line in answer["lines"]:
        print_line(line)

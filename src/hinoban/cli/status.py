"""`status`: what is watched and how late, what is seen, who is told, and what is wrong with the watch itself."""

import typer

from hinoban.cli.connection import Source, Target
from hinoban.cli.shell import Format, OutputOption, PortOption, StateOption, print_json, print_line, with_source


def status(ctx: typer.Context, port: PortOption = None, state: StateOption = None, output: OutputOption = Format.TABLE) -> None:
    """What the watch sees and how late, whom it tells, and where it is blind."""

    async def work(source: Source) -> int:
        found = await source.get("status")
        if output is Format.JSON:
            print_json({name: value for name, value in found.items() if name != "lines"})
        else:
            for line in found["lines"]:
                print_line(line)
        return 0

    with_source(ctx, Target(port, state), output, work)

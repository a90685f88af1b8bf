"""`orphans`: tasks that run and that nobody may want any more, with the command that stops each."""

from typing import Any

import typer

from hinoban.base.units import format_duration
from hinoban.cli.connection import Source, Target
from hinoban.cli.shell import Format, OutputOption, PortOption, StateOption, print_json, print_table, say, shell_of, with_source
from hinoban.cli.tasks import short

HEAD = ("TASK", "RUNNING", "WHY", "USUAL", "OWNER", "STARTED BY", "COST", "STOP IT WITH")
_WHY = {"limit": "past its limit", "lease": "its lease ran out", "usual": "3 times as long as usual"}


def orphans(
    ctx: typer.Context,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """List tasks that no service owns and that ran past their limit, their lease or three times their usual length (exit code 1).

    Works without a daemon too, as they were last seen.
    """
    shell = shell_of(ctx)

    async def work(source: Source) -> int:
        answer = await source.get("orphans")
        found = answer["orphans"]
        if output is Format.JSON:
            print_json(answer)
        elif not found:
            say("No orphan runs.")
        else:
            print_table(HEAD, [_row(one) for one in found], shell.environ)
        return 1 if found else 0

    with_source(ctx, Target(port, state), output, work)


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    name = f"{one['family']}:{one['revision']}" if one["revision"] is not None else one["family"]
    return (
        f"{name} {short(one['task'])}",
        format_duration(one["ran_seconds"]),
        ", ".join(_WHY[reason] for reason in one["reasons"]),
        one["usual"] or "unknown",
        one["owner"] or "unknown",
        one["by"] or one["started_by"] or "unknown",
        one["cost"] or "unknown",
        one["stop"],
    )

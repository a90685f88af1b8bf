"""`why`: what became of a task, an incident, a launch or a name, and what to do next."""

from typing import Annotated, Any

import typer

from hinoban.cli.connection import Source, Target
from hinoban.cli.shell import Format, OutputOption, PortOption, StateOption, print_json, print_line, with_source

LABELS = ("cause", "said", "started", "done", "changed", "usual", "log", "cost", "next")
LABEL_WIDTH = 9
MAX_LINES = 12


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
            print_story(answer, full=full)

    with_source(ctx, Target(port, state), output, work)


def query(name: str, *, full: bool) -> dict[str, Any]:
    """What `GET why` is asked."""
    return {"name": name} | ({"full": "true"} if full else {})


def print_story(answer: dict[str, Any], *, full: bool) -> None:
    """The answer's own text where it has one, else its labels."""
    lines = story_lines(answer)
    for line in lines if full else lines[:MAX_LINES]:
        print_line(line)
    if not full and len(lines) > MAX_LINES:
        print_line(f"({len(lines) - MAX_LINES} more lines: --full)")


def story_lines(answer: dict[str, Any]) -> list[str]:
    """The answer's text; where it has none, line 1 and the labels."""
    text = answer.get("text")
    if isinstance(text, str):
        return text.rstrip("\n").splitlines()
    if isinstance(text, list):
        return [str(line) for line in text]
    lines = [str(answer.get("title", ""))]
    for label in LABELS:
        value = answer.get(label)
        values = value if isinstance(value, list) else str(value).splitlines() if value else []
        lines += [f"{label.capitalize() if index == 0 else '':<{LABEL_WIDTH}}{part}" for index, part in enumerate(values)]
    return lines

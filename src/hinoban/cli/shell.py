"""What every command shares: the way to a source, the two streams, the output format, and how an error ends a command.

Data goes to stdout, words to stderr. Exit codes are listed in docs/cli.md.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec
import typer

from hinoban.aws.errors import AwsError
from hinoban.base.clock import Clock, SystemClock
from hinoban.base.errors import HinobanError
from hinoban.base.text import one_line
from hinoban.cli.connection import OnlineSource, Source, Target, open_daemon, open_source, system_environ
from hinoban.cli.next_steps import next_step
from hinoban.cli.remote import OneOffSource, Remote, open_one_off

_LEAST = 20

EXIT_CODES = {
    0: "done",
    1: "an error answer, a run was lost or may have been (`schedules`), an orphan runs (`orphans`), "
    "or the task was killed or its exit code is unknown (`run --wait`)",
    2: "the command line or the configuration is wrong",
    3: "no daemon answers",
    4: "refused: RunTask answered with failures[], or with an error to `schedules run`",
    125: "`run --wait`: the container never started",
    130: "interrupted with Ctrl-C; tasks go on",
}


class Format(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"


PortOption = Annotated[int | None, typer.Option("--port", help="The daemon's port.", metavar="PORT")]
StateOption = Annotated[Path | None, typer.Option("--state", help="The daemon's state directory.", metavar="DIR")]
OutputOption = Annotated[Format, typer.Option("--output", "-o", help="Print a table, or JSON with documented fields.")]


class Shell(msgspec.Struct, frozen=True):
    """What a command gets from outside; tests hand in their own."""

    clock: Clock
    environ: Mapping[str, str]
    open_daemon: Callable[[Target, Mapping[str, str]], Awaitable[OnlineSource]] = open_daemon
    open_source: Callable[[Target, Mapping[str, str]], Awaitable[Source]] = open_source
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    open_one_off: Callable[[Remote, float, Clock], Awaitable[OneOffSource]] = open_one_off


def system_shell() -> Shell:
    return Shell(SystemClock(), system_environ())


def shell_of(ctx: typer.Context) -> Shell:
    return cast(Shell, ctx.find_root().obj)


def with_daemon(
    ctx: typer.Context, target: Target, output: Format, work: Callable[[OnlineSource], Coroutine[Any, Any, int | None]]
) -> None:
    """Run `work` against the daemon; its result is the exit code."""
    shell = shell_of(ctx)

    async def whole() -> int | None:
        source = await shell.open_daemon(target, shell.environ)
        return await _on(source, output, work(source))

    run(whole, output)


def with_source(ctx: typer.Context, target: Target, output: Format, work: Callable[[Source], Coroutine[Any, Any, int | None]]) -> None:
    """Run `work` against the daemon or, where none answers, its state folder."""
    shell = shell_of(ctx)

    async def whole() -> int | None:
        source = await shell.open_source(target, shell.environ)
        return await _on(source, output, work(source))

    run(whole, output)


def with_one_off(
    ctx: typer.Context, remote: Remote, since: float, output: Format, work: Callable[[Source], Coroutine[Any, Any, int | None]]
) -> None:
    """Run `work` against an account that is read once; what could not be read, and what it took, is said on stderr."""
    shell = shell_of(ctx)

    async def whole() -> int | None:
        began = shell.clock.now()
        source = await shell.open_one_off(remote, since, shell.clock)
        try:
            return await _on(source, output, work(source))
        finally:
            for line in source.problem_lines():
                say(f"Not read: {line}")
            say(f"{shell.clock.now() - began:.0f} s, {source.reads} reads, nothing written.")

    run(whole, output)


async def _on(source: Source, output: Format, work: Coroutine[Any, Any, int | None]) -> int | None:
    """Do the work that uses a source, and close the source; an AWS error is told with its next step."""
    try:
        return await work
    except AwsError as error:
        todo = next_step(error, source.region)
        if output is Format.JSON:
            print_json({"error": {"what": error.code, "why": error.message, "todo": todo}})
        else:
            say(f"An error occurred ({error.code}): {error.message}\n{todo}")
        return 1
    finally:
        await source.close()


def run(work: Callable[[], Coroutine[Any, Any, int | None]], output: Format = Format.TABLE) -> None:
    """Run a command's work; errors become words and an exit code."""
    guarded(lambda: asyncio.run(work()), output)


def guarded(work: Callable[[], int | None], output: Format = Format.TABLE) -> None:
    """Call `work`; errors become words and an exit code."""
    try:
        code = work() or 0
        sys.stdout.flush()
    except HinobanError as error:
        tell_error(error, output)
        code = error.exit_code
    except KeyboardInterrupt:
        say("")
        code = 130
    except BrokenPipeError:
        # Who reads us has seen enough; the interpreter must not complain of it at the end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    raise typer.Exit(code)


def tell_error(error: HinobanError, output: Format) -> None:
    """Its three parts: a line each, or as JSON."""
    if output is Format.JSON:
        print_json({"error": {"what": error.what, "why": error.why, "todo": error.todo}})
        return
    for line in (error.what, error.why, error.todo):
        say(line)


def say(text: str) -> None:
    """Words, to stderr; a terminal only prints them, whoever they are from."""
    typer.echo("\n".join(one_line(line) for line in text.split("\n")), err=True)


def print_line(text: str) -> None:
    """Data, to stdout, at once."""
    typer.echo(text)


def labelled(label: str, text: str) -> str:
    """A line of a story; its text begins where those of the other lines do."""
    return f"{label:<9}{text}"


def print_json(value: Any) -> None:
    """Data as indented JSON, to stdout."""
    typer.echo(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def print_table(head: tuple[str, ...], rows: list[tuple[str, ...]], environ: Mapping[str, str], *, cut: int | None = None) -> None:
    """Columns as wide as what they hold; the head is dim on a terminal unless NO_COLOR is set.

    On a terminal, column `cut` is shortened so that a line stays one line; elsewhere nothing is cut off.
    """
    rows = [tuple(map(one_line, row)) for row in rows]
    if cut is not None and sys.stdout.isatty():
        rows = fitting(head, rows, cut, shutil.get_terminal_size().columns)
    widths = _widths(head, rows)
    for index, row in enumerate((head, *rows)):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        print_line(typer.style(line, dim=True) if index == 0 and coloured(environ) else line)


def fitting(head: tuple[str, ...], rows: list[tuple[str, ...]], cut: int, columns: int) -> list[tuple[str, ...]]:
    """The rows with column `cut` shortened to an ellipsis where a line would be wider than `columns`; it keeps a few words at least."""
    others = sum(width for column, width in enumerate(_widths(head, rows)) if column != cut) + 2 * (len(head) - 1)
    room = max(columns - others, _LEAST)
    short = [cell if len(cell := row[cut]) <= room else cell[: room - 1].rstrip() + "…" for row in rows]
    return [(*row[:cut], cell, *row[cut + 1 :]) for row, cell in zip(rows, short, strict=True)]


def _widths(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[int]:
    return [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]


def coloured(environ: Mapping[str, str]) -> bool:
    return sys.stdout.isatty() and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"

"""Every `hinoban ...` that a text of the watch tells somebody to type is a command line that the CLI takes."""

import ast
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup
from typer.exceptions import TyperException

import hinoban.watch
from hinoban.cli.main import app
from hinoban.watch.commands import COMMAND
from hinoban.watch.explain.catalogue import entries
from hinoban.watch.explain.filling import fill

ROOT = Path(hinoban.watch.__file__).parent
CLI = typer.main.get_command(app)


def commands_of(text: str) -> Iterator[str]:
    return (found[1] for found in COMMAND.finditer(text))


def of_the_catalogue() -> Iterator[str]:
    for entry in entries():
        for lang in ("en", "ja"):
            words = entry.text(lang)
            yield from commands_of(fill(words.next, {}, lang))
            yield from commands_of(fill(words.cause, {}, lang))


def of_the_code() -> Iterator[str]:
    """In every text of the watch, what is filled in standing as one word."""
    for file in ROOT.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        parts = {part for node in nodes if isinstance(node, ast.JoinedStr) for part in node.values}
        parts |= {node.value for node in nodes if isinstance(node, ast.Expr)}  # docstrings
        for node in nodes:
            if isinstance(node, ast.JoinedStr):
                yield from commands_of("".join(str(one.value) if isinstance(one, ast.Constant) else "X" for one in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in parts:
                yield from commands_of(node.value)


def parsed(line: str) -> None:
    """TyperException where the CLI does not take it; nothing is run."""
    command, words = CLI, shlex.split(line)
    context = command.make_context("hinoban", words)
    while isinstance(command, TyperGroup) and (words := [*context._protected_args, *context.args]):
        _, found, words = command.resolve_command(context, words)
        assert found is not None
        command = found
        context = command.make_context(command.name or "", words, parent=context)


@pytest.mark.parametrize("line", sorted({*of_the_catalogue(), *of_the_code()}))
def test_what_somebody_is_told_to_type_is_a_command_line(line: str) -> None:
    parsed(line)


def test_commands_are_found_in_the_texts() -> None:
    found = {line.split()[0] for line in (*of_the_catalogue(), *of_the_code())}
    assert found >= {"logs", "retry", "run", "history", "schedules", "why", "stop", "aws", "incidents"}


def test_one_that_the_cli_lacks_is_noticed() -> None:
    with pytest.raises(TyperException, match="No such option: --family"):
        parsed("ps -a --family X")

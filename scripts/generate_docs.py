"""Writes the documentation that is generated: `generate_docs.py [NAME ...]` writes, `--check` fails where a file is stale.

A generated page is one entry in `PAGES`: its file below docs/ and the function that gives its text.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import typer.main

from hinoban.cli.main import app
from hinoban.cli.shell import EXIT_CODES

DOCS = Path(__file__).resolve().parents[1] / "docs"

CLI_HEAD = """# The command line

<!-- Written by scripts/generate_docs.py from the commands themselves; change them, then run it. -->

Data goes to stdout, words to stderr. Tables are plain where the output is not a terminal, and without colour where `NO_COLOR` is set.
Ids may be shortened, to four characters at the least.

Client commands find the daemon by `--port` and `--state`, else by `AWS_ENDPOINT_URL` and the keys beside it (`eval "$(hinoban env)"`), else
in the state directory: `$HINOBAN_STATE`, `$XDG_STATE_HOME/hinoban`, or `~/.local/state/hinoban`. Where no daemon answers, `why`, `incidents`,
`orphans` and `logs` read the state directory (the demo's `.demo` where the usual one remembers nothing), and say so on stderr.
"""

CLI_JSON = """## JSON

`-o json` prints one object, with these fields; members inside are named as in the AWS API or in the page that is linked.

| command | fields |
|---|---|
| `run` | `tasks`, `failures`: as RunTask answers; with `--wait` once at the end: the tasks as they ended, and `exitCode`; \
log lines go to stderr |
| `ps` | `tasks`: as DescribeTasks answers, the newest first |
| `stop` | `task`: as StopTask answers |
| `logs` | an object a line: `timestamp` (ms), `container`, `message` |
| `why` | `title`; the text's labels in lower case where they apply: `cause`, `said`, `done`, `stopped`, `started`, `owner`, `changed`, `usual`, `cost`, \
`next`; `log` (lines), `lines` (the text), `attempts` (`number`, `at`, `started_by`, `caller`, `outcome`, `task`, `note`), `caller` (the ARN that \
called RunTask), `incident`, `lead` and `members` (of a group), `state`, `verdict`, \
`task`, `cluster`, `task_definition`, `containers` (`name`, `runtimeId`), `launch` |
| `incidents` | `incidents`: objects with `id`, `state`, `verdict`, `detector`, `family`, `revision`, `cluster`, `region`, `account`, \
`task`, `launch`, `opened_at`, `changed_at`, `resolved_at`, `acknowledged_by`, `acknowledged_until`, \
`cause`, `said`, `next`, `retryable`, `done`, `facts`, `told`, `attempts`, `lead`, `members`, `members_open`, `row` |
| `orphans` | `orphans`: objects as in [the JSON API](json-api.md#orphans); `as_of`, `tz` |
| `incidents show` | the incident, and `log` (lines) |
| `incidents show --markdown` | `id`, `lang`, `markdown` |
| `incidents ack`, `snooze`, `reopen`, `resolve` | the incident as it is now |
| `rules` | `rules`: objects with `region`, `bus`, `name`, `arn`, `state`, `pattern`, `schedule`, `matched`, `targets` (`id`, `arn`, `delivered`, \
`failed`, `last_failure`: `at`, `code`, `message`, `why`, `repair`), `sees_only_services`; `schedules`: objects with `region`, `group`, `name`, \
`arn`, `target`, `delivered`, `failed`, `last_failure`; `pattern_that_sees_tasks`: an event pattern, or null |
| `rules --policy` | a resource policy: `Version`, `Statement` |
| `schedules` | `account`, `regions`, `tz`, `since`, `until`, `schedules`, `due`, `lost` (`slot`, `name`, `kind`, `region`, `verdict`, `what`, \
`incident`, `hops`), `runs` (how many by outcome), `ambiguous`, `list` (`name`, `kind`, `group`, `region`, `arn`, `expression`, `timezone`, \
`words`, `state`, `families`, `window_minutes`, `last`, `next`, `problem`), `not_watched`, `changes` (`name`, `what`, `at`, `by`) |
| `schedules run` | `name`, `slot`, `task`, `incident`, `outcome` |
| `schedules catch-up` | `name`, `queued` (slots), `skipped` (`slot`, `why`) |
| `version` | `version` |

An error is `{"error": {"what": ..., "why": ..., "todo": ...}}`; for an AWS error `what` is its code and `why` its message.
"""


def cli_page() -> str:
    """docs/cli.md, from the typer application."""
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())
    group = typer.main.get_command(app)
    context = click.Context(group, info_name="hinoban")
    sections = "\n".join(_command_sections(group, context))
    return f"{CLI_HEAD}\n## Exit codes\n\n| code | meaning |\n|---|---|\n{codes}\n\n{CLI_JSON}\n{sections}"


def _command_sections(command: click.Command, context: click.Context) -> Iterator[str]:
    for name in command.list_commands(context):
        child = command.get_command(context, name)
        if child is None or child.hidden:
            continue
        inner = click.Context(child, info_name=name, parent=context)
        yield f"## {inner.command_path}\n\n{child.help or ''}\n\n```\n{child.get_usage(inner)}\n```\n"
        rows = [record for parameter in child.get_params(inner) if (record := _described(parameter, inner))]
        if rows:
            yield "| | |\n|---|---|\n" + "\n".join(f"| `{what}` | {_cell(text)} |" for what, text in rows) + "\n"
        if hasattr(child, "list_commands"):
            yield from _command_sections(child, inner)


def _described(parameter: click.Parameter, context: click.Context) -> tuple[str, str] | None:
    record = parameter.get_help_record(context)
    if record is None or parameter.name == "help":
        return None
    return record


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


PAGES: dict[str, tuple[str, Callable[[], str]]] = {"cli": ("cli.md", cli_page)}


def main() -> int:
    """Write or check the pages asked for (all of them by default)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"pages: {', '.join(PAGES)}")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where a page is stale")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(PAGES):
        parser.error(f"no such page: {', '.join(sorted(unknown))}; there are: {', '.join(PAGES)}")
    stale = []
    for name, (file, make) in PAGES.items():
        path, text = DOCS / file, make()
        if (arguments.names and name not in arguments.names) or (path.exists() and path.read_text() == text):
            continue
        stale.append(name)
        if not arguments.check:
            path.write_text(text)
            print(f"wrote {path.relative_to(DOCS.parent)}")
    if arguments.check and stale:
        print(f"stale: {', '.join(stale)}; run: python scripts/generate_docs.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""`history`: every task that was ever seen, by what is known of it; as a table, JSON or CSV."""

import csv
import sys
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from hinoban.base.units import format_duration, iso, local_day_time, parse_duration, parse_iso
from hinoban.cli.connection import Source, Target
from hinoban.cli.shell import Format, PortOption, StateOption, print_json, print_table, say, shell_of, with_source

HEAD = ("TASK", "STARTED", "RAN", "ENDED", "STARTED BY", "ID")
COLUMNS = (
    "id",
    "family",
    "revision",
    "cluster",
    "region",
    "account",
    "group",
    "started_by",
    "created_at",
    "started_at",
    "stopped_at",
    "ran_seconds",
    "last_status",
    "stop_code",
    "exit_code",
    "verdict",
    "class",
    "arn",
)
"""The columns of CSV: a task's fields as the JSON API names them."""

TABLE_ROWS, FILE_ROWS, PAGE_ROWS = 100, 10_000, 1000
LIMIT_HELP = f"How many, the newest first. [default: {TABLE_ROWS} in a table, {FILE_ROWS} as JSON or CSV]"
CLASS_HELP = (
    "That went wrong for this reason, as the catalogue names it, e.g. no_capacity; or for one of a class: capacity, network, permission, "
    "definition, program, memory, user, scheduler, spot, host, platform, throttling, unknown."
)


class HistoryFormat(StrEnum):
    """How the history is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def history(
    ctx: typer.Context,
    family: Annotated[str | None, typer.Option("--family", help="Of this family, or FAMILY:REVISION.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="Created since: 24h, 30d, or a moment of ISO 8601.")] = None,
    until: Annotated[str | None, typer.Option("--until", help="Created until: likewise.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that went wrong.")] = False,
    good: Annotated[bool, typer.Option("--good", help="Only those that ended well.")] = False,
    cluster: Annotated[str | None, typer.Option("--cluster", help="On this cluster.")] = None,
    service: Annotated[str | None, typer.Option("--service", help="Of this service.")] = None,
    schedule: Annotated[str | None, typer.Option("--schedule", help="Started by this rule or schedule, retries included.")] = None,
    started_by: Annotated[str | None, typer.Option("--started-by", help="With exactly this startedBy.")] = None,
    task_id: Annotated[str | None, typer.Option("--id", help="Whose id begins so.")] = None,
    stop_code: Annotated[str | None, typer.Option("--stop-code", help="With this stopCode, e.g. TaskFailedToStart.")] = None,
    exit_code: Annotated[int | None, typer.Option("--exit-code", help="With this exit code.")] = None,
    verdict: Annotated[str | None, typer.Option("--verdict", help="With this verdict, e.g. 'OUT OF MEMORY'.")] = None,
    reason: Annotated[str | None, typer.Option("--class", help=CLASS_HELP)] = None,
    region: Annotated[str | None, typer.Option("--region", help="Of this region.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", help=LIMIT_HELP, min=1, show_default=False)] = None,
    output: Annotated[HistoryFormat, typer.Option("--output", "-o", help="table, json or csv.")] = HistoryFormat.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """List remembered tasks, the newest first. Works without a daemon too."""
    if failed and good:
        raise typer.BadParameter("it is one or the other", param_hint="--failed, --good")
    name, _, revision = (family or "").partition(":")
    shell = shell_of(ctx)
    asked = {
        "family": name or None,
        "revision": revision or None,
        "since": _moment(since, shell.clock.now(), "--since"),
        "until": _moment(until, shell.clock.now(), "--until"),
        "outcome": "failed" if failed else "good" if good else None,
        "cluster": cluster,
        "service": service,
        "schedule": schedule,
        "started_by": started_by,
        "id": task_id,
        "stop_code": stop_code,
        "exit_code": exit_code,
        "verdict": verdict,
        "class": reason,
        "region": region,
    }
    most = limit or (TABLE_ROWS if output is HistoryFormat.TABLE else FILE_ROWS)

    async def work(source: Source) -> None:
        found, more = await _all(source, {key: value for key, value in asked.items() if value is not None}, most)
        if output is HistoryFormat.JSON:
            print_json({"tasks": found})
        elif output is HistoryFormat.CSV:
            writer = csv.DictWriter(sys.stdout, COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)
        elif not found:
            say("No task that fits is remembered.")
        else:
            from hinoban.daemon.config import local_zone

            zone = ZoneInfo(local_zone())
            print_table(HEAD, [_row(task, zone) for task in found], shell.environ)
        if more:
            say(f"These are the newest {len(found)}; there are more: --limit, --since and --until.")

    with_source(ctx, Target(port, state), Format.JSON if output is HistoryFormat.JSON else Format.TABLE, work)


async def _all(source: Source, asked: dict[str, Any], most: int) -> tuple[list[dict[str, Any]], bool]:
    """The newest `most` tasks, asked for page by page, and whether there are more."""
    found: list[dict[str, Any]] = []
    following: dict[str, str] = {}
    while True:
        answer = await source.get("history", {**asked, "limit": min(most - len(found), PAGE_ROWS), **following})
        found += answer["tasks"]
        if answer["next"] is None or len(found) >= most:
            return found, answer["next"] is not None
        following = {"after": answer["next"]}


def _row(task: dict[str, Any], zone: ZoneInfo) -> tuple[str, ...]:
    began = task["started_at"] or task["created_at"]
    ran = task["ran_seconds"]
    ended = task["verdict"] or (
        task["last_status"] if task["open"] else "exit 0" if task["exit_code"] == 0 else task["stop_code"] or "STOPPED"
    )
    name = f"{task['family']}:{task['revision']}" if task["revision"] is not None else task["family"]
    return (
        name,
        local_day_time(parse_iso(began), zone) if began else "unknown",
        format_duration(ran) if ran is not None else "",
        ended,
        task["started_by"] or "",
        task["id"][:8],
    )


def _moment(text: str | None, now: float, option: str) -> str | None:
    """`30d` ago, or a moment with its zone, in UTC; BadParameter where it is neither."""
    if text is None:
        return None
    try:
        return iso(now - parse_duration(text))
    except ValueError:
        pass
    try:
        return iso(parse_iso(text))
    except ValueError as error:
        raise typer.BadParameter(f"{error}; write e.g. 30d, or 2026-11-27T00:00+09:00", param_hint=f"{option} {text}") from error

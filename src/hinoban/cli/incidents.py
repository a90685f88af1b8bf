"""`incidents`: what went wrong, newest first; one in full, or as a post-mortem; taking one on, putting it off, reopening and closing it."""

import enum
import getpass
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from hinoban.base.errors import ConfigError
from hinoban.base.units import local_day_time, parse_duration, parse_iso
from hinoban.cli.connection import OnlineSource, Source, Target
from hinoban.cli.shell import (
    Format,
    OutputOption,
    PortOption,
    StateOption,
    guarded,
    print_json,
    print_line,
    print_table,
    say,
    shell_of,
    with_daemon,
    with_source,
)
from hinoban.cli.why import print_story, query

HEAD = ("INCIDENT", "TASK", "WHAT HAPPENED", "OPENED", "STATE")
HAPPENED = HEAD.index("WHAT HAPPENED")


class Lang(enum.Enum):
    """A post-mortem's language."""

    EN = "en"
    JA = "ja"


app = typer.Typer(help="List incidents, show one, take one on, put one off, reopen or close it.", invoke_without_command=True)


@app.callback()
def begin(
    ctx: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only open ones.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Each by itself, also those that were told together with others.")] = False,
    limit: Annotated[int, typer.Option("--limit", help="How many.", min=1, max=1000)] = 50,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """List incidents, the newest first. Works without a daemon too."""
    if ctx.invoked_subcommand is None:
        _list(ctx, only_open=only_open, everything=everything, limit=limit, output=output, target=Target(port, state))


@app.command("list")
def list_incidents(
    ctx: typer.Context,
    only_open: Annotated[bool, typer.Option("--open", help="Only open ones.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Each by itself, also those that were told together with others.")] = False,
    limit: Annotated[int, typer.Option("--limit", help="How many.", min=1, max=1000)] = 50,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """List incidents, the newest first."""
    _list(ctx, only_open=only_open, everything=everything, limit=limit, output=output, target=Target(port, state))


@app.command("show")
def show(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(help="The incident's id; it may be shortened.")],
    full: Annotated[bool, typer.Option("--full", help="All lines, not twelve at the most.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="A post-mortem to fill in, of its whole group.")] = False,
    lang: Annotated[Lang | None, typer.Option("--lang", help="Of the post-mortem; else that of messages.")] = None,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Show one incident as `why` tells it; JSON is the incident itself, with --markdown its post-mortem."""

    async def work(source: Source) -> None:
        if markdown:
            answer = await source.get(f"incidents/{incident}/postmortem", {"lang": lang.value} if lang else {})
            if output is Format.JSON:
                print_json(answer)
            else:
                print_line(answer["markdown"].rstrip("\n"))
        elif output is Format.JSON:
            print_json(await source.get(f"incidents/{incident}"))
        else:
            print_story(await source.get("why", query(incident, full=full)))

    with_source(ctx, Target(port, state), output, work)


@app.command("ack")
def acknowledge(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(help="The incident's id; it may be shortened.")],
    duration: Annotated[str | None, typer.Option("--for", help="For how long, e.g. 24h; without it until it is resolved.")] = None,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Take an incident on: it is told no more until then."""

    async def work(source: OnlineSource) -> None:
        by = getpass.getuser()
        answer = await source.post(f"incidents/{incident}/ack", {"for": duration, "by": by})
        if output is Format.JSON:
            print_json(answer)
        else:
            until = f"for {duration}" if duration else "until it is resolved"
            say(f"{answer['id']} is acknowledged by {by} {until}.")

    if duration is not None:
        guarded_duration(duration, output)
    with_daemon(ctx, Target(port, state), output, work)


@app.command("snooze")
def snooze(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(help="The incident's id; it may be shortened.")],
    duration: Annotated[str, typer.Option("--for", help="For how long, e.g. 2h; then it is told again, unless it is over.")],
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Hear no more of an incident for a while; of a lead: nor of its whole group."""

    async def work(source: OnlineSource) -> None:
        answer = await source.post(f"incidents/{incident}/snooze", {"for": duration, "by": getpass.getuser()})
        if output is Format.JSON:
            print_json(answer)
        else:
            say(f"{answer['id']} is snoozed for {duration}; it is told again then, unless it is over.")

    guarded_duration(duration, output)
    with_daemon(ctx, Target(port, state), output, work)


@app.command("reopen")
def reopen(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(help="The incident's id; it may be shortened.")],
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Open an incident again: it is not over, or whoever took it has it no more."""

    async def work(source: OnlineSource) -> None:
        answer = await source.post(f"incidents/{incident}/reopen", {"by": getpass.getuser()})
        if output is Format.JSON:
            print_json(answer)
        else:
            say(f"{answer['id']} is open again.")

    with_daemon(ctx, Target(port, state), output, work)


@app.command("resolve")
def resolve(
    ctx: typer.Context,
    incident: Annotated[str, typer.Argument(help="The incident's id; it may be shortened.")],
    note: Annotated[str, typer.Option("--note", help="Why, in your words; kept with it.")] = "",
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Close an incident by hand. Retries that wait for it end."""

    async def work(source: OnlineSource) -> None:
        by = getpass.getuser()
        answer = await source.post(f"incidents/{incident}/resolve", {"by": by, "note": note})
        if output is Format.JSON:
            print_json(answer)
        else:
            say(f"{answer['id']} is resolved by {by}.")

    with_daemon(ctx, Target(port, state), output, work)


def guarded_duration(text: str, output: Format) -> None:
    """End the command where the duration cannot be read."""
    try:
        parse_duration(text)
    except ValueError as error:
        failure = ConfigError("--for", str(error), "Try: --for 24h")

        def fail() -> int:
            raise failure

        guarded(fail, output)


def opened_at(incident: dict[str, Any]) -> float:
    """When it was opened, in seconds since the epoch."""
    return parse_iso(incident["opened_at"])


def _list(ctx: typer.Context, *, only_open: bool, everything: bool, limit: int, output: Format, target: Target) -> None:
    shell = shell_of(ctx)

    async def work(source: Source) -> None:
        from hinoban.daemon.config import local_zone

        asked = {"limit": limit} | ({"state": "open"} if only_open else {}) | ({} if everything else {"leads": "true"})
        answer = await source.get("incidents", asked)
        incidents = answer.get("incidents", [])
        if output is Format.JSON:
            print_json({"incidents": incidents})
        elif incidents:
            zone = ZoneInfo(answer.get("tz") or local_zone())
            print_table(HEAD, [_row(incident, zone) for incident in incidents], shell.environ, cut=HAPPENED)
        else:
            say("No incidents.")

    with_source(ctx, target, output, work)


def _row(incident: dict[str, Any], zone: ZoneInfo) -> tuple[str, ...]:
    revision = f":{incident['revision']}" if incident.get("revision") is not None else ""
    task = f" {incident['task'].rpartition('/')[2][:8]}" if incident.get("task") else ""
    by = f" by {incident['acknowledged_by']}" if incident["state"] in ("acknowledged", "snoozed") else ""
    members, still = incident.get("members") or (), incident.get("members_open") or 0
    # One line stands for all: as long as any of them is open, it is.
    state = "OPEN" if members and still and incident["state"] == "resolved" else str(incident["state"]).upper() + by
    many = f"  ×{len(members) + 1}" if members else ""
    return (
        incident["id"],
        f"{incident['family'] or 'unknown'}{revision}{task}{many}",
        f"{incident['verdict']}: {incident['cause']}",
        local_day_time(opened_at(incident), zone),
        state,
    )

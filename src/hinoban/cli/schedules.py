"""`schedules`: what was due, what was lost and what comes next; launching a slot by hand, and catching up on several."""

import getpass
import re
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import msgspec
import typer
from typer.core import TyperGroup

from hinoban.base.errors import ConfigError
from hinoban.base.text import one_line
from hinoban.base.units import iso_seconds, local_day_time, parse_duration
from hinoban.cli.connection import OnlineSource, Source, Target
from hinoban.cli.incidents import guarded_duration
from hinoban.cli.remote import EndpointOption, OneOffOption, ProfileOption, Remote
from hinoban.cli.rules import unknown
from hinoban.cli.schedule_texts import Row, caught_up, exit_code, label, launched, screen, story
from hinoban.cli.shell import Format, OutputOption, PortOption, StateOption, print_json, print_line, shell_of, with_daemon, with_one_off

NEXT_OF_ONE = 5
REFUSED = 4
_WALL = "Write e.g. 2026-11-27T00:00+09:00, 2026-11-27 00:00, or 00:00."
_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")


class NameOrCommand(TyperGroup):
    """A group whose first word may also be a schedule's name: it is shown then."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            return "show", self.commands["show"], args
        return super().resolve_command(ctx, args)


app = typer.Typer(
    cls=NameOrCommand,
    help="What was due, what was lost (exit code 1) and what comes next; `hinoban schedules NAME` tells of one.",
    invoke_without_command=True,
    subcommand_metavar="[NAME | COMMAND [ARGS]...]",
)

SinceOption = Annotated[str | None, typer.Option("--since", help="How far to look back, e.g. 24h (the default).", metavar="TIME")]
NextOption = Annotated[int | None, typer.Option("--next", help="How many coming slots of each to show.", min=0, max=100)]
RegionOption = Annotated[str | None, typer.Option("--region", help="Only schedules of this region.")]


class Asked(msgspec.Struct, frozen=True):
    """What the listing was asked for; options may stand before a name and behind it."""

    since: str | None
    coming: int | None
    region: str | None
    output: Format
    remote: Remote


@app.callback()
def begin(
    ctx: typer.Context,
    since: SinceOption = None,
    coming: NextOption = None,
    region: RegionOption = None,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    one_off: OneOffOption = False,
) -> None:
    """What was due, what was lost (exit code 1) and what comes next; `hinoban schedules NAME` tells of one.

    With --profile or --endpoint-url an account is read once: it needs no daemon, and nothing is written.
    """
    if ctx.invoked_subcommand is None:
        remote = Remote(profile, endpoint_url, one_off, region)
        _show(ctx, None, Asked(since, coming, region, output, remote), Target(port, state))


@app.command("show")
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The schedule's name, or GROUP/NAME.")],
    since: SinceOption = None,
    coming: NextOption = None,
    region: RegionOption = None,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
    profile: ProfileOption = None,
    endpoint_url: EndpointOption = None,
    one_off: OneOffOption = False,
) -> None:
    """One schedule: what became of its runs, and its next ones. The word `show` may be left out."""
    before = ctx.parent.params if ctx.parent is not None else {}
    asked = Asked(
        since or before.get("since"),
        before.get("coming") if coming is None else coming,
        region or before.get("region"),
        Format.JSON if Format.JSON in (output, before.get("output")) else Format.TABLE,
        Remote(
            profile or before.get("profile"),
            endpoint_url or before.get("endpoint_url"),
            one_off or bool(before.get("one_off")),
            region or before.get("region"),
        ),
    )
    _show(ctx, name, asked, Target(port or before.get("port"), state or before.get("state")))


@app.command("run")
def run_slot(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The schedule's name, or GROUP/NAME.")],
    slot: Annotated[str | None, typer.Option("--slot", help="The slot to run for; without it, now.", metavar="TIME")] = None,
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Launch a schedule's target now, as for that slot. A slot that was launched already is not launched twice."""
    shell = shell_of(ctx)

    async def work(source: OnlineSource) -> int:
        zone = await _zone_of(source)
        moment = None if slot is None else moment_of(slot, "--slot", zone, shell.clock.now())
        asked = {"name": name, "slot": None if moment is None else iso_seconds(moment), "by": getpass.getuser()}
        answer = await source.post("schedules/run", asked)
        if output is Format.JSON:
            print_json(answer)
        else:
            print_line(one_line(launched(answer, zone)))
        return 0 if answer["task"] or answer["slot"] else REFUSED if str(answer["outcome"]).startswith("refused") else 1

    with_daemon(ctx, Target(port, state), output, work)


@app.command("catch-up")
def catch_up(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="The schedule's name, or GROUP/NAME.")],
    begin_at: Annotated[str, typer.Option("--from", help="The first slot.", metavar="TIME")],
    end_at: Annotated[str, typer.Option("--to", help="The last slot.", metavar="TIME")],
    output: OutputOption = Format.TABLE,
    port: PortOption = None,
    state: StateOption = None,
) -> None:
    """Launch the slots of a time that were lost, one after another; those that ran are skipped."""
    shell = shell_of(ctx)

    async def work(source: OnlineSource) -> None:
        zone = await _zone_of(source)
        first, last = (moment_of(text, key, zone, shell.clock.now()) for text, key in ((begin_at, "--from"), (end_at, "--to")))
        if last < first:
            raise ConfigError("--to", f"{local_day_time(last, zone)} is before --from, {local_day_time(first, zone)}", "Swap the two.")
        answer = await source.post(
            "schedules/catch-up", {"name": name, "from": iso_seconds(first), "to": iso_seconds(last), "by": getpass.getuser()}
        )
        if output is Format.JSON:
            print_json(answer)
        else:
            for line in caught_up(answer, zone):
                print_line(one_line(line))

    with_daemon(ctx, Target(port, state), output, work)


def moment_of(text: str, key: str, zone: ZoneInfo, now: float) -> float:
    """The moment of ISO 8601 with a zone, of a wall time in `zone`, or of HH:MM: the last one that is not to come."""
    try:
        if (clock := _CLOCK.fullmatch(text)) is not None:
            return _latest(int(clock[1]), int(clock[2]), zone, now)
        wall = datetime.fromisoformat(text)
        moment = wall.timestamp() if wall.tzinfo is not None else _of_wall(wall, zone)
    except (ValueError, OverflowError):
        raise ConfigError(key, f"{text!r} is no time", _WALL) from None
    if moment is None:
        raise ConfigError(key, f"there is no {text} in {zone.key}: the clock was set forward over it", _WALL)
    return moment


def _latest(hour: int, minute: int, zone: ZoneInfo, now: float) -> float:
    """The last time that clocks in the zone showed this."""
    today = datetime.fromtimestamp(now, zone).replace(hour=hour, minute=minute, second=0, microsecond=0, tzinfo=None)
    days = (_of_wall(today - timedelta(days=back), zone) for back in range(3))
    return next(moment for moment in days if moment is not None and moment <= now)


def _of_wall(wall: datetime, zone: ZoneInfo) -> float | None:
    """The wall time's moment in the zone, the first of two; None where the clock skips it."""
    moment = wall.replace(tzinfo=zone).timestamp()
    return moment if datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0) == wall else None


def _show(ctx: typer.Context, name: str | None, asked: Asked, target: Target) -> None:
    since = asked.since or "24h"
    guarded_duration(since, asked.output)
    coming = asked.coming if asked.coming is not None else NEXT_OF_ONE if name is not None else 0
    query: Row = {"since": int(parse_duration(since)), "next": coming} | ({"region": asked.region} if asked.region else {})

    async def work(source: Source) -> int:
        answer = await source.get("schedules", query)
        if name is not None:
            answer = _named(answer, name)
        if asked.output is Format.JSON:
            print_json(answer)
        else:
            for line in screen(answer) if name is None else story(answer, answer["list"][0]["name"]):
                print_line(one_line(line))
        return exit_code(answer)

    if asked.remote.wanted:
        with_one_off(ctx, asked.remote, parse_duration(since), asked.output, work)
    else:
        with_daemon(ctx, target, asked.output, work)


def _named(answer: Row, name: str) -> Row:
    """The answer cut down to the schedules of that name; HinobanError where there is none."""
    found = [one for one in answer["list"] if name in (one["name"], label(one), one["arn"])]
    if not found:
        known = list(dict.fromkeys(label(one) if one["group"] else one["name"] for one in answer["list"]))
        raise unknown("schedule", name, known, "hinoban schedules --next 1")
    names = {one["name"] for one in found}
    return answer | {"list": found} | {kind: [one for one in answer[kind] if one["name"] in names] for kind in ("lost", "changes")}


async def _zone_of(source: OnlineSource) -> ZoneInfo:
    """The zone that the watch is told to speak in."""
    return ZoneInfo((await source.get("schedules", {"since": 60, "next": 0}))["tz"])

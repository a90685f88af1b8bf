"""The words of `schedules`: the listing, one schedule's story, and what was launched by hand. PURE: answers in, lines out."""

from typing import Any
from zoneinfo import ZoneInfo

from hinoban.base.units import local, local_day_time, parse_iso
from hinoban.cli.shell import labelled

EXIT_COLUMN = 121
"""Where the exit word stands in the first line."""
_LEAST_VERDICT = 10
_DAY_TIME = len("24 Nov 00:00")
_HOPS = ("enabled", "fired", "RunTask", "task", "exit")
_NOT_LAUNCHED = {"waiting": "waiting for their launch", "unseen": "unknown: launches cannot be seen without cloudtrail:LookupEvents"}
_OUTCOMES = {"unknown": "result unknown"}

Row = dict[str, Any]


def launched(answer: Row, zone: ZoneInfo) -> str:
    """What became of one slot that was asked for."""
    what = answer["name"] + (f" for its slot {local_day_time(parse_iso(answer['slot']), zone)}" if answer["slot"] else "")
    incident = f" · {answer['incident']}" if answer["incident"] else ""
    if answer["task"]:
        return f"Launched {what}: task {answer['task'].rpartition('/')[2][:8]}{incident}"
    if answer["slot"]:
        return f"Queued {what}: see it with hinoban why {answer['incident']}"
    return f"Did not launch {what}: {answer['outcome']}{incident}"


def caught_up(answer: Row, zone: ZoneInfo) -> list[str]:
    """What is launched now, and what is not and why."""
    queued = [_when(slot, zone) for slot in answer["queued"]]
    name = answer["name"]
    lines = [f"Queued {_many(len(queued), 'run')} of {name}: {' · '.join(queued)}"] if queued else [f"Queued no run of {name}."]
    return lines + [f"  Skipped {_when(one['slot'], zone)}: {one['why']}" for one in answer["skipped"]]


def exit_code(answer: Row) -> int:
    """0 where no run was lost, and what that stands on could be read."""
    return 1 if answer["lost"] or answer.get("unread") else 0


def screen(answer: Row) -> list[str]:
    """The whole listing; the slots in the zone that the answer names."""
    zone = ZoneInfo(answer["tz"])
    lines = [_head(answer, zone), *_lost(answer["lost"], zone)]
    lines += [f"  {text}" for text in (_others(answer), _ambiguous(answer)) if text]
    lines += [f"  {one['name']}: {one['problem']}" for one in answer["list"] if one["problem"]]
    lines += [f"  Changed: {_change(one, zone)}" for one in answer["changes"]]
    return lines + _coming(answer["list"], zone)


def story(answer: Row, name: str) -> list[str]:
    """One schedule: what it is, its lost runs with their hops, its last run and the next ones."""
    zone = ZoneInfo(answer["tz"])
    lines = []
    for one in answer["list"]:
        starts = f" · starts {', '.join(one['families'])}" if one["families"] else ""
        lines.append(f"{one['name']} · {one['kind']} · {one['region']} · {one['state']} · {_rhythm(one)}{starts}")
        lines += [labelled("Problem", one["problem"])] if one["problem"] else []
        for lost in (lost for lost in answer["lost"] if lost["region"] == one["region"] and lost["kind"] == one["kind"]):
            lines.append(labelled("Lost", f"{_when(lost['slot'], zone)} {zone_name(zone, lost['slot'])} · {_verdict(lost)}"))
            lines.append(labelled("Hops", " · ".join(f"{hop} {lost['hops'][hop]}" for hop in _HOPS)))
        last = one["last"]
        lines.append(labelled("Last", f"{local_day_time(parse_iso(last['slot']), zone)} · {last['outcome']}" if last else "unknown"))
        lines += [labelled("Changed", _change(change, zone)) for change in answer["changes"] if change["name"] == name]
        coming = [_when(slot, zone) for slot in one["next"]]
        lines.append(labelled("Next", f"{' · '.join(coming)} {zone_name(zone, one['next'][0])}" if coming else _none_to_come(one)))
    return lines


def _none_to_come(one: Row) -> str:
    if one["state"] != "ENABLED":
        return "none: it is disabled"
    return "not known until its first run" if one["expression"].startswith("rate(") and not one["last"] else "no slot to come"


def zone_name(zone: ZoneInfo, moment: str) -> str:
    """The zone's abbreviation at that moment."""
    return local(parse_iso(moment), zone).tzname() or zone.key


def _head(answer: Row, zone: ZoneInfo) -> str:
    # Without a schedule there is neither account nor region to name.
    account = " · ".join(part for part in (answer["account"], ", ".join(answer["regions"]), zone_name(zone, answer["until"])) if part)
    left = f"{account} · {_many(answer['schedules'], 'schedule')}, {_many(answer['due'], 'run')} due"
    return f"{left.ljust(EXIT_COLUMN - 3)}   exit {exit_code(answer)}"


def _lost(lost: list[Row], zone: ZoneInfo) -> list[str]:
    """A line for each lost run; runs of one schedule that were lost alike are told together, with the last of them."""
    alike: dict[tuple[str, ...], list[Row]] = {}
    for one in sorted(lost, key=lambda one: parse_iso(one["slot"])):
        alike.setdefault((one["region"], one["kind"], one["name"], one["verdict"], _what(one)), []).append(one)
    names = max((len(one["name"]) for one in lost), default=0)
    verdicts = max((len(one["verdict"]) for one in lost), default=0)
    width = max(verdicts, _LEAST_VERDICT)
    return [
        f"  {_when(first['slot'], zone).rjust(_DAY_TIME)}  {first['name'].ljust(names)}  {first['verdict'].ljust(width)}  {_what(first)}{_more(same, zone)}"
        for same in alike.values()
        for first in same[:1]
    ]


def _more(same: list[Row], zone: ZoneInfo) -> str:
    return f" · {len(same)} runs, the last {_when(same[-1]['slot'], zone)}" if len(same) > 1 else ""


def _others(answer: Row) -> str:
    """The runs that were not lost, in one line, and what nobody watches."""
    runs = answer["runs"]
    texts = []
    launches = {outcome: count for outcome, count in runs.items() if count and outcome not in _NOT_LAUNCHED}
    if unread := answer.get("unread"):
        texts.append(f"NOT READ: {', '.join(unread)}, so that runs may have been lost unseen.")
    if launches:
        others = _many(sum(launches.values()), "other") if answer["lost"] else str(sum(launches.values()))
        texts.append(
            f"{others} launched: {', '.join(f'{count} {_OUTCOMES.get(outcome, outcome)}' for outcome, count in launches.items())}."
        )
    texts += [f"{runs[outcome]} {words}." for outcome, words in _NOT_LAUNCHED.items() if runs.get(outcome)]
    if unwatched := sorted(answer["not_watched"].items(), key=lambda item: (-item[1], item[0])):
        kinds = ", ".join(f"{kind} {count}" for kind, count in unwatched)
        texts.append(f"Not watched: {sum(count for _, count in unwatched)} ({kinds})")
    return "   ".join(texts)


def _ambiguous(answer: Row) -> str:
    if not answer["ambiguous"]:
        return ""
    return f"{_many(answer['ambiguous'], 'run')} ambiguous: two schedules start the same family at one time, and AWS does not say which."


def _coming(schedules: list[Row], zone: ZoneInfo) -> list[str]:
    """The next slots of each schedule, soonest first, with its rhythm in words."""
    rows = sorted((one for one in schedules if one["next"]), key=lambda one: (parse_iso(one["next"][0]), one["name"]))
    names = max((len(one["name"]) for one in rows), default=0)
    rhythms = max((len(_rhythm(one)) for one in rows), default=0)
    lines = [
        f"  {one['name'].ljust(names)}  {_rhythm(one).ljust(rhythms)}  {' · '.join(_when(slot, zone) for slot in one['next'])}"
        for one in rows
    ]
    return [f"Next ({zone_name(zone, rows[0]['next'][0])})", *lines] if rows else []


def _rhythm(one: Row) -> str:
    """The expression in words; with the zone it is meant in where it names a time of day."""
    return str(one["words"]) if one["expression"].startswith("rate(") else f"{one['words']} {one['timezone']}"


def _verdict(lost: Row) -> str:
    return f"{lost['verdict']} · {_what(lost)}"


def _what(lost: Row) -> str:
    return f"{lost['what']} · {lost['incident']}" if lost["incident"] else str(lost["what"])


def _change(change: Row, zone: ZoneInfo) -> str:
    by = f" by {change['by']}" if change["by"] else ""
    return f"{change['name']}: {change['what']}, {local_day_time(parse_iso(change['at']), zone)}{by}"


def _when(moment: str, zone: ZoneInfo) -> str:
    """`24 Nov 00:00`."""
    there = local(parse_iso(moment), zone)
    return f"{there.day} {there:%b %H:%M}"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def label(one: Row) -> str:
    return f"{one['group']}/{one['name']}" if one["group"] else str(one["name"])

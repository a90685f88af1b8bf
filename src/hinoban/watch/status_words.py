"""`hinoban status` in lines: what is watched and how late, what is seen, who is told, and in capitals what is wrong. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from hinoban.base.units import format_duration, local, parse_iso
from hinoban.watch.allow import allowed
from hinoban.watch.notify.wording import SEPARATOR, day_time

_WIDTH = 11
_BLIND_MOST = 5


def status_lines(status: Mapping[str, Any], zone: ZoneInfo, now: float) -> list[str]:
    """`status` as Watch.status gives it."""
    lines = [_line("watch", SEPARATOR.join([*_sources(status["sources"]), allowed(status["allow"], status["allow_by_policy"])]))]
    lines.append(_line("sees", ", ".join(status["sees"]) or "nothing yet"))
    lines.append(_line("tells", SEPARATOR.join(_tells(status, zone, now)) or "nobody"))
    lines.append(_line("holds", SEPARATOR.join(_holds(status))))
    lines += [_line("BEHIND", f"{one['source']}: {one['behind']}") for one in status["sources"] if one["behind"]]
    blind = status["blind"]
    lines += [_line("BLIND", one) for one in blind[:_BLIND_MOST]]
    if len(blind) > _BLIND_MOST:
        lines.append(_line("BLIND", f"and {len(blind) - _BLIND_MOST} more: hinoban status -o json"))
    if count := status["aside"]["count"]:
        last = status["aside"]["latest"][0]
        events = "1 event" if count == 1 else f"{count} events"
        words = f"{events} could not be read in 30 days, the last of {last['source']} at {_clock(last['at'], zone, now)}: {last['reason']}"
        lines.append(_line("SET ASIDE", " ".join(words.split())))
    if (why := status["unwell"]) is not None:
        since = status["health"]["unwell_since"]
        noted = f", since {day_time(parse_iso(since), zone)}" if since is not None else ""
        lines.append(_line("UNWELL", f"{why}{noted}: no ping is sent"))
    would = status["would_have"]
    if any(would.values()):
        lines.append(_line("would have", ", ".join(f"{what} {count}" for what, count in would.items() if count) + " (last 24 h)"))
    return lines


def offline_lines(status: Mapping[str, Any], zone: ZoneInfo, now: float) -> list[str]:
    """Of a state folder alone: nobody watches."""
    lines = [_line("watch", "NOT RUNNING: what happens now is seen at the next start")]
    lines.append(_line("holds", SEPARATOR.join(_holds(status))))
    if told := _channels(status["channels"], zone, now):
        lines.append(_line("told", SEPARATOR.join(told)))
    return lines


def _line(label: str, text: str) -> str:
    return f"{label:<{_WIDTH}}{text}"


def _sources(sources: Sequence[Mapping[str, Any]]) -> list[str]:
    words = []
    for one in sources:
        delays, said = one["delay"], str(one["source"])
        if (events := delays.get("events")) is not None:
            said += f" seen after {format_duration(events['p50'])} (p95 {format_duration(events['p95'])})"
        if (records := delays.get("cloudtrail")) is not None:
            said += f", CloudTrail {format_duration(records['p50'])} late (p95 {format_duration(records['p95'])})"
        words.append(said)
    return words


def _tells(status: Mapping[str, Any], zone: ZoneInfo, now: float) -> list[str]:
    ping = status["dead_man"]
    return _channels(status["channels"], zone, now) + ([f"dead-man {ping['words']}"] if ping is not None else [])


def _channels(channels: Sequence[Mapping[str, Any]], zone: ZoneInfo, now: float) -> list[str]:
    words = []
    for one in channels:
        name, error = one["channel"], f" ({one['last_error']})" if one["last_error"] else ""
        if one["queued"]:
            words.append(f"{name} {one['queued']} WAIT since {_clock(one['oldest_queued_at'], zone, now)}{error}")
        elif one["gave_up_at"]:
            words.append(f"{name} GAVE UP {_clock(one['gave_up_at'], zone, now)}{error}")
        else:
            words.append(f"{name} ok {_clock(one['last_sent_at'], zone, now)}" if one["last_sent_at"] else f"{name} nothing yet")
    return words


def _holds(status: Mapping[str, Any]) -> list[str]:
    tasks = "1 task" if status["tasks"] == 1 else f"{status['tasks']} tasks"
    words = [f"{tasks}, {status['tasks_open']} of them not over"]
    states = [f"{status['incidents'][state]} {state}" for state in ("open", "acknowledged") if status["incidents"].get(state)]
    words.append(f"incidents: {', '.join(states)}" if states else "no open incident")
    waiting = [f"{status['retries'][state]} {state}" for state in ("waiting", "launching") if status["retries"].get(state)]
    return [*words, f"retries: {', '.join(waiting)}"] if waiting else words


def _clock(moment: str, zone: ZoneInfo, now: float) -> str:
    """`10:21` of today, else with its day."""
    at, today = parse_iso(moment), local(now, zone).date()
    there = local(at, zone)
    return f"{there:%H:%M}" if there.date() == today else f"{there:%a} {there.day} {there:%b %H:%M}"

"""What the history adds to an incident's own words: who launched it, when its tasks ran, what is usual, what has changed, what it costs."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from hinoban.aws.definitions.sizes import hourly_price
from hinoban.base.clock import HOURS, MINUTES
from hinoban.base.text import one_line
from hinoban.base.units import format_duration, local_day_time, local_time
from hinoban.watch.explain.exits import moment_of
from hinoban.watch.explain.language import either
from hinoban.watch.group_row import Shown
from hinoban.watch.model import Incident

_LONGEST_LINE = 200
_LINE_IS_NEW = 15 * MINUTES


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One task's times and end, as far as they were seen."""

    created_at: float | None = None
    started_at: float | None = None
    stopped_at: float | None = None
    exit_code: int | None = None


class Together(msgspec.Struct, frozen=True, kw_only=True):
    """With whom an incident is told. `shown` and `members`: of the one that speaks for them, how they stand, and the others."""

    lead: str
    total: int
    scheduled: bool
    shown: Shown | None = None
    members: tuple[Incident, ...] = ()


class Background(msgspec.Struct, frozen=True, kw_only=True):
    """None, or empty, is what the history does not know. `usual`, `changed` and `cost` are texts ready to print."""

    caller: str | None = None
    """The ARN (or the AWS service) that called RunTask for attempt 1, as CloudTrail names it."""
    stopper: str | None = None
    """Who called StopTask on the task, as CloudTrail names it."""
    revision: int | None = None
    """The revision that the incident's task ran; a call may have named the family alone."""
    runs: Mapping[str, Run] = {}
    """The runs of the attempts' tasks, by ARN."""
    as_of: float | None = None
    """When the source was last heard of: until then the history is complete."""
    live: bool = True
    """Whether the watch runs: without it nothing of what is open is seen or done."""
    usual: str | None = None
    changed: str | None = None
    good_revision: int | None = None
    """The revision of the last good run, where the incident's task ran another."""
    changed_names: tuple[str, ...] = ()
    """The environment variables and secrets that are not as they were then, by name."""
    retried: tuple[int, int] | None = None
    """How many of the schedule's last runs were brought back by retries, and of how many."""
    cost: str | None = None
    last_line: str | None = None
    """Of an overdue task: `Last log line 25 h 49 m ago: "waiting for lock"`."""
    beside: str | None = None
    """Who ran beside an overdue task, a sentence."""
    together: Together | None = None


NOTHING = Background()


def caller_words(caller: str | None) -> str | None:
    """`user hinoban`, `role gh-actions, session run-8790`, `root`, `events.amazonaws.com`; None of an unknown caller."""
    if not caller or not caller.startswith("arn:"):
        return caller or None
    resource = caller.split(":", 5)[-1]
    kind, _, name = resource.partition("/")
    if kind == "assumed-role":
        role, _, session = name.rpartition("/")
        return f"role {role}, session {session}" if role else f"role {session}"
    name = name.rpartition("/")[2]
    return f"{kind} {name}" if name else kind


def from_a_session(caller: str | None) -> bool:
    """Whether a role's session called: a job of CI, as a rule, that may have ended since."""
    return ":assumed-role/" in (caller or "")


def run_words(run: Run, zone: ZoneInfo) -> str:
    """`RUNNING 00:04:02 · STOPPED exit 0 00:10:14`; empty where no time is known."""
    words = [] if run.started_at is None else [f"RUNNING {local_time(run.started_at, zone)}"]
    if run.stopped_at is not None:
        code = "" if run.exit_code is None else f" exit {run.exit_code}"
        words.append(f"STOPPED{code} {local_time(run.stopped_at, zone)}")
    return " · ".join(words)


def cost_words(detail: Mapping[str, Any], region: str, until: float | None) -> str | None:
    """`$0.40 so far, $0.37 a day`: what a Fargate task of this event's size costs on demand; None where no price is known, as of Spot's."""
    began = moment_of(detail, "pullStartedAt") or moment_of(detail, "createdAt") or moment_of(detail, "startedAt")
    cpu, memory = str(detail.get("cpu") or ""), str(detail.get("memory") or "")
    if (
        detail.get("launchType") != "FARGATE"
        or detail.get("capacityProviderName") == "FARGATE_SPOT"
        or began is None
        or not (cpu.isdecimal() and memory.isdecimal())
    ):
        return None
    named = [one.get("value") for one in detail.get("attributes") or () if one.get("name") == "ecs.cpu-architecture"]
    storage = (detail.get("ephemeralStorage") or {}).get("sizeInGiB") or 20
    architecture = str(named[0] if named else "x86_64").upper()
    price = hourly_price(region, int(cpu), int(memory), architecture=architecture, storage_gib=int(storage))
    if price is None:
        return None
    if (stopped := moment_of(detail, "stoppedAt")) is not None:
        return f"{_dollars((stopped - began) / HOURS * price)} in all"
    if until is None:
        return f"${price * 24:.2f} a day"
    return f"{_dollars(max(0.0, until - began) / HOURS * price)} so far, ${price * 24:.2f} a day"


def usual_words(lengths: list[float]) -> str | None:
    """`last 12 good runs 6 m–8 m`; None without any."""
    if not lengths:
        return None
    runs = "the last good run" if len(lengths) == 1 else f"last {len(lengths)} good runs"
    return f"{runs} {_span(min(lengths), max(lengths))}"


def last_line_words(text: str | None, at: float | None, read_at: float, as_of: float | None, zone: ZoneInfo) -> str:
    """The last line of a task that still runs, and how long it has been silent; where it was read a while ago, when that was."""
    if text is None or at is None:
        return either("It has written no log line.", "ログ出力なし。")
    shown = one_line(text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE].rstrip() + "…")
    if as_of is None or as_of - read_at > _LINE_IS_NEW:
        then, read = local_day_time(at, zone), local_day_time(read_at, zone)
        return either(f'Last log line {then} (as read {read}): "{shown}"', f'最後のログ行は {then}({read} 取得): "{shown}"')
    ago = format_duration(max(as_of, read_at) - at)
    return either(f'Last log line {ago} ago: "{shown}"', f'最後のログ行は {ago} 前: "{shown}"')


def beside_words(family: str, others: Sequence[Run], zone: ZoneInfo) -> str | None:
    """`A second db-migrate ran beside it Thu 26 Nov 13:40–13:44 JST.`; `others` the latest first, None without any."""
    if not others:
        return None
    last = others[0]
    began = last.started_at or last.created_at
    if began is None:
        return None
    day, _, name = local_day_time(began, zone).rpartition(" ")
    ended = "" if last.stopped_at is None else local_day_time(last.stopped_at, zone).rpartition(" ")[0]
    if ended.rpartition(" ")[0] == day.rpartition(" ")[0]:
        ended = ended.rpartition(" ")[2]
    when = f"since {day} {name}" if not ended else f"{day}–{ended} {name}" if ended != day.rpartition(" ")[2] else f"{day} {name}"
    verb = "runs" if last.stopped_at is None else "ran"
    if len(others) == 1:
        return f"A second {family} {verb} beside it {when}."
    return f"{len(others)} more {family} ran beside it, the last {when}."


def _span(least: float, most: float) -> str:
    """`6–8 m`, `40 s–5 m`: of minutes no seconds are told where it is a range."""
    if least >= 60 and most < 3600:
        low, high = round(least / 60), round(most / 60)
        return f"{low}–{high} m" if low != high else f"{low} m"
    low_words, high_words = format_duration(least), format_duration(most)
    if low_words == high_words:
        return low_words
    return f"{round(least)}–{round(most)} s" if least >= 10 and most < 60 else f"{low_words}–{high_words}"


def _dollars(amount: float) -> str:
    return "under $0.01" if amount < 0.01 else f"${amount:.2f}"

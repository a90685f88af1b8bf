"""Which channels hear of an incident: routes by event pattern, levels by channel, mutes that end and then say what they hid. Pure."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from hinoban.aws.event_patterns import compile_pattern
from hinoban.base.units import iso
from hinoban.watch.config import ALL, Level, Mute, NotifyConfig
from hinoban.watch.explain.language import either
from hinoban.watch.history.ledger import Decision, Message
from hinoban.watch.incidents import Change
from hinoban.watch.model import Explanation, Finding, Incident
from hinoban.watch.notify.levels import level_of
from hinoban.watch.notify.message import alert
from hinoban.watch.notify.next_words import nothing_now
from hinoban.watch.notify.wording import day_time

WORDS = ("family", "cluster", "started_by", "tags", "schedule", "slot", "class", "severity", "detector", "incident", "change", "verdict")
"""What a pattern may name below `hinoban`."""
CONSOLE = "console"
_TITLES_MOST = 10

View = dict[str, Any]


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def levels(self) -> tuple[Level, ...]: ...


class Dispatch:
    """Routes, levels and mutes of one configuration. BadPattern names what is wrong in a pattern."""

    def __init__(self, config: NotifyConfig, channels: Sequence[str]) -> None:
        self._config = config
        self._routes = Routes(config, channels)
        self._mutes = Mutes(config)

    def decide(self, incident: Incident, change: Change, now: float) -> Decision:
        """Who is told of this change. Nobody is left with news that never ends: who was told is told the end, mute or not."""
        level = level_of(incident, change, self._config.severity)
        view = view_of(incident, change, level)
        told, route = self._routes.channels_of(view, incident.told_to), self._routes.named_by(view)
        if change == "resolved" and any(name != CONSOLE for name in incident.told_to):
            return Decision(told, level=level, route=route)
        mute = self._mutes.muted(view, now)
        if mute is None:
            return Decision(told, level=level, route=route)
        return Decision(tuple(name for name in told if name == CONSOLE), mute.name, level, route)


class Routes:
    """Which of `channels` hear of what a view shows, in their order."""

    def __init__(self, config: NotifyConfig, channels: Sequence[str]) -> None:
        taken = levels_of(config)
        self._levels = {name: taken.get(name, ALL) for name in channels}
        self._routes: list[tuple[Callable[[Any], bool], tuple[str, ...]]] = [
            (compile_pattern(route.match, f"route[{index}].match"), route.channels) for index, route in enumerate(config.routes)
        ]

    def channels_of(self, view: View, told_to: Collection[str] = ()) -> tuple[str, ...]:
        """The channels of every route that matches (of all where none does) that take this level; and who was told before.

        The end of an incident goes to exactly those who were told of it. The console hears everything.
        """
        level, change = view["hinoban"]["severity"], view["hinoban"]["change"]
        if change == "resolved" and told_to:
            return tuple(name for name in self._levels if name in told_to or name == CONSOLE)
        chosen = {name for name in self.named_by(view) if level in self._levels.get(name, ())} | set(told_to) | {CONSOLE}
        return tuple(name for name in self._levels if name in chosen)

    def named_by(self, view: View) -> tuple[str, ...]:
        """The channels of every route that matches, of all where none does: whose matter it is, however loud."""
        matching = [channels for matches, channels in self._routes if matches(view)]
        wanted = {name for channels in matching for name in channels} if matching else set(self._levels)
        return tuple(name for name in self._levels if name in wanted)


class Mutes:
    """What is told to nobody for a while."""

    def __init__(self, config: NotifyConfig) -> None:
        self._mutes: list[tuple[Callable[[Any], bool], Mute]] = [
            (compile_pattern(mute.match, f"mute[{index}].match"), mute) for index, mute in enumerate(config.mutes)
        ]

    def muted(self, view: View, now: float) -> Mute | None:
        """The first mute that holds now and matches. The report of a mute's end is never muted."""
        if view["hinoban"]["detector"] == "mute_ended":
            return None
        return next((mute for matches, mute in self._mutes if now < mute.until and matches(view)), None)

    def ended(self, now: float) -> list[Mute]:
        """Those that hold no more."""
        return [mute for _, mute in self._mutes if mute.until <= now]


def view_of(incident: Incident, change: Change, level: Level) -> View:
    """What patterns see of a message: an envelope with what the incident knows of its task, and our words. Unknown members are absent."""
    finding = incident.finding
    facts = finding.facts
    detail = {"taskArn": finding.task_arn, "group": facts.get("group"), "startedBy": finding.started_by}
    words = {
        "family": finding.family,
        "cluster": finding.cluster,
        "started_by": finding.started_by,
        "tags": facts.get("tags"),
        "schedule": facts.get("schedule") or _schedule(finding.started_by),
        "slot": None if facts.get("due_at") is None else iso(facts["due_at"]),
        "class": finding.explanation.code,
        "severity": level,
        "detector": finding.detector,
        "incident": incident.id,
        "change": change,
        "verdict": incident.verdict,
    }
    return {
        "source": "hinoban",
        "detail-type": "Hinoban Incident",
        "account": finding.account,
        "region": finding.region,
        "resources": [finding.task_arn] if finding.task_arn else [],
        "detail": {name: value for name, value in detail.items() if value is not None},
        "hinoban": {name: value for name, value in words.items() if value is not None},
    }


def levels_of(config: NotifyConfig) -> dict[str, tuple[Level, ...]]:
    """The configured channels by name, in their order, with the levels that each takes."""
    lists: tuple[Sequence[_Named], ...] = (
        config.webhooks, config.slack, config.pagerduty, config.sns, config.email, config.apprise
    )  # fmt: skip
    console: dict[str, tuple[Level, ...]] = {CONSOLE: ALL} if config.console else {}
    return console | {one.name: one.levels for some in lists for one in some}


def mute_report(mute: Mute, hidden: Sequence[Message], open_ids: Collection[str], zone: ZoneInfo) -> Finding | None:
    """What a mute hid, as a finding of its own to be told at its end; None where it hid nothing."""
    if not hidden:
        return None
    latest = {one.incident.id: one for one in hidden}
    still = [one for one in latest if one in open_ids]
    titles = [alert(one.incident, one.change, zone).title for one in latest.values()]
    left, until, size = len(titles) - _TITLES_MOST, day_time(mute.until, zone), sum(map(_size, latest.values()))
    more = either(f"and {left} more", f"ほか {left} 件") if left > 0 else ""
    cause = either(
        f"Until {until} this mute hid {_count(len(hidden), 'message')} of {_count(size, 'incident')}; ",
        f"{until} までに {len(hidden)} 件の通知({size} インシデント)を保留。",
    )
    cause += (
        either(f"{len(still)} still open.", f"{len(still)} 件が未解決。") if still else either("none is open any more.", "すべて終了。")
    )
    return Finding(
        detector="mute_ended",
        subject=f"mute:{mute.name}:{iso(mute.until)}",
        at=mute.until,
        account="",
        region="",
        cluster="",
        family=mute.name,
        revision=None,
        verdict="MUTE ENDED",
        explanation=Explanation(
            code="mute_ended",
            cause=cause,
            next=either("See what is left", "残りを確認") + ": hinoban incidents --open" if still else nothing_now(),
            said=tuple(part for part in (*titles[:_TITLES_MOST], more) if part),
            retryable=False,
        ),
    )


def _size(message: Message) -> int:
    group = message.incident.group
    return group.shown.total if group is not None and group.shown is not None else 1


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _schedule(started_by: str | None) -> str | None:
    kind, _, name = (started_by or "").partition("/")
    return name if kind in ("events-rule", "chronos-schedule") else None

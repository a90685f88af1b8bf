"""Which channels hear of an incident: routes by event pattern, levels by channel, mutes that end. Pure."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, Protocol

from hinoban.aws.event_patterns import compile_pattern
from hinoban.base.units import iso
from hinoban.watch.config import ALL, Level, Mute, NotifyConfig
from hinoban.watch.history.ledger import Decision
from hinoban.watch.incidents import Change
from hinoban.watch.model import Incident
from hinoban.watch.notify.levels import level_of

WORDS = ("family", "cluster", "started_by", "tags", "schedule", "slot", "class", "severity", "detector", "incident", "change", "verdict")
"""What a pattern may name below `hinoban`."""
CONSOLE = "console"

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
        route = self._routes.concerned(incident, view)
        told = self._routes.channels_of(route, level, change, incident.told_to)
        if change == "resolved" and any(name != CONSOLE for name in incident.told_to):
            return Decision(told, level=level, route=route)
        mute = self._mutes.muted(view, now)
        if mute is None:
            return Decision(told, level=level, route=route)
        return Decision(tuple(name for name in told if name == CONSOLE), mute.name, level, route, mute.until)

    def people_of(self, incident: Incident, change: Change, level: Level) -> set[str]:
        """Who would be told of this change if no mute hid it, the console left out, and takes `level`."""
        own = level_of(incident, change, self._config.severity)
        route = self._routes.concerned(incident, view_of(incident, change, own))
        told = self._routes.channels_of(route, own, change, incident.told_to)
        return {name for name in told if name != CONSOLE and self._routes.takes(name, level)}


class Routes:
    """Which of `channels` hear of what, in their order."""

    def __init__(self, config: NotifyConfig, channels: Sequence[str]) -> None:
        taken = levels_of(config)
        self._levels = {name: taken.get(name, ALL) for name in channels}
        self._routes: list[tuple[Callable[[Any], bool], tuple[str, ...]]] = [
            (compile_pattern(route.match, f"route[{index}].match"), route.channels) for index, route in enumerate(config.routes)
        ]

    def channels_of(self, route: Sequence[str], level: Level, change: Change, told_to: Collection[str]) -> tuple[str, ...]:
        """Of those that it concerns the ones that take this level; and who was told before.

        The end of an incident goes to exactly those who were told of it. The console hears everything.
        """
        if change == "resolved" and told_to:
            return tuple(name for name in self._levels if name in told_to or name == CONSOLE)
        chosen = {name for name in route if self.takes(name, level)} | set(told_to) | {CONSOLE}
        return tuple(name for name in self._levels if name in chosen)

    def takes(self, name: str, level: Level) -> bool:
        """Whether the channel is told of what is so loud."""
        return level in self._levels.get(name, ())

    def concerned(self, incident: Incident, view: View) -> tuple[str, ...]:
        """The channels of every route that matches, of all where none does: whose matter it is, however loud.

        The report of a mute concerns those whom what it hid concerned: `channels` of its facts.
        """
        if (named := incident.finding.facts.get("channels")) is not None:
            return tuple(name for name in self._levels if name in named)
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


def _schedule(started_by: str | None) -> str | None:
    kind, _, name = (started_by or "").partition("/")
    return name if kind in ("events-rule", "chronos-schedule") else None

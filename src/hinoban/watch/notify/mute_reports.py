"""Tells, when a mute ends, what it hid: as a notice of its own, in the transaction that forgets the hidden messages. Pages that are still
open are told then, too.

Each channel hears of what it would have been told of without the mute; those that it is the same for share a report.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from math import inf
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from hinoban.base.units import iso
from hinoban.watch.config import Mute, WatchConfig
from hinoban.watch.explain.language import spoken
from hinoban.watch.history.ledger import Ledger, Message
from hinoban.watch.incidents import Change, incident_id, noticed, opened
from hinoban.watch.model import Explanation, Finding
from hinoban.watch.notify.levels import notice_level
from hinoban.watch.notify.message import alert
from hinoban.watch.notify.next_words import nothing_now
from hinoban.watch.notify.routes import Dispatch
from hinoban.watch.notify.wording import day_time

_TITLES_MOST = 10

Count = tuple[int, int]
"""How many incidents a group has, and how many of them are open."""


class MuteReports:
    """`transaction` is the one that the ledger's other writes go through."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]], ledger: Ledger, config: WatchConfig) -> None:
        self._transaction = transaction
        self._ledger = ledger
        self._mutes = {mute.name: mute for mute in config.notify.mutes}
        self._dispatch = Dispatch(config.notify, ledger.telling.channels)
        self._level = notice_level("mute_ended", config.notify.severity)
        self._zone = ZoneInfo(config.tz)
        self._due = 0.0

    async def step(self, now: float) -> float | None:
        """Report every mute that has ended, also one that the configuration has no more; when the next one ends."""
        if now >= self._due:
            self._report(now)
            self._due = min((mute.until for mute in self._mutes.values() if mute.until > now), default=inf)
        return None if self._due == inf else self._due

    def _report(self, now: float) -> None:
        with self._transaction() as connection:
            for name in self._ledger.mutes(connection):
                mute = self._mutes.get(name) or Mute(match={}, until=now, name=name)
                if mute.until > now:
                    continue
                hidden = self._ledger.hidden(connection, name)
                counts = self._counts(connection, hidden)
                for finding in mute_reports(mute, parted(hidden, self._people_of), counts, self._zone):
                    if self._ledger.incident(connection, incident_id(finding.subject)) is None:
                        self._ledger.put(connection, noticed(opened(finding, now, held_until=None), now), now)
                changes: dict[str, Change] = {}
                for one in hidden:
                    changes[one.incident.id] = "opened" if "opened" in (one.change, changes.get(one.incident.id)) else "changed"
                self._ledger.unmute(connection, changes, now)
                self._ledger.reported(connection, name)

    def _people_of(self, message: Message) -> set[str]:
        return self._dispatch.people_of(message.incident, message.change, self._level)

    def _counts(self, connection: Connection, hidden: Sequence[Message]) -> dict[str, Count]:
        still = Counter(one.lead or one.id for one in self._ledger.open_incidents(connection).values())
        counts: dict[str, Count] = {}
        for each in dict.fromkeys(one.incident.id for one in hidden):
            known = self._ledger.incident(connection, each)
            counts[each] = (1 if known is None or known.group is None else known.group.size, still[each])
        return counts


Part = tuple[tuple[str, ...], list[Message]]


def parted(hidden: Sequence[Message], people_of: Callable[[Message], set[str]]) -> list[Part]:
    """Which channels are told of which messages: each channel of every incident that it would have heard of. Nobody: of all. Pure."""
    ids: dict[str, set[str]] = {}
    for one in hidden:
        for name in people_of(one):
            ids.setdefault(name, set()).add(one.incident.id)
    sharing: dict[frozenset[str], list[str]] = {}
    for name in sorted(ids):
        sharing.setdefault(frozenset(ids[name]), []).append(name)
    parts = [(tuple(names), [one for one in hidden if one.incident.id in theirs]) for theirs, names in sharing.items()]
    return parts or [((), list(hidden))]


def mute_reports(mute: Mute, parts: Sequence[Part], counts: Mapping[str, Count], zone: ZoneInfo) -> list[Finding]:
    """What a mute hid, as findings of their own to be told at its end. Pure."""
    return [
        Finding(
            detector="mute_ended",
            subject=":".join((f"mute:{mute.name}:{iso(mute.until)}", *(channels if len(parts) > 1 else ()))),
            at=mute.until,
            account="",
            region="",
            cluster="",
            family=mute.name,
            revision=None,
            verdict="MUTE ENDED",
            explanation=_explained(mute, hidden, counts, zone),
            facts={"channels": list(channels)},
        )
        for channels, hidden in parts
        if hidden
    ]


def _explained(mute: Mute, hidden: Sequence[Message], counts: Mapping[str, Count], zone: ZoneInfo) -> Explanation:
    latest = {one.incident.id: one for one in hidden}
    titles = [alert(one.incident, one.change, zone).title for one in latest.values()]
    total, still = (sum(counts[each][place] for each in latest) for place in (0, 1))
    until, rest = day_time(mute.until, zone), len(titles) - _TITLES_MOST
    if spoken() == "ja":
        cause = f"{until} までに、このミュートが {len(hidden)} 件の通知({total} インシデント)を保留。"
        cause += f"うち {still} 件が未解決。" if still else "すべて解決済み。"
        look, more = "残りを確認: hinoban incidents --open", f"他 {rest} 件"
    else:
        cause = f"Until {until} this mute hid {_count(len(hidden), 'message')} of {_count(total, 'incident')}; "
        cause += f"{still} still open." if still else "none is open any more."
        look, more = "See what is left: hinoban incidents --open", f"and {rest} more"
    return Explanation(
        code="mute_ended",
        cause=cause,
        next=look if still else nothing_now(),
        said=(*titles[:_TITLES_MOST], *((more,) if rest > 0 else ())),
        retryable=False,
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"

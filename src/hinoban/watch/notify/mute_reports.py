"""Tells, when a mute ends, what it hid: as a notice of its own, in the transaction that forgets the hidden messages."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from math import inf
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from hinoban.watch.config import Mute, WatchConfig
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.incidents import incident_id, noticed, opened
from hinoban.watch.notify.routes import mute_report


class MuteReports:
    """`transaction` is the one that the ledger's other writes go through."""

    def __init__(self, transaction: Callable[[], AbstractContextManager[Connection]], ledger: Ledger, config: WatchConfig) -> None:
        self._transaction = transaction
        self._ledger = ledger
        self._mutes = {mute.name: mute for mute in config.notify.mutes}
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
                still = {one.lead or one.id for one in self._ledger.open_incidents(connection).values()}
                finding = mute_report(mute, hidden, still, self._zone)
                if finding is not None and self._ledger.incident(connection, incident_id(finding.subject)) is None:
                    self._ledger.put(connection, noticed(opened(finding, now, held_until=None), now), now)
                self._ledger.reported(connection, name)

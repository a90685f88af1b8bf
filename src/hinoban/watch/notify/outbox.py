"""Carries the outbox's rows to their channels: in order for each channel, tried again with growing delays, never lost over a restart.

A row is claimed before it is sent; a claim that ran out is anyone's, so that a crash loses nothing (and may send twice: the delivery id
is the same). A refused or too old message is dead, and the console says so. What is sent or dead is kept for a while.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection, Engine, bindparam, delete, func, or_, select, update

from hinoban.base.clock import DAYS, HOURS, MINUTES, SECONDS, Clock
from hinoban.base.ids import Ids, derived_id
from hinoban.watch.config import Lang, LogTail
from hinoban.watch.explain.language import speaking
from hinoban.watch.history import queries
from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message, told_of
from hinoban.watch.history.schema import incidents, outbox
from hinoban.watch.notify.channels.channel import Channel, DeliveryFailed
from hinoban.watch.notify.masking import log_tail

_FIRST_DELAY, _LONGEST_DELAY = 2 * SECONDS, 5 * MINUTES
_CLAIM = 60 * SECONDS
_LOG_WAIT, _LOG_STEP = 0.5 * SECONDS, 0.1 * SECONDS
_WITH_LOG = ("failed_exit", "out_of_memory")
KEPT, _SWEEP_EVERY = 30 * DAYS, 6 * HOURS
_OLDEST = select(outbox).where(
    outbox.c.id == select(func.min(outbox.c.id)).where(outbox.c.state == "queued", outbox.c.channel == bindparam("name")).scalar_subquery()
)
_FREE = or_(outbox.c.claimed_by.is_(None), outbox.c.claimed_by == bindparam("me"), outbox.c.claimed_until <= bindparam("now"))
_CLAIM_IT = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"), outbox.c.state == "queued", _FREE)
    .values(claimed_by=bindparam("me"), claimed_until=bindparam("until"))
)
# From then on `due_at` says when it arrived.
_SENT = (
    update(outbox)
    .where(outbox.c.id == bindparam("row"))
    .values(state="sent", due_at=bindparam("at"), attempts=bindparam("tries"), claimed_by=None, claimed_until=None, last_error=None)
)
log = logging.getLogger(__name__)


class _Due(msgspec.Struct, frozen=True):
    """A row that is ours, to be sent now."""

    row: int
    attempts: int
    created_at: float
    told: Message | Daily


class Outbox:
    """Sends what is due. `complain` prints a line for people; it must not fail."""

    def __init__(
        self,
        engine: Engine,
        channels: Sequence[Channel],
        *,
        clock: Clock,
        ids: Ids,
        dead_after: float,
        complain: Callable[[str], None],
        log_tail: LogTail = "off",
        lang: Lang = "en",
        keep: float = KEPT,
    ) -> None:
        self._engine = engine
        self._channels = {channel.name: channel for channel in channels}
        self._clock = clock
        self._me = ids.hex32()
        self._dead_after = dead_after
        self._complain = complain
        self._log_tail = log_tail
        self._lang = lang
        self._keep = keep
        self._next_sweep = 0.0

    def take_over(self) -> None:
        """Free every claim. For the only watch of this history, as it begins: who claimed before is dead, and nobody shall wait for it."""
        with self._engine.begin() as connection:
            claimed = update(outbox).where(outbox.c.state == "queued", outbox.c.claimed_by.is_not(None))
            connection.execute(claimed.values(claimed_by=None, claimed_until=None))

    async def step(self, now: float) -> float | None:
        """Send, for each channel, what is due until one fails; when something is due next. One that hangs keeps no other waiting."""
        if now >= self._next_sweep:
            self._next_sweep = now + _SWEEP_EVERY
            self._sweep(now)
        async with asyncio.TaskGroup() as group:
            drains = [group.create_task(self._drain(name)) for name in self._channels]
        return min((due for one in drains if (due := one.result()) is not None), default=self._next_sweep)

    def _sweep(self, now: float) -> None:
        """Forget old messages. The newest row stays: the next one's id, and so its delivery's name, must never have been another's. What a
        mute hides stays until that has reported it.
        """
        newest = select(func.max(outbox.c.id)).scalar_subquery()
        old = delete(outbox).where(outbox.c.state.not_in(("queued", "muted")), outbox.c.created_at < now - self._keep, outbox.c.id < newest)
        with self._engine.begin() as connection:
            connection.execute(old)

    async def _drain(self, name: str) -> float | None:
        sent: dict[str, object] | None = None
        while True:
            due = self._next(name, sent)
            if not isinstance(due, _Due):
                return due
            sent = None
            try:
                with speaking(self._lang):
                    await self._send(name, due)
            except DeliveryFailed as failure:
                self._failed(name, due, failure)
            else:
                sent = {"row": due.row, "at": self._clock.now(), "tries": due.attempts + 1}

    async def _send(self, name: str, due: _Due) -> None:
        channel, told = self._channels[name], due.told
        if isinstance(told, Daily):
            await channel.report(told, derived_id("dlv", name, str(due.row), told.id))
        else:
            await channel.send(told, derived_id("dlv", name, str(due.row), told.incident.id))

    def _next(self, name: str, sent: dict[str, object] | None) -> _Due | float | None:
        """Write down what was `sent`; the channel's oldest row that is not, now ours; or the moment it may be tried; None where there is none."""
        now = self._clock.now()
        with self._engine.begin() as connection:
            if sent is not None:
                connection.execute(_SENT, sent)
            row = connection.execute(_OLDEST, {"name": name}).mappings().first()
            if row is None:
                return None
            if row["due_at"] > now:
                return float(row["due_at"])
            told = told_of(row["value"])
            if isinstance(told, Message) and self._shows_log(told):
                if row["attempts"] == 0 and now < row["created_at"] + _LOG_WAIT and _log_is_on_its_way(connection, told):
                    return now + _LOG_STEP
                lines = queries.incident_log(connection, _log_of(told)) or []
                told = msgspec.structs.replace(told, log=log_tail(lines, self._log_tail))
            claim = {"row": row["id"], "me": self._me, "now": now, "until": now + _CLAIM}
            if not connection.execute(_CLAIM_IT, claim).rowcount:
                return float(row["claimed_until"])
            return _Due(row["id"], row["attempts"], row["created_at"], told)

    def _shows_log(self, message: Message) -> bool:
        # A resolved one too: a bot's first message, which has the log, is written anew with it.
        return self._log_tail != "off" and message.change != "quiet" and message.incident.finding.detector in _WITH_LOG

    def _failed(self, name: str, due: _Due, failure: DeliveryFailed) -> None:
        now, attempts, told = self._clock.now(), due.attempts + 1, due.told
        if failure.permanent or now - due.created_at > self._dead_after:
            self._write(due.row, state="dead", due_at=now, attempts=attempts, last_error=str(failure))
            about = told.id if isinstance(told, Daily) else f"{told.incident.id} ({told.change})"
            self._complain(f"{name} could not be told of {about}: {failure}. Not tried again.")
            return
        wait = max(failure.retry_after or 0.0, min(_LONGEST_DELAY, _FIRST_DELAY * 2 ** min(attempts - 1, 20)))
        log.warning("channel %s: %s; next try in %.0f s", name, failure, wait)
        self._write(due.row, attempts=attempts, due_at=now + wait, last_error=str(failure))

    def _write(self, row_id: int, **values: object) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(outbox).where(outbox.c.id == row_id).values(claimed_by=None, claimed_until=None, **values))


def _log_is_on_its_way(connection: Connection, message: Message) -> bool:
    """Whether the failed task's log is being fetched: it is waited for a moment, so that the first message has it."""
    wanted = select(incidents.c.log_wanted).where(incidents.c.id == _log_of(message), incidents.c.log.is_(None))
    return bool(connection.execute(wanted).scalar())


def _log_of(message: Message) -> str:
    """Whose log goes with it: of a group, that of the incident whose words it takes."""
    group = message.incident.group
    return group.shown.face if group is not None and group.shown is not None else message.incident.id

"""Events that are posted to us, by an API destination of EventBridge or a webhook: who posts is answered once they are remembered.

Who listens hands them in (web/events_api.py); a post that gets no answer is sent again (facts/eventbridge.md §7), so nothing is lost.
"""

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from hinoban.base.clock import SECONDS, Clock
from hinoban.base.errors import HinobanError
from hinoban.base.supervise import event_or_moment
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.places import ANYWHERE, Place
from hinoban.watch.schedules.model import Problem
from hinoban.watch.sources.source import Batch, was_over

WAIT = 20 * SECONDS
MOST = 1000
"""So many events may wait to be remembered; more are turned away, to be sent again."""


class Full(HinobanError):
    """Too many events wait."""

    def __init__(self) -> None:
        super().__init__("The event was not taken", f"{MOST} wait to be remembered", "Send it again in a few seconds.")


class _Posted(msgspec.Struct):
    """One post: its events, and who waits for its being remembered."""

    events: tuple[bytes, ...]
    over: bool
    remembered: asyncio.Event


class Http:
    """One address that events are posted to; `name` is its own."""

    def __init__(self, name: str, clock: Clock, *, of: Place = ANYWHERE, wait: float = WAIT) -> None:
        self.name = f"http:{name}"
        self.of = of
        self.pushed = True
        self.problems: Mapping[str, Problem] = {}
        self._clock = clock
        self._wait = wait
        self._waiting: list[_Posted] = []
        self._given: list[_Posted] = []
        self._came = asyncio.Event()
        self._attached_at: float | None = None

    async def post(self, events: Sequence[bytes]) -> None:
        """Returns when these envelopes are remembered; Full where too many wait."""
        if sum(len(one.events) for one in (*self._waiting, *self._given)) + len(events) > MOST:
            raise Full
        attached = self._attached_at or self._clock.now()
        over = all(was_over(one, attached) for one in events)
        posted = _Posted(tuple(events), over, asyncio.Event())
        self._waiting.append(posted)
        self._came.set()
        await posted.remembered.wait()

    async def poll(self, cursor: Cursor | None) -> Batch:
        """What was posted since, waiting up to `wait` seconds for one; a batch that was not committed comes again."""
        if self._attached_at is None:
            self._attached_at = float(cursor.feed) if cursor is not None else self._clock.now()
        if not self._given:
            if not self._waiting:
                await self._something()
            # What was over before the first attach comes by itself, in silence.
            over = bool(self._waiting) and self._waiting[0].over
            self._given = [one for one in self._waiting if one.over is over]
            self._waiting = [one for one in self._waiting if one.over is not over]
        events = [event for one in self._given for event in one.events]
        seq = (cursor.seq if cursor is not None else 0) + len(events)
        after = Cursor(str(self._attached_at), seq, seq + sum(len(one.events) for one in self._waiting), self._clock.now())
        return Batch(events=events, cursor=after, silent=bool(self._given) and self._given[0].over)

    async def committed(self) -> None:
        """Those who posted are told."""
        for one in self._given:
            one.remembered.set()
        self._given = []

    async def _something(self) -> None:
        self._came.clear()
        await event_or_moment(self._came, self._clock.now() + self._wait, self._clock)

"""Time comes in from outside: the real clock for the daemon, a fake one for journeys.

A moment is a `float` of seconds since the epoch with millisecond resolution, the resolution AWS's APIs print.
"""

import asyncio
import heapq
import itertools
import time
from typing import Protocol

SECONDS = 1.0
MINUTES = 60.0
HOURS = 3600.0
DAYS = 86400.0


class Clock(Protocol):
    """Tells the time and waits for a moment."""

    def now(self) -> float:
        """Seconds since the epoch, rounded to milliseconds."""
        ...

    async def sleep_until(self, moment: float) -> None:
        """Return when `now()` is at or past `moment`; at once if it already is."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return round(time.time(), 3)

    async def sleep_until(self, moment: float) -> None:
        while (left := moment - time.time()) > 0:
            # A day at the most, so that a clock set forward is noticed.
            await asyncio.sleep(min(left, DAYS))


class FakeClock:
    """A clock that moves only when a test says so."""

    def __init__(self, start: float = 1_795_705_200.0) -> None:
        self._now = start
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        return round(self._now, 3)

    async def sleep_until(self, moment: float) -> None:
        if moment <= self._now:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (moment, next(self._order), future))
        await future

    async def advance(self, seconds: float) -> None:
        """Move time on, waking each sleeper at its own moment, in order, and letting what it wakes run."""
        target = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            moment, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, moment)
            if not future.done():
                future.set_result(None)
                await settle()
        self._now = target
        await settle()


async def settle(turns: int = 50) -> None:
    """Let everything that is ready on the event loop run; used with `FakeClock`, never with real time."""
    for _ in range(turns):
        await asyncio.sleep(0)

"""The dead-man's ping: a URL is called while the watch is really well, and stays uncalled when it is not; whoever listens there raises the
alarm then (facts/monitoring.md §6.1). There is no ping that says "ill": what is ill may not be able to say so."""

import logging
from collections.abc import Callable
from typing import Any

import httpx

from hinoban.base.clock import SECONDS, Clock
from hinoban.base.units import format_duration, iso
from hinoban.watch.config import DeadMan
from hinoban.watch.notify.channels.http import client

AGAIN = 15 * SECONDS
"""After a ping that did not arrive or was withheld; at `every` where that is shorter."""
log = logging.getLogger(__name__)


class DeadMansPing:
    """`unwell` says why the watch is not well (None: it is). Nothing that is told elsewhere holds the URL: it is the secret."""

    def __init__(
        self,
        config: DeadMan | None,
        clock: Clock,
        unwell: Callable[[], str | None],
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._unwell = unwell
        self._http = client(transport) if config is not None else None
        self._next: float | None = None
        self._ok_at: float | None = None
        self._withheld: str | None = None
        self._error: str | None = None

    async def step(self, now: float) -> float | None:
        """Ping where all is well; when to ping again. None: nobody is to be pinged."""
        if self._config is None:
            return None
        every = self._config.every
        # Other things wake the loops, too, and receivers count pings; a clock that was set back must not make us wait for it.
        if self._next is not None and self._next - every <= now < self._next:
            return self._next
        self._withheld = self._unwell()
        if self._withheld is None:
            self._error = await self._ping(self._config.url)
            if self._error is None:
                self._ok_at = self._clock.now()
            else:
                log.warning("the dead-man's ping did not arrive: %s", self._error)
        well = self._withheld is None and self._error is None
        self._next = now + (every if well else min(every, AGAIN))
        return self._next

    async def _ping(self, url: str) -> str | None:
        """Why it did not arrive."""
        assert self._http is not None
        try:
            answer = await self._http.get(url, headers={"user-agent": "hinoban"})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return type(error).__name__  # its own text may hold the URL
        return None if answer.is_success else f"HTTP {answer.status_code}"

    def status(self) -> dict[str, Any] | None:
        """When it last arrived, why it is withheld, why it did not arrive; None where nobody is to be pinged."""
        if self._config is None:
            return None
        return {
            "ok_at": iso(self._ok_at) if self._ok_at is not None else None,
            "withheld": self._withheld,
            "error": self._error,
            "every": self._config.every,
            "words": self._words(self._config.every),
        }

    def _words(self, every: float) -> str:
        ago = f"{format_duration(self._clock.now() - self._ok_at)} ago" if self._ok_at is not None else ""
        if self._withheld is not None:
            return f"withheld ({self._withheld})" + (f", last {ago}" if ago else "")
        if self._error is not None:
            return f"FAILS ({self._error})" + (f", last {ago}" if ago else "")
        return f"ok {ago}" if ago else f"not yet, every {format_duration(every)}"

    async def close(self) -> None:
        """Let go of connections."""
        if self._http is not None:
            await self._http.aclose()

"""`hinoban watch` as a child of `hinoban up`: started, handed its settings, restarted when it dies, reached over a Unix socket.

The child gets an endpoint, a key pair and a feed URL, no more (docs/decisions/0001). Its standard input stays open as long as
we live: when we are killed it reads the end of file and goes.
"""

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec

from hinoban.base.clock import SECONDS, Clock

_log = logging.getLogger(__name__)
_RESTART_AFTER = (0.2 * SECONDS, 1 * SECONDS, 5 * SECONDS, 15 * SECONDS)
_STEADY_AFTER = 60 * SECONDS
_LAST_WORDS = 5 * SECONDS
_ANSWER_WITHIN = 30 * SECONDS
_CATCH_UP_WITHIN, _TELL_WITHIN = 5 * SECONDS, 1 * SECONDS
_ASK_AGAIN = 0.02 * SECONDS


class WatchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the child is told, on one line of its standard input. `config` is the WatchConfig as JSON."""

    endpoint: str
    access_key_id: str
    secret_access_key: str
    region: str
    account: str
    directory: str
    socket: str
    config: msgspec.Raw


class WatchChild:
    """Keeps one watch running."""

    def __init__(self, settings: WatchSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._process: asyncio.subprocess.Process | None = None
        self._closing = False
        transport = httpx.AsyncHTTPTransport(uds=settings.socket, limits=httpx.Limits(max_keepalive_connections=4))
        self._client = httpx.AsyncClient(transport=transport, timeout=_ANSWER_WITHIN)

    async def run(self) -> None:
        """Start the child whenever it is not there, sooner after a long life than after a short one."""
        failures = 0
        while not self._closing:
            began = self._clock.now()
            code = await self._live()
            if self._closing:
                return
            failures = 0 if self._clock.now() - began > _STEADY_AFTER else failures + 1
            wait = _RESTART_AFTER[min(failures, len(_RESTART_AFTER) - 1)]
            _log.error("The watch ended (%s); it is started again in %s s", code, wait)
            await self._clock.sleep_until(self._clock.now() + wait)

    async def _live(self) -> int:
        Path(self._settings.socket).unlink(missing_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hinoban.daemon.watch_main", stdin=asyncio.subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(self._settings) + b"\n")
        return await self._process.wait()

    async def forward(self, method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
        """Hand a request on; 503 in our own words while the watch is not there."""
        url = httpx.URL(scheme="http", host="watch", path=path, query=query.encode())
        try:
            answer = await self._client.request(method, url, content=body)
        except httpx.TransportError as error:
            problem: dict[str, Any] = {
                "error": "WatchUnavailable",
                "what": "The watch does not answer",
                "why": f"it is starting or has failed ({type(error).__name__})",
                "todo": "Try again in a few seconds; if it stays so, look at what `hinoban up` printed.",
            }
            return 503, msgspec.json.encode(problem)
        return answer.status_code, answer.content

    async def catch_up(self, newest: int) -> None:
        """Return when the watch has read the feed up to `newest` and has told what it had to tell; bounded, as it reads the rest when
        it is started again."""
        began = self._clock.now()
        read_at: float | None = None
        while self._process is not None and self._process.returncode is None:
            code, answer = await self.forward("GET", "/_hinoban/v1/status", "", b"")
            now = self._clock.now()
            status: dict[str, Any] = msgspec.json.decode(answer) if code == 200 else {}
            if read_at is None and status.get("cursor", -1) >= newest:
                read_at = now
            if read_at is not None and (not status.get("outbox", {}).get("queued") or now - read_at > _TELL_WITHIN):
                return
            if now - began > _CATCH_UP_WITHIN:
                return
            await self._clock.sleep_until(now + _ASK_AGAIN)

    async def close(self) -> None:
        """Let the child finish what it is at, then end it."""
        self._closing = True
        await self._client.aclose()
        if self._process is None or self._process.returncode is not None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), _LAST_WORDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

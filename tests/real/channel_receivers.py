"""Slack's bot API and PagerDuty's Events API on a port of this machine, for a daemon of its own process: they take what is sent, and now
and then time out, refuse for a while, or take it and lose the answer.
"""

import asyncio
import contextlib
import random
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from typing import Any, Literal

import msgspec
import uvicorn

from hinoban.daemon.serving import Server
from hinoban.watch.notify.channels.keep import REPEAT
from tests.real.daemon_support import until

Trouble = Literal["limited", "down", "failed", "lost", "silent"]
TROUBLES: tuple[Trouble, ...] = ("limited", "down", "failed", "lost")
_INCIDENT = re.compile(r"inc-[a-z0-9]+")
_STATUS = {"limited": 429, "down": 503, "failed": 500, "lost": 502}


class Receivers:
    """`share` of the requests meet trouble until `most` have; the first of each service is left without any answer."""

    def __init__(self, dice: random.Random, *, share: float, most: int) -> None:
        self._dice = dice
        self._share, self._most = share, most
        self.troubles: Counter[tuple[str, Trouble]] = Counter()
        self.posts: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        """Slack's messages by incident, in order; those in a thread have `thread_ts`."""
        self.updates: Counter[str] = Counter()
        self.events: defaultdict[str, list[str]] = defaultdict(list)
        """PagerDuty's event actions by dedup_key, in order."""
        self.url = ""

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while (part := await receive())["type"] == "http.request":
            body += part["body"]
            if not part.get("more_body"):
                break
        service = "pagerduty" if scope["path"] == "/v2/enqueue" else "slack"
        trouble = self._trouble(service)
        if trouble in (None, "lost", "silent"):
            self._take(scope["path"], msgspec.json.decode(body))
        if trouble == "silent":
            await receive()  # until the other side has had enough
            return
        status = _STATUS[trouble] if trouble is not None else 202 if service == "pagerduty" else 200
        answer = {"ok": True, "channel": "C1", "ts": f"{sum(map(len, self.posts.values()))}.000"} if status < 400 else {}
        headers = [(b"content-type", b"application/json"), *([(b"retry-after", b"1")] if trouble == "limited" else [])]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": msgspec.json.encode(answer)})

    def _trouble(self, service: str) -> Trouble | None:
        met = sum(count for (whose, _), count in self.troubles.items() if whose == service)
        trouble: Trouble | None = None
        if met == 0:
            trouble = "silent"
        elif met <= len(TROUBLES):
            # Each at least once, whatever the dice say.
            trouble = TROUBLES[met - 1] if self._dice.random() < 0.2 else None
        elif met < self._most and self._dice.random() < self._share:
            trouble = self._dice.choice(TROUBLES)
        if trouble is not None:
            self.troubles[service, trouble] += 1
        return trouble

    def _take(self, path: str, said: dict[str, Any]) -> None:
        if path == "/v2/enqueue":
            self.events[said["dedup_key"]].append(said["event_action"])
        elif path.endswith("chat.postMessage"):
            found = _INCIDENT.search(msgspec.json.encode(said).decode())
            assert found is not None, said
            self.posts[found[0]].append(said)
        else:
            self.updates[said["ts"]] += 1


def marked(post: dict[str, Any]) -> bool:
    """Whether a message says that it may be there twice."""
    return REPEAT in msgspec.json.encode(post).decode()


@contextlib.asynccontextmanager
async def receiving(receivers: Receivers) -> AsyncIterator[Receivers]:
    """Listen on a free port of this machine."""
    config = uvicorn.Config(receivers, host="127.0.0.1", port=0, lifespan="off", access_log=False, log_level="warning", ws="none")
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started, "the receivers listen")
    receivers.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield receivers
    finally:
        server.should_exit = server.force_exit = True
        await serving

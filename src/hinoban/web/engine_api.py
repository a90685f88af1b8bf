"""The engine's part of the JSON API: the feed, faults, reset; whatever concerns the watch is handed on to it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hinoban.web.answers import PREFIX, application, body, route, whole
from hinoban.web.metrics import MEDIA_TYPE

_MOST_LINES = 10_000
_LONGEST_WAIT = 60


class Feed(Protocol):
    """The journal as its readers see it. `read` raises an exception with `oldest` and `newest` for a cursor that is lost."""

    feed_id: str
    newest: int

    def read(self, after: int, limit: int) -> list[bytes]: ...

    async def wait_beyond(self, after: int) -> None: ...


class FaultTable(Protocol):
    """The faults in force."""

    def add(self, bodies: list[Any]) -> list[Any]: ...

    def list(self) -> list[Any]: ...

    def clear(self) -> None: ...


Forward = Callable[[str, str, str, bytes], Awaitable[tuple[int, bytes]]]
"""(method, path, query, body) -> (status, JSON; of `metrics` text), from the watch."""


def create(
    feed: Feed,
    feed_gone: type[Exception],
    faults: FaultTable,
    settle: Callable[[], Awaitable[None]],
    reset: Callable[[], Awaitable[None]],
    regions: Callable[[], list[str]],
    rules: Callable[[], dict[str, Any]],
    forward: Forward,
) -> Starlette:
    """The application; signatures were checked before it is reached. `regions`: where a reader that lost the thread must look.

    `rules`: every rule and schedule with what it matched, delivered and failed to deliver.
    """

    async def get_feed(request: Request) -> Response:
        after = whole(request, "after", 0, 2**53)
        limit = whole(request, "limit", 1000, _MOST_LINES)
        wait = whole(request, "wait", 0, _LONGEST_WAIT)
        try:
            lines = feed.read(after, limit)
            if not lines and wait:
                try:
                    await asyncio.wait_for(feed.wait_beyond(after), wait)
                except TimeoutError:
                    lines = []
                else:
                    lines = feed.read(after, limit)
        except feed_gone as gone:
            answer = {
                "error": "FeedGone",
                "oldest": getattr(gone, "oldest", 0),
                "newest": getattr(gone, "newest", 0),
                "regions": regions(),
            }
            return Response(msgspec.json.encode(answer), status_code=410, media_type="application/json", headers=headers())
        return Response(b"".join(lines), media_type="application/x-ndjson", headers=headers())

    def headers() -> dict[str, str]:
        return {"x-hinoban-feed": feed.feed_id, "x-hinoban-last": str(feed.newest)}

    async def list_faults(request: Request) -> Any:
        return {"faults": faults.list()}

    async def add_faults(request: Request) -> Any:
        asked = await body(request)
        given = asked.get("faults", asked)
        added = faults.add(given if isinstance(given, list) else [given])
        await settle()
        return {"faults": added}

    async def clear_faults(request: Request) -> Any:
        faults.clear()
        await settle()
        return {"faults": []}

    async def get_rules(request: Request) -> Any:
        return rules()

    async def do_reset(request: Request) -> Any:
        await reset()
        return {}

    async def to_watch(request: Request) -> Response:
        status, answer = await forward(request.method, request.url.path, request.url.query, await request.body())
        text = status == 200 and request.url.path == f"{PREFIX}/metrics"
        return Response(answer, status_code=status, media_type=MEDIA_TYPE if text else "application/json")

    return application(
        [
            Route(f"{PREFIX}/feed", route(get_feed)),
            Route(f"{PREFIX}/faults", route(list_faults), methods=["GET"]),
            Route(f"{PREFIX}/faults", route(add_faults), methods=["POST"]),
            Route(f"{PREFIX}/faults", route(clear_faults), methods=["DELETE"]),
            Route(f"{PREFIX}/rules", route(get_rules)),
            Route(f"{PREFIX}/reset", route(do_reset), methods=["POST"]),
            Route(PREFIX + "/{rest:path}", to_watch, methods=["GET", "POST", "DELETE"]),
        ]
    )

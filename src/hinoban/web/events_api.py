"""Where EventBridge's API destinations and webhooks post events: `POST /events`, with the key in `X-Api-Key` or as a bearer token."""

import hmac
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hinoban.base.errors import HinobanError
from hinoban.web.answers import BadRequest, application, refused

PATH = "/events"
LARGEST = 1024 * 1024
"""Bytes of a post; an event of EventBridge has 256 KiB at the most (facts/eventbridge.md §3)."""


class _Shape(msgspec.Struct, rename={"detail_type": "detail-type"}):
    """What every envelope has."""

    id: str
    detail_type: str
    source: str
    time: str
    detail: msgspec.Raw


_shape = msgspec.json.Decoder(_Shape).decode
Post = Callable[[Sequence[bytes]], Awaitable[None]]


def create(post: Post, key: str) -> Starlette:
    """The application; `post` returns once the events are remembered."""

    async def events(request: Request) -> Response:
        if not _knows(request, key):
            words = HinobanError("The event was not taken", "the key is not ours", "Send it as X-Api-Key, or as a bearer token.")
            return refused(words, 401)
        try:
            found = _read(await _body(request))
        except BadRequest as error:
            return refused(error, 400)
        try:
            await post(found)
        except HinobanError as error:
            return refused(error, 503)
        return Response(status_code=204)

    return application([Route(PATH, events, methods=["POST"])])


def _knows(request: Request, key: str) -> bool:
    bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
    given = request.headers.get("x-api-key") or bearer
    return hmac.compare_digest(given.encode(), key.encode())


async def _body(request: Request) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST:
            raise BadRequest("The event was not taken", f"it has more than {LARGEST} bytes", "Send fewer at a time.")
        parts.append(part)
    return b"".join(parts)


def _read(body: bytes) -> list[bytes]:
    """One envelope, or a list of them; BadRequest for anything else."""
    try:
        found = msgspec.json.decode(body, type=list[msgspec.Raw]) if body.lstrip().startswith(b"[") else [msgspec.Raw(body)]
        for one in found:
            _shape(one)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(
            "The event was not taken", f"it is no EventBridge event: {error}", "Post the event as it is, or a list."
        ) from error
    return [bytes(one) for one in found]

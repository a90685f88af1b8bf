"""How the JSON API answers: JSON by msgspec, errors as HinobanError's three parts."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from hinoban.base.errors import HinobanError

Answer = Callable[[Request], Awaitable[Any]]


def ok(value: Any) -> Response:
    """200 with a JSON document."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def refused(error: HinobanError, status: int) -> Response:
    """An error as `{"error", "what", "why", "todo"}`."""
    body = {"error": type(error).__name__, "what": error.what, "why": error.why, "todo": error.todo}
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def route(answer: Answer, *, status: int = 400) -> Callable[[Request], Awaitable[Response]]:
    """The handler's value as JSON; its HinobanError as `status`."""

    async def handle(request: Request) -> Response:
        try:
            value = await answer(request)
        except HinobanError as error:
            return refused(error, status)
        return value if isinstance(value, Response) else ok(value)

    return handle


async def body(request: Request) -> dict[str, Any]:
    """The request's JSON object; HinobanError for anything else. No body is an empty object."""
    raw = await request.body()
    if not raw:
        return {}
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise HinobanError("The body is not JSON", str(error), "Send a JSON object.") from error
    if not isinstance(value, dict):
        raise HinobanError("The body is not an object", f"it is a {type(value).__name__}", "Send a JSON object.")
    return value


def whole(request: Request, name: str, default: int, most: int) -> int:
    """A number of the query, between 0 and `most`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 16 or int(text) > most:
        raise HinobanError(f"{name}={text} cannot be served", f"it must be a whole number from 0 to {most}", "Correct the query.")
    return int(text)

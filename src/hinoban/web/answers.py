"""How the JSON API answers: JSON by msgspec, errors as HinobanError's three parts."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from hinoban.base.errors import HinobanError

PREFIX = "/_hinoban/v1"
Answer = Callable[[Request], Awaitable[Any]]


class BadRequest(HinobanError):
    """The request itself is wrong, whatever is there: always 400."""


def application(routes: list[Route]) -> Starlette:
    """The application of these routes; an unknown path or method is answered as every error is."""
    return Starlette(routes=routes, exception_handlers={HTTPException: _no_route})


async def _no_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    asked = f"{request.method} {request.url.path}"
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        body = _error("MethodNotAllowed", f"{asked} is not answered", f"this path takes {allowed}", "docs/json-api.md lists the requests.")
    else:
        body = _error("NotFound", f"{asked} is not answered", "there is nothing at this path", "docs/json-api.md lists the requests.")
    return Response(body, status_code=error.status_code, media_type="application/json", headers=error.headers)


def _error(code: str, what: str, why: str, todo: str) -> bytes:
    return msgspec.json.encode({"error": code, "what": what, "why": why, "todo": todo})


def ok(value: Any) -> Response:
    """200 with a JSON document."""
    return Response(msgspec.json.encode(value), media_type="application/json")


def refused(error: HinobanError, status: int) -> Response:
    """An error as `{"error", "what", "why", "todo"}`."""
    body = _error(type(error).__name__, error.what, error.why, error.todo)
    return Response(body, status_code=status, media_type="application/json")


def route(answer: Answer, *, status: int = 400) -> Callable[[Request], Awaitable[Response]]:
    """The handler's value as JSON; its HinobanError as `status`, a BadRequest as 400."""

    async def handle(request: Request) -> Response:
        try:
            value = await answer(request)
        except HinobanError as error:
            return refused(error, 400 if isinstance(error, BadRequest) else status)
        return value if isinstance(value, Response) else ok(value)

    return handle


async def body(request: Request) -> dict[str, Any]:
    """The request's JSON object; BadRequest for anything else. No body is an empty object."""
    raw = await request.body()
    if not raw:
        return {}
    try:
        value = msgspec.json.decode(raw)
    except msgspec.DecodeError as error:
        raise BadRequest("The body is not JSON", str(error), "Send a JSON object.") from error
    if not isinstance(value, dict):
        raise BadRequest("The body is not an object", f"it is a {type(value).__name__}", "Send a JSON object.")
    return value


def whole(request: Request, name: str, default: int, most: int) -> int:
    """A number of the query, between 0 and `most`."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 16 or int(text) > most:
        raise BadRequest(f"{name}={text} cannot be served", f"it must be a whole number from 0 to {most}", "Correct the query.")
    return int(text)


def one_of(request: Request, name: str, allowed: tuple[str, ...]) -> str | None:
    """A word of the query, one of those allowed; None where it is absent or empty."""
    text = request.query_params.get(name)
    if text and text not in allowed:
        raise BadRequest(f"{name}={text} cannot be served", f"it must be one of {', '.join(allowed)}", "Correct the query.")
    return text or None

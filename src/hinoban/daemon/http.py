"""The one port: bytes from the socket go to the AWS endpoint, `/_hinoban/` to the JSON API, `/health` to whoever asks."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from hinoban import __version__
from hinoban.aws import errors
from hinoban.aws.client import API_SERVICE
from hinoban.aws.errors import AwsError
from hinoban.aws.hosts import host_allowed
from hinoban.aws.http import HttpRequest, HttpResponse
from hinoban.aws.protocols.foreign import body_limit
from hinoban.aws.server import Endpoint
from hinoban.aws.sigv4 import Verifier

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

API = "/_hinoban/"


class FrontDoor:
    """A bare ASGI application: the AWS endpoint is called often and needs no router."""

    def __init__(self, endpoint: Endpoint, verifier: Verifier, api: Asgi) -> None:
        self._endpoint = endpoint
        self._verifier = verifier
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]},{value}" if name in headers else value
        path: str = scope["raw_path"].decode("latin-1") if scope.get("raw_path") else scope["path"]
        path = path.partition("?")[0]
        try:
            if not host_allowed(headers.get("host", "")):
                raise errors.host_not_allowed(headers.get("host", ""))
            query = scope["query_string"].decode("latin-1")
            # Signed, it is a bucket of that name.
            if path == "/health" and scope["method"] in ("GET", "HEAD") and "authorization" not in headers and "X-Amz-" not in query:
                await _send(send, _json(200, {"status": "ok", "version": __version__}))
                return
            body = await _body(headers, receive, body_limit(headers, query))
        except AwsError as error:
            await _send(send, _refused(path, error))
            return
        client = scope.get("client")
        request = HttpRequest(
            method=scope["method"],
            path=path,
            query=query,
            headers=headers,
            body=body,
            client=client[0] if client else "127.0.0.1",
        )
        if path.startswith(API):
            await self._serve_api(request, scope, send)
        else:
            await _send(send, await self._endpoint.handle(request))

    async def _serve_api(self, request: HttpRequest, scope: Scope, send: Send) -> None:
        try:
            verified = self._verifier.verify(request)
            if verified.service not in ("", API_SERVICE):
                raise errors.invalid_signature(f"Credential should be scoped to correct service: '{API_SERVICE}'. ")
        except AwsError as error:
            await _send(send, _refused(request.path, error))
            return
        await self._api(scope, _replay(request.body), send)


def _replay(body: bytes) -> Receive:
    """The body that was read to check the signature, handed on once."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> MutableMapping[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


async def _body(headers: dict[str, str], receive: Receive, limit: int) -> bytes:
    """The request's body; refused before it is read where its length says that it is too large."""
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > limit:
        raise errors.too_large(limit)
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body"):
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise errors.too_large(limit)
    return b"".join(parts)


def _refused(path: str, error: AwsError) -> HttpResponse:
    """An answer before anybody was asked: below `/_hinoban/` in the JSON API's shape (docs/json-api.md), else in AWS's."""
    if not path.startswith(API):
        return _json(error.status, {"__type": error.code, "message": error.message})
    what, todo = "The request is not accepted", "docs/json-api.md says how to ask."
    return _json(error.status, {"error": error.code, "what": what, "why": error.message, "todo": todo})


def _json(status: int, value: Any) -> HttpResponse:
    body = msgspec.json.encode(value)
    return HttpResponse(status, [("content-type", "application/json"), ("content-length", str(len(body)))], body)


async def _send(send: Send, response: HttpResponse) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})

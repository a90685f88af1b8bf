"""An AWS client for the watch, the CLI and the drills: JSON protocol, signed, one attempt, no opinions.

Who calls decides about retries: only they know what may be repeated.
"""

import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec

from hinoban.aws import models
from hinoban.aws.errors import AwsError
from hinoban.aws.sigv4 import Credentials, sign
from hinoban.base.clock import SECONDS, Clock
from hinoban.base.errors import HinobanError

API = "/_hinoban/v1/"
API_SERVICE = "hinoban"
CONNECT = 5 * SECONDS
ANSWER = 60 * SECONDS

__all__ = ["Client", "Credentials", "EndpointUnreachable"]


class EndpointUnreachable(HinobanError):
    """Nobody answers at the endpoint, or not in time."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"no answer from {url}", why, "Start Hinoban with `hinoban up`, or correct AWS_ENDPOINT_URL.")
        self.url = url


class Client:
    """Calls one endpoint in one region with one key pair. Without credentials the calls go out unsigned."""

    def __init__(
        self,
        endpoint_url: str,
        credentials: Credentials | None,
        region: str,
        *,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
        timeout: float = ANSWER,
    ) -> None:
        self.endpoint_url = endpoint_url.rstrip("/")
        self.region = region
        self._credentials = credentials
        self._clock = clock
        self._timeout = timeout
        # trust_env off: a proxy of the shell must not come between us and loopback.
        self._http = httpx.AsyncClient(transport=transport, timeout=httpx.Timeout(timeout, connect=CONNECT), trust_env=False)

    def in_region(self, region: str) -> "Client":
        """This client for calls in another region, on the same connections; close the original only."""
        other = copy.copy(self)
        other.region = region
        return other

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The operation's output; AwsError for an error answer, EndpointUnreachable without an answer."""
        model = models.service(service)
        headers = {
            "content-type": f"application/x-amz-json-{model.json_version}",
            "x-amz-target": f"{model.target_prefix}.{operation}",
        }
        request = self._request("POST", "/", headers, msgspec.json.encode(params), model.signing_name)
        response = await self._send(request)
        if response.is_success:
            return _object(response.content)
        raise decode_error(response.status_code, response.content)

    async def paginate(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        result_key: str,
        *,
        token_in: str = "nextToken",
        token_out: str = "nextToken",
    ) -> AsyncIterator[Any]:
        """Every item under `result_key` of all pages."""
        page, token = dict(params), None
        while token != "":
            output = await self.call(service, operation, page)
            for item in output.get(result_key, ()):
                yield item
            # CloudWatch Logs says "the end" by giving back the token it got (facts/logs.md §3).
            token = output.get(token_out) or ""
            if token == page.get(token_in):
                return
            page[token_in] = token

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """GET below /_hinoban/v1/; HinobanError with the answer's own words for an error answer."""
        return await self._api("GET", path, query, b"")

    async def post(self, path: str, body: Any = None) -> dict[str, Any]:
        """POST below /_hinoban/v1/."""
        return await self._api("POST", path, None, msgspec.json.encode({} if body is None else body))

    async def delete(self, path: str) -> dict[str, Any]:
        """DELETE below /_hinoban/v1/."""
        return await self._api("DELETE", path, None, b"")

    async def feed(self, path: str, query: Mapping[str, Any] | None = None, *, wait: float = 0.0) -> tuple[httpx.Headers, list[bytes]]:
        """One answer of NDJSON: its headers and its lines; for the event feed, whose headers tell the newest number."""
        request = self._request("GET", API + path, {}, b"", API_SERVICE, query, timeout=self._timeout + wait)
        response = await self._send(request)
        if not response.is_success:
            raise decode_api_error(response.status_code, response.content)
        return response.headers, [line for line in response.content.split(b"\n") if line]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _api(self, method: str, path: str, query: Mapping[str, Any] | None, body: bytes) -> dict[str, Any]:
        response = await self._send(self._request(method, API + path, {"content-type": "application/json"}, body, API_SERVICE, query))
        if not response.is_success:
            raise decode_api_error(response.status_code, response.content)
        return _object(response.content)

    def _request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        service: str,
        query: Mapping[str, Any] | None = None,
        *,
        timeout: float | None = None,
    ) -> httpx.Request:
        asked = {name: value for name, value in (query or {}).items() if value is not None}
        url = httpx.URL(self.endpoint_url + path)
        if asked:
            url = url.copy_with(query=urlencode(asked).replace("+", "%20").encode())
        if self._credentials is not None:
            headers = headers | sign(method, str(url), headers, body, self._credentials, self.region, service, self._clock.now())
        if timeout is None:
            return self._http.build_request(method, url, headers=headers, content=body)
        return self._http.build_request(method, url, headers=headers, content=body, timeout=httpx.Timeout(timeout, connect=CONNECT))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._http.send(request)
        except httpx.TransportError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: httpx.TransportError) -> EndpointUnreachable:
        if isinstance(error, httpx.TimeoutException):
            return EndpointUnreachable(self.endpoint_url, "it did not answer in time")
        return EndpointUnreachable(self.endpoint_url, str(error) or type(error).__name__)


def decode_error(status: int, body: bytes) -> AwsError:
    """The AwsError in an error answer: the code is the part after `#` and before `:` (facts/ecs.md §11.1)."""
    try:
        fields = _object(body)
    except AwsError:
        return AwsError("UnknownError", body[:500].decode("utf-8", "replace") or f"HTTP status {status} without a body", status)
    code = str(fields.pop("__type", None) or fields.pop("code", None) or "UnknownError").rpartition("#")[2].partition(":")[0]
    message = next((fields.pop(name) for name in ("message", "Message", "errorMessage") if name in fields), "")
    return AwsError(code, str(message), status, fields)


class ApiError(HinobanError):
    """An error answer of /_hinoban/v1/: `code` and `status` beside the three parts; `fields` are its further members."""

    def __init__(self, code: str, status: int, what: str, why: str, todo: str, fields: dict[str, Any]) -> None:
        super().__init__(what, why, todo)
        self.code = code
        self.status = status
        self.fields = fields


def decode_api_error(status: int, body: bytes) -> ApiError:
    """An error answer below /_hinoban/v1/. What is not in its shape is somebody else's, whose words are the reason then."""
    try:
        fields = _object(body)
    except AwsError:
        fields = {}
    foreign = decode_error(status, body)
    code, what = str(fields.pop("error", foreign.code)), str(fields.pop("what", f"The endpoint answered with HTTP status {status}"))
    why, todo = str(fields.pop("why", foreign.message or code)), str(fields.pop("todo", "Look at the daemon's log."))
    return ApiError(code, status, what, why, todo, fields)


def _object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body holds; nothing is `{}`."""
    try:
        found = msgspec.json.decode(body) if body else {}
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise AwsError("UnreadableAnswer", f"The endpoint's answer is not JSON: {error}", 502) from None
    if not isinstance(found, dict):
        raise AwsError("UnreadableAnswer", "The endpoint's answer is not a JSON object.", 502)
    return found

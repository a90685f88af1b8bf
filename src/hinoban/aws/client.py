"""An AWS client for the watch, the CLI and the drills: the service's own protocol, signed, one attempt, no opinions.

Who calls decides about retries: only they know what may be repeated.
"""

import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import msgspec

from hinoban.aws import models
from hinoban.aws.errors import AwsError
from hinoban.aws.protocols import outgoing
from hinoban.aws.protocols.outgoing import decode_error
from hinoban.aws.sigv4 import Credentials, sign
from hinoban.base.clock import SECONDS, Clock
from hinoban.base.errors import HinobanError

API = "/_hinoban/v1/"
API_SERVICE = "hinoban"
CONNECT = 5 * SECONDS
ANSWER = 60 * SECONDS

__all__ = ["Client", "Credentials", "EndpointUnreachable", "decode_error"]
# What services call their paging token.
_TOKENS = ("nextToken", "NextToken", "Marker")


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
        trust_env: bool = False,
    ) -> None:
        self.endpoint_url = endpoint_url.rstrip("/")
        self._base = httpx.URL(self.endpoint_url).raw_path.decode().rstrip("/")
        self.region = region
        self._credentials = credentials
        self._clock = clock
        self._timeout = timeout
        # trust_env is off as a rule: a proxy of the shell must not come between us and loopback.
        self._http = httpx.AsyncClient(transport=transport, timeout=httpx.Timeout(timeout, connect=CONNECT), trust_env=trust_env)

    def in_region(self, region: str) -> "Client":
        """This client for calls in another region, on the same connections; close the original only."""
        other = copy.copy(self)
        other.region = region
        return other

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The operation's output; AwsError for an error answer, EndpointUnreachable without an answer."""
        model = models.service(service)
        call = outgoing.encode(model, operation, params)
        request = self._request(call.method, call.path, call.headers, call.body, model.signing_name, call.query)
        response = await self._send(request)
        return outgoing.decode(model, operation, response.status_code, response.headers, response.content)

    async def paginate(
        self,
        service: str,
        operation: str,
        params: Mapping[str, Any],
        result_key: str,
        *,
        token_in: str | None = None,
        token_out: str | None = None,
    ) -> AsyncIterator[Any]:
        """Every item under `result_key` of all pages; the token's name is the model's, unless it is said."""
        token_in = token_in or _token_of(service, operation)
        token_out = token_out or token_in
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
        request = self._request("GET", API + path, {}, b"", API_SERVICE, _spelled(query), timeout=self._timeout + wait)
        response = await self._send(request)
        if not response.is_success:
            raise decode_api_error(response.status_code, response.content)
        return response.headers, [line for line in response.content.split(b"\n") if line]

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _api(self, method: str, path: str, query: Mapping[str, Any] | None, body: bytes) -> dict[str, Any]:
        headers = {"content-type": "application/json"}
        response = await self._send(self._request(method, API + path, headers, body, API_SERVICE, _spelled(query)))
        if not response.is_success:
            raise decode_api_error(response.status_code, response.content)
        return outgoing.json_object(response.content)

    def _request(
        self,
        method: str,
        path: str,
        headers: dict[str, str],
        body: bytes,
        service: str,
        query: str,
        *,
        timeout: float | None = None,
    ) -> httpx.Request:
        """A signed request; path and query are as they go over the wire."""
        url = httpx.URL(self.endpoint_url).copy_with(raw_path=(self._base + path + (f"?{query}" if query else "")).encode())
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
        fields = outgoing.json_object(body)
    except AwsError:
        fields = {}
    foreign = decode_error(status, body)
    code, what = str(fields.pop("error", foreign.code)), str(fields.pop("what", f"The endpoint answered with HTTP status {status}"))
    why, todo = str(fields.pop("why", foreign.message or code)), str(fields.pop("todo", "Look at the daemon's log."))
    return ApiError(code, status, what, why, todo, fields)


def _spelled(query: Mapping[str, Any] | None) -> str:
    """A query string of what is not None."""
    return urlencode({name: value for name, value in (query or {}).items() if value is not None}, quote_via=quote, safe="")


def _token_of(service: str, operation: str) -> str:
    model = models.service(service)
    shape = model.definitions[operation].get("input", {}).get("shape")
    members = model.shapes[shape]["members"] if shape else {}
    return next((name for name in _TOKENS if name in members), _TOKENS[0])

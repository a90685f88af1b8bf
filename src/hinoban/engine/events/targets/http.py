"""An API destination as a target: one HTTP request for each event, which must be answered within 5 seconds (facts/eventbridge.md §6.2)."""

import asyncio
import functools
import math
import socket
from email.utils import parsedate_to_datetime

import httpx
import msgspec

from hinoban.base.clock import MINUTES, SECONDS, Clock
from hinoban.engine.events.targets.connections import OAUTH, Connection, ConnectionState, Destination
from hinoban.engine.events.targets.failure import Failure
from hinoban.engine.events.targets.http_request import HttpCall, of_event, of_token
from hinoban.engine.events.targets.parcel import Mismatch, Parcel
from hinoban.engine.events.targets.transform import UnknownVariableError, dynamic

_PATIENCE = 5 * SECONDS
# The newer guide's list; an older one has 429 and 5xx alone (facts/eventbridge.md §6.2).
_RETRIED = (401, 407, 409, 429)
_STALE_TOKEN = (401, 407)
_TOKEN_LIFE = 5 * MINUTES  # of a token whose server does not say
_LONGEST_TOKEN_ANSWER = 65536


class _Answer(msgspec.Struct):
    status: int
    retry_after: str | None
    body: bytes


class HttpTarget:
    """Sends requests; holds no connection open between them, as AWS does not."""

    def __init__(self, state: ConnectionState, clock: Clock, client: httpx.AsyncClient | None = None) -> None:
        self._state = state
        self._clock = clock
        self._given = client
        # By the connection's ARN: when that was changed last, the token, until when it holds.
        self._tokens: dict[str, tuple[float, str, float]] = {}
        self._next: dict[str, float] = {}

    @functools.cached_property
    def _client(self) -> httpx.AsyncClient:
        # Made when something is sent: reading the certificates takes 50 ms of every start.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        return self._given or httpx.AsyncClient(timeout=_PATIENCE, follow_redirects=False, trust_env=False, limits=limits)

    async def close(self) -> None:
        if "_client" in self.__dict__:
            await self._client.aclose()

    async def deliver(self, parcel: Parcel) -> Mismatch | None:
        delivery = parcel.delivery
        destination, connection = self._found(delivery.target_arn)
        try:
            given = delivery.target.get("HttpParameters", {})
            parameters = given if delivery.event is None else dynamic(given, delivery.event)
        except UnknownVariableError as error:
            raise Failure("INVALID_PARAMETER", str(error), str(error)) from error
        await self._pace(destination)
        token = await self._token(connection) if connection.kind == OAUTH else None
        call = of_event(destination, connection, parameters, parcel.text, token)
        answer = await self._send(call)
        if answer.status in _STALE_TOKEN:
            self._tokens.pop(connection.arn, None)
        if not 200 <= answer.status < 300:
            raise self._refused(call, answer)
        return None

    def _found(self, arn: str) -> tuple[Destination, Connection]:
        destination = self._state.destination_of(arn)
        if destination is None:
            why = f"the API destination {arn.split('/')[1]} does not exist"
            raise Failure("NO_RESOURCE", why, why)
        connection = self._state.connection_of(destination.connection_arn)
        if connection is None or connection.state == "DEAUTHORIZED":
            name = destination.connection_arn.split("/")[1]
            why = f"the connection {name} of the API destination {destination.name} " + (
                "does not exist" if connection is None else "is deauthorized"
            )
            raise Failure("NO_RESOURCE" if connection is None else "NO_PERMISSIONS", why, why)
        return destination, connection

    async def _pace(self, destination: Destination) -> None:
        """No more requests in a second than the destination takes; the others wait, none is lost."""
        now = self._clock.now()
        slot = max(now, self._next.get(destination.arn, 0.0))
        self._next[destination.arn] = slot + 1 / destination.rate
        if slot > now:
            await self._clock.sleep_until(slot)

    async def _token(self, connection: Connection) -> str:
        """The connection's access token, fetched where there is none or it expired."""
        changed, known, until = self._tokens.get(connection.arn, (0.0, "", 0.0))
        now = self._clock.now()
        # An updated connection has other secrets.
        if changed == connection.modified_at and until > now:
            return known
        answer = await self._send(of_token(connection), read=True)
        if not 200 <= answer.status < 300:
            transient = answer.status >= 500 or answer.status == 429
            why = f"the authorization endpoint of the connection {connection.name} answered {answer.status}"
            raise Failure("NO_PERMISSIONS", why, why, transient=transient, target_code=str(answer.status))
        try:
            body = msgspec.json.decode(answer.body)
            token, life = str(body["access_token"]), float(body.get("expires_in", _TOKEN_LIFE))
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
            why = f"the authorization endpoint of the connection {connection.name} answered no access token"
            raise Failure("NO_PERMISSIONS", why, why) from error
        self._tokens[connection.arn] = (connection.modified_at, token, now + life)
        self._authorized(connection, now)
        return token

    def _authorized(self, connection: Connection, now: float) -> None:
        current = self._state.connection_of(connection.arn)
        if current is not None and current.state == "AUTHORIZING":
            self._state.put_connection(msgspec.structs.replace(current, state="AUTHORIZED", authorized_at=now))

    async def _send(self, call: HttpCall, *, read: bool = False) -> _Answer:
        headers = [(name.encode(), value.encode()) for name, value in call.headers.items()]
        try:
            async with (
                asyncio.timeout(_PATIENCE),
                self._client.stream(call.method, call.url, headers=headers, content=call.content) as response,
            ):
                body = b""
                if read:
                    async for piece in response.aiter_bytes():
                        body += piece
                        if len(body) > _LONGEST_TOKEN_ANSWER:
                            break
                return _Answer(response.status_code, response.headers.get("retry-after"), body)
        except (TimeoutError, httpx.TimeoutException) as error:
            why = f"{_shown(call.url)} did not answer within {_PATIENCE:.0f} s"
            raise Failure("TIMEOUT", why, why, transient=True) from error
        except (httpx.LocalProtocolError, httpx.UnsupportedProtocol, httpx.InvalidURL):
            # Neither the error's own words nor the error as the cause: they quote the header, which may be the secret.
            why = f"the request to {_shown(call.url)} cannot be sent: HTTP does not allow its URL or one of its headers"
            raise Failure("INVALID_PARAMETER", why, why) from None
        except httpx.HTTPError as error:
            unknown = _is_unknown_host(error)
            why = f"{_shown(call.url)} " + ("names no host that is known" if unknown else f"cannot be reached: {error}")
            # A name that is not known is not tried again (facts/eventbridge.md §6.3).
            raise Failure("CONNECTION_FAILURE", str(error) or why, why, transient=not unknown) from error

    def _refused(self, call: HttpCall, answer: _Answer) -> Failure:
        transient = answer.status >= 500 or answer.status in _RETRIED
        why = f"{call.method} {_shown(call.url)} answered {answer.status}"
        return Failure(
            "THROTTLING" if answer.status == 429 else "ERROR_FROM_TARGET",
            why,
            why,
            transient=transient,
            target_code=str(answer.status),
            retry_after=_seconds(answer.retry_after, self._clock.now()),
        )


def _shown(url: str) -> str:
    """Without its query, which may hold secrets."""
    return url.partition("?")[0]


def _seconds(retry_after: str | None, now: float) -> float:
    """A number of seconds or a date; 0 where there is none that can be read."""
    if retry_after is None:
        return 0.0
    try:
        seconds = float(retry_after)
        return seconds if math.isfinite(seconds) else 0.0
    except ValueError:
        try:
            return max(0.0, parsedate_to_datetime(retry_after).timestamp() - now)
        except ValueError:
            return 0.0


def _is_unknown_host(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, socket.gaierror):
            return True
        error = error.__cause__ or error.__context__
    return False

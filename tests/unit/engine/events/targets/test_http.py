"""API destinations: the request that is sent, what counts as delivered, and what is tried again (facts/eventbridge.md §6.2)."""

import asyncio
import base64
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.support.targets import EVENT, World

BASIC = {"BasicAuthParameters": {"Username": "me", "Password": "hidden"}}
OAUTH = {
    "OAuthParameters": {
        "ClientParameters": {"ClientID": "id", "ClientSecret": "hidden"},
        "AuthorizationEndpoint": "https://auth.example.com/token",
        "HttpMethod": "POST",
        "OAuthHttpParameters": {"BodyParameters": [{"Key": "audience", "Value": "hooks", "IsValueSecret": False}]},
    }
}


class Receiver:
    """Answers requests by `answer` and remembers them."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], Any] = lambda request: httpx.Response(200)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answer(request)
        if isinstance(answer, Exception):
            raise answer
        response: httpx.Response = await answer if asyncio.iscoroutine(answer) else answer
        return response


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def world(tmp_path: Path, receiver: Receiver) -> AsyncIterator[World]:
    client = httpx.AsyncClient(transport=httpx.MockTransport(receiver))
    opened = World(tmp_path, client=client).open()
    yield opened
    await opened.close()


def destination(world: World, auth: dict[str, Any] = BASIC, kind: str = "BASIC", **given: Any) -> str:
    """The ARN of an API destination with its connection."""
    connection = world.call("CreateConnection", Name="c", AuthorizationType=kind, AuthParameters=auth)
    members = {"InvocationEndpoint": "https://hooks.example.com/in", "HttpMethod": "POST"} | given
    arn: str = world.call("CreateApiDestination", Name="d", ConnectionArn=connection["ConnectionArn"], **members)["ApiDestinationArn"]
    return arn


async def test_the_event_is_posted_with_amazons_headers(world: World, receiver: Receiver) -> None:
    await world.send(world.delivery(destination(world)))
    (request,) = receiver.requests
    assert (request.method, str(request.url)) == ("POST", "https://hooks.example.com/in")
    assert msgspec.json.decode(request.content) == EVENT
    assert request.headers["user-agent"] == "Amazon/EventBridge/ApiDestinations"
    assert request.headers["content-type"] == "application/json; charset=utf-8"
    assert request.headers["range"] == "bytes=0-1048575"
    assert request.headers["accept-encoding"] == "gzip,deflate"
    assert request.headers["connection"] == "close"
    assert request.headers["authorization"] == f"Basic {base64.b64encode(b'me:hidden').decode()}"
    assert world.told() == []


async def test_path_query_and_headers_are_filled_and_the_connections_own_win(world: World, receiver: Receiver) -> None:
    auth = {
        "ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "hidden"},
        "InvocationHttpParameters": {
            "HeaderParameters": [{"Key": "X-Who", "Value": "connection"}],
            "QueryStringParameters": [{"Key": "q", "Value": "connection"}],
            "BodyParameters": [{"Key": "extra", "Value": "1"}],
        },
    }
    arn = destination(world, auth, "API_KEY", InvocationEndpoint="https://hooks.example.com/*/x/*?a=1")
    parameters = {
        "PathParameterValues": ["$.detail.lastStatus", "b/c"],
        "HeaderParameters": {"x-who": "target", "X-Status": "$.detail.lastStatus"},
        "QueryStringParameters": {"q": "target", "z": "1"},
    }
    await world.send(world.delivery(arn, target={"HttpParameters": parameters, "Input": '{"own": 1}'}))
    (request,) = receiver.requests
    assert str(request.url) == "https://hooks.example.com/STOPPED/x/b%2Fc?a=1&q=connection&z=1"
    assert (request.headers["x-key"], request.headers["x-status"], request.headers["x-who"]) == ("hidden", "STOPPED", "connection")
    assert msgspec.json.decode(request.content) == {"own": 1, "extra": "1"}


async def test_a_get_has_no_body(world: World, receiver: Receiver) -> None:
    await world.send(world.delivery(destination(world, HttpMethod="GET")))
    assert [(request.method, request.content) for request in receiver.requests] == [("GET", b"")]


@pytest.mark.parametrize("status", [401, 407, 409, 429, 500, 503])
async def test_these_answers_are_tried_again(world: World, receiver: Receiver, status: int) -> None:
    receiver.answer = lambda request: httpx.Response(status if len(receiver.requests) == 1 else 200)
    await world.send(world.delivery(destination(world)))
    await world.clock.advance(5)
    assert len(receiver.requests) == 2
    assert world.told() == []


@pytest.mark.parametrize("status", [301, 304, 400, 403, 404, 410])
async def test_these_answers_are_final(world: World, receiver: Receiver, status: int) -> None:
    receiver.answer = lambda request: httpx.Response(status, headers={"location": "https://elsewhere.example.com"})
    await world.send(world.delivery(destination(world, InvocationEndpoint="https://hooks.example.com/in?key=hidden")))
    await world.clock.advance(60)
    assert len(receiver.requests) == 1
    assert [told["why"] for told in world.told()] == [f"POST https://hooks.example.com/in answered {status}"]


@pytest.mark.parametrize("wait", ["100", "Thu, 26 Nov 2026 15:01:40 GMT"])
async def test_retry_after_is_waited_for(world: World, receiver: Receiver, wait: str) -> None:
    receiver.answer = lambda request: (
        httpx.Response(503, headers={"retry-after": wait}) if len(receiver.requests) == 1 else httpx.Response(200)
    )
    assert world.clock.now() == 1_795_705_200.0
    await world.send(world.delivery(destination(world)))
    await world.clock.advance(99)
    assert len(receiver.requests) == 1
    await world.clock.advance(1)
    assert len(receiver.requests) == 2


async def test_a_negative_retry_after_ends_it(world: World, receiver: Receiver) -> None:
    receiver.answer = lambda request: httpx.Response(503, headers={"retry-after": "-1"})
    await world.send(world.delivery(destination(world)))
    assert len(world.told()) == 1


async def test_no_answer_is_tried_again(world: World, receiver: Receiver) -> None:
    receiver.answer = lambda request: httpx.ReadTimeout("slow")
    await world.send(world.delivery(destination(world), target={"RetryPolicy": {"MaximumRetryAttempts": 1}}))
    await world.clock.advance(60)
    assert len(receiver.requests) == 2
    assert [(told["code"], told["why"]) for told in world.told()] == [("TIMEOUT", "https://hooks.example.com/in did not answer within 5 s")]


async def test_a_refused_connection_is_tried_again_and_an_unknown_host_is_not(world: World, receiver: Receiver) -> None:
    def refused(request: httpx.Request) -> Exception:
        error = httpx.ConnectError("nobody there")
        error.__cause__ = socket.gaierror(-2, "Name or service not known") if len(receiver.requests) == 3 else ConnectionRefusedError()
        return error

    receiver.answer = refused
    arn = destination(world)
    await world.send(world.delivery(arn, target={"RetryPolicy": {"MaximumRetryAttempts": 1}}))
    await world.clock.advance(60)
    await world.send(world.delivery(arn))
    assert len(receiver.requests) == 3
    assert [(told["code"], told["attempts"]) for told in world.told()] == [("CONNECTION_FAILURE", 2), ("CONNECTION_FAILURE", 1)]


async def test_a_header_that_cannot_be_sent_fails_for_good(tmp_path: Path) -> None:
    world = World(tmp_path).open()
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    arn = destination(world, InvocationEndpoint=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    delivery = world.delivery(arn, target={"HttpParameters": {"HeaderParameters": {"X-A": "a\r\nX-B: b"}}})
    world.queue.add(delivery)
    async with asyncio.timeout(10):
        while world.queue.has(delivery.id):
            await asyncio.sleep(0)
    assert [told["code"] for told in world.told()] == ["INVALID_PARAMETER"]
    server.close()
    await world.close()


async def test_no_more_requests_are_sent_in_a_second_than_the_destination_takes(world: World, receiver: Receiver) -> None:
    arn = destination(world, InvocationRateLimitPerSecond=2)
    for _ in range(6):
        await world.send(world.delivery(arn))
    assert len(receiver.requests) == 1
    await world.clock.advance(1)
    assert len(receiver.requests) == 3
    await world.clock.advance(2)
    assert len(receiver.requests) == 6


async def test_a_deleted_destination_or_connection_is_told(world: World, receiver: Receiver) -> None:
    arn = destination(world)
    world.call("DeauthorizeConnection", Name="c")
    await world.send(world.delivery(arn))
    world.call("DeleteConnection", Name="c")
    await world.send(world.delivery(arn))
    world.call("DeleteApiDestination", Name="d")
    await world.send(world.delivery(arn))
    assert receiver.requests == []
    assert [told["why"] for told in world.told()] == [
        "the connection c of the API destination d is deauthorized",
        "the connection c of the API destination d does not exist",
        "the API destination d does not exist",
    ]


async def test_an_access_token_is_fetched_used_until_it_expires_and_again_when_refused(world: World, receiver: Receiver) -> None:
    tokens = iter("abc")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "auth.example.com":
            return httpx.Response(200, json={"access_token": next(tokens), "expires_in": 60})
        return httpx.Response(401 if request.headers["authorization"] == "Bearer b" else 200)

    receiver.answer = answer
    arn = destination(world, OAUTH, "OAUTH_CLIENT_CREDENTIALS")
    assert world.call("DescribeApiDestination", Name="d")["ApiDestinationState"] == "INACTIVE"
    await world.send(world.delivery(arn))
    await world.send(world.delivery(arn))
    assert world.call("DescribeApiDestination", Name="d")["ApiDestinationState"] == "ACTIVE"
    await world.clock.advance(61)
    await world.send(world.delivery(arn))
    await world.clock.advance(5)
    asked = [request for request in receiver.requests if request.url.host == "auth.example.com"]
    assert asked[0].content == b"grant_type=client_credentials&client_id=id&client_secret=hidden&audience=hooks"
    used = [request.headers["authorization"] for request in receiver.requests if request.url.host != "auth.example.com"]
    assert used == ["Bearer a", "Bearer a", "Bearer b", "Bearer c"]


@pytest.mark.parametrize(
    ("response", "why", "attempts"),
    [
        (httpx.Response(403), "the authorization endpoint of the connection c answered 403", 1),
        (httpx.Response(200, text="hello"), "the authorization endpoint of the connection c answered no access token", 1),
        (httpx.Response(500), "the authorization endpoint of the connection c answered 500", 2),
    ],
)
async def test_no_token_is_told(world: World, receiver: Receiver, response: httpx.Response, why: str, attempts: int) -> None:
    receiver.answer = lambda request: httpx.Response(response.status_code, content=response.content)
    arn = destination(world, OAUTH, "OAUTH_CLIENT_CREDENTIALS")
    await world.send(world.delivery(arn, target={"RetryPolicy": {"MaximumRetryAttempts": 1}}))
    await world.clock.advance(60)
    assert [(told["why"], told["attempts"]) for told in world.told()] == [(why, attempts)]


async def test_plain_http_on_this_machine_is_delivered_to(tmp_path: Path) -> None:
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        heard.put_nowait(head + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    world = World(tmp_path).open()
    arn = destination(world, InvocationEndpoint=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in")
    delivery = world.delivery(arn)
    world.queue.add(delivery)
    async with asyncio.timeout(10):
        request = await heard.get()
        while world.queue.has(delivery.id):
            await asyncio.sleep(0)
    assert request.startswith(b"POST /in HTTP/1.1\r\n")
    assert b"\r\nConnection: close\r\n" in request
    assert world.told() == []
    server.close()
    await world.close()


async def test_a_secret_that_no_header_can_hold_is_not_told(world: World, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    """AWS's model lets a space at its end pass, and HTTP does not; the error of the client quotes it."""
    auth = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "hidden "}}
    receiver.answer = lambda request: httpx.LocalProtocolError("Illegal header value b'hidden '")
    await world.send(world.delivery(destination(world, auth, "API_KEY")))
    (told,) = world.told()
    assert told["code"] == "INVALID_PARAMETER"
    assert "hidden" not in str(told)
    assert "hidden" not in caplog.text

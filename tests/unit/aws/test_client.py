"""The client, against the server in the same process and against answers of any kind."""

from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from hinoban.aws.call import Call, Caller, Params, Result
from hinoban.aws.client import ApiError, Client, EndpointUnreachable, decode_error
from hinoban.aws.errors import AwsError
from hinoban.aws.server import Endpoint, HttpRequest
from hinoban.aws.sigv4 import Credentials, Verifier
from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds

KEY = Credentials("AKIDEXAMPLE", "secret", "token")
CALLER = Caller(access_key_id=KEY.access_key_id, principal_arn="arn:aws:iam::123456789012:user/hinoban", principal_type="IAMUser")


def http_request(request: httpx.Request) -> HttpRequest:
    headers = {name.decode().lower(): value.decode("latin-1") for name, value in request.headers.raw}
    path, _, query = request.url.raw_path.decode().partition("?")
    return HttpRequest(request.method, path, query, headers, request.content, "127.0.0.1")


class Door:
    """A transport that leads into an endpoint, or to a scripted answer below /_hinoban/v1/ whose signature was checked."""

    def __init__(self, clock: FakeClock, answer: Callable[[HttpRequest], httpx.Response]) -> None:
        self.verifier = Verifier(lambda key_id: ("secret", CALLER) if key_id == KEY.access_key_id else None, clock)
        self.answer = answer

        async def settle() -> None:
            return None

        self.endpoint = Endpoint(
            {"ecs": {"ListClusters": self.list_clusters}}, account="1", clock=clock, ids=SeededIds(), verifier=self.verifier, settle=settle,
            audit=lambda call, params, outcome: None,
        )  # fmt: skip

    def list_clusters(self, call: Call, params: Params) -> Result:
        if params.get("maxResults") == 0:
            raise AwsError("InvalidParameterException", "maxResults must be positive", fields={"hint": 1})
        page = int(params.get("nextToken", "0"))
        return {"clusterArns": [f"{page}a", f"{page}b"]} | ({"nextToken": str(page + 1)} if page < 2 else {})

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        ours = http_request(request)
        if ours.path != "/":
            assert self.verifier.verify(ours).service == "hinoban"
            return self.answer(ours)
        response = await self.endpoint.handle(ours)
        return httpx.Response(response.status, headers=response.headers, content=response.body)


def client(answer: Callable[[HttpRequest], httpx.Response] = lambda request: httpx.Response(200), key: Credentials | None = KEY) -> Client:
    clock = FakeClock()
    return Client("http://127.0.0.1:4566/", key, "eu-west-1", clock=clock, transport=httpx.MockTransport(Door(clock, answer)))


async def test_a_call_and_its_pages() -> None:
    caller = client()
    assert await caller.call("ecs", "ListClusters", {}) == {"clusterArns": ["0a", "0b"], "nextToken": "1"}
    assert [arn async for arn in caller.paginate("ecs", "ListClusters", {}, "clusterArns")] == ["0a", "0b", "1a", "1b", "2a", "2b"]
    await caller.close()


async def test_an_error_answer_is_an_aws_error() -> None:
    with pytest.raises(AwsError) as caught:
        await client().call("ecs", "ListClusters", {"maxResults": 0})
    error = caught.value
    assert (error.code, error.message, error.status, error.fields) == (
        "InvalidParameterException",
        "maxResults must be positive",
        400,
        {"hint": 1},
    )


async def test_without_credentials_nothing_is_signed() -> None:
    with pytest.raises(AwsError, match="MissingAuthenticationToken"):
        await client(key=None).call("ecs", "ListClusters", {})


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"__type":"com.amazonaws.ecs#ClientException","Message":"m"}', "ClientException", "m"),
        (b'{"__type":"ClientException:http://x","message":"m"}', "ClientException", "m"),
        (b"{}", "UnknownError", ""),
        (b"", "UnknownError", ""),
        (b"<html>", "UnknownError", "<html>"),
    ],
)
def test_any_error_body_is_read(body: bytes, code: str, message: str) -> None:
    error = decode_error(502, body)
    assert (error.code, error.message, error.status) == (code, message, 502)


@pytest.mark.parametrize("failure", [httpx.ConnectError("refused"), httpx.ReadTimeout(""), httpx.RemoteProtocolError("gone")])
async def test_nobody_answers(failure: httpx.TransportError) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure

    caller = Client("http://127.0.0.1:4566", KEY, "eu-west-1", clock=FakeClock(), transport=httpx.MockTransport(fail))
    with pytest.raises(EndpointUnreachable) as caught:
        await caller.call("ecs", "ListClusters", {})
    assert "http://127.0.0.1:4566" in caught.value.what
    assert "hinoban up" in caught.value.todo


async def test_an_answer_that_is_no_json() -> None:
    caller = client(lambda request: httpx.Response(200, content=b"[1]"))
    with pytest.raises(AwsError, match="not a JSON object"):
        await caller.get("status")


async def test_the_json_api_is_signed_with_its_query() -> None:
    seen: list[Any] = []

    def answer(request: HttpRequest) -> httpx.Response:
        seen.append((request.method, request.path, request.query, request.body))
        return httpx.Response(200, json={"fine": True})

    caller = client(answer)
    assert await caller.get("why", {"name": "a b/ü+&", "limit": 3, "family": None}) == {"fine": True}
    assert await caller.post("faults", {"faults": []}) == {"fine": True}
    assert await caller.delete("faults") == {"fine": True}
    assert seen == [
        ("GET", "/_hinoban/v1/why", "name=a%20b%2F%C3%BC%2B%26&limit=3", b""),
        ("POST", "/_hinoban/v1/faults", "", msgspec.json.encode({"faults": []})),
        ("DELETE", "/_hinoban/v1/faults", "", b""),
    ]


async def test_an_error_of_the_json_api_keeps_its_three_parts() -> None:
    body = {"error": "NotFound", "what": "no such incident", "why": "nobody had it", "todo": "Look.", "oldest": 4}
    with pytest.raises(ApiError) as caught:
        await client(lambda request: httpx.Response(404, json=body)).get("incidents/x")
    error = caught.value
    assert (error.code, error.status, error.what, error.why, error.todo) == ("NotFound", 404, "no such incident", "nobody had it", "Look.")
    assert error.fields == {"oldest": 4}


async def test_an_error_below_the_json_api_that_is_not_in_its_shape_keeps_its_words() -> None:
    for content, code, why in (
        (b'{"__type":"com.amazonaws#AccessDenied","message":"no"}', "AccessDenied", "no"),
        (b"<html>Bad Gateway</html>", "UnknownError", "<html>Bad Gateway</html>"),
    ):
        with pytest.raises(ApiError) as caught:
            await client(lambda request, content=content: httpx.Response(502, content=content)).get("status")
        assert (caught.value.code, caught.value.status, caught.value.why) == (code, 502, why)


async def test_a_feeds_answer_is_its_lines_and_headers() -> None:
    caller = client(lambda request: httpx.Response(200, headers={"x-hinoban-last": "2"}, content=b'{"seq":1}\n{"seq":2}\n\n{"seq":3}'))
    headers, lines = await caller.feed("feed", {"after": 0}, wait=20)
    assert (headers["x-hinoban-last"], lines) == ("2", [b'{"seq":1}', b'{"seq":2}', b'{"seq":3}'])


async def test_a_feed_that_is_gone_says_where_it_goes_on() -> None:
    caller = client(lambda request: httpx.Response(410, json={"error": "FeedGone", "oldest": 5, "newest": 9}))
    with pytest.raises(ApiError) as caught:
        await caller.feed("feed", {"after": 1})
    assert (caught.value.code, caught.value.status, caught.value.fields) == ("FeedGone", 410, {"oldest": 5, "newest": 9})

"""A request and an answer as bytes in and bytes out, without a socket."""

from msgspec import Struct


class HttpRequest(Struct, frozen=True):
    """One request. `path` and `query` are raw (still percent-encoded); `headers` have lower-case names and Latin-1 decoded values,
    repeated ones joined with a comma; `client` is the peer's IP address."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    client: str


class HttpResponse(Struct, frozen=True):
    """One answer; `headers` hold content-length."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

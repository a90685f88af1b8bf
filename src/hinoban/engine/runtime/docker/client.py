"""A thin client over aiodocker: JSON calls and byte streams, and one error for "Docker does not answer"."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from aiodocker import Docker, DockerError

_CALL_SECONDS = 120.0
_STREAM = aiohttp.ClientTimeout(total=None, sock_connect=5)
_PING_SECONDS = 2.0
_UNIX, _TCP = "unix://", "tcp://"
_NO_CONNECTION = 900  # aiodocker's own status for a connection that failed
DEFAULT_SOCKET = "unix:///var/run/docker.sock"


class Unreachable(Exception):
    """Docker did not answer, or stopped answering in the middle: nothing is known about what was asked."""


def docker_socket(environment: Mapping[str, str] = os.environ) -> str:
    """Where Docker is: `DOCKER_HOST`, else the usual socket."""
    return environment.get("DOCKER_HOST") or DEFAULT_SOCKET


def _connect(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(_PING_SECONDS)
        one.connect(path)


async def docker_answers(url: str) -> bool:
    """Whether a Docker daemon answers at `url` within two seconds (`--runtime auto` asks)."""
    try:
        api = DockerApi(url)
    except ValueError:
        return False
    try:
        async with asyncio.timeout(_PING_SECONDS), api.stream("GET", "_ping", versioned=False) as answer:
            return answer.status == 200
    except (Unreachable, DockerError, TimeoutError):
        return False
    finally:
        await api.close()


def why_silent(url: str, connect: Callable[[str], None] = _connect) -> str:
    """Why no Docker daemon answers at `url`, as far as a connection tells; in words for a person."""
    where = url.removeprefix(_UNIX)
    if not url.startswith(_UNIX):
        return f"no Docker answers at {url}"
    try:
        connect(where)
    except PermissionError:
        return f"permission denied for {where}: join the group docker"
    except FileNotFoundError:
        return f"no Docker socket at {where}"
    except OSError:
        return f"nobody listens at {where}"
    return f"Docker does not answer at {where}"


class DockerApi:
    """Docker's HTTP API at one URL (ValueError: it has no scheme that we know).

    Calls raise DockerError where Docker said no (`status`, `message`), Unreachable where it said nothing.
    """

    def __init__(self, url: str) -> None:
        # A follower of logs holds a connection for each running container, so the pool has no limit of its own.
        self._connector: aiohttp.BaseConnector | None = None
        if url.startswith(_UNIX):
            self._connector = aiohttp.UnixConnector(url.removeprefix(_UNIX), limit=0)
            url = f"{_UNIX}localhost"
        elif url.startswith(_TCP) and os.environ.get("DOCKER_TLS_VERIFY", "0") != "1":
            self._connector = aiohttp.TCPConnector(limit=0)
        self._docker = Docker(url=url, connector=self._connector)

    async def call(
        self, method: str, path: str, params: Mapping[str, str] | None = None, body: object = None, *, extra: float = 0.0
    ) -> Any:
        """The decoded JSON answer, or None where there is none. `extra`: seconds that Docker may take beyond the usual bound."""
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS + extra, sock_connect=5)
        data = body if isinstance(body, bytes) or body is None else msgspec.json.encode(body)
        async with self._exchange(method, path, params, data, timeout) as answer:
            raw = await answer.read()
        return msgspec.json.decode(raw) if raw and answer.content_type == "application/json" else None

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, params: Mapping[str, str] | None = None, *, body: bytes | None = None, versioned: bool = True
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer while it is open; reading it raises Unreachable where the connection breaks."""
        async with self._exchange(method, path, params, body, _STREAM, versioned=versioned) as answer:
            yield answer

    @asynccontextmanager
    async def _exchange(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        data: bytes | None,
        timeout: aiohttp.ClientTimeout,
        *,
        versioned: bool = True,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        answer: aiohttp.ClientResponse | None = None
        given = dict(params) if params else None
        try:
            async with self._docker._query(path, method, params=given, data=data, timeout=timeout, versioned_api=versioned) as answer:
                yield answer
        except DockerError as error:
            if error.status == _NO_CONNECTION:
                raise Unreachable(error.message) from error
            raise
        except (aiohttp.ClientError, aiohttp.ServerTimeoutError, OSError) as error:
            raise Unreachable(str(error) or type(error).__name__) from error
        finally:
            if answer is not None:
                # An answer that was read to its end has given its connection back; any other is cut off here.
                answer.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._docker.close()
        if self._connector is not None:
            await self._connector.close()

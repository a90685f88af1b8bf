"""The other end of the demo's webhook: checks each delivery's signature and notes when it came."""

import asyncio
import hashlib
import hmac
from typing import Any, NamedTuple

import msgspec

from hinoban.base.clock import Clock

_LARGEST = 1 << 20


class Delivery(NamedTuple):
    """A message that arrived, and when."""

    at: float
    body: dict[str, Any]


class Receiver:
    """Listens on loopback; `deliveries` holds what came in with a right signature, each once."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._server: asyncio.Server | None = None
        self._known: set[str] = set()
        self.deliveries: list[Delivery] = []

    async def open(self) -> str:
        """Begin to listen; the URL."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/told"

    async def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode("latin-1").split("\r\n")[1:]
                headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
                body = await reader.readexactly(min(int(headers.get("content-length", "0")), _LARGEST))
                status = "204 No Content" if self._take(headers, body) else "403 Forbidden"
                writer.write(f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _take(self, headers: dict[str, str], body: bytes) -> bool:
        signed = headers.get("x-hinoban-timestamp", "").encode() + b"." + body
        right = "sha256=" + hmac.new(self._secret.encode(), signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(right, headers.get("x-hinoban-signature", "")):
            return False
        if (delivery := headers.get("x-hinoban-delivery", "")) not in self._known:
            self._known.add(delivery)
            self.deliveries.append(Delivery(self._clock.now(), msgspec.json.decode(body)))
        return True

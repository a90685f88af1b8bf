"""uvicorn as both of our processes use it."""

import contextlib
import os
import socket
from collections.abc import Iterator

import uvicorn


class Server(uvicorn.Server):
    """Without signal handling of its own: each process ends in its own order. A Unix socket is for its owner only."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.config.uds is not None:
            # uvicorn makes it 0666, whatever the umask says.
            os.chmod(self.config.uds, 0o600)

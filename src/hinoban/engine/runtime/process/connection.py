"""The supervisor's side of the socket: one daemon at a time, never blocking. Standard library only."""

import json
import socket
from typing import Any

FULL_BYTES = 4 << 20


class Connection:
    """Reads JSON lines, and queues what the daemon is slow to take; `full` says that no more output should be queued."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self._incoming = b""
        self._outgoing = bytearray()

    @property
    def full(self) -> bool:
        return len(self._outgoing) > FULL_BYTES

    @property
    def waiting(self) -> bool:
        return bool(self._outgoing)

    def receive(self) -> list[dict[str, Any]] | None:
        """The messages that have come; None when the daemon is gone."""
        try:
            data = self.sock.recv(1 << 20)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not data:
            return None
        *lines, self._incoming = (self._incoming + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def send(self, message: dict[str, Any]) -> None:
        """Queue a message; `flush` sends it."""
        self._outgoing += json.dumps(message).encode() + b"\n"

    def flush(self) -> bool:
        """Send what the socket takes; False when the daemon is gone."""
        try:
            while self._outgoing:
                sent = self.sock.send(memoryview(self._outgoing)[: 1 << 20])
                del self._outgoing[:sent]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

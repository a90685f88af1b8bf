"""What a reader of the seeds has at hand: a shell in which `hinoban env` was evaluated, an HTTP endpoint and a mail server on loopback."""

import asyncio
import json
import os
import re
import socketserver
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.real.daemon_support import RealDaemon, until

_BIN = Path(sys.executable).parent


class Terminal:
    """A shell of the user's. Commands run as they are pasted."""

    def __init__(self, daemon: RealDaemon) -> None:
        self._daemon = daemon
        strange = ("AWS_", "HINOBAN_")
        plain = {name: value for name, value in os.environ.items() if not name.startswith(strange)}
        plain |= {"PATH": f"{_BIN}:{plain['PATH']}", "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_PAGER": ""}
        command = f'eval "$(hinoban env --state {daemon.state})" && env -0'
        said = subprocess.run(["bash", "-c", command], env=plain, capture_output=True, check=True).stdout.decode()
        self.environ = dict(line.split("=", 1) for line in said.split("\0") if line)

    @property
    def url(self) -> str:
        return self.environ["AWS_ENDPOINT_URL"]

    async def run(self, text: str) -> subprocess.CompletedProcess[str]:
        """One command line, whatever becomes of it."""
        return await asyncio.to_thread(
            subprocess.run, ["bash", "-c", text], env=self.environ, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
        )

    async def ok(self, text: str) -> Any:
        """One command line that must succeed; the JSON that it prints, if it prints any."""
        done = await self.run(text)
        assert done.returncode == 0, f"{text}: {done.stderr}"
        return json.loads(done.stdout) if done.stdout.startswith("{") else None

    async def status(self, arn: str, status: str) -> None:
        """Return once the task is in this status (`aws ecs wait` looks every six seconds only)."""

        async def reached() -> bool:
            (task,) = (await self._daemon.call("ecs", "DescribeTasks", {"cluster": arn.split("/")[1], "tasks": [arn]}))["tasks"]
            return bool(task["lastStatus"] == status)

        await until(reached, f"{arn} is {status}")

    async def streams(self, group: str) -> list[str]:
        found = await self.ok(f"aws logs describe-log-streams --log-group-name {group}")
        return [stream["logStreamName"] for stream in found["logStreams"]]

    async def events(self, group: str) -> list[dict[str, Any]]:
        """What is in all streams of a log group."""
        found = []
        for stream in await self.streams(group):
            answer = await self.ok(f"aws logs get-log-events --log-group-name {group} --log-stream-name {stream} --start-from-head")
            found += answer["events"]
        return found

    async def arrived(self, group: str, count: int) -> list[dict[str, Any]]:
        """The events of the group once there are `count`; never more."""
        await until(lambda: self._has(group, count), f"{count} events in {group}")
        found = await self.events(group)
        assert len(found) == count
        return found

    async def _has(self, group: str, count: int) -> bool:
        return len(await self.events(group)) >= count

    async def told(self, pattern: str) -> re.Match[str]:
        """What the console of `hinoban up` says, once it does."""
        found: re.Match[str] = await until(lambda: re.search(pattern, self._daemon.output, re.MULTILINE), f"the console says {pattern}")
        return found

    async def repair(self, name: str, verdict: str = "NOT DELIVERED") -> str:
        """The command that the console's last message of this kind about `name` says to run."""
        block = rf"^\S+ UTC {re.escape(name)} · {verdict} · inc-\S+\n(?:             .*\n)*?             Next     Repair: (.+)$"
        await self.told(block)
        return re.findall(block, self._daemon.output, re.MULTILINE)[-1].strip()

    async def incidents(self) -> list[tuple[str, str, str]]:
        """Detector, rule or topic, and state of each incident."""
        found = (await self._daemon.get("incidents", {"limit": 100}))["incidents"]
        return sorted((one["detector"], one["family"], one["state"]) for one in found)

    async def queue(self, name: str) -> tuple[str, str]:
        """Make a queue: its URL and ARN. AWS CLI 1 finds `sqs` only where it is told the endpoint."""
        url = (await self.ok(f"aws --endpoint-url {self.url} sqs create-queue --queue-name {name}"))["QueueUrl"]
        asked = f"aws --endpoint-url {self.url} sqs get-queue-attributes --queue-url {url} --attribute-names QueueArn"
        return url, (await self.ok(asked))["Attributes"]["QueueArn"]

    async def received(self, url: str, count: int) -> list[str]:
        """The bodies of `count` messages, which are taken out; there is no other."""
        ask = f"aws --endpoint-url {self.url} sqs receive-message --queue-url {url} --max-number-of-messages 10"
        bodies: list[str] = []

        async def enough() -> bool:
            answer = await self.ok(ask)
            bodies.extend(message["Body"] for message in (answer or {}).get("Messages", []))
            return len(bodies) >= count

        await until(enough, f"{count} messages")
        assert len(bodies) == count
        return bodies


class Receiver:
    """An HTTP endpoint: path, headers (small letters) and body of each request."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, str], str]] = []
        heard = self.heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                heard.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *said: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.base}/ecs"
        self.close = _serve(self._server)


class MailServer:
    """An SMTP server that takes everything; what it heard, line by line."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        heard = self.heard

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                while line := self.rfile.readline():
                    heard.append(line.decode().rstrip())
                    if line[:4].upper() == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        while (line := self.rfile.readline()) != b".\r\n":
                            heard.append(line.decode().rstrip())
                    self.wfile.write(b"221 bye\r\n" if line[:4].upper() == b"QUIT" else b"250 fine\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.close = _serve(self._server)


def _serve(server: socketserver.BaseServer) -> Callable[[], None]:
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def close() -> None:
        server.shutdown()
        server.server_close()

    return close


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    made = MailServer()
    yield made
    made.close()

"""A real `hinoban watch` for tests: it reaches an engine of another process by endpoint and credentials only, is killed with SIGKILL and
started again on the same state."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import msgspec

from hinoban.aws.client import Client
from hinoban.base.clock import SystemClock
from tests.real.daemon_support import PATIENCE, RealDaemon, until

QUIET = "[[policy]]\nretry = { attempts = 1 }\n"
"""The engine's own watch launches nothing: what is launched, the other one launched."""


class StandingWatch:
    """One state directory and the watch that lives on it, life after life."""

    def __init__(self, engine: RealDaemon, state: Path, config: str) -> None:
        self.state = state
        self._engine = engine
        self._config = state.with_name(f"{state.name}.toml")
        self._config.write_text(config)
        self._output = state.with_name(f"{state.name}.out")
        self._process: subprocess.Popen[bytes] | None = None
        self._client = Client(
            "http://watch",
            None,
            "ap-northeast-1",
            clock=SystemClock(),
            transport=httpx.AsyncHTTPTransport(uds=str(state / "watch.sock")),
        )

    @property
    def output(self) -> str:
        """Everything that it printed in all lives."""
        return self._output.read_text()

    async def start(self) -> None:
        """Begin a life, and return when it answers."""
        facts = msgspec.json.decode((self._engine.state / "daemon.json").read_bytes())
        keys = msgspec.json.decode((self._engine.state / "credentials.json").read_bytes())
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HINOBAN_"))}
        environment |= {"AWS_ACCESS_KEY_ID": keys["access_key_id"], "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"]}
        environment |= {"AWS_REGION": "ap-northeast-1", "AWS_EC2_METADATA_DISABLED": "true"}
        command = [sys.executable, "-m", "hinoban", "watch", "--state", str(self.state), "--config", str(self._config)]
        command += ["--endpoint-url", facts["url"]]
        with self._output.open("ab") as output:
            process = self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)

        async def answers() -> bool:
            assert process.poll() is None, f"the watch ended with {process.returncode}: {self.output}"
            with contextlib.suppress(Exception):
                await self._client.get("status")
                return True
            return False

        await until(answers, "the watch answers")

    async def get(self, path: str, query: dict[str, Any] | None = None) -> dict[str, Any]:
        """GET below /_hinoban/v1/, on its socket."""
        return await self._client.get(path, query)

    async def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)

    async def fall(self, after: float) -> None:
        """SIGKILL so many seconds from now, and another life."""
        await asyncio.sleep(after)
        await self.kill()
        await self.start()

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self._process.wait, PATIENCE)

    async def end(self) -> None:
        """However the test ended: nothing of it is left."""
        if self._process is not None and self._process.poll() is None:
            await self.kill()
        await self._client.close()


async def logged(daemon: RealDaemon) -> None:
    """Let a trail log, so that RunTask's records are on the event bus."""
    await daemon.call("cloudtrail", "CreateTrail", {"Name": "all", "S3BucketName": "records"})
    await daemon.call("cloudtrail", "StartLogging", {"Name": "all"})


async def queue_of(daemon: RealDaemon) -> str:
    """What docs/on-aws.md tells people to set up; its URL."""
    url: str = (await daemon.call("sqs", "CreateQueue", {"QueueName": "hinoban-events"}))["QueueUrl"]
    asked = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
    arn = (await daemon.call("sqs", "GetQueueAttributes", asked))["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["aws.ecs"]})
    rule = (await daemon.call("events", "PutRule", {"Name": "hinoban", "EventPattern": pattern}))["RuleArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage", "Resource": arn}
    policy = {"Version": "2012-10-17", "Statement": [statement | {"Condition": {"ArnEquals": {"aws:SourceArn": rule}}}]}
    await daemon.call("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": {"Policy": json.dumps(policy)}})
    await daemon.call("events", "PutTargets", {"Rule": "hinoban", "Targets": [{"Id": "queue", "Arn": arn}]})
    return url


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def caught_up(watch: StandingWatch) -> bool:
    """Whether no source of it is behind."""
    status = await watch.get("status")
    return all(one["behind"] is None for one in status["sources"])

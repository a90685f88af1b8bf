"""An engine on a fake clock with scripted containers: called as a signed client calls it, killed and opened again on the same world."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from hinoban.aws.http import HttpRequest
from hinoban.aws.sigv4 import Credentials, sign
from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds
from hinoban.daemon.engine import Engine
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.engine.runtime.driver import ContainerKey
from hinoban.engine.runtime.fake import FakeDriver, FakeWorld
from tests.support.shapes import check_answer, check_error

ACCOUNT = "123456789012"
REGION = "ap-northeast-1"
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret")
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
_TARGETS = {"ecs": "AmazonEC2ContainerServiceV20141113", "logs": "Logs_20140328", "events": "AWSEvents"}


class Refused(Exception):
    """An error answer, as a client sees it."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        self.status = status
        self.code: str = body["__type"]
        self.text: str = body.get("message") or body.get("Message") or ""
        self.body = body
        super().__init__(f"{status} {self.code}: {self.text}")


class Bench:
    """Owns what outlives an engine: the clock, the world of containers, the directory. `runs` counts what really began to run."""

    def __init__(self, directory: Path, *, room: Room | None = None, seed: int = 0, **settings: Any) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.ids = SeededIds(seed)
        self.runs: Counter[ContainerKey] = Counter()
        self.world = FakeWorld(on_run=lambda key: self.runs.update([key]))
        self.failures: list[BaseException] = []
        self._room = room or Room(64 * 1024, 64 * 1024)
        self._settings = settings
        self.engine: Engine
        self._driver: FakeDriver

    async def open(self) -> "Bench":
        self._driver = FakeDriver(self.clock, world=self.world)
        self.engine = Engine(
            self.directory,
            driver=self._driver,
            clock=self.clock,
            ids=self.ids,
            credentials=CREDENTIALS,
            account=ACCOUNT,
            region=REGION,
            room=self._room,
            on_failure=self.failures.append,
            **self._settings,
        )
        await self.engine.start()
        return self

    async def kill(self) -> None:
        """kill -9: what is not committed is lost, nothing is tidied up, the containers run on."""
        database = self.engine.database
        # A turn that never ends: whatever the dead engine still writes is never committed.
        database._turn = asyncio.get_running_loop().create_future()
        database._connection.close()
        await self.engine._work.close()
        await self.engine.events.close()
        await self._driver._group.close()
        self.engine.logs.close()

    async def reopen(self) -> None:
        await self.kill()
        await self.open()

    async def close(self) -> None:
        await self.engine.close(keep=False)
        assert self.failures == []

    async def raw(
        self, operation: str, body: bytes, *, service: str = "ecs", region: str = REGION, credentials: Credentials = CREDENTIALS
    ) -> tuple[int, Any]:
        """Status and decoded body of one signed request."""
        headers = {
            "host": "127.0.0.1:4566",
            "x-amz-target": f"{_TARGETS[service]}.{operation}",
            "content-type": "application/x-amz-json-1.1",
        }
        signed = sign("POST", "http://127.0.0.1:4566/", headers, body, credentials, region, service, self.clock.now())
        headers |= {name.lower(): value for name, value in signed.items()}
        answer = await self.engine.endpoint.handle(HttpRequest("POST", "/", "", headers, body, "127.0.0.1"))
        return answer.status, msgspec.json.decode(answer.body) if answer.body else None

    async def call(self, operation: str, *, service: str = "ecs", region: str = REGION, **params: Any) -> dict[str, Any]:
        """The answer, held against botocore's model; Refused for an error answer."""
        status, answer = await self.raw(operation, msgspec.json.encode(params), service=service, region=region)
        if status != 200:
            check_error(service, operation, answer["__type"])
            raise Refused(status, answer)
        check_answer(service, operation, answer)
        found: dict[str, Any] = answer or {}
        return found

    async def define(self, family: str = "job", script: str | None = None, **members: Any) -> str:
        """Register a FARGATE definition with one container `app` (or `containerDefinitions`); answers its ARN."""
        container: dict[str, Any] = {"name": "app", "image": "busybox"}
        if script is not None:
            container["environment"] = [{"name": "HINOBAN_FAKE", "value": script}]
        body: dict[str, Any] = {
            "family": family,
            "cpu": "256",
            "memory": "512",
            "networkMode": "awsvpc",
            "requiresCompatibilities": ["FARGATE"],
            "containerDefinitions": [container],
        } | members
        answer = await self.call("RegisterTaskDefinition", **body)
        arn: str = answer["taskDefinition"]["taskDefinitionArn"]
        return arn

    async def run(self, family: str = "job", **members: Any) -> dict[str, Any]:
        """RunTask on FARGATE."""
        return await self.call(
            "RunTask", **({"taskDefinition": family, "launchType": "FARGATE", "networkConfiguration": NETWORK} | members)
        )

    async def run_one(self, family: str = "job", **members: Any) -> str:
        """The ARN of the one task launched."""
        answer = await self.run(family, **members)
        assert answer["failures"] == []
        (task,) = answer["tasks"]
        arn: str = task["taskArn"]
        return arn

    async def task(self, arn: str, **members: Any) -> dict[str, Any]:
        """The Task object of DescribeTasks."""
        answer = await self.call("DescribeTasks", tasks=[arn], **members)
        assert answer["failures"] == []
        (task,) = answer["tasks"]
        found: dict[str, Any] = task
        return found

    def feed(self, after: int = 0) -> list[dict[str, Any]]:
        """Every line of the feed behind `after`."""
        lines: list[dict[str, Any]] = []
        while read := self.engine.journal.read(after, 1000):
            lines += [msgspec.json.decode(line) for line in read]
            after = lines[-1]["seq"]
        return lines

    def told(self, arn: str | None = None) -> list[dict[str, Any]]:
        """The details of the task events (of one task)."""
        details = [line["event"]["detail"] for line in self.feed() if line["event"]["detail-type"] == "ECS Task State Change"]
        return [detail for detail in details if arn is None or detail["taskArn"] == arn]

    def recorded(self, operation: str) -> list[dict[str, Any]]:
        """The CloudTrail records of an operation."""
        details = [line["event"]["detail"] for line in self.feed() if line["event"]["detail-type"] != "ECS Task State Change"]
        return [detail for detail in details if detail["eventName"] == operation]


def container(name: str, script: str | None = None, **members: Any) -> dict[str, Any]:
    """A container definition with its script."""
    body: dict[str, Any] = {"name": name, "image": "busybox"} | members
    if script is not None:
        body["environment"] = [{"name": "HINOBAN_FAKE", "value": script}]
    return body

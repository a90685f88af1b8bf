"""A scripted daemon behind the commands, no sockets."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hinoban.aws.errors import AwsError
from hinoban.base.clock import Clock, FakeClock
from hinoban.base.errors import HinobanError
from hinoban.cli.connection import Target
from hinoban.cli.main import app
from hinoban.cli.remote import Remote
from hinoban.cli.shell import Shell

CLUSTER = "arn:aws:ecs:ap-northeast-1:123456789012:cluster/default"
DEFINITION = "arn:aws:ecs:ap-northeast-1:123456789012:task-definition/"


def task_arn(task_id: str) -> str:
    return f"arn:aws:ecs:ap-northeast-1:123456789012:task/default/{task_id}"


def task(task_id: str, family: str = "hello:1", status: str = "RUNNING", **more: Any) -> dict[str, Any]:
    return {
        "taskArn": task_arn(task_id),
        "clusterArn": CLUSTER,
        "taskDefinitionArn": DEFINITION + family,
        "lastStatus": status,
        "createdAt": 1_795_705_100.0,
        "containers": [{"name": "app"}],
    } | more


def stopped(task_id: str, code: int | None, **more: Any) -> dict[str, Any]:
    container: dict[str, Any] = {"name": "app"} | ({} if code is None else {"exitCode": code})
    reason = {"stoppedReason": "Essential container in task exited", "stopCode": "EssentialContainerExited", "stoppedAt": 1_795_705_180.0}
    return task(task_id, status="STOPPED", containers=[container]) | reason | more


class FakeDaemon:
    """Answers from lists; a RunTask takes the next of `launches`, DescribeTasks walks through a task's `lives`."""

    region = "ap-northeast-1"

    def __init__(self) -> None:
        self.definitions: dict[str, dict[str, Any]] = {}
        self.lives: dict[str, list[dict[str, Any]]] = {}
        self.launches: list[dict[str, Any]] = []
        self.log: dict[tuple[str, str], list[str]] = {}
        self.pages: dict[str, Any] = {}
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.posted: list[tuple[str, Any]] = []
        self.only_logs = False
        self.closed = False
        self.reads = 7
        self.problems: list[str] = []

    def define(self, family: str = "hello", **more: Any) -> dict[str, Any]:
        definition = {
            "taskDefinitionArn": f"{DEFINITION}{family}:1",
            "family": family,
            "revision": 1,
            "status": "ACTIVE",
            "containerDefinitions": [{"name": "app", "image": "x", "essential": True, "cpu": 0, "environment": []}],
        } | more
        self.definitions[family] = definition
        return definition

    def problem_lines(self) -> list[str]:
        return self.problems

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append((operation, dict(params)))
        if self.only_logs and service != "logs":
            raise HinobanError("No daemon", "only the state folder is here", "Start one.")
        answer: dict[str, Any] = getattr(self, operation)(params)
        return answer

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        self.asked.append((path, dict(query or {})))
        if path not in self.pages:
            raise HinobanError("Nothing is known", f"{path} has no answer here", "Ask for something else.")
        found = self.pages[path]
        answer: dict[str, Any] = (
            found.pop(0) if isinstance(found, list) and len(found) > 1 else found[0] if isinstance(found, list) else found
        )
        return answer

    async def post(self, path: str, body: Any = None) -> dict[str, Any]:
        self.posted.append((path, body))
        if path in self.answers:
            answer: dict[str, Any] = self.answers[path]
            return answer
        return {"id": path.split("/")[1], "state": "acknowledged", "acknowledged_by": body["by"]}

    async def close(self) -> None:
        self.closed = True

    def params_of(self, operation: str) -> dict[str, Any]:
        return [params for name, params in self.asked if name == operation][-1]

    def ListClusters(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"clusterArns": [CLUSTER]}

    def ListTasks(self, params: Mapping[str, Any]) -> dict[str, Any]:
        wanted = params["desiredStatus"] == "STOPPED"
        return {"taskArns": [task_arn(name) for name, lives in self.lives.items() if (lives[0]["lastStatus"] == "STOPPED") == wanted]}

    def DescribeTasks(self, params: Mapping[str, Any]) -> dict[str, Any]:
        found = []
        for arn in params["tasks"]:
            lives = self.lives.get(arn.rpartition("/")[2], [])
            if lives:
                found.append(lives.pop(0) if len(lives) > 1 else lives[0])
        return {"tasks": found, "failures": []}

    def DescribeTaskDefinition(self, params: Mapping[str, Any]) -> dict[str, Any]:
        name = params["taskDefinition"].rpartition("/")[2].partition(":")[0]
        if name not in self.definitions:
            raise AwsError("ClientException", "Unable to describe task definition.")
        return {"taskDefinition": self.definitions[name], "tags": []}

    def RegisterTaskDefinition(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"taskDefinition": self.define(**dict(params))}

    def RunTask(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return self.launches.pop(0)

    def StopTask(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"task": self.lives[params["task"].rpartition("/")[2]][0]}

    def DescribeLogGroups(self, params: Mapping[str, Any]) -> dict[str, Any]:
        return {"logGroups": [{"logGroupName": group} for group in dict.fromkeys(group for group, _ in self.log)]}

    def DescribeLogStreams(self, params: Mapping[str, Any]) -> dict[str, Any]:
        streams = [stream for group, stream in self.log if group == params["logGroupName"]]
        return {"logStreams": [{"logStreamName": stream, "creationTime": index} for index, stream in enumerate(streams)]}

    def GetLogEvents(self, params: Mapping[str, Any]) -> dict[str, Any]:
        lines = self.log.get((params["logGroupName"], params["logStreamName"]))
        if lines is None:
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        begin = (
            int(params["nextToken"]) if "nextToken" in params else 0 if params["startFromHead"] else max(0, len(lines) - params["limit"])
        )
        events = [{"timestamp": index, "message": line, "ingestionTime": 0} for index, line in enumerate(lines)][begin:]
        return {"events": events, "nextForwardToken": str(len(lines)), "nextBackwardToken": "0"}


class Desk:
    """A shell whose daemon is scripted."""

    def __init__(self) -> None:
        self.daemon = FakeDaemon()
        self.clock = FakeClock()
        self.environ: dict[str, str] = {}
        self.targets: list[Target] = []
        self.on_pause: Callable[[], None] = lambda: None

    def run(self, *arguments: str, typed: str | None = None) -> Result:
        """`typed`: what is written on standard input."""
        return CliRunner().invoke(
            app,
            list(arguments),
            obj=Shell(self.clock, self.environ, self._open, self._open, self._pause, self._open_one_off),
            input=typed,
        )

    async def _open(self, target: Target, environ: Mapping[str, str]) -> FakeDaemon:
        self.targets.append(target)
        return self.daemon

    async def _open_one_off(self, remote: Remote, since: float, clock: Clock) -> FakeDaemon:
        return self.daemon

    async def _pause(self, seconds: float) -> None:
        self.on_pause()
        await self.clock.advance(seconds)


@pytest.fixture
def desk() -> Desk:
    return Desk()

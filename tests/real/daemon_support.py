"""A real `hinoban up` for tests: started on a free port, killed with SIGKILL and started again on the same state, called as an SDK calls.

`daemons` is the fixture; what it made is ended at the end of the test, also what a failed test left running.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest

from hinoban.aws.client import ApiError, Client, EndpointUnreachable
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import SystemClock
from hinoban.base.errors import HinobanError
from hinoban.engine.runtime.process import wire
from hinoban.watch.history import queries
from hinoban.watch.history.database import open_readonly
from hinoban.watch.history.schema import launches
from hinoban.watch.history.schema import task_events as open_events

PATIENCE = 60.0  # seconds that a slow machine may take for anything; every wait ends as soon as its condition holds
_LOOK = 0.02
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}


async def until(condition: Callable[[], Any], what: str, within: float = PATIENCE) -> Any:
    """The condition's first true answer; it may be awaitable."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        answer = condition()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        assert asyncio.get_running_loop().time() < deadline, f"not within {within:.0f} s: {what}"
        await asyncio.sleep(_LOOK)


def is_alive(process: psutil.Process) -> bool:
    """Whether it runs; one that only waits to be reaped does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


class RealDaemon:
    """One state directory and the daemon that lives on it, life after life."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.life = 0
        self.watches: list[psutil.Process] = []
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._client: Client | None = None
        self._output = state.with_name(f"{state.name}.out")

    @property
    def output(self) -> str:
        """Everything that it and its watch printed in all lives."""
        return self._output.read_text()

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Begin a life, and return when it answers."""
        self.spawn()
        await self.ready()

    def spawn(self) -> None:
        """Begin a life."""
        assert not self.alive
        command = [sys.executable, "-m", "hinoban", "up", "--port", "0", "--state", str(self.state), *self._options]
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HINOBAN_"))}
        with self._output.open("ab") as output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)

    async def ready(self) -> None:
        """Return when this life answers."""
        process = self._process
        assert process is not None

        def announced() -> dict[str, Any] | None:
            assert process.poll() is None, f"the daemon ended with {process.returncode}: {self.output}"
            found: dict[str, Any] = {}
            with contextlib.suppress(FileNotFoundError):
                found = msgspec.json.decode((self.state / "daemon.json").read_bytes())
            return found if found.get("pid") == process.pid else None

        facts = await until(announced, "the daemon announces itself")
        keys = msgspec.json.decode((self.state / "credentials.json").read_bytes())
        credentials = Credentials(keys["access_key_id"], keys["secret_access_key"])
        self._client = Client(facts["url"], credentials, facts["region"], clock=SystemClock())
        self.life += 1

    async def kill(self) -> None:
        """SIGKILL to the daemon alone; nothing of it is left when this returns, its watch may still be going."""
        assert self._process is not None
        if (watch := self.watch_process()) is not None:
            self.watches.append(watch)
        self._process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(self._process.wait)
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def stop(self) -> int:
        """Ctrl-C; its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        code = await asyncio.to_thread(self._process.wait, PATIENCE)
        if self._client is not None:
            await self._client.close()
            self._client = None
        return code

    async def end(self) -> None:
        """However the test ended: take everything down. A life of its own ends the tasks that a kill has left."""
        if not self.alive:
            await self.start()
        try:
            assert await self.stop() == 0, self.output
        finally:
            if self.alive:
                await self.kill()

    def watch_process(self) -> psutil.Process | None:
        """The watch of this life, if it is there."""
        if not self.alive or self._process is None:
            return None
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                    if any("watch_main" in word for word in child.cmdline()):
                        return child
        return None

    def supervisor(self) -> psutil.Process | None:
        """The process runtime's supervisor of this state directory."""
        directory = str(self.state / wire.DIRECTORY)
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                words = process.cmdline()
                if directory in words and any("supervisor" in word for word in words):
                    return process
        return None

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """As an SDK calls: the same request again, in the next life if need be, until an answer comes."""
        return await self._answered(lambda client: client.call(service, operation, params))

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """GET below /_hinoban/v1/, again until an answer comes."""
        return await self._answered(lambda client: client.get(path, query))

    async def put_in(self, *faults: dict[str, Any]) -> None:
        """POST faults: failures put in on purpose."""
        await self._answered(lambda client: client.post("faults", {"faults": list(faults)}))

    async def _answered(self, ask: Callable[[Client], Any]) -> Any:
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            client = self._client
            try:
                if client is not None:
                    return await ask(client)
            except EndpointUnreachable:
                pass
            except ApiError as error:
                if error.status != 503:
                    raise
            except RuntimeError:
                # Its client was closed meanwhile: the daemon is dead.
                if client is self._client:
                    raise
            assert asyncio.get_running_loop().time() < deadline, f"no answer within {PATIENCE:.0f} s"
            await asyncio.sleep(_LOOK)

    async def run_task(self, family: str, number: int, environment: Mapping[str, str]) -> str:
        """RunTask with a clientToken of this number; the one task's ARN."""
        container = {"name": "app", "environment": [{"name": name, "value": value} for name, value in environment.items()]}
        params = {
            "taskDefinition": family,
            "launchType": "FARGATE",
            "networkConfiguration": NETWORK,
            "clientToken": f"run-{number}",
            "overrides": {"containerOverrides": [container]},
        }
        answer = await self.call("ecs", "RunTask", params)
        assert answer["failures"] == []
        assert len(answer["tasks"]) == 1
        return str(answer["tasks"][0]["taskArn"])

    async def described(self, arns: list[str]) -> dict[str, dict[str, Any]]:
        """DescribeTasks of all of them, by ARN; each must be known."""
        found: dict[str, dict[str, Any]] = {}
        for start in range(0, len(arns), 100):
            answer = await self.call("ecs", "DescribeTasks", {"tasks": arns[start : start + 100]})
            assert answer["failures"] == []
            found |= {task["taskArn"]: task for task in answer["tasks"]}
        assert found.keys() == set(arns)
        return found

    async def lines(self, stream: str) -> list[str]:
        """All of a stream of `/hinoban/default`, through GetLogEvents page by page."""
        asked: dict[str, Any] = {"logGroupName": "/hinoban/default", "logStreamName": stream, "startFromHead": True}
        found: list[str] = []
        while True:
            answer = await self.call("logs", "GetLogEvents", asked)
            found += [event["message"] for event in answer["events"]]
            if answer["nextForwardToken"] == asked.get("nextToken"):
                return found
            asked["nextToken"] = answer["nextForwardToken"]

    async def feed(self) -> tuple[str, list[dict[str, Any]]]:
        """The feed's id and every envelope in it, whose numbers are 1, 2, 3 .. without a gap."""
        envelopes: list[dict[str, Any]] = []
        while True:
            query = {"after": len(envelopes), "limit": 1000}
            headers, lines = await self._answered(lambda client, query=query: client.feed("feed", query))
            for line in lines:
                one = msgspec.json.decode(line)
                assert one["seq"] == len(envelopes) + 1
                envelopes.append(one["event"])
            if len(envelopes) >= int(headers["x-hinoban-last"]):
                return headers["x-hinoban-feed"], envelopes

    async def watch_up(self) -> None:
        """Return when this life's watch answers."""
        await self.get("status")

    async def watched(self) -> None:
        """Return when the watch has read everything and knows of no running task."""

        async def done() -> bool:
            _, envelopes = await self.feed()
            status = await self.get("status")
            return bool(status["cursor"] == status["newest"] >= len(envelopes) and status["tasks_open"] == 0)

        await until(done, "the watch has read the feed")


def task_events(envelopes: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """The task events of a feed by task ARN, in their order."""
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for envelope in envelopes:
        if envelope["detail-type"] == "ECS Task State Change":
            found[envelope["detail"]["taskArn"]].append(envelope)
    return found


async def ended(daemon: RealDaemon, arns: Mapping[int, str]) -> dict[int, dict[str, Any]]:
    """Every task as DescribeTasks shows it once all are STOPPED."""

    async def all_ended() -> dict[str, dict[str, Any]] | None:
        tasks = await daemon.described(list(arns.values()))
        return tasks if all(task["lastStatus"] == "STOPPED" for task in tasks.values()) else None

    tasks = await until(all_ended, "every task is STOPPED")
    return {number: tasks[arn] for number, arn in arns.items()}


async def check_history(daemon: RealDaemon, tasks: dict[str, dict[str, Any]]) -> None:
    """Feed, DescribeTasks and the watch's history tell the same: every version of every task, each once."""
    await daemon.watched()
    _, envelopes = await daemon.feed()
    told = task_events(envelopes)
    assert told.keys() == tasks.keys()
    for arn, events in told.items():
        assert [event["detail"]["version"] for event in events] == list(range(1, tasks[arn]["version"] + 1))
        assert len({event["id"] for event in events}) == len(events)
        last = events[-1]["detail"]
        assert last["lastStatus"] == tasks[arn]["lastStatus"] == "STOPPED"
        for name in ("exitCode", "reason"):
            assert last["containers"][0].get(name) == tasks[arn]["containers"][0].get(name)
    history = (await daemon.get("history", {"limit": 10_000}))["tasks"]
    assert Counter(task["arn"] for task in history) == Counter(list(tasks))
    for task in history:
        assert (task["version"], task["open"], task["exit_code"]) == (
            tasks[task["arn"]]["version"],
            False,
            tasks[task["arn"]]["containers"][0].get("exitCode"),
        )
    calls = Counter(event["id"] for event in envelopes if event["detail"].get("eventName") == "RunTask")
    with open_readonly(daemon.state / "watch.db").connect() as connection:
        for task in history:
            row = queries.task_by_arn(connection, task["arn"])
            assert row is not None
            kept = [msgspec.json.decode(raw) for raw in queries.timeline(connection, row)]
            assert kept == told[task["arn"]]
        assert connection.execute(open_events.select()).first() is None
        assert len(connection.execute(launches.select()).all()) == len(calls) == sum(calls.values())


async def check_incidents(daemon: RealDaemon, failed: set[str]) -> None:
    """One incident for each task that failed, and no other."""
    found = (await daemon.get("incidents", {"limit": 10_000}))["incidents"]
    assert Counter(incident["task"] for incident in found) == Counter(failed)
    assert len({incident["id"] for incident in found}) == len(found)


Make = Callable[..., RealDaemon]


@pytest.fixture
async def daemons(tmp_path: Path) -> AsyncIterator[Make]:
    """Makes daemons on state directories below tmp_path: `daemons("--runtime", "process")`."""
    made: list[RealDaemon] = []

    def make(*options: str) -> RealDaemon:
        made.append(RealDaemon(tmp_path / f"state-{len(made)}", *options))
        return made[-1]

    yield make
    for daemon in made:
        try:
            await daemon.end()
        except (HinobanError, AssertionError):
            if (supervisor := daemon.supervisor()) is not None:
                supervisor.kill()
            raise

"""The room of deliveries on a fake clock: every neighbour is a fake that remembers what it was given; killed and opened again on its file."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec

from hinoban.aws.call import Call, Caller
from hinoban.aws.errors import AwsError
from hinoban.base.clock import FakeClock, settle
from hinoban.base.ids import SeededIds
from hinoban.engine import journal as journal_room
from hinoban.engine.events.targets.connections import ConnectionState
from hinoban.engine.events.targets.connections_api import ConnectionOperations
from hinoban.engine.events.targets.loop import MIGRATION
from hinoban.engine.events.targets.queue import Delivery, Queue
from hinoban.engine.events.targets.service import Targets
from hinoban.engine.journal import Journal
from hinoban.engine.schedules.context import default_input, fill_context
from hinoban.store.database import Database, Table

ACCOUNT = "123456789012"
REGION = "ap-northeast-1"
RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/nightly"
SCHEDULE_ARN = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/default/nightly"
CLUSTER = f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/batch"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:orders"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
GROUP = "/aws/events/ecs/ECSStatus"
GROUP_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}"
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "ECS Task State Change",
    "source": "aws.ecs",
    "account": ACCOUNT,
    "time": "2026-11-24T05:34:38Z",
    "region": REGION,
    "resources": [f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/batch/1"],
    "detail": {"lastStatus": "STOPPED", "group": "family:job", "exitCode": 3, "ok": False, "nothing": None, "names": ["a", "b"]},
}

LAUNCHES = Table("launches", "token")
_LAUNCHES = "CREATE TABLE launches (token TEXT PRIMARY KEY, value BLOB NOT NULL);"


def open_policy(resource: str, action: str) -> str:
    """A policy that lets EventBridge in."""
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": action, "Resource": resource}
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()


class FakeLauncher:
    """Endpoint.invoke: launches once for each clientToken, or raises what is set for the cluster.

    A launch is a row of the engine's own database: it is lost with the turn in which it was made.
    """

    database: Database

    def __init__(self) -> None:
        self.calls: list[tuple[str, str, dict[str, Any], str, Caller]] = []
        self.launched: dict[str, dict[str, Any]] = {}
        self.errors: dict[str, AwsError | Exception] = {}
        self.answer: dict[str, Any] = {"tasks": [{}], "failures": []}

    def invoke(self, service: str, operation_name: str, params: dict[str, Any], *, region: str, caller: Caller) -> dict[str, Any]:
        self.calls.append((service, operation_name, params, region, caller))
        if (error := self.errors.get(params.get("cluster", ""))) is not None:
            raise error
        if "clientToken" in params:
            self.launched[params["clientToken"]] = params
            self.database.put(LAUNCHES, (params["clientToken"],), params)
        return self.answer


class FakeAsk:
    """The neighbours: topics and queues with policies, and what was sent to them. `gates`: what a queue waits for."""

    def __init__(self) -> None:
        self.topics: dict[str, str | None] = {}
        self.queues: dict[str, str | None] = {}
        self.published: list[dict[str, Any]] = []
        self.sent: dict[str, list[dict[str, Any]]] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.errors: dict[str, Exception] = {}
        self.others: list[tuple[str, str, dict[str, Any]]] = []

    async def call(self, service: str, operation: str, params: dict[str, Any], *, region: str) -> dict[str, Any]:
        if operation in self.errors:
            raise self.errors[operation]
        answer: Callable[[dict[str, Any]], Any] | None = getattr(self, f"_{operation}", None)
        if answer is None:
            self.others.append((service, operation, params))
            return {}
        found = answer(params)
        if operation == "SendMessage" and (gate := self.gates.get(params["QueueUrl"])) is not None:
            await gate.wait()
        if operation == "SendMessage":
            self.sent.setdefault(params["QueueUrl"].rpartition("/")[2], []).append(params)
        result: dict[str, Any] = found
        return result

    def _GetTopicAttributes(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["TopicArn"] not in self.topics:
            raise AwsError("NotFound", "Topic does not exist", 404)
        policy = self.topics[params["TopicArn"]]
        return {"Attributes": {"TopicArn": params["TopicArn"]} | ({} if policy is None else {"Policy": policy})}

    def _Publish(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["TopicArn"] not in self.topics:
            raise AwsError("NotFound", "Topic does not exist", 404)
        self.published.append(params)
        return {"MessageId": "1"}

    def _GetQueueUrl(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["QueueName"] not in self.queues:
            raise AwsError("AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.")
        return {"QueueUrl": f"http://127.0.0.1:4566/{ACCOUNT}/{params['QueueName']}"}

    def _GetQueueAttributes(self, params: dict[str, Any]) -> dict[str, Any]:
        policy = self.queues[params["QueueUrl"].rpartition("/")[2]]
        return {} if policy is None else {"Attributes": {"Policy": policy}}

    def _SendMessage(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"MessageId": "1"}


class FakeLogs:
    """Log groups, policies, and what was written."""

    def __init__(self) -> None:
        self.groups: set[str] = set()
        self.documents: dict[str, str] = {}
        self.written: list[tuple[str, str, int, str]] = []
        self.full = False

    def group_exists(self, region: str, group: str) -> bool:
        return group in self.groups

    def policies(self, region: str) -> dict[str, str]:
        return self.documents

    def put_event(self, region: str, group: str, stream: str, timestamp_ms: int, message: str) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.written.append((group, stream, timestamp_ms, message))


class World:
    """What outlives the room: the clock, the file, the fakes. `open`, then `add`; `kill` drops everything but the file."""

    def __init__(self, directory: Path, *, strict: bool = False, seed: int = 0, client: httpx.AsyncClient | None = None) -> None:
        self.directory = directory
        self.strict = strict
        self.clock = FakeClock()
        self.ids = SeededIds(seed)
        self.client = client
        self.launcher = FakeLauncher()
        self.ask = FakeAsk()
        self.logs = FakeLogs()
        self.buses = {(REGION, "default"), (REGION, "orders")}
        self.published: list[tuple[str, str, dict[str, Any], bool]] = []
        self.failures: list[BaseException] = []
        self._background: asyncio.Task[None]
        self._number = 0

    def open(self) -> "World":
        self.database = Database(self.directory / "engine.db", (journal_room.MIGRATION, journal_room.TRAIL_MIGRATION, MIGRATION, _LAUNCHES))
        self.launcher.database = self.database
        self.launcher.launched = {token: msgspec.json.decode(value) for token, value in self.database.rows(LAUNCHES)}
        self.journal = Journal(self.database, self.clock, self.ids)
        self.queue = Queue(self.database)
        self.connections = ConnectionState(self.database)
        self.operations = ConnectionOperations(self.connections, self.ids).operations()
        self.targets = Targets(
            self.queue,
            self.connections,
            database=self.database,
            journal=self.journal,
            clock=self.clock,
            ids=self.ids,
            account=ACCOUNT,
            invoke=self.launcher.invoke,
            ours=lambda service, operation: service in ("ecs", "events", "logs", "scheduler"),
            ask=self.ask,
            logs=self.logs,
            publish=self._publish,
            has_bus=lambda region, bus: (region, bus) in self.buses,
            fill_context=fill_context,
            default_input=default_input,
            strict_resource_policies=self.strict,
            client=self.client,
            on_failure=self.failures.append,
        )
        self._loop = asyncio.get_running_loop()
        self._background = self._loop.create_task(self.targets.deliverer.loop.run())
        return self

    def _publish(self, region: str, bus: str, event: dict[str, Any], *, forwarded: bool = False) -> int:
        self.published.append((region, bus, event, forwarded))
        return 0

    async def kill(self) -> None:
        """kill -9: what is not committed is lost, nothing is tidied up."""
        self.cut()
        await self._stop()

    def cut(self) -> None:
        """Nothing is written from here on. Called outside the event loop it cuts between a change and its commit."""
        # A turn that never ends: whatever the dead room still writes is never committed.
        self.database._turn = self._loop.create_future()
        self.database._connection.close()

    async def close(self) -> None:
        await self._stop()
        self.database.close()
        assert self.failures == []

    async def _stop(self) -> None:
        self._background.cancel()
        await asyncio.gather(self._background, return_exceptions=True)
        await self.targets.deliverer.close()

    def delivery(self, arn: str = QUEUE, **given: Any) -> Delivery:
        """A delivery of EVENT to `arn`, due now; `target` adds members to the target."""
        self._number += 1
        target = {"Id": "1", "Arn": arn} | given.pop("target", {})
        now = self.clock.now()
        members: dict[str, Any] = {
            "id": f"d{self._number}",
            "kind": "rule",
            "region": REGION,
            "owner_arn": RULE_ARN,
            "owner_name": "nightly",
            "event": EVENT,
            "created_at": now,
            "due_at": now,
            "token": f"token-{self._number}",
        }
        return Delivery(**(members | given), target=target)

    def scheduled(self, arn: str, **given: Any) -> Delivery:
        """The same of a Scheduler schedule."""
        members: dict[str, Any] = {"kind": "schedule", "owner_arn": SCHEDULE_ARN, "event": None, "slot": 1_795_705_200.0}
        return self.delivery(arn, **(members | given))

    async def send(self, delivery: Delivery) -> None:
        """Add a delivery and let everything run that is ready."""
        self.queue.add(delivery)
        await settle()

    def told(self, kind: str = "Hinoban Delivery Failed") -> list[dict[str, Any]]:
        """The details of the journal's lines of one kind."""
        if self.database._turn is not None:
            self.database.commit()
        lines = self.journal.read(self.journal._oldest - 1, 1000)
        events = [msgspec.json.decode(line)["event"] for line in lines]
        return [event["detail"] for event in events if event["detail-type"] == kind]

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        """One call of the API of connections and destinations."""
        caller = Caller("AKIA", "arn:aws:iam::123456789012:user/hinoban", "IAMUser")
        call = Call(
            service="events",
            operation=operation,
            region=REGION,
            account=ACCOUNT,
            request_id="1",
            now=self.clock.now(),
            caller=caller,
            source_ip="127.0.0.1",
            user_agent="test",
        )
        return self.operations[operation](call, params)

"""CloudTrail on a fake clock, with the real journal, disk and log groups, and a bus that only remembers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hinoban.aws.call import Call, Caller, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.aws.server import Endpoint
from hinoban.aws.sigv4 import Verifier
from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds
from hinoban.base.supervise import Group
from hinoban.engine import journal as journal_room
from hinoban.engine.journal import Journal
from hinoban.engine.logs import policies as log_policies
from hinoban.engine.logs import state as logs_state
from hinoban.engine.logs.service import Logs
from hinoban.engine.trail import state as trail_state
from hinoban.engine.trail.lookup import Lookup
from hinoban.engine.trail.publish import Publisher
from hinoban.engine.trail.records import Trail
from hinoban.engine.trail.ring import Ring
from hinoban.engine.trail.service import CloudTrail
from hinoban.engine.trail.state import TrailState
from hinoban.store.database import Database
from tests.support.shapes import check_answer, check_error

ACCOUNT = "123456789012"
REGION = "ap-northeast-1"
USER = Caller("AKIDEXAMPLE", f"arn:aws:iam::{ACCOUNT}:user/hinoban", "IAMUser")
MIGRATIONS = [
    journal_room.MIGRATION + logs_state.MIGRATION,
    log_policies.MIGRATION + journal_room.TRAIL_MIGRATION + trail_state.MIGRATION,
]
GROUP_ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:trail:*"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/trail"


class FakeBus:
    """Remembers what it was given; `written` is what a crash does not take."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Params, bool]] = []

    def publish(self, region: str, bus: str, event: Params, *, read: bool = False) -> int:
        assert bus == "default"
        self.events.append((region, event, read))
        return 0

    def names(self) -> list[str]:
        return [event["detail"]["eventName"] for _, event, _ in self.events]


class Desk:
    """`call` asks CloudTrail as a client does; `did` records a call of another service as the endpoint would."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.ids = SeededIds()
        self.bus = FakeBus()
        self.failures: list[BaseException] = []

    def open(self) -> "Desk":
        self.database = Database(self.directory / "engine.db", MIGRATIONS)
        self.journal = Journal(self.database, self.clock, self.ids)
        self.logs = Logs(self.database, self.directory / "logs", self.clock, ACCOUNT)
        self.ring = Ring(self.ids)
        self.state = TrailState(self.database, self.journal, ACCOUNT)
        self.publisher = Publisher(self.database, self.journal, self.state, self.ring, self.bus, self.logs, self.clock)
        self.trail = Trail(self.journal, self.ids, self.ring, self.publisher.told)
        self.endpoint = Endpoint(
            {"cloudtrail": CloudTrail(self.state, Lookup(self.database, self.journal, self.ring)).operations()},
            account=ACCOUNT,
            clock=self.clock,
            ids=self.ids,
            verifier=Verifier(lambda key: None, self.clock),
            settle=self.database.committed,
            audit=self.trail.audit,
        )
        self.work = Group(self.failures.append)
        self.work.start(self.publisher.loop.run(), "cloudtrail")
        return self

    async def close(self) -> None:
        await self.work.close()
        self.logs.close()
        self.database.close()
        assert self.failures == []

    async def kill(self) -> None:
        """kill -9: the turn under way is lost."""
        self.database._turn = asyncio.get_running_loop().create_future()
        self.database._connection.close()
        await self.work.close()
        self.logs.close()

    async def call(self, operation: str, *, region: str = REGION, caller: Caller = USER, **params: Any) -> Result:
        try:
            answer = self.endpoint.invoke("cloudtrail", operation, params, region=region, caller=caller)
        except AwsError as error:
            check_error("cloudtrail", operation, error.code)
            raise
        check_answer("cloudtrail", operation, msgspec.json.decode(msgspec.json.encode(answer)))
        await self.database.committed()
        return answer

    async def refused(self, operation: str, **params: Any) -> tuple[str, str]:
        with pytest.raises(AwsError) as found:
            await self.call(operation, **params)
        return (found.value.code, found.value.message)

    async def did(
        self,
        operation: str = "RunTask",
        *,
        service: str = "ecs",
        region: str = REGION,
        caller: Caller = USER,
        params: Params | None = None,
        outcome: Result | AwsError | None = None,
    ) -> None:
        self.trail.audit(made_call(operation, service, region, caller, self.clock.now()), params, outcome or {})
        await self.database.committed()

    async def make(self, name: str = "main", *, logging: bool = True, region: str = REGION, **settings: Any) -> None:
        await self.call("CreateTrail", Name=name, S3BucketName="bucket", region=region, **settings)
        if logging:
            await self.call("StartLogging", Name=name, region=region)

    def lines(self, group: str = "trail", stream: str = f"{ACCOUNT}_CloudTrail_{REGION}") -> list[dict[str, Any]]:
        """What was written into the trail's log group."""
        call = made_call("GetLogEvents", "logs", REGION, USER, self.clock.now())
        found = self.logs.operations()["GetLogEvents"](call, {"logGroupName": group, "logStreamName": stream, "startFromHead": True})
        return [msgspec.json.decode(event["message"]) for event in found["events"]]


def made_call(operation: str, service: str, region: str, caller: Caller, now: float) -> Call:
    return Call(service=service, operation=operation, region=region, account=ACCOUNT, request_id="r", now=now, caller=caller,
                source_ip=caller.invoked_by or "127.0.0.1", user_agent=caller.invoked_by or "aws-cli/2")  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path).open()
    yield made
    await made.close()

"""A small CloudWatch Logs on a temporary directory."""

from pathlib import Path
from typing import Any

import pytest

from hinoban.aws.call import Call, Caller
from hinoban.base.clock import FakeClock
from hinoban.engine.logs import policies
from hinoban.engine.logs.service import Logs
from hinoban.engine.logs.state import MIGRATION, Limits
from hinoban.store.database import Database

REGION = "ap-northeast-1"
ACCOUNT = "123456789012"


class Desk:
    """Logs with its clock and files; `ask` is one API call, `reopen` what a kill and a new start do."""

    def __init__(self, root: Path, limits: Limits | None = None) -> None:
        self.root = root
        self.clock = FakeClock()
        self.limits = limits
        self.open()

    def open(self) -> None:
        self.database = Database(self.root / "engine.db", [MIGRATION + policies.MIGRATION])
        self.logs = Logs(self.database, self.root / "logs", self.clock, ACCOUNT, limits=self.limits)
        self.operations = self.logs.operations()

    def reopen(self) -> None:
        self.close()
        self.open()

    def close(self) -> None:
        self.logs.close()
        self.database.close()

    @property
    def now(self) -> int:
        return round(self.clock.now() * 1000)

    def tick(self, seconds: float) -> None:
        self.clock = FakeClock(self.clock.now() + seconds)
        self.logs._state._clock = self.clock

    def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        call = Call(
            service="logs",
            operation=operation,
            region=REGION,
            account=ACCOUNT,
            request_id="r",
            now=self.clock.now(),
            caller=Caller("AKID", "arn:aws:iam::123456789012:user/hinoban", "IAMUser"),
            source_ip="127.0.0.1",
            user_agent="test",
        )
        return self.operations[operation](call, params)

    def put(self, *events: tuple[int, str], group: str = "/g", stream: str = "s") -> dict[str, Any]:
        made = [{"timestamp": moment, "message": text} for moment, text in events]
        return self.ask("PutLogEvents", logGroupName=group, logStreamName=stream, logEvents=made)


@pytest.fixture
async def desk(tmp_path: Path):
    desk = Desk(tmp_path)
    desk.ask("CreateLogGroup", logGroupName="/g")
    desk.ask("CreateLogStream", logGroupName="/g", logStreamName="s")
    yield desk
    desk.close()

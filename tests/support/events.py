"""EventBridge on a temporary database and a fake clock: asked as the endpoint asks it, killed and opened again."""

import asyncio
from pathlib import Path
from typing import Any

from hinoban.aws.errors import AwsError
from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds
from hinoban.engine.events import state as events_state
from hinoban.engine.events.api import Api
from hinoban.engine.events.replayer import Replayer
from hinoban.engine.events.router import Router
from hinoban.engine.events.state import EventsState
from hinoban.engine.events.targets.queue import Delivery
from hinoban.store.database import Database
from tests.support.asking import ACCOUNT, ask

REGION = "ap-northeast-1"
ARN = f"arn:aws:events:{REGION}:{ACCOUNT}"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:q"


class FakeQueue:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.counted: list[str] = []

    @property
    def events(self) -> list[dict[str, Any]]:
        """The event of each delivery."""
        return [delivery.event for delivery in self.deliveries if delivery.event is not None]

    def add(self, delivery: Delivery) -> None:
        self.deliveries.append(delivery)

    def matched(self, owner_arn: str) -> None:
        self.counted.append(owner_arn)


class Hall:
    """EventBridge without its targets: `ask` is one API call, `reopen` what a kill and a new start do. Needs a running event loop."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = FakeClock()
        self.ids = SeededIds()
        self.queue = FakeQueue()
        self.woken = 0
        self.open()

    def open(self) -> None:
        self.database = Database(self.directory / "engine.db", [events_state.MIGRATION])
        self.state = EventsState(self.database, self.clock, ACCOUNT)
        self.router = Router(self.state, self.queue, self.ids, self.clock)
        self.replayer = Replayer(self.state, self.router, self.database, self.clock)
        self.operations = Api(self.state, self.router, self.ids, self._wake).operations()

    def _wake(self) -> None:
        self.woken += 1

    def reopen(self) -> None:
        """kill -9: what is not committed is lost, nothing is tidied up."""
        self.database._turn = asyncio.get_running_loop().create_future()
        self.database._connection.close()
        self.open()

    def ask(self, operation: str, *, region: str = REGION, **params: Any) -> dict[str, Any]:
        """The answer, held against botocore's model; AwsError where it is refused."""
        return ask(self.operations, "events", operation, region, self.clock.now(), params)

    def refused(self, operation: str, **params: Any) -> tuple[str, str]:
        """Code and text of the error that the call must have."""
        try:
            answer = self.ask(operation, **params)
        except AwsError as error:
            assert error.status == 400
            return error.code, error.message
        raise AssertionError(f"{operation} answered {answer}")

    def put_events(self, *entries: dict[str, Any]) -> dict[str, Any]:
        return self.ask("PutEvents", Entries=[{"Source": "my.app", "DetailType": "T", "Detail": "{}"} | entry for entry in entries])

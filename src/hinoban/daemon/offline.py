"""A state folder read without a daemon: the watch's answers from watch.db, logs and tasks through the API's own handlers, no socket."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hinoban.aws import arns, models
from hinoban.aws.call import Call, Caller, Handler, Result
from hinoban.aws.errors import AwsError, unknown_operation
from hinoban.base.clock import SystemClock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import SystemIds
from hinoban.daemon.config import local_zone
from hinoban.daemon.engine import MIGRATIONS
from hinoban.daemon.state_dir import StateDirectory
from hinoban.engine.ecs.api.task_definitions import TaskDefinitions
from hinoban.engine.ecs.state import State
from hinoban.engine.journal import Journal
from hinoban.engine.logs.service import Logs
from hinoban.engine.trail.records import is_read
from hinoban.store.database import Database
from hinoban.watch.answers import Answers

_FOREVER = 10.0**10


class Offline:
    """Answers `get` and `call` as a daemon would, for what only reads."""

    def __init__(self, directory: StateDirectory, region: str, account: str) -> None:
        self._directory = directory
        self.region = region
        self._account = account
        self._clock = SystemClock()
        self._database: Database | None = None
        self._handlers: dict[tuple[str, str], Handler] | None = None

    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """incidents, incidents/ID, incidents/ID/postmortem, why, orphans, history, status: from watch.db alone."""
        given = query or {}
        answers = Answers.readonly(self._directory.watch_db, tz=local_zone())
        match path.strip("/").split("/"):
            case ["incidents"]:
                leads = str(given.get("leads")).lower() == "true"
                return answers.incidents(given.get("state"), int(given.get("limit") or 100), leads=leads)
            case ["incidents", identifier]:
                return answers.incident(identifier)
            case ["incidents", identifier, "postmortem"]:
                return answers.postmortem(identifier, given.get("lang"))
            case ["why"]:
                return answers.why(str(given.get("name") or ""), full=str(given.get("full")).lower() == "true")
            case ["history"]:
                return answers.history({name: str(value) for name, value in given.items() if value is not None})
            case ["orphans"]:
                return answers.orphans()
            case ["status"]:
                return answers.status(self._clock.now())
        raise HinobanError(f"{path} needs a running daemon", "a state folder alone cannot answer it", "Start it: hinoban up")

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> Result:
        """A reading operation of ECS or Logs on what the folder holds; AwsError as the API would."""
        if not is_read(operation):
            raise HinobanError(f"{operation} needs a running daemon", "a state folder alone can only be read", "Start it: hinoban up")
        handler = self._operations().get((service, operation))
        if handler is None:
            raise unknown_operation(service, operation)
        model = models.service(service).operation(operation)
        assert model is not None, f"{operation} has a handler, so AWS has it"
        call = Call(
            service=service,
            operation=operation,
            region=self.region,
            account=self._account,
            request_id="offline",
            now=self._clock.now(),
            caller=Caller("", arns.user_arn(self._account, "hinoban"), "IAMUser"),
            source_ip="127.0.0.1",
            user_agent="hinoban",
        )
        answer = handler(call, model.check(msgspec.json.decode(msgspec.json.encode(params))))
        decoded: Result = msgspec.json.decode(msgspec.json.encode(answer))
        return decoded

    def _operations(self) -> dict[tuple[str, str], Handler]:
        if self._handlers is None:
            # Held, so that a daemon cannot start on the folder while it is read.
            self._directory.lock()
            ids = SystemIds()
            self._database = Database(self._directory.engine_db, MIGRATIONS)
            journal = Journal(self._database, self._clock, ids)
            state = State(self._database, journal, self._clock, ids, forget_after=_FOREVER)
            logs = Logs(self._database, self._directory.logs, self._clock, self._account)
            self._handlers = {("logs", name): handler for name, handler in logs.operations().items()}
            self._handlers |= {("ecs", name): handler for name, handler in TaskDefinitions(state).operations().items()}
        return self._handlers

    async def close(self) -> None:
        """Let go of the folder."""
        if self._database is not None:
            self._database.close()
            self._directory.unlock()


def open_offline(state: Path) -> Offline:
    """The folder of an earlier daemon; HinobanError where there is none."""
    directory = StateDirectory(state.expanduser().absolute())
    if not directory.watch_db.exists() and not directory.engine_db.exists():
        raise HinobanError(
            f"{state} holds no state of Hinoban", "neither watch.db nor engine.db is there", "Name the right folder: --state DIR"
        )
    region, account = _home(directory)
    return Offline(directory, region, account)


def _home(directory: StateDirectory) -> tuple[str, str]:
    """Region and account of the folder's tasks, as its clusters say."""
    try:
        connection = sqlite3.connect(f"file:{directory.engine_db}?mode=ro", uri=True)
        try:
            value = connection.execute("SELECT value FROM clusters WHERE name = 'default' LIMIT 1").fetchone()[0]
        finally:
            connection.close()
        arn = arns.parse(msgspec.json.decode(value)["arn"])
        return arn.region, arn.account
    except (sqlite3.Error, TypeError, KeyError, ValueError, AwsError):
        return "ap-northeast-1", "123456789012"

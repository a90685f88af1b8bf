"""An AWS that only remembers: it answers a replay's calls from what really happened, notes what would have been done, and reaches nobody."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import msgspec

from hinoban.watch.model import Launch, TaskChange, family_of, task_id_of
from hinoban.watch.remembered import Observed


class WouldStop(msgspec.Struct, frozen=True):
    """A StopTask that would have been called."""

    task: str
    reason: str


class Past(httpx.AsyncBaseTransport):
    """Retries that were really made end as they did; any other is launched, and nobody knows how it would have ended."""

    def __init__(self, items: Sequence[tuple[bytes, Observed]], refused: Mapping[str, str]) -> None:
        self.stops: dict[str, WouldStop] = {}
        self.unknown: set[str] = set()
        """startedBy of the retries that were never made."""
        self._tasks: dict[str, dict[str, None]] = {}
        self._refused: dict[str, Launch] = {}
        self._refused_in_words = refused
        for _, change in items:
            starter = change.detail.get("startedBy") if isinstance(change, TaskChange) else None
            if isinstance(change, TaskChange) and str(starter or "").startswith("hinoban/"):
                self._tasks.setdefault(str(starter), {})[change.task_arn] = None
            elif isinstance(change, Launch) and (change.started_by or "").startswith("hinoban/") and not change.task_arns:
                self._refused[change.started_by or ""] = change

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        asked: dict[str, Any] = msgspec.json.decode(request.content)
        match operation:
            case "ListTasks":
                return httpx.Response(200, json={"taskArns": list(self._tasks.get(str(asked.get("startedBy")), ()))})
            case "RunTask":
                return self._run(asked)
            case "GetTaskProtection":
                tasks = [{"taskArn": arn, "protectionEnabled": False} for arn in asked.get("tasks") or ()]
                return httpx.Response(200, json={"protectedTasks": tasks, "failures": []})
            case "StopTask":
                self.stops.setdefault(asked["task"], WouldStop(asked["task"], asked.get("reason", "")))
                return httpx.Response(200, json={"task": {"taskArn": asked["task"]}})
        raise AssertionError(f"a replay called {operation}")

    def _run(self, asked: dict[str, Any]) -> httpx.Response:
        starter = str(asked.get("startedBy"))
        if (refused := self._refused.get(starter)) is not None:
            if refused.error_code is not None:
                body = {"__type": refused.error_code, "message": refused.error_message or ""}
                return httpx.Response(400, json=body)
            failures = [{"reason": one.reason, "arn": one.arn, "detail": one.detail} for one in refused.failures]
            return httpx.Response(200, json={"tasks": [], "failures": failures})
        if (words := self._refused_in_words.get(starter)) is not None:
            return httpx.Response(200, json={"tasks": [], "failures": [{"reason": words}]})
        self.unknown.add(starter)
        cluster = task_id_of(str(asked.get("cluster") or "default"))
        name = f"{family_of(str(asked.get('taskDefinition')))}-{asked.get('clientToken')}"
        return httpx.Response(200, json={"tasks": [{"taskArn": f"would-be/task/{cluster}/{name}"}], "failures": []})

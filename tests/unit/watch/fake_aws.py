"""An AWS endpoint with an event feed, in this process: enough of ECS for the watch, with RunTask's tokens, refusals and lost answers."""

from collections.abc import Callable
from typing import Any

import httpx
import msgspec

from hinoban.aws.client import Client
from hinoban.base.clock import HOURS, FakeClock
from hinoban.base.units import parse_iso
from tests.unit.watch.samples import NO_ROOM, REGION, run_task, task_arn, task_event


class Crash(Exception):
    """The watch dies in the middle of a call."""


class FakeAws:
    """`refuse` counts the RunTask calls to refuse, `no_room` names families that find none, `lose` holds what happens to answers:
    "before" or "after" the call took effect. `instead` answers the operations that it names."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.instead: dict[str, Callable[[dict[str, Any]], Any]] = {}
        self.events: list[bytes] = []
        self.refuse = 0
        self.no_room: set[str] = set()
        self.lose: list[str] = []
        self.tasks: dict[str, dict[str, Any]] = {}
        self.launched: list[tuple[str, str]] = []
        self.tokens: dict[str, tuple[float, dict[str, Any], list[str]]] = {}
        self.stopped: list[dict[str, Any]] = []
        self.log: list[str] = []
        self.logged_at: float | None = None
        self.down = False
        self.feed_id = "feed-1"
        self.oldest = 1
        self.run_task_calls: list[dict[str, Any]] = []
        self.rules: dict[str, dict[str, Any]] = {}
        self.targets: dict[str, list[dict[str, Any]]] = {}
        self.inactive: set[str] = set()
        self.services: dict[str, dict[str, Any]] = {}
        self.updated: list[dict[str, Any]] = []
        self._records: dict[int, bytes] = {}
        self.tags: dict[str, dict[str, str]] = {}
        self.tags_denied = False
        self.protected: dict[str, float | None] = {}
        self.stop_timeout: int | None = None
        self.calls: list[str] = []

    def client(self) -> Client:
        return Client("http://aws.test", None, REGION, clock=self.clock, transport=httpx.MockTransport(self.answer))

    def emit(self, *events: bytes) -> None:
        self.events += events

    def answer(self, request: httpx.Request) -> httpx.Response:
        if self.down:
            raise httpx.ConnectError("nobody listens", request=request)
        if request.url.path.endswith("/feed"):
            return self._feed(int(request.url.params["after"]), int(request.url.params["limit"]))
        if request.url.path == "/schedules":
            return httpx.Response(200, json={"Schedules": []})
        operation = request.headers["x-amz-target"].rpartition(".")[2]
        params = msgspec.json.decode(request.content)
        self.calls.append(operation + (" TAGS" if params.get("include") == ["TAGS"] else ""))
        result = self.instead.get(operation, getattr(self, operation))(params)
        if isinstance(result, httpx.Response):
            return result
        return httpx.Response(200, content=msgspec.json.encode(result))

    def add_rule(self, body: dict[str, Any], *targets: dict[str, Any]) -> None:
        """A rule as ListRules tells it, with its targets."""
        self.rules[body["Name"]], self.targets[body["Name"]] = body, list(targets)

    def ListRules(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"Rules": list(self.rules.values())}

    def DescribeRule(self, params: dict[str, Any]) -> Any:
        if params["Name"] not in self.rules:
            return httpx.Response(400, json={"__type": "ResourceNotFoundException", "message": "no such rule"})
        return self.rules[params["Name"]]

    def ListTargetsByRule(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"Targets": self.targets.get(params["Rule"], [])}

    def DescribeClusters(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"clusters": [{"clusterName": name, "status": "ACTIVE"} for name in params["clusters"]], "failures": []}

    def _feed(self, after: int, limit: int) -> httpx.Response:
        if after < self.oldest - 1 or after > len(self.events):
            return httpx.Response(410, json={"error": "FeedGone", "oldest": self.oldest, "newest": len(self.events)})
        lines = [b'{"seq":%d,"event":%s}' % (seq, self.events[seq - 1]) for seq in range(after + 1, len(self.events) + 1)][:limit]
        headers = {"x-hinoban-feed": self.feed_id, "x-hinoban-last": str(len(self.events))}
        return httpx.Response(200, content=b"\n".join(lines), headers=headers)

    def RunTask(self, params: dict[str, Any]) -> Any:
        self.run_task_calls.append(params)
        fate = self.lose.pop(0) if self.lose else ""
        if fate == "crash before":
            raise Crash
        if fate == "before":
            raise httpx.ReadTimeout("lost")
        result = self._run(params)
        if fate == "crash after":
            raise Crash
        if fate == "after":
            raise httpx.ReadTimeout("lost")
        return result

    def _run(self, params: dict[str, Any]) -> dict[str, Any]:
        token, now = params["clientToken"], self.clock.now()
        if (known := self.tokens.get(token)) is not None:
            since, stored, arns = known
            ended = [self.tasks[arn].get("stopped") for arn in arns if arn in self.tasks]
            life = min([24 * HOURS, *(end - since + HOURS for end in ended if end is not None)])
            if now - since < life:
                return stored
        family, count = params["taskDefinition"], params.get("count", 1)
        if self.refuse > 0 or family.partition(":")[0] in self.no_room:
            self.refuse = max(0, self.refuse - 1)
            stored = {"tasks": [], "failures": [{"reason": NO_ROOM}] * count}
            self.tokens[token] = (now, stored, [])
            return stored
        arns = [self.start(family, params.get("startedBy"), params.get("overrides")) for _ in range(count)]
        self.launched += [(params["startedBy"], arn) for arn in arns]
        stored = {"tasks": [{"taskArn": arn} for arn in arns], "failures": []}
        self.tokens[token] = (now, stored, arns)
        return stored

    def launch(self, number: int, family: str = "nightly-billing", *, told: bool = True, **request: Any) -> list[str]:
        """Somebody's RunTask was accepted; `told`: its record is there at once, else `tell_launch` brings it."""
        request.setdefault("startedBy", f"events-rule/{family}")
        arns = [self.start(family, request["startedBy"], request.get("overrides")) for _ in range(request.get("count", 1))]
        self._records[number] = run_task(number, at=self.clock.now(), family=family, tasks=tuple(arns), **request)
        if told:
            self.tell_launch(number)
        return arns

    def tell_launch(self, number: int) -> None:
        """CloudTrail's record of a launch comes."""
        self.emit(self._records[number])

    def UpdateService(self, params: dict[str, Any]) -> Any:
        fate = self.lose.pop(0) if self.lose else ""
        if fate:
            raise Crash if "crash" in fate else httpx.ReadTimeout("lost")
        self.updated.append(params)
        return {"service": {"serviceName": params["service"]}}

    def start(self, family: str, started_by: str | None, overrides: dict[str, Any] | None = None) -> str:
        number, now = len(self.tasks) + 1, self.clock.now()
        arn = task_arn(number)
        self.tasks[arn] = {"number": number, "family": family, "startedBy": started_by, "createdAt": now, "overrides": overrides}
        self.emit(task_event(number, "RUNNING", at=now, family=family, started_by=started_by, overrides=overrides))
        return arn

    def finish(self, arn: str, exit_code: int = 0, **words: Any) -> None:
        task = self.tasks[arn]
        task["stopped"] = self.clock.now()
        task["exit_code"] = exit_code
        at, created = self.clock.now(), task["createdAt"]
        self.emit(
            task_event(
                task["number"],
                "STOPPED",
                at=at,
                created=created,
                family=task["family"],
                started_by=task["startedBy"],
                exit_code=exit_code,
                overrides=task.get("overrides"),
                **words,
            )
        )

    def refused_launch(self, number: int, family: str = "nightly-billing", **request: Any) -> None:
        """Somebody's RunTask found no room."""
        request.setdefault("startedBy", f"events-rule/{family}")
        self.emit(run_task(number, at=self.clock.now(), family=family, failures=(NO_ROOM,), **request))

    def ListTasks(self, params: dict[str, Any]) -> dict[str, Any]:
        now, wanted = self.clock.now(), params.get("desiredStatus", "RUNNING")
        found = []
        for arn, task in self.tasks.items():
            stopped = task.get("stopped")
            if ("STOPPED" if stopped is not None else "RUNNING") != wanted or (stopped is not None and now - stopped > HOURS):
                continue
            if params.get("startedBy") in (None, task["startedBy"]) and params.get("family") in (None, task["family"]):
                found.append(arn)
        return {"taskArns": found}

    def ListClusters(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"clusterArns": [f"arn:aws:ecs:{REGION}:123456789012:cluster/default"]}

    def ListServices(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"serviceArns": list(self.services)}

    def DescribeServices(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"services": [self.services[arn] for arn in params["services"]], "failures": []}

    def DescribeTasks(self, params: dict[str, Any]) -> Any:
        if params.get("include") == ["TAGS"]:
            if self.tags_denied:
                return httpx.Response(400, json={"__type": "AccessDeniedException", "message": "no"})
            known = [arn for arn in params["tasks"] if arn in self.tasks]
            tags = {arn: [{"key": key, "value": value} for key, value in self.tags.get(arn, {}).items()] for arn in known}
            return {"tasks": [{"taskArn": arn, "tags": tags[arn]} for arn in known], "failures": []}
        return {"tasks": [self._described(arn) for arn in params["tasks"]], "failures": []}

    def GetTaskProtection(self, params: dict[str, Any]) -> dict[str, Any]:
        [arn] = params["tasks"]
        if arn not in self.protected:
            return {"protectedTasks": [], "failures": [{"arn": arn, "reason": "TASK_NOT_VALID"}]}
        until = self.protected[arn]
        expires = {} if until is None else {"expirationDate": until}
        return {"protectedTasks": [{"taskArn": arn, "protectionEnabled": until is None or until > self.clock.now()} | expires]}

    def _described(self, arn: str) -> dict[str, Any]:
        task = self.tasks[arn]
        status = "STOPPED" if task.get("stopped") is not None else "RUNNING"
        at, code = task.get("stopped") or task["createdAt"], task.get("exit_code")
        same = {"family": task["family"], "overrides": task.get("overrides")}
        raw = task_event(task["number"], status, at=at, created=task["createdAt"], exit_code=code, **same)
        detail: dict[str, Any] = msgspec.json.decode(raw)["detail"]
        for name in ("createdAt", "startedAt", "stoppedAt", "stoppingAt", "executionStoppedAt"):
            if name in detail:
                detail[name] = parse_iso(detail[name])
        del detail["updatedAt"]
        return {**detail, "startedBy": task["startedBy"], "tags": []}

    def StopTask(self, params: dict[str, Any]) -> dict[str, Any]:
        self.stopped.append(params)
        self.finish(params["task"], 137, reason=params["reason"], code="UserInitiated")
        return {"task": {"taskArn": params["task"]}}

    def DescribeTaskDefinition(self, params: dict[str, Any]) -> dict[str, Any]:
        job = params["taskDefinition"].rpartition("/")[2]
        family, _, revision = job.partition(":")
        status = "INACTIVE" if job in self.inactive else "ACTIVE"
        containers = [{"name": "app", "stopTimeout": self.stop_timeout}] if self.stop_timeout is not None else []
        return {"taskDefinition": {"containerDefinitions": containers, "family": family, "revision": int(revision or 18), "status": status}}

    def GetLogEvents(self, params: dict[str, Any]) -> dict[str, Any]:
        last = round((self.logged_at or 0) * 1000)
        return {"events": [{"timestamp": last + place, "message": line} for place, line in enumerate(self.log[-params["limit"] :])]}

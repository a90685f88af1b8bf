"""The JSON API as a caller meets it who writes something wrong: 400 or 404, and an error that says what is allowed."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from hinoban.base.clock import FakeClock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import SeededIds
from hinoban.engine.faults.events import EventMaker
from hinoban.engine.faults.table import MIGRATION, Faults
from hinoban.store.database import Database
from hinoban.watch.history.search import search_of
from hinoban.web import engine_api, watch_api


class Nothing:
    """A watch that has seen nothing, and says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def incidents(self, state: str | None, limit: int, *, leads: bool = False) -> dict[str, Any]:
        self.asked.append((state, limit, *(["leads"] if leads else [])))
        return {"incidents": []}

    def incident(self, id_prefix: str) -> dict[str, Any]:
        raise HinobanError("Nothing is known", "it was never seen", "Look.")

    def ack(self, id_prefix: str, until: float | None, by: str) -> dict[str, Any]:
        return self.incident(id_prefix)

    def snooze(self, id_prefix: str, until: float, by: str) -> dict[str, Any]:
        return self.incident(id_prefix)

    def reopen(self, id_prefix: str, by: str) -> dict[str, Any]:
        return self.incident(id_prefix)

    def postmortem(self, id_prefix: str, lang: str | None = None) -> dict[str, Any]:
        return self.incident(id_prefix)

    def why(self, name: str, *, full: bool = False) -> dict[str, Any]:
        return self.incident(name)

    def history(self, query: dict[str, str]) -> dict[str, Any]:
        search_of(query)
        return {"tasks": [], "next": None}

    def status(self) -> dict[str, Any]:
        return {}


@pytest.fixture
def watch() -> Nothing:
    return Nothing()


async def ask(app: Any, method: str, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        answer = await client.request(method, f"/_hinoban/v1/{path}", json=body)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    "method, path, body, status, words",
    [
        ("GET", "incidents?state=bogus", None, 400, "open, acknowledged, snoozed, resolved"),
        ("GET", "incidents?limit=x", None, 400, "a whole number from 0 to 10000"),
        ("GET", "history?limit=99999", None, 400, "from 1 to 10000"),
        ("POST", "incidents/inc-1/ack", {"for": "zzz"}, 400, "zzz"),
        ("POST", "incidents/inc-1/ack", [], 400, "list"),
        ("POST", "incidents/inc-1/ack", {"for": "24h"}, 404, "never seen"),
        ("POST", "incidents/inc-1/snooze", {}, 400, "is not a duration"),
        ("POST", "incidents/inc-1/snooze", {"for": "2h"}, 404, "never seen"),
        ("POST", "incidents/inc-1/reopen", {}, 404, "never seen"),
        ("GET", "incidents/inc-1/postmortem?lang=fr", None, 400, "en, ja"),
        ("GET", "incidents/inc-1/postmortem?lang=ja", None, 404, "never seen"),
        ("GET", "incidents/inc-1", None, 404, "never seen"),
        ("GET", "why?name=x", None, 404, "never seen"),
        ("GET", "nothing/here", None, 404, "nothing at this path"),
        ("DELETE", "status", None, 405, "GET"),
    ],
)
async def test_what_is_wrong_is_said_in_one_shape(watch: Nothing, method: str, path: str, body: Any, status: int, words: str) -> None:
    answered, error = await ask(watch_api.create(watch, FakeClock()), method, path, body)
    assert (answered, set(error)) == (status, {"error", "what", "why", "todo"})
    assert all(error.values())
    assert words in error["why"]


async def test_a_state_is_asked_for_by_its_name(watch: Nothing) -> None:
    app = watch_api.create(watch, FakeClock())
    for query in ("", "?state=", "?state=open&limit=3", "?limit=3&state=acknowledged"):
        assert (await ask(app, "GET", f"incidents{query}"))[0] == 200
    assert watch.asked == [(None, 100), (None, 100), ("open", 3), ("acknowledged", 3)]


async def test_faults_over_the_api(tmp_path: Path) -> None:
    database = Database(tmp_path / "x.db", [MIGRATION])
    told: list[dict[str, Any]] = []
    faults = Faults(database, SeededIds(), EventMaker("123456789012", "ap-northeast-1", FakeClock(), SeededIds()), told.append)
    handed_on: list[str] = []

    async def nothing() -> None:
        return None

    async def forward(method: str, path: str, query: str, body: bytes) -> tuple[int, bytes]:
        handed_on.append(f"{method} {path}")
        return 200, b"{}"

    feed: Any = None
    app = engine_api.create(feed, LookupError, faults, nothing, nothing, list, dict, forward)
    status, error = await ask(app, "POST", "faults", {"faults": [{"what": "capacity", "match": {"famly": ["job"]}}]})
    assert (status, error["error"], error["todo"]) == (400, "HinobanError", "Did you mean 'family'?")
    status, added = await ask(app, "POST", "faults", {"faults": [{"what": "capacity", "times": 1}, {"what": "start_error"}]})
    assert (status, [fault["left"] for fault in added["faults"]]) == (200, [1, None])
    faults.strike("capacity", {})
    listed = (await ask(app, "GET", "faults"))[1]["faults"]
    assert [(fault["what"], fault["times"], fault["struck"], fault["left"]) for fault in listed] == [
        ("capacity", 1, 1, 0),
        ("start_error", None, 0, None),
    ]
    action = {
        "what": "event",
        "detail-type": "ECS Service Action",
        "detail": {"eventType": "ERROR", "eventName": "ECS_OPERATION_THROTTLED"},
    }
    status, answer = await ask(app, "POST", "faults", action)
    assert (status, [(one["what"], one["detail-type"], one["left"]) for one in answer["faults"]]) == (
        200,
        [("event", "ECS Service Action", 0)],
    )
    assert [one["id"] for one in told] == [one["id"] for one in answer["faults"]]
    status, error = await ask(app, "POST", "faults", action | {"detail-type": "ECS Service Actoin"})
    assert (status, error["todo"]) == (400, "Did you mean 'ECS Service Action'?")
    assert len(told) == 1
    assert (await ask(app, "DELETE", "faults"))[1] == (await ask(app, "GET", "faults"))[1] == {"faults": []}
    assert (await ask(app, "GET", "status"))[0] == 200
    assert handed_on == ["GET /_hinoban/v1/status"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        answer = await client.get("/_hinoban/v9/x")
    assert (answer.status_code, answer.json()["error"]) == (404, "NotFound")
    database.close()

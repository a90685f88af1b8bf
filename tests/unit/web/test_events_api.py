"""Events that are posted: who may post, what is an event, and that the answer waits until it is remembered."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from hinoban.base.clock import FakeClock, settle
from hinoban.base.supervise import Group
from hinoban.watch.sources.http import MOST, Http
from hinoban.web import events_api
from tests.unit.watch.samples import task_event

KEY = "0123456789abcdef"
EVENT = task_event(1, "STOPPED")


async def post(app: Any, content: bytes, **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        return await client.post("/events", content=content, headers={"x-api-key": KEY} | headers)


class Taker:
    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.app = events_api.create(self.take, KEY)

    async def take(self, events: Sequence[bytes]) -> None:
        self.taken += events


async def test_an_event_is_taken_as_it_is_alone_or_in_a_list() -> None:
    taker = Taker()
    assert (await post(taker.app, EVENT)).status_code == 204
    assert (await post(taker.app, b"[" + EVENT + b"," + EVENT + b"]")).status_code == 204
    assert taker.taken == [EVENT] * 3


@pytest.mark.parametrize("headers", [{"x-api-key": "another"}, {"x-api-key": ""}, {"x-api-key": "", "authorization": "Bearer no"}])
async def test_who_does_not_know_the_key_is_turned_away(headers: dict[str, str]) -> None:
    taker = Taker()
    answer = await post(taker.app, EVENT, **headers)
    assert (answer.status_code, answer.json()["why"], taker.taken) == (401, "the key is not ours", [])


async def test_a_bearer_token_does_as_well() -> None:
    taker = Taker()
    assert (await post(taker.app, EVENT, **{"x-api-key": "", "authorization": f"Bearer {KEY}"})).status_code == 204


@pytest.mark.parametrize("content", [b"", b"{}", b"null", b"[1]", b'"x"', b"\xff", b"[" + EVENT + b",{}]"])
async def test_what_is_no_event_is_refused_whole(content: bytes) -> None:
    taker = Taker()
    answer = await post(taker.app, content)
    assert answer.status_code == 400 and set(answer.json()) == {"error", "what", "why", "todo"}
    assert taker.taken == []


async def test_a_post_that_is_too_large_is_refused() -> None:
    taker = Taker()
    assert (await post(taker.app, b" " * (events_api.LARGEST + 1))).status_code == 400


async def test_the_answer_comes_when_it_is_remembered_and_not_before() -> None:
    clock = FakeClock()
    source = Http("events", clock, wait=1.0)
    answers: list[int] = []

    async def ask() -> None:
        answers.append((await post(events_api.create(source.post, KEY), EVENT)).status_code)

    group = Group(lambda error: None)
    group.start(ask(), "post")
    await clock.advance(0)
    batch = await source.poll(None)
    assert list(batch.events) == [EVENT] and answers == []
    await source.committed()
    await clock.advance(0)
    assert answers == [204]


async def test_more_than_can_wait_are_turned_away_to_come_again() -> None:
    source = Http("events", FakeClock())
    group = Group(lambda error: None)
    group.start(source.post([EVENT] * MOST), "post")
    await settle()
    answer = await post(events_api.create(source.post, KEY), EVENT)
    assert (answer.status_code, answer.json()["error"]) == (503, "Full")
    await group.close()

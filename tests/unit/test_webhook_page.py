"""docs/webhook.md says what a receiver meets: its sample has the code's fields, its Python checks real deliveries, its numbers hold."""

import re
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from hinoban.base.clock import DAYS, MINUTES, FakeClock
from hinoban.watch.config import NotifyConfig, Webhook
from hinoban.watch.history.ledger import Message
from hinoban.watch.incidents import Change, opened
from hinoban.watch.model import Attempt, Explanation, Finding
from hinoban.watch.notify import outbox
from hinoban.watch.notify.channels import DeliveryFailed, WebhookChannel, webhook
from hinoban.watch.notify.message import webhook_payload

PAGE = (Path(__file__).resolve().parents[2] / "docs/webhook.md").read_text(encoding="utf-8")
SECRET = "s3cret-of-the-hook"
EXPLANATION = Explanation(code="no_capacity", cause="No room.", next="Later.", said=("Capacity",), retryable=True)
FINDING = Finding(
    detector="did_not_start",
    subject="launch:1",
    at=0.0,
    account="123456789012",
    region="ap-northeast-1",
    cluster="default",
    family="job",
    revision=1,
    verdict="NOT STARTED",
    explanation=EXPLANATION,
    facts={},
)
ATTEMPTS = (Attempt(number=1, at=0.0, started_by="x", outcome="refused"),)
INCIDENT = msgspec.structs.replace(opened(FINDING, 0.0, held_until=None).incident, attempts=ATTEMPTS)


def block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def receiver() -> Any:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    return names["is_from_hinoban"]


async def delivery(clock: FakeClock, status: int = 200) -> httpx.Request:
    seen: list[httpx.Request] = []

    def receive(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status)

    channel = WebhookChannel(Webhook(url="https://hook.test/", secret=SECRET), clock, transport=httpx.MockTransport(receive))
    try:
        await channel.send(Message(INCIDENT, "opened"), "dlv-1")
    finally:
        await channel.close()
    return seen[0]


def test_the_sample_has_the_fields_of_a_body_in_their_order() -> None:
    sample, made = msgspec.json.decode(block("json")), webhook_payload(INCIDENT, "opened")
    assert list(sample) == list(made)
    assert [list(attempt) for attempt in sample["attempts"]] == [list(made["attempts"][0])] * 3
    listed = re.findall(r"`(\w+)`", "".join(re.findall(r"^\|(.*?)\|", PAGE.partition("## The signature")[0], re.MULTILINE)))
    assert set(listed) == set(made)
    changes = re.findall(r"`(\w+)`", next(line for line in PAGE.splitlines() if line.startswith("| `change`")).split("|")[2])
    assert set(changes) == set(Change.__args__)


async def test_the_receivers_check_knows_ours_from_others() -> None:
    clock, check = FakeClock(), receiver()
    request = await delivery(clock)
    assert request.headers["X-Hinoban-Delivery"] == "dlv-1"
    now = clock.now()
    assert check(SECRET, request.headers, request.content, now)
    assert not check(SECRET, request.headers, request.content + b" ", now)
    assert not check("another-secret-of-it", request.headers, request.content, now)
    assert not check(SECRET, {}, request.content, now)
    assert not check(SECRET, request.headers, request.content, now + 301)
    moved = {**request.headers, "X-Hinoban-Timestamp": str(int(now) + 1), "X-Hinoban-Signature": request.headers["X-Hinoban-Signature"]}
    assert not check(SECRET, moved, request.content, now)
    timestamp = request.headers["X-Hinoban-Timestamp"]
    assert request.headers["X-Hinoban-Signature"] == "sha256=" + webhook.signature(SECRET, timestamp, request.content)


@pytest.mark.parametrize("status, again", [(302, False), (400, False), (410, False), (408, True), (429, True), (500, True), (503, True)])
async def test_what_is_tried_again_is_what_the_page_says(status: int, again: bool) -> None:
    with pytest.raises(DeliveryFailed) as failed:
        await delivery(FakeClock(), status)
    assert failed.value.permanent is not again


def test_the_numbers_of_the_page() -> None:
    assert (outbox._FIRST_DELAY, outbox._LONGEST_DELAY, outbox.KEPT) == (2.0, 5 * MINUTES, 30 * DAYS)
    assert (webhook.TIMEOUT, NotifyConfig().dead_after) == (10.0, 3 * DAYS)
    for words in ("2 s, 4 s, 8 s", "at most 5 minutes apart", "within 10 seconds", "3 days after", "30 days"):
        assert words in PAGE

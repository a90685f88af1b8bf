"""PagerDuty: which action each change is, what a trigger says, and what becomes of PagerDuty's answers."""

from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec
import pytest

from hinoban.watch.config import Link, PagerDuty
from hinoban.watch.history.ledger import Message
from hinoban.watch.model import Attempt
from hinoban.watch.notify.channels import DeliveryFailed, MemoryKeep, PagerDutyChannel
from hinoban.watch.notify.channels.pagerduty import events
from tests.unit.watch.notify.samples import AT, incident, over, said

KEY = "0123456789abcdef" * 2
UTC = ZoneInfo("UTC")
BILLING = incident()


def actions(message: Message) -> list[str]:
    assert all(event["dedup_key"] == message.incident.id for event in events(message, KEY, UTC))
    return [event["event_action"] for event in events(message, KEY, UTC)]


def test_the_action_of_each_change() -> None:
    assert actions(Message(BILLING, "opened")) == ["trigger"]
    assert actions(Message(BILLING, "changed")) == ["trigger"]
    assert actions(Message(msgspec.structs.replace(BILLING, state="acknowledged"), "changed")) == ["acknowledge"]
    assert actions(Message(over(BILLING), "resolved")) == ["resolve"]
    assert actions(Message(over(BILLING), "quiet")) == []
    assert actions(Message(over(BILLING), "opened")) == ["trigger", "resolve"], "a notice leaves no alert open"


async def test_what_is_told_again_after_an_acknowledgement_wakes_somebody() -> None:
    seen: list[str] = []
    answers = [202, 202, 202, 503, 202, 202]

    def receive(request: httpx.Request) -> httpx.Response:
        seen.append(msgspec.json.decode(request.content)["event_action"])
        return httpx.Response(answers[len(seen) - 1])

    channel = PagerDutyChannel(PagerDuty(routing_key=KEY), MemoryKeep(), transport=httpx.MockTransport(receive))
    await channel.send(Message(BILLING, "opened"), "dlv-1")
    await channel.send(Message(msgspec.structs.replace(BILLING, state="acknowledged"), "changed"), "dlv-2")
    with pytest.raises(DeliveryFailed):
        await channel.send(Message(BILLING, "changed"), "dlv-3")
    await channel.send(Message(BILLING, "changed"), "dlv-3")
    await channel.send(Message(BILLING, "changed"), "dlv-4")
    # An acknowledged alert is silent under triggers. The trigger that failed is repeated as the same alert.
    assert seen == ["trigger", "acknowledge", "resolve", "trigger", "trigger", "trigger"]


async def test_what_a_trigger_says() -> None:
    seen: list[dict[str, Any]] = []

    def receive(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "https://pd.test/v2/enqueue"
        seen.append(msgspec.json.decode(request.content))
        return httpx.Response(202)

    links = (Link(text="Runbook", url="https://wiki.test/{family}"),)
    config = PagerDuty(routing_key=KEY, url="https://pd.test")
    channel = PagerDutyChannel(config, MemoryKeep(), links=links, transport=httpx.MockTransport(receive))
    await channel.send(Message(BILLING, "opened", ("last line",)), "dlv-1")
    [event] = seen
    payload = event["payload"]
    details = payload.pop("custom_details")
    assert payload == {
        "summary": f"nightly-billing:31 · task 7c1e90ab · EXIT 3 · {BILLING.id}",
        "source": BILLING.finding.task_arn,
        "severity": "critical",
        "timestamp": "2026-11-26T15:00:00Z",
        "component": "nightly-billing",
        "group": "batch",
        "class": "exit",
    }
    assert (details["cause"], details["log"], details["why"]) == ("Your program ended.", ["last line"], f"hinoban why {BILLING.id}")
    assert event["links"] == [{"href": "https://wiki.test/nightly-billing", "text": "Runbook"}]


def test_an_incident_of_ten_thousand_attempts_fits_into_pagerdutys_512_kb() -> None:
    attempts = tuple(Attempt(number=number, at=AT, started_by="x" * 60, outcome="refused") for number in range(10_000))
    great = msgspec.structs.replace(said(BILLING, said=("é" * 1_000_000,)), attempts=attempts)
    [event] = events(Message(great, "opened"), KEY, UTC)
    assert len(msgspec.json.encode(event)) < 512_000
    assert event["payload"]["custom_details"]["cause"] == "Your program ended."
    assert len(event["payload"]["summary"]) <= 1024


@pytest.mark.parametrize(
    "status, headers, permanent, after",
    [
        (400, {}, True, None),
        (429, {}, False, 60.0),
        (429, {"retry-after": "5"}, False, 5.0),
        (500, {}, False, None),
        (503, {}, False, None),
        (200, {}, False, None),
    ],
)
async def test_only_202_is_yes(status: int, headers: dict[str, str], permanent: bool, after: float | None) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(status, headers=headers, text=f"{KEY} is wrong"))
    channel = PagerDutyChannel(PagerDuty(routing_key=KEY), MemoryKeep(), transport=transport)
    with pytest.raises(DeliveryFailed) as failure:
        await channel.send(Message(BILLING, "opened"), "dlv-1")
    assert (failure.value.permanent, failure.value.retry_after) == (permanent, after)
    assert KEY not in str(failure.value)

"""What every channel keeps: arrival or DeliveryFailed, nothing else; the delivery's id handed on; no secret in an error."""

import hashlib
import hmac
import io
from collections.abc import Callable

import httpx
import msgspec
import pytest

from hinoban.base.clock import FakeClock
from hinoban.watch.config import Webhook
from hinoban.watch.history.ledger import Message
from hinoban.watch.incidents import opened
from hinoban.watch.model import Explanation, Finding
from hinoban.watch.notify.channels import CHANNELS, Channel, Console, DeliveryFailed, WebhookChannel

SECRET = "s3cret-of-the-hook"
FINDING = Finding(
    detector="failed_exit",
    subject="task:arn:aws:ecs:ap-northeast-1:123456789012:task/default/1dc5",
    at=1_795_705_200.0,
    account="123456789012",
    region="ap-northeast-1",
    cluster="default",
    family="job",
    revision=1,
    verdict="EXIT 3",
    explanation=Explanation(
        code="exit", cause="Your program ended.", next="Look.", said=("Essential container in task exited",), retryable=False
    ),
    facts={"exit_code": 3},
)
MESSAGE = Message(opened(FINDING, FINDING.at, held_until=None).incident, "opened")


class Closed(io.StringIO):
    def write(self, text: str, /) -> int:
        raise BrokenPipeError("gone")


def console(works: bool) -> Channel:
    return Console(io.StringIO() if works else Closed())


def webhook(works: bool) -> Channel:
    transport = httpx.MockTransport(lambda request: httpx.Response(204 if works else 503))
    return WebhookChannel(Webhook(url=f"https://hook.test/{SECRET}", secret=SECRET), FakeClock(), transport=transport)


FACTORIES: dict[str, Callable[[bool], Channel]] = {"console": console, "webhook": webhook}


def test_every_channel_is_under_this_contract() -> None:
    assert FACTORIES.keys() == CHANNELS.keys()


@pytest.mark.parametrize("make", FACTORIES.values(), ids=FACTORIES)
async def test_it_delivers_and_may_be_asked_twice(make: Callable[[bool], Channel]) -> None:
    channel = make(True)
    await channel.send(MESSAGE, "dlv-1")
    await channel.send(MESSAGE, "dlv-1")
    await channel.close()


@pytest.mark.parametrize("make", FACTORIES.values(), ids=FACTORIES)
async def test_a_failure_is_a_delivery_failed_without_secrets(make: Callable[[bool], Channel]) -> None:
    channel = make(False)
    with pytest.raises(DeliveryFailed) as failure:
        await channel.send(MESSAGE, "dlv-1")
    assert not failure.value.permanent
    assert SECRET not in str(failure.value)
    await channel.close()


@pytest.mark.parametrize(
    ("status", "headers", "permanent", "after"),
    [(500, {}, False, None), (429, {"retry-after": "30"}, False, 30.0), (404, {}, True, None), (400, {}, True, None)],
)
async def test_a_webhook_tells_refusals_that_pass_from_those_that_do_not(
    status: int, headers: dict[str, str], permanent: bool, after: float | None
) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(status, headers=headers))
    channel = WebhookChannel(Webhook(url="https://hook.test/", secret=SECRET), FakeClock(), transport=transport)
    with pytest.raises(DeliveryFailed) as failure:
        await channel.send(MESSAGE, "dlv-1")
    assert (failure.value.permanent, failure.value.retry_after) == (permanent, after)


async def test_a_receiver_can_check_the_webhooks_signature() -> None:
    seen: list[httpx.Request] = []

    def receive(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    channel = WebhookChannel(Webhook(url="https://hook.test/", secret=SECRET), FakeClock(), transport=httpx.MockTransport(receive))
    await channel.send(MESSAGE, "dlv-1")
    [request] = seen
    signed = request.headers["x-hinoban-timestamp"].encode() + b"." + request.content
    assert request.headers["x-hinoban-signature"] == "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    assert request.headers["x-hinoban-delivery"] == "dlv-1"
    assert msgspec.json.decode(request.content)["incident"] == MESSAGE.incident.id

"""What every channel keeps: arrival or DeliveryFailed, nothing else; order; told once or marked as a repeat; no secret in an error."""

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
import pytest

from hinoban.base.clock import DAYS, HOURS, FakeClock
from hinoban.base.ids import SeededIds
from hinoban.watch.config import Webhook
from hinoban.watch.history.daily import Daily, Runs
from hinoban.watch.history.database import open_file
from hinoban.watch.history.ledger import Ledger, Message
from hinoban.watch.incidents import Step, opened, resolved
from hinoban.watch.model import Explanation, Finding
from hinoban.watch.notify.channels import CHANNELS, DeliveryFailed, PagerDutyChannel, WebhookChannel
from hinoban.watch.notify.outbox import Outbox
from tests.contract.channels.stand_ins import SECRET, STAND_INS, Answer, StandIn

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
INCIDENT = opened(FINDING, FINDING.at, held_until=None).incident
MESSAGE = Message(INCIDENT, "opened")
RUNS = Runs(due=118, at_once=95, by_retry=21, by_hand=2, by_hand_incidents=("inc-4k2p",))
DAILY = Daily(id="daily-2026-11-28", day="2026-11-28", at=FINDING.at, since=FINDING.at - DAYS, until=FINDING.at, runs=RUNS)
RESOLVED = Message(resolved(INCIDENT, INCIDENT.verdict, "A later run ended well.", FINDING.at + 60).incident, "resolved")

every = pytest.mark.parametrize("make", STAND_INS.values(), ids=STAND_INS)


def those_that(answer: Answer) -> pytest.MarkDecorator:
    """Every channel whose other side may answer so."""
    able = {name: make for name, make in STAND_INS.items() if answer not in make().cannot}
    return pytest.mark.parametrize("make", able.values(), ids=able)


async def fails(stand: StandIn, delivery_id: str = "dlv-1") -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as failure:
        await stand.channel.send(MESSAGE, delivery_id)
    assert SECRET not in str(failure.value) + repr(failure.value.__cause__)
    return failure.value


def test_every_channel_is_under_this_contract() -> None:
    assert {name.partition(":")[0] for name in STAND_INS} == CHANNELS.keys()


@every
async def test_it_delivers_an_incidents_whole_life(make: Callable[[], StandIn]) -> None:
    stand = make()
    await stand.channel.send(MESSAGE, "dlv-1")
    await stand.channel.send(RESOLVED, "dlv-2")
    assert len(stand.got) == 2
    assert all(INCIDENT.id in one.text and not one.marked for one in stand.got)
    await stand.channel.close()
    await stand.channel.close()


@every
async def test_it_takes_the_daily_report_once(make: Callable[[], StandIn]) -> None:
    """All tell it but the pager, which has nobody to wake for it."""
    stand = make()
    await stand.channel.report(DAILY, "dlv-1")
    if stand.remembers:
        await stand.channel.report(DAILY, "dlv-1")
    if isinstance(stand.channel, PagerDutyChannel):
        assert stand.got == []
    else:
        assert "118 of 118 due runs happened" in stand.got[0].text and not stand.got[0].marked
        assert len(stand.got) == 1 or len({one.key for one in stand.got} - {None}) == 1
    await stand.channel.close()


@every
async def test_a_report_that_did_not_arrive_is_tried_again(make: Callable[[], StandIn]) -> None:
    stand = make()
    if isinstance(stand.channel, PagerDutyChannel):
        return
    stand.answers = ["down"]
    with pytest.raises(DeliveryFailed) as failure:
        await stand.channel.report(DAILY, "dlv-1")
    assert not failure.value.permanent and SECRET not in str(failure.value)
    await stand.channel.report(DAILY, "dlv-1")
    assert [one.marked for one in stand.got] == [False]
    await stand.channel.close()


@every
async def test_a_failure_that_passes_is_tried_again_under_the_same_name(make: Callable[[], StandIn]) -> None:
    stand = make()
    stand.answers = ["down"]
    assert not (await fails(stand)).permanent
    await stand.channel.send(MESSAGE, "dlv-1")
    assert [one.marked for one in stand.got] == [False]
    await stand.channel.close()


@those_that("refused")
async def test_a_refusal_that_cannot_pass_is_permanent(make: Callable[[], StandIn]) -> None:
    stand = make()
    stand.answers = ["refused"]
    assert (await fails(stand)).permanent
    assert stand.got == []
    await stand.channel.close()


@those_that("limited")
async def test_a_pause_that_was_asked_for_is_handed_on(make: Callable[[], StandIn]) -> None:
    stand = make()
    stand.answers = ["limited"]
    failure = await fails(stand)
    assert (failure.permanent, failure.retry_after, failure.in_doubt) == (False, 30.0, False)
    await stand.channel.close()


@those_that("lost")
async def test_after_a_lost_answer_the_receiver_can_tell_a_repeat(make: Callable[[], StandIn]) -> None:
    stand = make()
    stand.answers = ["lost", "down"]
    assert (await fails(stand)).in_doubt
    await fails(stand)
    await stand.channel.send(MESSAGE, "dlv-1")
    first, again = stand.got
    assert (again.marked and not first.marked) or (again.key is not None and again.key == first.key)
    await stand.channel.send(RESOLVED, "dlv-2")
    assert not stand.got[-1].marked
    assert stand.got[-1].key is None or stand.got[-1].key != first.key
    await stand.channel.close()


@pytest.mark.parametrize("make", [make for make in STAND_INS.values() if make().remembers])
async def test_a_delivery_that_arrived_is_no_second_message(make: Callable[[], StandIn]) -> None:
    """The outbox asks again where it died between the arrival and its own note of it."""
    stand = make()
    await stand.channel.send(MESSAGE, "dlv-1")
    await stand.channel.send(MESSAGE, "dlv-1")
    keys = {one.key for one in stand.got}
    assert len(stand.got) == 1 or (len(keys) == 1 and None not in keys)
    await stand.channel.close()


@every
async def test_down_for_an_hour_it_delivers_in_order_when_it_is_back(make: Callable[[], StandIn], tmp_path: Path) -> None:
    stand, clock, complaints = make(), FakeClock(), list[str]()
    engine = open_file(tmp_path / "watch.db")
    ledger = Ledger([stand.channel.name])
    outbox = Outbox(engine, [stand.channel], clock=clock, ids=SeededIds(1), dead_after=3 * DAYS, complain=complaints.append)
    stand.otherwise = "down"
    began, ids = clock.now(), list[str]()
    for number in range(20):
        finding = msgspec.structs.replace(FINDING, subject=f"task:{number}", family=f"job-{number}")
        step = opened(finding, clock.now(), held_until=None)
        with engine.begin() as connection:
            ledger.put(connection, Step(step.incident, "opened"), clock.now())
        ids.append(step.incident.id)
        await outbox.step(clock.now())
        await clock.advance(HOURS / 20)
    assert stand.got == []
    stand.otherwise = "ok"
    while clock.now() < began + 2 * HOURS:
        due = await outbox.step(clock.now())
        if len(stand.got) == 20:
            break
        await clock.advance(max(0.0, (due or 0.0) - clock.now()))
    assert [next(one for one in ids if one in got.text) for got in stand.got] == ids
    assert complaints == []
    assert clock.now() - began <= 1 * HOURS + 5 * 60, "at most 5 minutes pass between two tries"
    await stand.channel.close()
    engine.dispose()


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

"""The queue: what is read, what is set aside, and when a message is hidden anew or deleted."""

from typing import Any

import msgspec
import pytest

from hinoban.aws.client import EndpointUnreachable
from hinoban.base.clock import FakeClock
from hinoban.watch.history.aside import Aside, AsideBook
from hinoban.watch.history.database import open_database
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.sources.sqs import MOST_RECEIVES, Poison, Sqs, event_of
from tests.support.fake_sqs import QUEUE, FakeSqs
from tests.unit.watch.samples import life, task_event

EVENT = task_event(1, "STOPPED")
TOPIC = "arn:aws:sns:ap-northeast-1:123456789012:ecs-events"


class Desk:
    def __init__(self, **settings: Any) -> None:
        self.clock = FakeClock()
        self.queue = FakeSqs(self.clock)
        self.remembered: list[bytes] = []
        self.book = AsideBook(open_database("sqlite://"))
        self.source = Sqs(self.queue.client(), self.clock, QUEUE, aside=self.book, **settings)

    def operations(self) -> list[str]:
        return [operation for operation, _ in self.queue.calls]


def notification(message: str, kind: str = "Notification") -> str:
    return msgspec.json.encode({"Type": kind, "MessageId": "1", "TopicArn": TOPIC, "Message": message}).decode()


async def test_it_asks_for_ten_by_a_long_poll_and_takes_what_more_there_is_at_once() -> None:
    desk = Desk()
    for number in range(1, 13):
        desk.queue.send(task_event(number, "STOPPED"))
    batch = await desk.source.poll(None)
    assert len(batch.events) == 12
    asked = [params for operation, params in desk.queue.calls if operation == "ReceiveMessage"]
    assert [(one["MaxNumberOfMessages"], one["WaitTimeSeconds"]) for one in asked] == [(10, 20), (10, 0)]
    assert (batch.cursor.seq, batch.cursor.newest) == (12, 12)


async def test_a_batch_that_is_full_leaves_us_behind() -> None:
    desk = Desk(most=10)
    for number in range(1, 25):
        desk.queue.send(task_event(number, "STOPPED"))
    batch = await desk.source.poll(Cursor(QUEUE, 5, 5, 0.0, 3.0))
    assert (batch.cursor.seq, batch.cursor.newest, batch.cursor.gap_at) == (15, 16, 3.0)


async def test_nothing_is_deleted_before_the_commit_and_everything_by_tens_after_it() -> None:
    desk = Desk()
    for number in range(1, 13):
        desk.queue.send(task_event(number, "STOPPED"))
    await desk.source.poll(None)
    assert desk.queue.deleted == []
    await desk.source.committed()
    assert desk.queue.messages == {}
    sizes = [len(params["Entries"]) for operation, params in desk.queue.calls if operation == "DeleteMessageBatch"]
    assert sizes == [10, 2]


async def test_what_could_not_be_deleted_is_deleted_before_the_next_poll() -> None:
    desk = Desk()
    desk.queue.send(EVENT)
    await desk.source.poll(None)
    desk.queue.down = True
    await desk.source.committed()
    with pytest.raises(EndpointUnreachable):
        await desk.source.poll(None)
    desk.queue.down, desk.queue.keep = False, True
    assert (await desk.source.poll(None)).events == []
    desk.queue.keep = False
    await desk.source.poll(None)
    assert desk.queue.messages == {}


async def test_a_message_that_came_again_is_deleted_by_its_newest_handle() -> None:
    desk = Desk()
    desk.queue.send(EVENT)
    await desk.source.poll(None)
    desk.queue.keep = True
    await desk.source.committed()
    await desk.clock.advance(600)
    batch = await desk.source.poll(None)
    assert batch.events == [EVENT]
    desk.queue.keep = False
    await desk.source.committed()
    assert desk.queue.deleted == ["m-1"]


async def test_what_is_still_held_is_hidden_anew_at_half_its_time() -> None:
    desk = Desk(visibility=120)
    for number in range(1, 13):
        desk.queue.send(task_event(number, "STOPPED"))
    await desk.source.poll(None)
    due = await desk.source.step(desk.clock.now())
    assert due == desk.clock.now() + 60
    assert desk.queue.hidden == []
    await desk.clock.advance(61)
    assert await desk.source.step(desk.clock.now()) == desk.clock.now() + 60
    assert len(desk.queue.hidden) == 12
    await desk.clock.advance(100)
    again = FakeSqs.ReceiveMessage(desk.queue, {"MaxNumberOfMessages": 10, "VisibilityTimeout": 1})
    assert again == {}, "hidden for 120 s from when it was hidden anew"
    await desk.source.committed()
    assert await desk.source.step(desk.clock.now()) is None


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("it burns", "not JSON"),
        ("[1, 2]", "not an EventBridge event"),
        ('{"Records": []}', "not an EventBridge event"),
        ('"\ud800"', "not JSON"),
        ("[" * 100_000, "not JSON"),
        (EVENT.decode().replace('"detail":{', '"detail":[],"x":{'), "its detail is no object"),
        (notification("it burns"), "not JSON"),
        (notification("{}", "SubscriptionConfirmation"), "SNS sent a SubscriptionConfirmation"),
        ('{"TopicArn": 1}', "no notification of SNS"),
    ],
)
def test_what_is_no_event_is_told_with_its_reason(body: str, reason: str) -> None:
    with pytest.raises(Poison, match=reason):
        event_of(body)


def test_an_event_is_read_as_it_is_and_out_of_a_notification() -> None:
    assert event_of(EVENT.decode()) == EVENT
    assert event_of(notification(EVENT.decode())) == EVENT
    assert event_of(notification(notification(EVENT.decode()))) == EVENT


async def test_poison_is_set_aside_with_its_reason_and_holds_up_nothing() -> None:
    desk = Desk()
    desk.queue.send("it burns")
    for raw in life(1):
        desk.queue.send(raw)
    desk.queue.send('{"some": "json"}')
    batch = await desk.source.poll(None)
    assert sorted(batch.events) == sorted(life(1))
    assert {(one.message_id, one.body) for one in desk.book.listed()} == {("m-1", "it burns"), ("m-7", '{"some": "json"}')}
    assert desk.queue.deleted == [], "not even poison goes before the commit"
    await desk.source.committed()
    assert desk.queue.messages == {}
    assert [one.source for one in desk.book.listed()] == ["sqs:123456789012/ap-northeast-1/hinoban-events"] * 2


async def lives(desk: Desk, deadly: bytes, number: int) -> None:
    """So many lives of a watch that dies whenever it remembers `deadly`."""
    for _ in range(number):
        source = Sqs(desk.queue.client(), desk.clock, QUEUE, aside=desk.book, visibility=10)
        more = True
        while more and deadly not in (batch := await source.poll(None)).events:
            desk.remembered += batch.events
            await source.committed()
            more = batch.cursor.newest > batch.cursor.seq
        await desk.clock.advance(11)


async def test_a_message_that_ends_us_each_time_is_tried_alone_and_then_set_aside() -> None:
    desk = Desk(visibility=10)
    desk.queue.send(EVENT)
    await lives(desk, EVENT, MOST_RECEIVES + 1)
    [aside] = desk.book.listed()
    assert aside.reason == f"received more than {MOST_RECEIVES} times and never remembered, at last alone"
    assert aside.body == EVENT.decode()
    assert desk.queue.deleted == []
    await lives(desk, EVENT, 1)
    assert desk.queue.messages == {} and len(desk.book.listed()) == 1


async def test_the_neighbours_of_a_message_that_ends_us_are_remembered() -> None:
    desk = Desk(visibility=10)
    good = [task_event(number, "STOPPED") for number in range(2, 6)]
    for raw in (good[0], EVENT, *good[1:]):
        desk.queue.send(raw)
    await lives(desk, EVENT, MOST_RECEIVES)
    assert desk.remembered == [] and desk.book.listed() == []
    await lives(desk, EVENT, 2)
    assert sorted(desk.remembered) == sorted(good)
    assert [one.body for one in desk.book.listed()] == [EVENT.decode()]
    assert desk.queue.messages == {}


async def test_rows_set_aside_are_one_each_and_go_after_a_month() -> None:
    desk = Desk(visibility=10)
    desk.queue.send("it burns")
    for _ in range(2):
        await Sqs(desk.queue.client(), desk.clock, QUEUE, aside=desk.book, visibility=10).poll(None)
        await desk.clock.advance(11)
    assert len(desk.book.listed()) == 1
    later = desk.clock.now() + 40 * 86400
    desk.book.put(Aside(source="sqs:1/r/q", message_id="m-9", at=later, reason="not JSON", body="it burns still"))
    assert [one.body for one in desk.book.listed()] == ["it burns still"]

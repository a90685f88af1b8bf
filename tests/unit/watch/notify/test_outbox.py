"""Messages on their way when a watch dies: the next one sends them at once, under the same name."""

import asyncio
from pathlib import Path

import pytest

from hinoban.base.clock import DAYS
from hinoban.base.ids import SeededIds
from hinoban.watch.config import LogTail, NotifyConfig, WatchConfig
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.outbox import Outbox
from tests.unit.watch.worlds import World


class Pager:
    """Takes messages; `answers` False: never says so."""

    name = "pager"

    def __init__(self) -> None:
        self.answers = False
        self.deliveries: list[str] = []
        self.logs: list[tuple[str, ...]] = []

    async def send(self, message: Message, delivery_id: str) -> None:
        self.deliveries.append(delivery_id)
        self.logs.append(message.log)
        if not self.answers:
            await asyncio.Event().wait()

    async def close(self) -> None:
        return


async def test_what_was_sent_long_ago_is_forgotten_and_no_delivery_is_named_twice(tmp_path: Path) -> None:
    pager = Pager()
    pager.answers = True
    world = World(tmp_path, channels=[pager])
    for number in range(3):
        world.aws.finish(world.aws.start(f"job-{number}", None), 3)
    await world.watch.turn()
    assert world.watch.status()["outbox"] == {"sent": 3}
    await world.clock.advance(31 * DAYS)
    await world.watch.outbox.step(world.clock.now())
    assert world.watch.status()["outbox"] == {"sent": 1}
    world.aws.finish(world.aws.start("job-4", None), 3)
    await world.watch.turn()
    assert world.watch.status()["outbox"] == {"sent": 2}
    assert len(set(pager.deliveries)) == 4


async def test_a_message_that_a_dead_watch_was_sending_waits_for_nobody(tmp_path: Path) -> None:
    pager = Pager()
    world = World(tmp_path, WatchConfig(notify=NotifyConfig(log_tail="off")), channels=[pager])
    world.aws.finish(world.aws.start("job", None), 3)
    await world.watch.read(world.clock.now())
    dead = Outbox(world.engine, [pager], clock=world.clock, ids=SeededIds(8), dead_after=60, complain=print)
    sending = asyncio.get_running_loop().create_task(dead.step(world.clock.now()))
    while not pager.deliveries:
        await asyncio.sleep(0)
    sending.cancel()
    world.crash()
    pager.answers = True
    running = asyncio.get_running_loop().create_task(world.watch.run())
    for _ in range(1000):
        await asyncio.sleep(0)
        if len(pager.deliveries) > 1:
            break
    running.cancel()
    await asyncio.gather(sending, running, return_exceptions=True)
    assert len(pager.deliveries) == 2
    assert len(set(pager.deliveries)) == 1
    assert world.watch.status()["outbox"] == {"sent": 1}


@pytest.mark.parametrize(
    "mode, shown", [("off", ()), ("masked", ("login password=***", "boom")), ("full", ("login password=hunter2", "boom"))]
)
async def test_a_failed_programs_message_carries_its_last_lines(tmp_path: Path, mode: LogTail, shown: tuple[str, ...]) -> None:
    pager = Pager()
    pager.answers = True
    world = World(tmp_path, WatchConfig(notify=NotifyConfig(log_tail=mode)), channels=[pager])
    world.aws.log = ["login password=hunter2", "boom"]
    world.aws.finish(world.aws.start("job", None), 3)
    await world.watch.read(world.clock.now())
    # The outbox comes first: it waits for the log, which is on its way, but not for long.
    await world.watch.outbox.step(world.clock.now())
    assert len(pager.logs) == (1 if mode == "off" else 0)
    await world.watch.logs.step(world.clock.now())
    await world.clock.advance(0.1)
    await world.watch.outbox.step(world.clock.now())
    assert pager.logs == [shown]


async def test_a_log_that_does_not_come_keeps_no_message_back(tmp_path: Path) -> None:
    pager = Pager()
    pager.answers = True
    world = World(tmp_path, channels=[pager])
    world.aws.finish(world.aws.start("job", None), 3)
    began = world.clock.now()
    await world.watch.read(began)
    while not pager.logs and world.clock.now() < began + 5:
        due = await world.watch.outbox.step(world.clock.now())
        await world.clock.advance(max(0.0, (due or 0.0) - world.clock.now()) if not pager.logs else 0.0)
    assert (pager.logs, world.clock.now() - began) == ([()], 0.5)


async def test_a_channel_that_hangs_keeps_no_other_waiting(tmp_path: Path) -> None:
    hanging, well = Pager(), Pager()
    well.name, well.answers = "well", True
    world = World(tmp_path, WatchConfig(notify=NotifyConfig(log_tail="off")), channels=[hanging, well])
    world.aws.finish(world.aws.start("job", None), 3)
    await world.watch.read(world.clock.now())
    sending = asyncio.get_running_loop().create_task(world.watch.outbox.step(world.clock.now()))
    async with asyncio.timeout(10):
        while not (hanging.deliveries and well.deliveries):
            await asyncio.sleep(0)
    sending.cancel()

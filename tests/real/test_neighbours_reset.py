"""The neighbours' street emptied at a bad moment."""

import asyncio
from pathlib import Path

import pytest

from hinoban.base.clock import SystemClock
from hinoban.engine.neighbours import log
from hinoban.engine.neighbours.ask import Ask
from hinoban.engine.neighbours.process import Neighbours
from hinoban.store.database import Database

REGION = "us-east-1"

pytestmark = pytest.mark.timeout(120)


async def test_a_reset_passes_while_the_child_begins(tmp_path: Path) -> None:
    database = Database(tmp_path / "engine.db", [log.MIGRATION])
    neighbours = Neighbours(database, tmp_path, "123456789012", SystemClock())
    ask = Ask(neighbours, "123456789012")
    calling = asyncio.ensure_future(ask.call("sqs", "CreateQueue", {"QueueName": "q"}, region=REGION))
    async with asyncio.timeout(60):
        while neighbours.starts == 0:
            await asyncio.sleep(0.01)
    await neighbours.reset()
    # Who called before the reset is answered by the child that lives after it.
    made = await calling
    assert neighbours.starts == 2
    assert (await ask.call("sqs", "ListQueues", {}, region=REGION))["QueueUrls"] == [made["QueueUrl"]]
    await neighbours.close()
    database.close()

"""A storm of ten thousand tasks on an engine with its own watch, and a smaller one that a watch in another process sees through a queue
or by polling alone. Nothing is missed, told to nobody or launched twice, whatever is killed amid it.
"""

import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.real.channel_receivers import Receivers, receiving
from tests.real.daemon_support import Make, is_alive, until
from tests.real.daemon_support import daemons as daemons
from tests.real.standing_support import QUIET, StandingWatch, caught_up, free_port, logged, queue_of
from tests.real.storm_proofs import Told, check_engine, check_incidents, check_messages
from tests.real.storm_support import CONFIG, OwnWatch, Size, Storm, Watch

SEED = int(os.environ.get("HINOBAN_TEST_SEED", "1"))
TASKS = int(os.environ.get("HINOBAN_STORM_TASKS", "10000"))
BIG = Size(tasks=TASKS, at_once=10, refused=20, slots=10, ahead=timedelta(seconds=25), engine_kills=3, watch_kills=2)
SMALL = Size(tasks=600, at_once=3, refused=6, slots=4, ahead=timedelta(seconds=40), engine_kills=2, watch_kills=1, spread=20.0)
ROOM = ("--runtime", "fake", "--capacity", "100000vcpu:400000GB")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@asynccontextmanager
async def weather(dice: random.Random) -> AsyncIterator[tuple[Receivers, Path]]:
    """Channels with troubles, and a folder whose name is short enough for a socket in it."""
    async with receiving(Receivers(dice, share=0.01, most=12)) as receivers:
        with tempfile.TemporaryDirectory(prefix="hb-") as folder:
            yield receivers, Path(folder)


async def judged(storm: Storm, watch: Watch, receivers: Receivers) -> None:
    """Blow it, wait until it is calm, and prove that nothing went wrong."""
    now = asyncio.get_running_loop().time
    began = now()
    await storm.blow(watch)
    stopped = await storm.stop_some()
    blown = now()
    await storm.calm(watch)
    print(f"launched in {blown - began:.0f} s, calm {now() - blown:.0f} s later")
    _, envelopes = await storm.daemon.feed()
    told = Told(watch.state)
    check_engine(storm, envelopes, stopped)
    check_incidents(storm, told, envelopes, stopped)
    check_messages(told, receivers)
    kinds = Counter(one["finding"]["detector"] for one in told.incidents.values())
    print(f"{len(envelopes)} events, incidents {dict(kinds)}, {sum(map(len, told.messages.values()))} messages, {dict(receivers.troubles)}")


async def test_nothing_is_missed_or_done_twice_in_a_storm(daemons: Make) -> None:
    dice = random.Random(SEED)
    async with weather(dice) as (receivers, folder):
        config = folder / "hinoban.toml"
        config.write_text(CONFIG.format(url=receivers.url))
        daemon = daemons(*ROOM, "--config", str(config))
        await daemon.start()
        storm = Storm(daemon, dice, BIG)
        await storm.prepare()
        await judged(storm, OwnWatch(daemon), receivers)
        await until(lambda: not any(map(is_alive, daemon.watches)), "the killed watches are gone")


@pytest.mark.parametrize("source", ["queue", "poll"])
async def test_nothing_is_missed_or_done_twice_in_a_storm_that_another_process_watches(daemons: Make, source: str) -> None:
    dice = random.Random(SEED)
    async with weather(dice) as (receivers, folder):
        (folder / "engine.toml").write_text(QUIET)
        # The same port in every life: that is all the watch knows of it.
        daemon = daemons(*ROOM, "--config", str(folder / "engine.toml"), "--port", str(free_port()))
        await daemon.start()
        await logged(daemon)
        aws = f'[aws]\npoll = false\n[[aws.queue]]\nurl = "{await queue_of(daemon)}"\n' if source == "queue" else ""
        storm = Storm(daemon, dice, SMALL)
        await storm.prepare()
        watch = StandingWatch(daemon, folder / "watch", CONFIG.format(url=receivers.url) + 'allow = ["run_task"]\n' + aws)
        await watch.start()
        try:
            await until(lambda: caught_up(watch), "the watch is up to date")
            await judged(storm, watch, receivers)
        finally:
            await watch.end()

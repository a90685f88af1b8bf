"""`hinoban watch`, the process of house 2: reads its settings from standard input, watches, and answers on a Unix socket."""

import asyncio
import fcntl
import logging
import os
import sys
from pathlib import Path

import msgspec
import uvloop

from hinoban.aws.client import Client
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds
from hinoban.daemon.keep_watch import keep
from hinoban.daemon.watch_child import WatchSettings
from hinoban.watch.allow import EVERYTHING
from hinoban.watch.config import WatchConfig
from hinoban.watch.history.database import open_file
from hinoban.watch.history.schema import channel_state
from hinoban.watch.notify.channels import channels_of
from hinoban.watch.notify.channels.keep import StoredKeep
from hinoban.watch.places import Clients
from hinoban.watch.service import Watch
from hinoban.watch.sources import Journal


def run() -> int:
    """Watch until standard input ends: whoever started us is gone or wants us gone."""
    os.umask(0o077)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="hinoban watch: %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    line = sys.stdin.buffer.readline()
    if not line:
        return 0
    settings = msgspec.json.decode(line, type=WatchSettings)
    # One watch on one history: a dying predecessor is waited for.
    with (Path(settings.directory) / "watch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        uvloop.run(_watch(settings))
    return 0


async def _watch(settings: WatchSettings) -> None:
    config = msgspec.json.decode(settings.config, type=WatchConfig)
    clock = SystemClock()
    keys = Credentials(settings.access_key_id, settings.secret_access_key)
    client = Client(settings.endpoint, keys, settings.region, clock=clock)
    database = open_file(Path(settings.directory) / "watch.db")
    watch = Watch(
        config,
        database,
        Clients(client),
        [Journal(client, clock)],
        clock,
        SystemIds(),
        channels_of(config, clock, sys.stdout, keep=StoredKeep(database, channel_state), client=client),
        say=lambda line: print(line, flush=True),
        allow=EVERYTHING,  # of our own engine
    )
    try:
        await keep(watch, settings.socket, clock, config.metrics_port, {"standard input": _until_orphaned()})
    finally:
        await client.close()


async def _until_orphaned() -> None:
    """Return when standard input ends."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.read(1024):
        pass


if __name__ == "__main__":
    sys.exit(run())

"""`hinoban watch`: a watch that stays on AWS accounts, in a process of its own, beside no engine. Composes, decides nothing."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import msgspec
import uvicorn
import uvloop

from hinoban import __version__
from hinoban.base.clock import SystemClock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import SystemIds
from hinoban.base.places import default_state_dir
from hinoban.daemon import config as configuration
from hinoban.daemon.accounts import Watched, watched
from hinoban.daemon.config import Config
from hinoban.daemon.config_aws import Listen
from hinoban.daemon.keep_watch import keep
from hinoban.daemon.options import WatchOptions
from hinoban.daemon.serving import Server
from hinoban.daemon.state_dir import StateDirectory, tilde
from hinoban.watch.allow import NOTHING, allowed, by_policy
from hinoban.watch.history.database import open_file
from hinoban.watch.history.schema import channel_state
from hinoban.watch.notify.channels import channels_of
from hinoban.watch.notify.channels.keep import StoredKeep
from hinoban.watch.service import Watch
from hinoban.web import events_api


def run_watch(options: WatchOptions) -> int:
    """Watch until Ctrl-C or SIGTERM; the exit code. HinobanError for what keeps it from starting."""
    os.umask(0o077)
    config = with_options(configuration.load(options.config), options)
    directory = StateDirectory((options.state or default_state_dir(os.environ)).expanduser().absolute())
    directory.create()
    directory.lock()
    try:
        logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="hinoban watch: %(levelname)s %(name)s: %(message)s")
        uvloop.run(_watch(config, directory))
    finally:
        directory.unlock()
    return 0


def with_options(config: Config, options: WatchOptions) -> Config:
    """The configuration with what the command line said over it."""
    changes: dict[str, Any] = {}
    if options.profile is not None:
        changes["profile"] = options.profile
    if options.endpoint_url is not None:
        changes["endpoint_url"] = options.endpoint_url
    if options.region is not None:
        changes["regions"] = configuration.parse({"aws": {"regions": [options.region]}}).aws.regions
    return msgspec.structs.replace(config, aws=msgspec.structs.replace(config.aws, **changes))


async def _watch(config: Config, directory: StateDirectory) -> None:
    clock = SystemClock()
    database = open_file(directory.watch_db)
    found = await watched(config.aws, database, clock)
    watch = Watch(
        config.watch,
        database,
        found.clients,
        found.sources,
        clock,
        SystemIds(),
        channels_of(config.watch, clock, sys.stdout, keep=StoredKeep(database, channel_state), client=found.clients.default),
        say=lambda line: print(line, flush=True),
        inventories=found.inventories,
    )
    beside: dict[str, Coroutine[Any, Any, Any]] = {"signals": _ended()}
    if found.posted is not None and config.aws.listen is not None:
        beside["events"] = _listening(config.aws.listen, found)
    first = found.accounts[0]
    directory.announce(
        {
            "socket": str(directory.watch_socket),
            "region": first.regions[0],
            "account": first.id,
            "profile": config.aws.profile,
            "endpoint_url": config.aws.endpoint_url,
        }
    )
    print(greeting(found, config, directory), flush=True)
    try:
        directory.watch_socket.unlink(missing_ok=True)
        await keep(watch, str(directory.watch_socket), clock, config.watch.metrics_port, beside)
    finally:
        directory.withdraw()
        await found.clients.default.close()


def greeting(found: Watched, config: Config, directory: StateDirectory) -> str:
    """What is watched, by what, and what the watch may do."""
    places = "; ".join(f"{one.id} {', '.join(one.regions)}" for one in found.accounts)
    rights = allowed(NOTHING, by_policy(config.watch))
    return (
        f"Hinoban {__version__} watches {found.name}: {places} · {rights}\n"
        f"  by {', '.join(one.name for one in found.sources)}    remembers in {tilde(directory.path)}"
    )


async def _ended() -> None:
    """Return at Ctrl-C or SIGTERM."""
    ending = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    await ending.wait()


async def _listening(listen: Listen, found: Watched) -> None:
    """Take events that are posted; HinobanError where nobody can listen there."""
    assert found.posted is not None
    app = events_api.create(found.posted.post, listen.key)
    settings = uvicorn.Config(
        app, host=listen.host, port=listen.port, loop="none", lifespan="off", access_log=False, log_level="warning", ws="none"
    )
    try:
        with contextlib.closing(settings.bind_socket()) as listener:
            await Server(settings).serve(sockets=[listener])
    except SystemExit:  # uvicorn's word for a port that is taken
        why = "it is in use, or not ours to take"
        raise HinobanError(f"Cannot listen on {listen.host}:{listen.port}", why, "Correct [aws.http] listen.") from None

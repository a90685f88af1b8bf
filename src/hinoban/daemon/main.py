"""`hinoban up`: the engine's process. Builds the engine, opens the port, starts the watch, and ends all of it in order."""

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
import sqlite3
import sys
from pathlib import Path

import msgspec
import psutil
import uvicorn
import uvloop

from hinoban import __version__
from hinoban.base.clock import Clock, SystemClock
from hinoban.base.errors import ConfigError, HinobanError
from hinoban.base.ids import Ids, SystemIds
from hinoban.base.places import default_state_dir, own_command
from hinoban.base.supervise import Group
from hinoban.base.units import format_mib
from hinoban.daemon import config as configuration
from hinoban.daemon import config_values, runtimes
from hinoban.daemon.config import Config
from hinoban.daemon.engine import Engine
from hinoban.daemon.engine_events import EventSettings
from hinoban.daemon.http import FrontDoor
from hinoban.daemon.memory import collect_seldom
from hinoban.daemon.options import UpOptions
from hinoban.daemon.serving import Server
from hinoban.daemon.state_dir import StateDirectory, tilde
from hinoban.daemon.watch_child import WatchChild, WatchSettings
from hinoban.engine.ecs.decide.capacity import UNITS_PER_VCPU
from hinoban.engine.journal import FeedGone
from hinoban.store.database import Durability
from hinoban.web import engine_api

HOST = "127.0.0.1"
_END_WITHIN = 10.0


def run_up(options: UpOptions) -> int:
    """Run until Ctrl-C or SIGTERM; the exit code. HinobanError for what keeps it from starting."""
    clock = SystemClock()
    began = clock.now()
    # Databases, sockets and logs are for their owner; what tasks make is theirs: a runtime gives them a umask of their own.
    os.umask(0o077)
    config = with_options(configuration.load(options.config), options)
    directory = StateDirectory((options.state or default_state_dir(os.environ)).expanduser().absolute())
    directory.create()
    directory.lock()
    try:
        with contextlib.closing(listen(config.engine.port)) as listener:
            raise_file_limit()
            logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="hinoban: %(levelname)s %(name)s: %(message)s")
            return uvloop.run(_Daemon(config, options, directory, listener, clock, SystemIds(), began).run())
    finally:
        directory.unlock()


def with_options(config: Config, options: UpOptions) -> Config:
    """The configuration with what the command line said over it."""
    engine = config.engine
    changes: dict[str, object] = {}
    if options.port is not None:
        changes["port"] = options.port
    if options.runtime is not None:
        changes["runtime"] = config_values.choice("--runtime", options.runtime, configuration.RUNTIMES)
    if options.capacity is not None:
        changes["room"] = configuration.room("--capacity", options.capacity)
    if options.region is not None:
        changes["region"] = _of_engine("region", options.region, "must be an AWS region, e.g. ap-northeast-1")
    if options.account is not None:
        changes["account"] = _of_engine("account", options.account, "must be 12 digits, e.g. 123456789012")
    if options.forget_after is not None:
        changes["forget_after"] = config_values.duration("--forget-after", options.forget_after)
    return msgspec.structs.replace(config, engine=msgspec.structs.replace(engine, **changes))


def _of_engine(key: str, text: str, rule: str) -> object:
    """A value as the configuration's [engine] takes it; ConfigError names the option."""
    try:
        return getattr(configuration.parse({"engine": {key: text}}).engine, key)
    except ConfigError:
        raise ConfigError(f"--{key}", f"{rule}, not {text!r}", f"Correct it, or leave --{key} out.") from None


def listen(port: int) -> socket.socket:
    """The listening socket on loopback; HinobanError names who holds the port."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise HinobanError(
            f"Cannot listen on {HOST}:{port}",
            _holder(port) or str(error.strerror),
            f"Stop it, or: hinoban up --port {port + 1 if 0 < port < 65535 else 4567}",
            exit_code=2,
        ) from error
    listener.set_inheritable(False)
    return listener


def _holder(port: int) -> str | None:
    """`in use by pid 4121 (localstack)`, as far as we may see it."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port:
                if connection.pid is None:
                    return "in use by another user's process"
                return f"in use by pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    return None


def raise_file_limit() -> None:
    """As many open files as we may have: pipes, sockets, log segments."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Daemon:
    """Everything that lives as long as one `hinoban up`."""

    def __init__(
        self,
        config: Config,
        options: UpOptions,
        directory: StateDirectory,
        listener: socket.socket,
        clock: Clock,
        ids: Ids,
        began: float,
    ) -> None:
        self._config = config
        self._options = options
        self._directory = directory
        self._listener = listener
        self._clock = clock
        self._ids = ids
        self._began = began
        self._ending = asyncio.Event()
        self._failure: BaseException | None = None

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._ending.set)
        settings = self._config.engine
        credentials = self._directory.credentials(self._ids)
        driver, runs_as = await runtimes.choose(
            settings.runtime, self._directory.path, self._directory.engine_id(self._ids), settings.pull, self._clock, self._ids
        )
        port = self._listener.getsockname()[1]
        url = f"http://{HOST}:{port}"
        durability: Durability = "power-loss" if settings.durability == "power-loss" else "process"
        engine = Engine(
            self._directory.path,
            driver=driver,
            clock=self._clock,
            ids=self._ids,
            credentials=credentials,
            account=settings.account,
            region=settings.region,
            room=settings.room or runtimes.machine_room(),
            images=settings.images,
            forget_after=settings.forget_after,
            feed_keep=settings.feed_keep,
            durability=durability,
            auth=self._options.auth,
            events=EventSettings(strict_resource_policies=settings.strict_resource_policies, trail_delay=settings.trail_delay),
            smtp=settings.smtp,
            host=f"{HOST}:{port}",
            on_failure=self._fail,
        )
        watch = WatchChild(
            WatchSettings(
                endpoint=url,
                access_key_id=credentials.access_key_id,
                secret_access_key=credentials.secret_access_key,
                region=settings.region,
                account=settings.account,
                directory=str(self._directory.path),
                socket=str(self._directory.watch_socket),
                config=msgspec.Raw(msgspec.json.encode(self._config.watch)),
            ),
            self._clock,
        )
        api = engine_api.create(
            engine.journal,
            FeedGone,
            engine.faults,
            engine.database.committed,
            engine.reset,
            engine.regions,
            engine.events.listed,
            watch.forward,
        )
        door = FrontDoor(engine.endpoint, engine.verifier, api)
        server = Server(
            uvicorn.Config(
                door,
                loop="none",
                http="httptools",
                lifespan="off",
                access_log=False,
                log_level="warning",
                ws="none",
                # Longer than any client of ours keeps an idle connection: a call must not meet its end.
                timeout_keep_alive=75,
                # Nobody stands before us whose word on the caller's address we would take.
                proxy_headers=False,
                server_header=False,
            )
        )
        work = Group(self._fail)
        await engine.start()
        serving = work.start(server.serve(sockets=[self._listener]), "http")
        self._directory.announce({"port": port, "url": url, "region": settings.region, "account": settings.account})
        work.start(watch.run(), "watch")
        self._greet(engine, url, runs_as)
        collect_seldom()
        await self._ending.wait()
        self._directory.withdraw()
        return await self._end(engine, watch, server, serving, work)

    async def _end(self, engine: Engine, watch: WatchChild, server: Server, serving: "asyncio.Task[object]", work: Group) -> int:
        if self._failure is None:
            words = farewell(self._options.keep, len(engine.state.live_tasks()), state_hint(self._directory.path))
            print(f"\n{words}", file=sys.stderr, flush=True)
            self._ending.clear()
            ending = work.start(self._wind_down(engine, watch), "ending tasks")
            again = work.start(self._ending.wait(), "second Ctrl-C")
            await asyncio.wait({ending, again}, return_when=asyncio.FIRST_COMPLETED)
        await watch.close()
        engine.journal.close()
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(serving, 5.0)
        await work.close()
        keep = self._options.keep or self._failure is not None
        try:
            await engine.close(keep=keep)
        except Exception as error:
            self._failure = self._failure or error
        if self._failure is not None:
            logging.getLogger(__name__).critical("Hinoban had to stop", exc_info=self._failure)
            return 1
        return 0

    async def _wind_down(self, engine: Engine, watch: WatchChild) -> None:
        """End the tasks, unless they are kept, and let the watch see their end: without a daemon it is all that `why` has."""
        if not self._options.keep:
            await engine.end_tasks(_END_WITHIN)
        await engine.database.committed()
        await watch.catch_up(engine.journal.newest)

    def _fail(self, error: BaseException) -> None:
        """Something that must not fail has failed: what memory holds cannot be trusted any more."""
        if self._failure is None:
            self._failure = error
        self._ending.set()

    def _greet(self, engine: Engine, url: str, runs_as: str) -> None:
        settings = self._config.engine
        took = self._clock.now() - self._began
        vcpu = engine.room.cpu_units / UNITS_PER_VCPU
        command, hint = own_command(), state_hint(self._directory.path)
        lines = (
            f"Hinoban {__version__}  {url}  {settings.region}  account {settings.account}  ready in {took:.1f} s",
            f"  runs as   {runs_as}    room {vcpu:g} vCPU, {format_mib(engine.room.memory_mib)}    "
            f"remembers {remembered(self._directory)} tasks in {tilde(self._directory.path)}",
            f'  in another shell:  eval "$({command} env{hint})"  &&  aws ecs list-clusters          (undo: eval "$({command} env --undo)")',
        )
        print("\n".join(lines), flush=True)
        if not self._options.auth:
            print("  signatures are NOT checked (--no-auth): anything on this machine may call this port", flush=True)


def farewell(keep: bool, tasks: int, hint: str) -> str:
    """What Ctrl-C does to the tasks that run."""
    if not keep:
        return "Stopping: tasks are told to end (SIGTERM), Ctrl-C again to cut it short."
    left, them = ("1 task", "it") if tasks == 1 else (f"{tasks} tasks", "them")
    return f"Left running: {left}; `hinoban up{hint}` finds {them} again." if tasks else "Stopping; no task runs."


def state_hint(state: Path) -> str:
    """The option that another shell needs to find this state directory: it may not have the variables that named it in this one."""
    return "" if state == default_state_dir({}) else f" --state {tilde(state)}"


def remembered(directory: StateDirectory) -> int:
    """How many tasks the watch remembers already."""
    if not directory.watch_db.exists():
        return 0
    # Plain SQL: SQLAlchemy belongs to the watch's process, and would cost this one's start 0.2 s.
    with contextlib.closing(sqlite3.connect(f"file:{directory.watch_db}?mode=ro", uri=True)) as connection:
        try:
            return int(connection.execute("SELECT COUNT(*) FROM tasks").fetchone()[0])
        except sqlite3.Error:
            return 0

"""Finds the daemon: by --port and --state, else by the environment, else in the usual state directory; without one, the state folder.

Commands see a `Source`: the signed client of a running daemon, or what a state folder alone can answer.
"""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import msgspec
import typer

from hinoban.base.errors import HinobanError
from hinoban.base.places import default_state_dir

T = TypeVar("T")

NO_DAEMON = 3
PROBE_SECONDS = 2.0


class Source(Protocol):
    """What answers a command: `call` is the AWS API in `region`, `get` and `post` are paths below /_hinoban/v1/."""

    @property
    def region(self) -> str: ...
    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]: ...
    async def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]: ...
    async def close(self) -> None: ...


class OnlineSource(Source, Protocol):
    """A daemon, which can also be told things."""

    async def post(self, path: str, body: Any = None) -> dict[str, Any]: ...


class Target(msgspec.Struct, frozen=True):
    """Which daemon was asked for on the command line."""

    port: int | None = None
    state: Path | None = None


class Daemon(msgspec.Struct, frozen=True):
    """STATE/daemon.json: where the daemon of a state directory listens (or listened): the engine of `hinoban up` on a port, `hinoban watch` on
    a Unix socket, beside which AWS itself is called with the profile that it watches with."""

    pid: int
    region: str
    account: str
    port: int | None = None
    url: str = ""
    socket: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None


class Keys(msgspec.Struct, frozen=True):
    """STATE/credentials.json: the key pair made at the first start."""

    access_key_id: str
    secret_access_key: str


class Found(msgspec.Struct, frozen=True):
    """Where to call and how to sign."""

    url: str
    region: str
    keys: Keys | None
    watch: Daemon | None = None
    """Set of a `hinoban watch`: its socket answers."""


def state_of(target: Target, environ: Mapping[str, str]) -> Path:
    """The state directory a command means; where only a port is given, the usual one whose daemon listens there."""
    if target.state is not None:
        return target.state.expanduser()
    usual = default_state_dir(environ)
    if target.port is None:
        return usual
    builtin = default_state_dir({name: value for name, value in environ.items() if name != "HINOBAN_STATE"})
    return next((state for state in (usual, builtin) if _listens_on(state, target.port)), usual)


def readable_state(target: Target, environ: Mapping[str, str]) -> Path:
    """The state folder to read without a daemon: the one meant, or the demo's where the usual one remembers nothing."""
    state = state_of(target, environ)
    demo = Path(".demo")
    if target.state is None and "HINOBAN_STATE" not in environ and not (state / "watch.db").exists() and (demo / "watch.db").exists():
        return demo
    return state


def find(target: Target, environ: Mapping[str, str]) -> Found:
    """The endpoint and keys to use; HinobanError where nothing says where a daemon is."""
    state = state_of(target, environ)
    daemon = _read(state / "daemon.json", Daemon)
    keys = _read(state / "credentials.json", Keys)
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    own = _own_keys(environ)
    if target.port is not None:
        if target.state is None and own is not None and urlsplit(environ.get("AWS_ENDPOINT_URL", "")).port == target.port:
            keys = own
        return Found(f"http://127.0.0.1:{target.port}", region or (daemon.region if daemon else "ap-northeast-1"), keys or own)
    if target.state is None and (url := environ.get("AWS_ENDPOINT_URL")):
        return Found(url, region or "ap-northeast-1", own or keys)
    if daemon is None:
        raise no_daemon(str(state), "that state directory names no daemon")
    return Found(daemon.socket or daemon.url, daemon.region, keys, daemon if daemon.socket else None)


def running(target: Target, environ: Mapping[str, str]) -> tuple[Daemon, Keys]:
    """The daemon and keys that a state directory names; HinobanError where it names none."""
    state = state_of(target, environ)
    daemon = _read(state / "daemon.json", Daemon)
    keys = _read(state / "credentials.json", Keys)
    if target.port is not None and (daemon is None or daemon.port != target.port):
        why = f"{state} belongs to a daemon on port {daemon.port}" if daemon else f"{state} names no daemon"
        todo = f"Its keys are in its --state directory: give --state DIR      (where none runs: hinoban up --port {target.port})"
        raise HinobanError(f"Nothing says how to sign for a daemon on port {target.port}", why, todo, exit_code=NO_DAEMON)
    if daemon is not None and daemon.socket is not None:
        why = f"{state} belongs to a `hinoban watch` of account {daemon.account}, which is no endpoint"
        raise HinobanError("There is no engine to point AWS clients at", why, "Use AWS with your own profile.", exit_code=NO_DAEMON)
    if daemon is None or keys is None:
        raise no_daemon(str(state), "that state directory names no daemon")
    return daemon, keys


async def answers(found: Found) -> bool:
    """Whether someone listens there."""
    parts = urlsplit(found.url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            if found.watch is not None:
                _, writer = await asyncio.open_unix_connection(found.url)
            else:
                _, writer = await asyncio.open_connection(parts.hostname, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def open_source(target: Target, environ: Mapping[str, str]) -> Source:
    """The daemon where one answers, else its state folder where there is one."""
    try:
        found = find(target, environ)
        if await answers(found):
            return connect(found)
        missing = no_daemon(found.url, "nobody listens there")
    except HinobanError as error:
        missing = error
    state = readable_state(target, environ)
    if not state.is_dir() or not any((state / name).exists() for name in ("watch.db", "engine.db")):
        raise missing
    from hinoban.daemon.offline import open_offline

    source: Source = open_offline(state)
    typer.echo(f"No daemon answers; reading {state} as it was last seen.", err=True)
    return source


async def open_daemon(target: Target, environ: Mapping[str, str]) -> OnlineSource:
    """The daemon; HinobanError (exit code 3) where none answers."""
    found = find(target, environ)
    if not await answers(found):
        raise no_daemon(found.url, "nobody listens there")
    return connect(found)


def connect(found: Found) -> OnlineSource:
    """A signed client of an endpoint."""
    from hinoban.aws.client import Client
    from hinoban.aws.sigv4 import Credentials
    from hinoban.base.clock import SystemClock

    if found.watch is not None:
        from hinoban.cli.beside_watch import BesideWatch

        return BesideWatch(found.url, found.region, found.watch.profile, found.watch.endpoint_url)
    keys = Credentials(found.keys.access_key_id, found.keys.secret_access_key) if found.keys else None
    return Client(found.url, keys, found.region, clock=SystemClock())


def no_daemon(where: str, why: str) -> HinobanError:
    return HinobanError(
        f"No Hinoban answers at {where}",
        why,
        'Start one with: hinoban up      (or name the right one with --port or --state, or eval "$(hinoban env)")',
        exit_code=NO_DAEMON,
    )


def system_environ() -> Mapping[str, str]:
    return os.environ


def _listens_on(state: Path, port: int) -> bool:
    daemon = _read(state / "daemon.json", Daemon)
    return daemon is not None and daemon.port == port


def _own_keys(environ: Mapping[str, str]) -> Keys | None:
    key, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
    return Keys(key, secret) if key and secret else None


def _read(path: Path, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise HinobanError(f"Cannot read {path}", str(error), "Check the file, or name another state directory with --state.") from error

"""The state directory: where it is, who holds it, and the small files by which the CLI finds its daemon."""

import fcntl
import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hinoban.aws.sigv4 import Credentials
from hinoban.base.errors import HinobanError
from hinoban.base.ids import Ids

_LONGEST_SOCKET = 107  # bytes, Linux


class StateDirectory:
    """One daemon's own folder, mode 0700, held by a lock for as long as the process lives."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def engine_db(self) -> Path:
        return self.path / "engine.db"

    @property
    def watch_db(self) -> Path:
        return self.path / "watch.db"

    @property
    def watch_socket(self) -> Path:
        return self.path / "watch.sock"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def create(self) -> None:
        """Make the folder where it is missing; only its owner may look into it. One that holds other things is not taken from others."""
        if len(os.fsencode(self.watch_socket)) > _LONGEST_SOCKET:
            raise HinobanError(
                f"Cannot use the state directory {self.path}",
                f"a Unix socket in it would have more than {_LONGEST_SOCKET} bytes in its name",
                "Choose a shorter one: hinoban up --state DIR",
                exit_code=2,
            )
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            open_to_others = self.path.stat().st_mode & 0o077
            if open_to_others and not (self.path / "lock").exists() and any(self.path.iterdir()):
                raise HinobanError(
                    f"Cannot use the state directory {self.path}",
                    "it holds other things and others may enter it; Hinoban would shut them out",
                    "Choose an empty or a new one: hinoban up --state DIR",
                    exit_code=2,
                )
            self.path.chmod(0o700)
        except OSError as error:
            raise HinobanError(
                f"Cannot use the state directory {self.path}", str(error), "Choose another one: hinoban up --state DIR", exit_code=2
            ) from error

    def lock(self) -> None:
        """Hold the folder; HinobanError names the process that holds it already."""
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(handle, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise HinobanError(
                f"The state directory {self.path} is in use",
                f"another Hinoban, pid {holder}, holds it",
                f"Stop that one (kill {holder}), or start this one with its own: hinoban up --state DIR --port PORT",
                exit_code=2,
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        self._lock = handle

    def unlock(self) -> None:
        """Let go of the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def credentials(self, ids: Ids) -> Credentials:
        """The key pair that was made at the first start, mode 0600."""
        path = self.path / "credentials.json"
        try:
            known = msgspec.json.decode(path.read_bytes())
        except FileNotFoundError:
            known = {"access_key_id": "AKIA" + ids.hex32()[:16].upper(), "secret_access_key": ids.token()}
            write_private(path, known)
        except msgspec.DecodeError:
            known = None
        try:
            return Credentials(known["access_key_id"], known["secret_access_key"])
        except (KeyError, TypeError):
            raise HinobanError(
                f"{path} cannot be read",
                "it is not the key pair that was written there",
                "Remove it; the next start makes a new pair.",
                exit_code=2,
            ) from None

    def engine_id(self, ids: Ids) -> str:
        """What tells our containers from another engine's, made at the first start."""
        path = self.path / "engine-id"
        try:
            return path.read_text().strip()
        except FileNotFoundError:
            made = ids.hex32()
            # In one go: a kill in between would leave an empty id, for ever.
            fresh = path.with_name(path.name + ".new")
            fresh.write_text(made + "\n")
            fresh.replace(path)
            return made

    def announce(self, facts: Mapping[str, Any]) -> None:
        """Write daemon.json: how the CLI finds this daemon."""
        write_private(self.path / "daemon.json", {"pid": os.getpid(), **facts})

    def withdraw(self) -> None:
        """Remove daemon.json: nobody answers here any more."""
        (self.path / "daemon.json").unlink(missing_ok=True)


def write_private(path: Path, value: Any) -> None:
    """Replace a file in one go; only its owner may read it."""
    fresh = path.with_name(path.name + ".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(value)) + b"\n")
    fresh.replace(path)


def tilde(path: Path) -> str:
    """The path as a shell takes it, short where it lies in the home directory."""
    folder, home = str(path), f"{Path.home()}/"
    short = folder.removeprefix(home)
    return f"~/{short}" if short != folder and shlex.quote(short) == short else shlex.quote(folder)

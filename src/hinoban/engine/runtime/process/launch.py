"""Finds the supervisor of a state directory, or starts one: a small Python of its own that imports the standard library only."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import hinoban
from hinoban.base.errors import HinobanError
from hinoban.engine.runtime.process import wire

_START_SECONDS = 15.0
_LOOK_SECONDS = 0.02
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[1]); from hinoban.engine.runtime.process.supervisor import main; main(sys.argv[2:])"


def connect(directory: Path) -> socket.socket | None:
    """A connection to the supervisor that listens there; None where none does. The path may be longer than a socket's 108 bytes."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(f"/proc/self/fd/{handle}/{wire.SOCKET}")
    except (FileNotFoundError, ConnectionError):
        sock.close()
        return None
    finally:
        os.close(handle)
    sock.setblocking(False)
    return sock


def launch(directory: Path, *, grace: float, sampled: bool) -> subprocess.Popen[bytes]:
    """Start a supervisor in a session of its own; where one already runs, the new one ends at once."""
    source = str(Path(hinoban.__file__).parent.parent)
    with open(directory / wire.LOG, "ab") as log:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _PROGRAM, source, str(directory), str(grace), "sampled" if sampled else "auto"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
        )


async def find_or_launch(directory: Path, *, grace: float, sampled: bool) -> tuple[socket.socket, subprocess.Popen[bytes] | None]:
    """A connection, and the child if we had to start it. HinobanError when none comes up."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_SECONDS
    child: subprocess.Popen[bytes] | None = None
    while loop.time() < deadline:
        if (sock := connect(directory)) is not None:
            return sock, child
        if child is None or child.poll() is not None:
            if child is not None and child.returncode != 0:
                break
            child = launch(directory, grace=grace, sampled=sampled)
        await asyncio.sleep(_LOOK_SECONDS)
    raise HinobanError(
        "The process runtime cannot work",
        f"its supervisor did not come up in {directory}",
        f"Read {directory / wire.LOG}, or start with Docker: hinoban up --runtime docker",
    )

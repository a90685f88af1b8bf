"""What every test shares: Docker tests are skipped, with the reason, where no daemon answers; HINOBAN_REQUIRE=docker makes that a failure."""

import functools
import os
import socket

import pytest
from hypothesis import settings

# No example has a time limit of its own: machines are busy, and pytest-timeout ends what hangs.
settings.register_profile("hinoban", deadline=None)
settings.load_profile("hinoban")

PROBE = b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n"


@functools.cache
def docker_missing() -> str | None:
    """Why Docker tests cannot run here; None if a daemon answers on its Unix socket."""
    path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(5)
            connection.connect(path)
            connection.sendall(PROBE)
            answer = connection.recv(64)
    except OSError as error:
        return f"no Docker daemon answers at {path}: {error.strerror or error}"
    return None if b" 200 " in answer else f"{path} answered {answer[:40]!r} to a ping"


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("docker") is None or (reason := docker_missing()) is None:
        return
    if "docker" in os.environ.get("HINOBAN_REQUIRE", "").split(","):
        pytest.fail(f"HINOBAN_REQUIRE=docker, but {reason}", pytrace=False)
    pytest.skip(reason)

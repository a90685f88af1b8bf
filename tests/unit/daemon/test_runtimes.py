"""What runs containers, and what is said of it."""

from pathlib import Path

import pytest

from hinoban.base.clock import FakeClock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import SystemIds
from hinoban.daemon import runtimes
from hinoban.engine.runtime.docker import client


async def test_without_docker_it_is_said_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "docker_socket", lambda: f"unix://{tmp_path}/docker.sock")
    _, words = await runtimes.choose("auto", tmp_path, "engine", "missing", FakeClock(), SystemIds())
    assert words == f"processes (no Docker socket at {tmp_path}/docker.sock)"
    with pytest.raises(HinobanError) as caught:
        await runtimes.choose("docker", tmp_path, "engine", "missing", FakeClock(), SystemIds())
    assert caught.value.why == f"no Docker socket at {tmp_path}/docker.sock" and caught.value.exit_code == 2

"""Why Docker does not answer, told apart."""

from pathlib import Path

import pytest

from hinoban.engine.runtime.docker.client import docker_answers, why_silent


async def test_a_socket_that_may_not_be_opened_is_not_one_that_is_missing(tmp_path: Path) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied")

    asked = why_silent("unix:///var/run/docker.sock", refuse)
    assert asked == "permission denied for /var/run/docker.sock: join the group docker"
    assert why_silent(f"unix://{tmp_path}/none.sock") == f"no Docker socket at {tmp_path}/none.sock"
    (tmp_path / "file").touch()
    assert why_silent(f"unix://{tmp_path}/file") == f"nobody listens at {tmp_path}/file"
    assert why_silent("tcp://127.0.0.1:9") == "no Docker answers at tcp://127.0.0.1:9"
    assert not await docker_answers(f"unix://{tmp_path}/file")


@pytest.mark.parametrize("url", ["", "ssh://there"])
def test_an_url_of_another_kind_has_words_too(url: str) -> None:
    assert why_silent(url).startswith("no Docker answers at")

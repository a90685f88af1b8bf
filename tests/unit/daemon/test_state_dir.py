"""The state folder: one daemon's own, closed to others."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hinoban.base.errors import HinobanError
from hinoban.base.ids import SeededIds
from hinoban.daemon.state_dir import StateDirectory

HOLD = """
import sys, pathlib
from hinoban.daemon.state_dir import StateDirectory
directory = StateDirectory(pathlib.Path(sys.argv[1]))
directory.lock()
print("held", flush=True)
sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def directory(tmp_path: Path) -> StateDirectory:
    made = StateDirectory(tmp_path / "deep" / "state")
    made.create()
    return made


def test_only_its_owner_may_look_into_it(directory: StateDirectory) -> None:
    assert mode(directory.path) == 0o700
    directory.path.chmod(0o755)
    directory.create()
    assert mode(directory.path) == 0o700


def test_a_folder_that_others_use_is_not_taken_from_them(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    StateDirectory(shared).create()
    assert mode(shared) == 0o700
    shared.chmod(0o755)
    (shared / "theirs").write_text("")
    with pytest.raises(HinobanError, match="holds other things"):
        StateDirectory(shared).create()
    assert mode(shared) == 0o755
    (shared / "lock").write_text("")
    StateDirectory(shared).create()
    assert mode(shared) == 0o700


def test_a_folder_too_deep_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HinobanError, match="shorter"):
        StateDirectory(tmp_path / ("d" * 120)).create()


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(HinobanError) as caught:
        StateDirectory(tmp_path / "file" / "state").create()
    assert "--state DIR" in caught.value.todo
    assert caught.value.exit_code == 2


def test_a_second_daemon_is_refused_and_told_who_holds_it(directory: StateDirectory) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(directory.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(HinobanError) as caught:
            directory.lock()
        assert f"pid {holder.pid}" in caught.value.why
        assert f"kill {holder.pid}" in caught.value.todo
        holder.kill()
        holder.stdin.close()
        holder.wait(10)
    # The lock goes with its process, however that ended.
    directory.lock()
    assert (directory.path / "lock").read_text() == str(os.getpid())
    directory.unlock()


def test_letting_go_lets_another_one_in(directory: StateDirectory) -> None:
    directory.lock()
    other = StateDirectory(directory.path)
    with pytest.raises(HinobanError, match=f"pid {os.getpid()}"):
        other.lock()
    directory.unlock()
    directory.unlock()
    other.lock()
    other.unlock()


def test_the_key_pair_is_made_once_and_is_private(directory: StateDirectory) -> None:
    made = directory.credentials(SeededIds(1))
    assert made.access_key_id.startswith("AKIA")
    assert len(made.access_key_id) == 20
    assert len(made.secret_access_key) == 40
    assert directory.credentials(SeededIds(2)) == made
    assert mode(directory.path / "credentials.json") == 0o600


def test_the_engines_id_is_made_once(directory: StateDirectory) -> None:
    made = directory.engine_id(SeededIds(1))
    assert directory.engine_id(SeededIds(2)) == made


def test_the_announcement_is_private_and_withdrawn(directory: StateDirectory) -> None:
    directory.announce({"port": 1})
    assert mode(directory.path / "daemon.json") == 0o600
    assert f'"pid": {os.getpid()}' in (directory.path / "daemon.json").read_text()
    directory.withdraw()
    directory.withdraw()
    assert not (directory.path / "daemon.json").exists()

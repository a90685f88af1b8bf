"""Where a command looks for the daemon, in which order."""

from pathlib import Path

import msgspec
import pytest

from hinoban.base.errors import HinobanError
from hinoban.base.places import default_state_dir
from hinoban.cli.connection import Found, Keys, Target, find, open_daemon, open_source, readable_state, state_of


@pytest.fixture
def state(tmp_path):
    folder = tmp_path / "state"
    folder.mkdir()
    # Port 9 is closed: tests that connect find nobody.
    daemon = {"pid": 1, "port": 9, "url": "http://127.0.0.1:9", "region": "eu-west-1", "account": "123456789012", "feed": "f"}
    (folder / "daemon.json").write_bytes(msgspec.json.encode(daemon))
    (folder / "credentials.json").write_bytes(msgspec.json.encode({"access_key_id": "AK", "secret_access_key": "SK"}))
    return folder


SHELL = {"AWS_ENDPOINT_URL": "http://there:1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": "us-east-1"}


def test_options_win_over_the_environment_and_that_over_the_state_directory(state):
    environ = SHELL | {"HINOBAN_STATE": str(state)}
    own, kept = Keys("a", "b"), Keys("AK", "SK")
    assert find(Target(state=state), environ) == Found("http://127.0.0.1:9", "eu-west-1", kept)
    assert find(Target(port=5, state=state), environ) == Found("http://127.0.0.1:5", "us-east-1", kept)
    assert find(Target(port=1), environ) == Found("http://127.0.0.1:1", "us-east-1", own)
    assert find(Target(), environ) == Found("http://there:1", "us-east-1", own)
    assert find(Target(), {"HINOBAN_STATE": str(state)}) == Found("http://127.0.0.1:9", "eu-west-1", kept)


def test_the_state_directory_follows_the_environment():
    assert default_state_dir({"HINOBAN_STATE": "/a"}) == Path("/a")
    assert default_state_dir({"XDG_STATE_HOME": "/b"}) == Path("/b/hinoban")
    assert default_state_dir({}) == Path.home() / ".local/state/hinoban"


def test_the_demo_is_read_where_the_usual_state_remembers_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    assert readable_state(Target(), environ) == tmp_path / "hinoban"
    (tmp_path / ".demo").mkdir()
    (tmp_path / ".demo/watch.db").touch()
    assert readable_state(Target(), environ) == Path(".demo")
    (tmp_path / "hinoban").mkdir()
    (tmp_path / "hinoban/watch.db").touch()
    assert readable_state(Target(), environ) == tmp_path / "hinoban"


async def test_without_a_daemon_a_command_says_how_to_start_one(state, tmp_path):
    for target in (Target(state=state), Target(state=tmp_path / "none")):
        with pytest.raises(HinobanError, match="No Hinoban answers at") as caught:
            await open_daemon(target, {})
        assert caught.value.exit_code == 3 and "hinoban up" in caught.value.todo
        with pytest.raises(HinobanError, match="No Hinoban answers at"):
            await open_source(target, {})


def test_a_damaged_state_file_is_named(state):
    (state / "daemon.json").write_text("{")
    with pytest.raises(HinobanError, match=r"daemon\.json"):
        find(Target(state=state), {})


def test_a_port_alone_finds_the_state_directory_whose_daemon_listens_there(state, tmp_path):
    usual = tmp_path / "hinoban"
    usual.mkdir()
    (usual / "daemon.json").write_bytes((state / "daemon.json").read_bytes().replace(b"9", b"8"))
    environ = {"HINOBAN_STATE": str(usual), "XDG_STATE_HOME": str(state.parent)}
    assert state_of(Target(port=9), environ) == usual
    state.rename(tmp_path / "kept")
    environ = {"HINOBAN_STATE": str(tmp_path / "kept"), "XDG_STATE_HOME": str(tmp_path)}
    assert state_of(Target(), environ) == state_of(Target(port=9), environ) == tmp_path / "kept"
    assert state_of(Target(port=8), environ) == usual
    assert state_of(Target(port=7), environ) == tmp_path / "kept"


async def test_reading_a_state_folder_instead_of_a_daemon_is_said(state, capsys):
    (state / "watch.db").touch()
    source = await open_source(Target(state=state), {})
    await source.close()
    assert capsys.readouterr().err == f"No daemon answers; reading {state} as it was last seen.\n"

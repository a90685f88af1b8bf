"""`env` changes a shell and puts it back exactly; checked by the real sh."""

import os
import subprocess

import msgspec
import pytest

from hinoban.base.errors import HinobanError
from hinoban.cli.connection import Target
from hinoban.cli.env import exported, undone

WATCHED = (
    "AWS_ENDPOINT_URL",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_ECS",
    "HINOBAN_STATE",
    "HINOBAN_ENV_BEFORE",
)


@pytest.fixture
def state(tmp_path):
    daemon = {"pid": 1, "port": 4566, "url": "http://127.0.0.1:4566", "region": "eu-west-1", "account": "123456789012", "feed": "f"}
    (tmp_path / "daemon.json").write_bytes(msgspec.json.encode(daemon))
    (tmp_path / "credentials.json").write_bytes(msgspec.json.encode({"access_key_id": "AK", "secret_access_key": "s'e $c\"ret"}))
    return tmp_path


def shell(lines, environ):
    """The watched variables of a shell that has run the lines."""
    script = "\n".join(lines) + "\nenv -0"
    out = subprocess.run(
        ["sh", "-c", script], env={"PATH": os.environ["PATH"]} | environ, capture_output=True, text=True, check=True
    ).stdout
    found = dict(entry.split("=", 1) for entry in out.split("\0") if entry)
    return {name: found[name] for name in WATCHED if name in found}


def test_a_shell_is_pointed_here_and_put_back(state):
    before = {"AWS_PROFILE": "pro d'uction", "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL_ECS": "https://real"}
    during = shell(exported(Target(state=state), before), before)
    assert during.pop("HINOBAN_ENV_BEFORE")
    assert during == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "s'e $c\"ret",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "HINOBAN_STATE": str(state),
    }
    there = shell(exported(Target(state=state), before), before)
    assert shell(undone(there), there) == before


def test_pointing_twice_still_undoes_to_the_first_state(state):
    before = {"AWS_PROFILE": "mine"}
    once = shell(exported(Target(state=state), before), before)
    twice = shell(exported(Target(state=state), once), once)
    assert shell(undone(twice), twice) == before


def test_nothing_to_undo_is_said(state):
    with pytest.raises(HinobanError, match="Nothing to undo"):
        undone({})


def test_a_state_without_a_daemon_or_another_port_is_said(tmp_path, state):
    with pytest.raises(HinobanError) as caught:
        exported(Target(state=tmp_path / "none"), {})
    assert caught.value.exit_code == 3
    with pytest.raises(HinobanError):
        exported(Target(port=1, state=state), {})
    with pytest.raises(HinobanError) as caught:
        exported(Target(port=1), {"HINOBAN_STATE": str(state)})
    assert caught.value.exit_code == 3 and "in its --state directory: give --state DIR" in caught.value.todo


def test_a_port_is_enough_where_the_usual_state_names_its_daemon(state):
    assert f"export HINOBAN_STATE={state}" in exported(Target(port=4566), {"HINOBAN_STATE": str(state)})

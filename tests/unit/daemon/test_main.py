"""What `hinoban up` makes of its options, and what it tells a person to type."""

from pathlib import Path

import msgspec
import pytest

from hinoban.base.errors import ConfigError
from hinoban.daemon import config
from hinoban.daemon.main import farewell, state_hint, tilde, with_options
from hinoban.daemon.options import UpOptions
from hinoban.engine.ecs.decide.capacity import Room, fits

ROOT = Path(__file__).parents[3]


def test_options_stand_over_the_file() -> None:
    engine = with_options(config.load(None), UpOptions(account="999999999999", region="eu-west-1", port=0)).engine
    assert (engine.account, engine.region, engine.port) == ("999999999999", "eu-west-1", 0)


@pytest.mark.parametrize(("name", "text", "rule"), [("account", "12", "12 digits"), ("region", "tokyo", "an AWS region")])
def test_an_option_that_is_wrong_is_named_with_its_rule(name: str, text: str, rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        with_options(config.load(None), UpOptions(**{name: text}))
    assert caught.value.what == f"--{name}" and rule in caught.value.why and "^" not in caught.value.why


def test_another_shell_is_told_the_state_directory_unless_it_is_the_built_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HINOBAN_STATE", "/somewhere/else")
    assert state_hint(Path("/somewhere/else")) == " --state /somewhere/else"
    assert state_hint(Path.home() / ".local/state/hinoban") == ""
    assert tilde(Path.home() / "mine") == "~/mine"
    assert tilde(Path.home() / "my own") == f"'{Path.home()}/my own'"


def test_ctrl_c_says_what_becomes_of_the_tasks() -> None:
    assert farewell(True, 2, " --state x") == "Left running: 2 tasks; `hinoban up --state x` finds them again."
    assert farewell(True, 1, "") == "Left running: 1 task; `hinoban up` finds it again."
    assert farewell(True, 0, "") == "Stopping; no task runs."
    assert farewell(False, 2, "").startswith("Stopping: tasks are told to end")


def test_the_room_of_the_readme_s_rehearsal_refuses_its_task() -> None:
    said = next(line for line in (ROOT / "README.md").read_text().splitlines() if "--capacity" in line).split()
    room = with_options(config.load(None), UpOptions(capacity=said[said.index("--capacity") + 1])).engine.room
    billing = msgspec.json.decode((ROOT / "examples/nightly-billing.json").read_bytes())
    assert room is not None and not fits(room, Room(0, 0), Room(int(billing["cpu"]), int(billing["memory"])))

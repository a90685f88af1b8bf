"""What `hinoban up` makes of its options, and what it tells a person to type."""

from pathlib import Path

import pytest

from hinoban.base.errors import ConfigError
from hinoban.daemon import config
from hinoban.daemon.main import state_hint, tilde, with_options
from hinoban.daemon.options import UpOptions


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

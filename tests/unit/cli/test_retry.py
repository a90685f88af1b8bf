"""`hinoban retry` against a scripted daemon: it asks first, and prints incident and attempt."""

import getpass
import json

import pytest

ANSWER = {"name": "5f10", "incident": "inc-9xw1k3q2", "attempt": 2, "outcome": "queued: hinoban why inc-9xw1k3q2", "others": []}


@pytest.fixture
def answering(desk):
    desk.daemon.answers["retry"] = ANSWER
    desk.daemon.pages["why"] = {"title": "point-expire:9 · task 5f10aa3c · EXIT 1 after 12 s · inc-9xw1k3q2", "lines": []}
    return desk


def test_with_yes_it_asks_nobody(answering):
    result = answering.run("retry", "5f10", "--yes")
    assert (result.exit_code, result.stdout) == (0, "inc-9xw1k3q2: attempt 2 is queued. See: hinoban why inc-9xw1k3q2\n")
    assert answering.daemon.posted == [("retry", {"name": "5f10", "by": getpass.getuser()})]


def test_json_is_the_answer(answering):
    assert json.loads(answering.run("retry", "5f10", "-y", "-o", "json").stdout) == ANSWER


def test_where_nobody_can_be_asked_nothing_is_done(answering):
    result = answering.run("retry", "5f10")
    assert result.exit_code == 1
    assert "hinoban retry 5f10 --yes" in result.stderr
    assert answering.daemon.posted == []


@pytest.mark.parametrize(("word", "posted"), [("y\n", 1), ("n\n", 0), ("\n", 0)])
def test_at_a_terminal_it_shows_what_it_is_about_and_asks(answering, monkeypatch, word, posted):
    monkeypatch.setattr("hinoban.cli.retry.at_a_terminal", lambda: True)
    result = answering.run("retry", "5f10", typed=word)
    assert len(answering.daemon.posted) == posted
    assert "point-expire:9 · task 5f10aa3c · EXIT 1" in result.stderr and "Run it once more?" in result.stderr
    assert result.exit_code == 1 - posted

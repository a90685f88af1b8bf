"""`orphans`, and `run --lease` that keeps a task from becoming one."""

import json
from typing import Any

import pytest

from hinoban.aws.errors import AwsError
from hinoban.base.clock import MINUTES
from hinoban.base.units import parse_iso
from tests.unit.cli.conftest import Desk, stopped, task, task_arn

ONE: dict[str, Any] = {
    "task": task_arn("e41c03d9" * 4),
    "family": "db-migrate",
    "revision": 88,
    "ran_seconds": 93780.0,
    "reasons": ["limit", "usual"],
    "usual": "last 40 good runs 1–5 m",
    "owner": None,
    "by": "role gh-actions, session run-8790",
    "started_by": None,
    "cost": "$0.40 so far, $0.37 a day",
    "stop": 'hinoban stop e41c03d9 --reason "orphan of run-8790"',
}
ID = "a" * 32


def test_orphans_are_listed_with_what_stops_them_and_exit_code_1(desk: Desk) -> None:
    desk.daemon.pages["orphans"] = {"orphans": [ONE], "as_of": "2026-11-27T04:05:00Z", "tz": "UTC"}
    result = desk.run("orphans")
    assert result.exit_code == 1
    line = result.stdout.splitlines()[1]
    for words in ("db-migrate:88 e41c03d9", "26 h 03 m", "past its limit, 3 times as long as usual", "session run-8790", "$0.40 so far"):
        assert words in line
    assert line.endswith('hinoban stop e41c03d9 --reason "orphan of run-8790"')
    assert json.loads(desk.run("orphans", "-o", "json").stdout)["orphans"] == [ONE]


def test_none_is_exit_code_0(desk: Desk) -> None:
    desk.daemon.pages["orphans"] = {"orphans": [], "as_of": "2026-11-27T04:05:00Z", "tz": "UTC"}
    result = desk.run("orphans")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No orphan runs.\n")


def tagging(desk: Desk, monkeypatch: pytest.MonkeyPatch, error: AwsError | None = None) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    def tag(params: dict[str, Any]) -> dict[str, Any]:
        asked.append(params)
        if error is not None:
            raise error
        return {}

    monkeypatch.setattr(desk.daemon, "TagResource", tag, raising=False)
    return asked


def test_a_lease_is_tagged_at_the_launch_and_renewed_while_somebody_waits(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tagging(desk, monkeypatch)
    desk.daemon.define("hello")
    desk.daemon.launches = [{"tasks": [task(ID)], "failures": []}]
    desk.daemon.lives[ID] = [task(ID)] * 3 + [stopped(ID, 0)]
    began = desk.clock.now()
    result = desk.run("run", "hello", "--wait", "--lease", "30m", "--owner", "https://ci.example.com/8790")
    assert result.exit_code == 0
    given = {tag["key"]: tag["value"] for tag in desk.daemon.params_of("RunTask")["tags"]}
    assert given == {"hinoban:lease": "30m", "hinoban:owner": "https://ci.example.com/8790"}
    assert asked and asked[0]["resourceArn"] == task_arn(ID)
    [tag] = asked[0]["tags"]
    assert tag["key"] == "hinoban:lease" and began + 30 * MINUTES <= parse_iso(tag["value"]) <= desk.clock.now() + 30 * MINUTES


def test_without_wait_nobody_renews_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = tagging(desk, monkeypatch)
    desk.daemon.define("hello")
    desk.daemon.launches = [{"tasks": [task(ID)], "failures": []}]
    assert desk.run("run", "hello", "--lease", "30m").exit_code == 0
    assert asked == []


@pytest.mark.parametrize(("code", "said"), [("ResourceNotFoundException", False), ("AccessDeniedException", True)])
def test_a_renewal_that_fails_is_said_unless_the_task_has_ended(desk: Desk, monkeypatch: pytest.MonkeyPatch, code: str, said: bool) -> None:
    asked = tagging(desk, monkeypatch, AwsError(code, "no"))
    desk.daemon.define("hello")
    desk.daemon.launches = [{"tasks": [task(ID)], "failures": []}]
    desk.daemon.lives[ID] = [task(ID)] * 4 + [stopped(ID, 0)]
    result = desk.run("run", "hello", "--wait", "--lease", "10m")
    assert result.exit_code == 0
    assert ("could not be renewed" in result.stderr) == said
    assert (len(asked) > 1) == said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--lease", "soon"), "--lease"),
        (("--lease", "1s"), "too short"),
        (("--lease", "366d"), "365d at the most"),
        (("--lease", "9" * 400 + "d"), "longer than 365 days"),
        (("--owner", "https://ci/?a=1&b=2"), "--owner"),
        (("--owner", "x" * 257), "--owner"),
    ],
)
def test_what_no_tag_can_hold_is_refused_before_anything_runs(desk: Desk, options: tuple[str, str], words: str) -> None:
    desk.daemon.define("hello")
    result = desk.run("run", "hello", *options)
    assert result.exit_code == 2 and words in result.stderr
    assert not desk.daemon.asked

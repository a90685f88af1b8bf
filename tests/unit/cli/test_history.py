"""`hinoban history`: what is asked of the watch, and how it is printed."""

import csv
import io
import json

from hinoban.base.units import iso

TASK = {
    "id": "c02b77f1" + "0" * 24,
    "arn": "arn:aws:ecs:ap-northeast-1:123456789012:task/batch/c02b77f1" + "0" * 24,
    "account": "123456789012",
    "region": "ap-northeast-1",
    "family": "report-export",
    "revision": 12,
    "cluster": "batch",
    "group": "family:report-export",
    "started_by": "events-rule/report-export",
    "created_at": "2026-11-27T00:00:00Z",
    "started_at": "2026-11-27T00:00:10Z",
    "stopped_at": "2026-11-27T00:03:30Z",
    "ran_seconds": 200.0,
    "last_status": "STOPPED",
    "stop_code": "EssentialContainerExited",
    "exit_code": 137,
    "verdict": "OUT OF MEMORY",
    "version": 5,
    "open": False,
}


def test_a_table_says_what_ran_how_long_and_how_it_ended(desk):
    desk.daemon.pages = {"history": {"tasks": [TASK, TASK | {"verdict": None, "exit_code": 0}, TASK | {"verdict": None, "open": True}]}}
    lines = desk.run("history").stdout.splitlines()
    assert lines[0].split() == ["TASK", "STARTED", "RAN", "ENDED", "STARTED", "BY", "ID"]
    assert "report-export:12" in lines[1] and "3 m 20 s" in lines[1] and "OUT OF MEMORY" in lines[1] and lines[1].endswith("c02b77f1")
    assert "exit 0" in lines[2] and "STOPPED" in lines[3]


def test_every_option_is_asked_of_the_watch(desk):
    desk.daemon.pages = {"history": {"tasks": []}}
    options = "--family job:3 --failed --cluster c --service s --schedule n --started-by me --id ab --stop-code X --exit-code 3 --region r"
    done = desk.run("history", *options.split(), "--since", "30d", "--until", "2026-11-27T00:00+09:00", "--verdict", "exit 3")
    assert done.exit_code == 0 and done.stderr == "No task that fits is remembered.\n"
    [(path, asked)] = desk.daemon.asked
    since = iso(desk.clock.now() - 30 * 86_400)
    assert path == "history"
    assert asked == {
        "family": "job",
        "revision": "3",
        "since": since,
        "until": "2026-11-26T15:00:00Z",
        "outcome": "failed",
        "cluster": "c",
        "service": "s",
        "schedule": "n",
        "started_by": "me",
        "id": "ab",
        "stop_code": "X",
        "exit_code": 3,
        "verdict": "exit 3",
        "region": "r",
        "limit": 100,
    }


def test_csv_has_a_head_and_a_row_for_each_task(desk):
    desk.daemon.pages = {"history": {"tasks": [TASK | {"started_by": 'he said "go", twice'}]}}
    [row] = csv.DictReader(io.StringIO(desk.run("history", "-o", "csv").stdout))
    assert row["family"] == "report-export" and row["started_by"] == 'he said "go", twice' and row["ran_seconds"] == "200.0"
    assert row["verdict"] == "OUT OF MEMORY" and "version" not in row


def test_json_is_the_answer_itself(desk):
    desk.daemon.pages = {"history": {"tasks": [TASK]}}
    assert json.loads(desk.run("history", "-o", "json").stdout) == {"tasks": [TASK]}


def test_more_than_was_asked_for_is_said(desk):
    desk.daemon.pages = {"history": {"tasks": [TASK, TASK]}}
    assert "there may be more" in desk.run("history", "--limit", "2").stderr


def test_what_cannot_be_read_is_named(desk):
    assert "--since soon" in desk.run("history", "--since", "soon").stderr
    assert desk.run("history", "--failed", "--good").exit_code == 2

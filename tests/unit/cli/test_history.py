"""`hinoban history`: what is asked of the watch, and how it is printed."""

import csv
import io
import json
from typing import get_args

import pytest

from hinoban.base.units import iso
from hinoban.cli.history import CLASS_HELP
from hinoban.watch.explain.catalogue import Class

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
    "class": "out_of_memory",
    "version": 5,
    "open": False,
}


def answer(*found, following=None):
    return {"tasks": list(found), "next": following}


def test_a_table_says_what_ran_how_long_and_how_it_ended(desk):
    desk.daemon.pages = {"history": answer(TASK, TASK | {"verdict": None, "exit_code": 0}, TASK | {"verdict": None, "open": True})}
    lines = desk.run("history").stdout.splitlines()
    assert lines[0].split() == ["TASK", "STARTED", "RAN", "ENDED", "STARTED", "BY", "ID"]
    assert "report-export:12" in lines[1] and "3 m 20 s" in lines[1] and "OUT OF MEMORY" in lines[1] and lines[1].endswith("c02b77f1")
    assert "exit 0" in lines[2] and "STOPPED" in lines[3]


def test_every_option_is_asked_of_the_watch(desk):
    desk.daemon.pages = {"history": answer()}
    options = "--family job:3 --failed --cluster c --service s --schedule n --started-by me --id ab --stop-code X --exit-code 3 --region r"
    done = desk.run(
        "history", *options.split(), "--since", "30d", "--until", "2026-11-27T00:00+09:00", "--verdict", "exit 3", "--class", "program"
    )
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
        "class": "program",
        "region": "r",
        "limit": 100,
    }


def test_csv_has_a_head_and_a_row_for_each_task(desk):
    desk.daemon.pages = {"history": answer(TASK | {"started_by": 'he said "go", twice'})}
    [row] = csv.DictReader(io.StringIO(desk.run("history", "-o", "csv").stdout))
    assert row["family"] == "report-export" and row["started_by"] == 'he said "go", twice' and row["ran_seconds"] == "200.0"
    assert (row["verdict"], row["class"], "version" in row) == ("OUT OF MEMORY", "out_of_memory", False)
    assert (row["account"], row["region"], row["cluster"]) == ("123456789012", "ap-northeast-1", "batch")


def test_json_is_the_answer_itself(desk):
    desk.daemon.pages = {"history": answer(TASK)}
    assert json.loads(desk.run("history", "-o", "json").stdout) == {"tasks": [TASK]}


def test_what_was_cut_is_said_and_nothing_else(desk):
    words = "These are the newest 2; there are more: --limit, --since and --until.\n"
    for output in ("table", "json", "csv"):
        desk.daemon.pages = {"history": answer(TASK, TASK, following="7@1.0")}
        assert desk.run("history", "--limit", "2", "-o", output).stderr == words
        desk.daemon.pages = {"history": answer(TASK, TASK)}
        assert desk.run("history", "--limit", "2", "-o", output).stderr == ""


@pytest.mark.parametrize("output", ["json", "csv"])
def test_a_file_holds_the_whole_period_asked_for_page_by_page(desk, output):
    first, last = [TASK | {"id": f"a{number:031}"} for number in range(1000)], [TASK | {"id": f"b{number:031}"} for number in range(150)]
    desk.daemon.pages = {"history": [answer(*first, following="7@1.0"), answer(*last)]}
    done = desk.run("history", "--family", "X", "--failed", "-o", output)
    read = json.loads(done.stdout)["tasks"] if output == "json" else list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["id"] for row in read] == [row["id"] for row in (*first, *last)] and done.stderr == ""
    assert [(asked["limit"], asked.get("after")) for _, asked in desk.daemon.asked] == [(1000, None), (1000, "7@1.0")]


def test_of_more_than_ten_thousand_a_file_holds_the_newest_unless_more_are_asked_for(desk):
    desk.daemon.pages = {"history": answer(*[TASK] * 1000, following="7@1.0")}
    done = desk.run("history", "-o", "csv")
    assert done.stdout.count("\n") == 10_001 and "the newest 10000; there are more" in done.stderr
    desk.daemon.pages = {"history": answer(*[TASK] * 500, following="7@1.0")}
    assert desk.run("history", "-o", "csv", "--limit", "10500").stdout.count("\n") == 10_501


def test_every_class_is_named_where_it_is_asked_for():
    assert CLASS_HELP.removesuffix(".").partition("a class: ")[2].split(", ") == list(get_args(Class))


def test_what_cannot_be_read_is_named(desk):
    assert "--since soon" in desk.run("history", "--since", "soon").stderr
    assert desk.run("history", "--failed", "--good").exit_code == 2

"""`hinoban status` in lines: one look says what is watched, who is told and what is wrong."""

from typing import Any
from zoneinfo import ZoneInfo

from hinoban.base.units import parse_iso
from hinoban.watch.status_words import offline_lines, status_lines

TOKYO = ZoneInfo("Asia/Tokyo")
NOW = parse_iso("2026-11-28T01:22:00Z")
SOURCE = {"source": "sqs:1/ap-northeast-1/q", "behind": None, "delay": {"events": {"count": 9, "p50": 0.8, "p95": 1.2}}}
SLACK: dict[str, Any] = {
    "channel": "slack", "queued": 0, "oldest_queued_at": None, "last_sent_at": "2026-11-28T01:21:00Z", "gave_up_at": None, "last_error": None
}  # fmt: skip


def status(**words: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "sources": [SOURCE],
        "allow": [],
        "allow_by_policy": [],
        "sees": ["exits", "OOM", "59 of 63 schedules"],
        "blind": [],
        "channels": [SLACK],
        "dead_man": {"words": "ok 10 s ago"},
        "tasks": 12,
        "tasks_open": 3,
        "incidents": {"open": 2, "resolved": 40},
        "retries": {"waiting": 1, "launched": 9},
        "aside": {"count": 0, "latest": []},
        "unwell": None,
        "health": {"unwell_since": None},
        "would_have": {"retried": 0, "stopped": 0},
    }
    return given | words


def test_all_is_well() -> None:
    assert status_lines(status(), TOKYO, NOW) == [
        "watch      sqs:1/ap-northeast-1/q seen after 0.8 s (p95 1.2 s) · OBSERVE ONLY: never launches, never stops",
        "sees       exits, OOM, 59 of 63 schedules",
        "tells      slack ok 10:21 · dead-man ok 10 s ago",
        "holds      12 tasks, 3 of them not over · incidents: 2 open · retries: 1 waiting",
    ]


def test_what_is_wrong_stands_in_capitals() -> None:
    late = {"events": SOURCE["delay"]["events"], "cloudtrail": {"count": 3, "p50": 71.0, "p95": 250.0}}  # type: ignore[index]
    waits = SLACK | {"queued": 3, "oldest_queued_at": "2026-11-26T01:21:00Z", "last_error": "HTTP 503"}
    lines = status_lines(
        status(
            sources=[SOURCE | {"behind": "the feed has not answered", "delay": late}],
            allow=["run_task"],
            channels=[waits, SLACK | {"channel": "mail", "gave_up_at": "2026-11-28T01:00:00Z", "last_error": "550"}],
            blind=[f"log lines of job-{number}: denied → hinoban aws policy --observe" for number in range(7)],
            unwell="the feed has not answered",
            health={"unwell_since": "2026-11-28T00:00:00Z"},
            would_have={"retried": 2, "stopped": 1},
            dead_man=None,
        ),
        TOKYO,
        NOW,
    )
    text = "\n".join(lines)
    assert "CloudTrail 1 m 11 s late (p95 4 m 10 s) · may run_task" in lines[0]
    assert "slack 3 WAIT since Thu 26 Nov 10:21 (HTTP 503) · mail GAVE UP 10:00 (550)" in text
    assert "BEHIND     sqs:1/ap-northeast-1/q: the feed has not answered" in text
    assert text.count("BLIND ") == 6 and "and 2 more" in text
    assert "UNWELL     the feed has not answered, since Sat 28 Nov 09:00 JST: no ping is sent" in text
    assert lines[-1] == "would have retried 2, stopped 1 (last 24 h)"


def test_a_folder_without_a_watch_says_so_first() -> None:
    lines = offline_lines(status(incidents={}, retries={}), TOKYO, NOW)
    assert lines[0].startswith("watch      NOT RUNNING")
    assert lines[1] == "holds      12 tasks, 3 of them not over · no open incident"
    assert lines[2] == "told       slack ok 10:21"

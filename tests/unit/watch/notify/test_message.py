"""Whole texts, as people read them."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from hinoban.watch.detect import findings, overdue
from hinoban.watch.detect.overdue import Spelt
from hinoban.watch.model import Attempt, Finding, Incident, Launch, LaunchFailure, TaskChange
from hinoban.watch.notify.background import Background, Run, beside_words, caller_words, cost_words, last_line_words, usual_words
from hinoban.watch.notify.message import alert, console_lines, incident_row, webhook_payload, why_json, why_text
from hinoban.watch.policies import Limits
from hinoban.watch.task_tags import TaskTags
from hinoban.watch.terms import terms_of

TOKYO = ZoneInfo("Asia/Tokyo")
MIDNIGHT = 1_795_705_200.0  # Fri 27 Nov 2026 00:00 JST
CHANGED = ":8 → :9 since the last good run (Thu 26 Nov 00:00 JST)"
GH_ACTIONS = "arn:aws:sts::123456789012:assumed-role/gh-actions/run-8790"
CAPACITY = "Capacity is unavailable at this time. Please try again later or in a different availability zone"


@dataclass
class Task:
    """A stopped or running task by its short id and definition."""

    short: str
    definition: str

    def change(self, **detail: Any) -> TaskChange:
        arn = f"arn:aws:ecs:ap-northeast-1:123456789012:task/batch/{self.short}0000000000000000"
        fields = {
            "taskArn": arn,
            "taskDefinitionArn": f"arn:aws:ecs:ap-northeast-1:123456789012:task-definition/{self.definition}",
            "clusterArn": "arn:aws:ecs:ap-northeast-1:123456789012:cluster/batch",
            "lastStatus": "STOPPED",
            "startedAt": MIDNIGHT,
            **detail,
        }
        return TaskChange(
            event_id="e", at=MIDNIGHT, account="123456789012", region="ap-northeast-1", task_arn=arn, version=5, detail=fields
        )


EXITED = {"stopCode": "EssentialContainerExited", "stoppedReason": "Essential container in task exited"}


def incident(finding: Finding, id: str, **fields: Any) -> Incident:
    known = {"state": "open", "verdict": finding.verdict, "opened_at": finding.at, "changed_at": finding.at, **fields}
    return Incident(id=id, subject=finding.subject, finding=finding, **known)


def failed() -> tuple[Incident, TaskChange]:
    containers = [{"name": "app", "exitCode": 1}, {"name": "log-router", "exitCode": 143}]
    change = Task("5f10aa3c", "point-expire:9").change(
        **EXITED, containers=containers, executionStoppedAt=MIDNIGHT + 12, stoppedAt=MIDNIGHT + 13
    )
    (finding,) = findings(change, MIDNIGHT)
    return incident(finding, "inc-9xw1"), change


def refused() -> Incident:
    launch = Launch(
        event_id="ct-1",
        launch_id="lch-1",
        at=MIDNIGHT + 7,
        account="123456789012",
        region="ap-northeast-1",
        request={"taskDefinition": "nightly-billing:31", "startedBy": "events-rule/nightly-billing"},
        failures=(LaunchFailure(CAPACITY),),
    )
    (finding,) = findings(launch, MIDNIGHT)
    return incident(finding, "inc-4k2p")


def recovered() -> Incident:
    arn = "arn:aws:ecs:ap-northeast-1:123456789012:task/batch/7c1e90ab000000000000000000000000"
    attempts = (
        Attempt(number=1, at=MIDNIGHT + 7, started_by="events-rule/nightly-billing", outcome="refused"),
        Attempt(number=2, at=MIDNIGHT + 100, started_by="hinoban/inc-4k2p/2", outcome="refused", note="looked first: nothing of it runs"),
        Attempt(number=3, at=MIDNIGHT + 211, started_by="hinoban/inc-4k2p/3", outcome="exit 0", task_arn=arn),
    )
    changes = {"state": "resolved", "verdict": "RECOVERED", "attempts": attempts, "done": ("2 retries.", "Ran once, exit 0, 6 m 12 s.")}
    return msgspec.structs.replace(refused(), resolved_at=MIDNIGHT + 614, **changes)


def block(text: str) -> list[str]:
    return [line[4:] for line in text.strip("\n").splitlines() if line.strip()]


def test_why_a_program_failed() -> None:
    inc, change = failed()
    lines = why_text(
        inc,
        change.detail,
        zone=TOKYO,
        log_tail=["start", "OperationalError: timeout"],
        background=Background(usual="last 30 good runs 6-8 m", changed=CHANGED),
    )
    assert lines == block("""
    point-expire:9 · task 5f10aa3c · EXIT 1 after 12 s · inc-9xw1
    Cause    Your program ended with exit code 1. ECS did its part.
    Said     Essential container in task exited · app exit 1 · log-router exit 143 (stopped because app ended)
    Log      OperationalError: timeout      (2 lines kept: hinoban logs 5f10aa3c)
    Changed  :8 → :9 since the last good run (Thu 26 Nov 00:00 JST)
    Usual    last 30 good runs 6-8 m
    Next     Read its last lines: hinoban logs 5f10aa3c   then: hinoban retry 5f10aa3c   (same overrides)      Not retried: no on_exit policy.
    """)


def test_why_a_launch_recovered() -> None:
    assert why_text(recovered(), None, zone=TOKYO) == block("""
    nightly-billing:31 · launched Fri 27 Nov 00:00 JST · RECOVERED at attempt 3 · inc-4k2p
    Cause    Fargate had no capacity. Your definition is fine; the program had not started, so no data was touched.
    Said     RunTask failures[0]: Capacity is unavailable at this time. Please try again later or in a different availability zone
    Done     2 retries. Ran once, exit 0, 6 m 12 s.
    Next     Nothing now.
    00:00:07  1  events-rule/nightly-billing  refused
    00:01:40  2  hinoban                      refused        looked first: nothing of it runs
    00:03:31  3  hinoban                      task 7c1e90ab  exit 0
    """)


def test_why_a_task_ran_out_of_memory() -> None:
    containers = [{"name": "app", "exitCode": 137, "reason": "OutOfMemoryError: Container killed due to memory usage"}]
    fields = {"cpu": "256", "memory": "512", "launchType": "FARGATE", "executionStoppedAt": MIDNIGHT + 200}
    change = Task("c02b77f1", "report-export:12").change(**EXITED, containers=containers, **fields)
    (finding,) = findings(change, MIDNIGHT)
    assert why_text(incident(finding, "inc-2b9q"), change.detail, zone=TOKYO) == block("""
    report-export:12 · task c02b77f1 · OUT OF MEMORY after 3 m 20 s · inc-2b9q
    Cause    Container app reached its limit of 512 MiB and was killed (exit 137).
    Said     Essential container in task exited · app: OutOfMemoryError: Container killed due to memory usage
    Log      unknown: no line was kept
    Next     Set memory to 1024 (valid with cpu 256), register it, then: hinoban retry c02b77f1      Not retried: same input, same limit.
    """)


def test_why_a_task_is_overdue() -> None:
    change = Task("e41c03d9", "db-migrate:88").change(lastStatus="RUNNING", desiredStatus="RUNNING", startedBy="run-8790")
    now = MIDNIGHT + 26 * 3600 + 180
    finding = overdue(change, now, terms_of(change, Limits(24 * 3600, None), TaskTags()), spelt=Spelt(session="run-8790"))
    assert finding is not None
    known = Background(
        caller=GH_ACTIONS,
        as_of=MIDNIGHT + 26 * 3600 + 300,
        cost="$0.40 so far, $0.37 a day",
        usual=usual_words([70.0, 300.0]),
        last_line=last_line_words("waiting for lock on schema_migrations", MIDNIGHT + 960, now, MIDNIGHT + 26 * 3600 + 300, TOKYO),
        beside=beside_words("db-migrate", [Run(started_at=MIDNIGHT + 9480, stopped_at=MIDNIGHT + 9720)], TOKYO),
    )
    assert why_text(incident(finding, "inc-3c7d"), change.detail, zone=TOKYO, background=known) == block("""
    db-migrate:88 · task e41c03d9 · RUNNING 26 h 05 m, limit 24 h (default) · OVERDUE · inc-3c7d
    Cause    Nothing will end it: no service owns it, no lease was taken. Last log line 25 h 49 m ago: "waiting for lock on schema_migrations"
    Started  Fri 27 Nov 00:00 JST by role gh-actions, session run-8790 (CloudTrail), startedBy run-8790. Unknown whether that job still lives.
    Usual    last 2 good runs 1–5 m. A second db-migrate ran beside it Fri 27 Nov 02:38–02:42 JST.
    Cost     $0.40 so far, $0.37 a day
    Next     Stop it: hinoban stop e41c03d9 --reason "orphan of run-8790"   or keep: hinoban incidents ack inc-3c7d --for 24h      Not stopped: no stop_after.
    """)


def test_why_of_a_healthy_task_says_so() -> None:
    change = Task("0a0b0c0d", "hello:1").change(**EXITED, containers=[{"name": "app", "exitCode": 0}], executionStoppedAt=MIDNIGHT + 2)
    assert why_text(None, change.detail, zone=TOKYO) == block("""
    hello:1 · task 0a0b0c0d · EXIT 0 after 2 s
    Cause    Nothing went wrong: every container ended with exit code 0.
    Said     Essential container in task exited · app exit 0
    Next     Nothing now.
    """)


def test_why_keeps_to_twelve_lines_unless_asked_for_all() -> None:
    attempts = tuple(Attempt(number=n, at=MIDNIGHT + n, started_by="x", outcome="refused") for n in range(1, 31))
    inc = msgspec.structs.replace(refused(), attempts=attempts)
    short, full = why_text(inc, None, zone=TOKYO), why_text(inc, None, zone=TOKYO, full=True)
    assert len(short) == 12 and len(full) == 34
    assert "more attempts (--full)" in short[5] and short[-1] == full[-1]


def test_the_json_of_why_has_the_same_labels() -> None:
    inc, change = failed()
    answer = why_json(inc, change.detail, zone=TOKYO)
    assert list(answer) == ["title", "cause", "said", "log", "next", "incident", "state", "verdict", "attempts", "caller"]


def test_an_alert_on_the_console_is_one_block_under_its_time() -> None:
    inc, _ = failed()
    assert console_lines(alert(inc, "opened"), TOKYO) == block("""
    00:00:13 JST point-expire:9 · task 5f10aa3c · EXIT 1 after 12 s · inc-9xw1
                 Cause    Your program ended with exit code 1. ECS did its part.
                 Said     Essential container in task exited · app exit 1 · log-router exit 143 (stopped because app ended)
                 Next     Read its last lines: hinoban logs 5f10aa3c   then: hinoban retry 5f10aa3c   (same overrides)      Not retried: no on_exit policy.
    """)


def test_a_launch_that_healed_in_time_is_one_quiet_line() -> None:
    message = alert(recovered(), "quiet")
    assert message.severity == "info"
    assert console_lines(message, TOKYO) == [
        "00:10:14 JST nightly-billing RECOVERED at attempt 3 (no Fargate capacity, 2 retries) inc-4k2p"
    ]


def test_a_row_of_the_list_of_incidents() -> None:
    inc, _ = failed()
    assert incident_row(inc) == (
        "inc-9xw1",
        "OPEN",
        "point-expire:9",
        "EXIT 1 after 12 s",
        "Your program ended with exit code 1. ECS did its part.",
    )


def test_the_webhook_tells_the_incident_without_the_tokens_of_its_attempts() -> None:
    payload = webhook_payload(recovered(), "resolved")
    assert payload["schema"] == 1 and payload["change"] == "resolved" and payload["resolved_at"] == "2026-11-26T15:10:14Z"
    assert payload["attempts"][2]["outcome"] == "exit 0" and "token" not in payload["attempts"][0]
    assert payload["id"] == webhook_payload(recovered(), "resolved")["id"]
    assert msgspec.json.decode(msgspec.json.encode(payload)) == payload


def test_every_field_of_the_webhook_is_documented_and_every_documented_one_exists() -> None:
    page = (Path(__file__).parents[4] / "docs" / "webhook.md").read_text(encoding="utf-8").partition("## The signature")[0]
    first_cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`(\w+)`", " ".join(first_cells))) == set(webhook_payload(recovered(), "resolved"))


def test_attempts_show_when_their_tasks_ran_and_do_not_repeat_what_aws_said() -> None:
    story = recovered()
    refused_again = msgspec.structs.replace(story.attempts[1], note=CAPACITY)
    story = msgspec.structs.replace(
        story, attempts=(msgspec.structs.replace(story.attempts[0], started_by=None), refused_again, story.attempts[2])
    )
    run = Run(created_at=MIDNIGHT + 211, started_at=MIDNIGHT + 242, stopped_at=MIDNIGHT + 614, exit_code=0)
    known = Background(caller=GH_ACTIONS, runs={story.attempts[2].task_arn or "": run})
    assert why_text(story, None, zone=TOKYO, background=known)[-3:] == block("""
    00:00:07  1  role gh-actions, session run-8790  refused
    00:01:40  2  hinoban                            refused
    00:03:31  3  hinoban                            task 7c1e90ab  RUNNING 00:04:02 · STOPPED exit 0 00:10:14
    """)
    assert [one["caller"] for one in why_json(story, None, zone=TOKYO, background=known)["attempts"]] == [GH_ACTIONS, None, None]


def test_a_caller_is_named_as_people_do() -> None:
    assert caller_words("arn:aws:iam::123456789012:user/team/hinoban") == "user hinoban"
    assert caller_words("arn:aws:iam::123456789012:root") == "root"
    assert caller_words("events.amazonaws.com") == "events.amazonaws.com"
    assert caller_words(None) is None


def test_a_cost_is_told_where_a_price_is_known() -> None:
    task = {"launchType": "FARGATE", "cpu": "256", "memory": "512", "createdAt": MIDNIGHT}
    assert cost_words(task, "ap-northeast-1", MIDNIGHT + 26 * 3600) == "$0.40 so far, $0.37 a day"
    assert cost_words(task, "ap-northeast-1", MIDNIGHT + 8) == "under $0.01 so far, $0.37 a day"
    assert cost_words(task | {"stoppedAt": MIDNIGHT + 12}, "ap-northeast-1", MIDNIGHT + 60) == "under $0.01 in all"
    assert cost_words(task, "nowhere-1", MIDNIGHT) is None
    assert cost_words(task | {"launchType": "EC2"}, "ap-northeast-1", MIDNIGHT) is None
    assert cost_words(task | {"capacityProviderName": "FARGATE_SPOT"}, "ap-northeast-1", MIDNIGHT) is None


def test_an_old_reading_of_the_last_line_says_when_it_was_read() -> None:
    words = last_line_words("x" * 300, MIDNIGHT, MIDNIGHT + 60, MIDNIGHT + 7200, TOKYO)
    assert words.startswith("Last log line Fri 27 Nov 00:00 JST (as read Fri 27 Nov 00:01 JST):") and words.endswith('x…"')
    assert last_line_words(None, None, MIDNIGHT, MIDNIGHT, TOKYO) == "It has written no log line."


def test_who_ran_beside_an_overdue_task() -> None:
    assert beside_words("job", [], TOKYO) is None
    assert beside_words("job", [Run(started_at=MIDNIGHT)], TOKYO) == "A second job runs beside it since Fri 27 Nov 00:00 JST."
    several = [Run(started_at=MIDNIGHT, stopped_at=MIDNIGHT + 86400), Run(started_at=MIDNIGHT - 60, stopped_at=MIDNIGHT)]
    assert beside_words("job", several, TOKYO) == "2 more job ran beside it, the last Fri 27 Nov 00:00–Sat 28 Nov 00:00 JST."


def test_usual_lengths_are_a_span() -> None:
    assert usual_words([]) is None
    assert usual_words([372.0]) == "the last good run 6 m"
    assert usual_words([12.0, 41.0]) == "last 2 good runs 12–41 s"
    assert usual_words([12.0, 300.0]) == "last 2 good runs 12 s–5 m"
    assert usual_words([360.0, 7200.0]) == "last 2 good runs 6 m–2 h"


def test_no_word_of_a_launch_commands_the_terminal() -> None:
    healed = recovered()
    hostile = msgspec.structs.replace(healed, finding=msgspec.structs.replace(healed.finding, family="\x1b]0;all is well\x07"))
    told = [*console_lines(alert(hostile, "resolved"), TOKYO), *why_text(hostile, None, zone=TOKYO)]
    assert "\\x1b]0;all is well\\x07:31" in told[0]
    assert all(line.isprintable() for line in told)

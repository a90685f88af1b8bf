"""`lang = "ja"`: an alert is Japanese from its title to its next step; names, commands, verdicts and AWS's own words are as they are."""

import re
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from hinoban.watch.detect.missed_run import missed_run
from hinoban.watch.explain.language import speaking
from hinoban.watch.model import Attempt, Incident
from hinoban.watch.notify.background import last_line_words
from hinoban.watch.notify.message import alert
from hinoban.watch.notify.report import why_text
from hinoban.watch.schedules.slot import Hop, Slot
from tests.unit.watch.notify.samples import AT, incident, over

TOKYO = ZoneInfo("Asia/Tokyo")
DUE = {"due_at": AT, "schedule_kind": "rule", "expression": "cron(0 15 * * ? *)", "timezone": "UTC"}
RETRIED = (Attempt(number=3, at=AT, started_by=None, outcome="exit 0"),)
LOWER = re.compile(r"(?<![\w./:-])[a-z]{4,}(?![\w./:-])")


def held(state: Any) -> Incident:
    return msgspec.structs.replace(incident(facts={"ran_seconds": 12.0}), state=state, acknowledged_by="s.tanaka")


@pytest.mark.parametrize(
    ("one", "change", "said"),
    [
        (held("acknowledged"), "changed", "EXIT 3(12 s 後) · s.tanaka が確認済み"),
        (held("snoozed"), "changed", "EXIT 3(12 s 後) · s.tanaka がスヌーズ中"),
        (incident(facts=DUE), "opened", "nightly-billing:31 · Fri 27 Nov 00:00 JST 起動分 (rule, cron(0 15 * * ? *) UTC) · task 7c1e90ab"),
        (incident(facts={**DUE, "last_due_at": AT + 7200, "count": 3}), "opened", "から Fri 27 Nov 02:00 JST まで 3 回起動分"),
        (msgspec.structs.replace(over(incident()), attempts=RETRIED), "resolved", "RECOVERED(3 回目)"),
        (msgspec.structs.replace(over(incident()), attempts=RETRIED), "quiet", "再試行"),
        (
            incident(detector="did_not_start", verdict="NOT STARTED", facts={"count": 5, "refused": 2}),
            "opened",
            "NOT STARTED(5 タスク中 2)",
        ),
        (incident(detector="overdue", verdict="OVERDUE", facts={"ran_seconds": 93780.0, "limit_seconds": 86400.0}), "opened", "上限 24 h"),
        (incident(detector="overdue", verdict="OVERDUE", facts={"ran_seconds": 93780.0, "orphan": True}), "opened", "リース切れ"),
    ],
)
def test_a_title_has_its_words_in_japanese(one: Incident, change: Any, said: str) -> None:
    if change == "quiet":
        one = msgspec.structs.replace(one, attempts=(msgspec.structs.replace(RETRIED[0], task_arn="arn:t"),))
    with speaking("ja"):
        title = alert(one, change, TOKYO).title
    assert said in title
    assert set(LOWER.findall(title.replace("nightly-billing", "").replace("s.tanaka", ""))) <= {"task", "rule", "cron", "exit"}


def test_what_ended_by_itself_says_so() -> None:
    one = msgspec.structs.replace(over(incident()), done=())
    with speaking("ja"):
        labels = dict(alert(one, "resolved", TOKYO).labels)
    assert (labels["Done"], labels["Next"]) == ("なし: Hinoban の操作なしに終わった。", "対応不要。")


def test_why_is_japanese_where_nothing_is_known_of_the_log() -> None:
    with speaking("ja"):
        unread, silent = (why_text(incident(), None, zone=TOKYO, log_tail=tail) for tail in (None, []))
        last = last_line_words("waiting for lock", AT, AT + 60, AT + 120, TOKYO)
        assert last_line_words(None, None, AT, AT, TOKYO) == "ログ出力なし。"
    assert any(line.startswith("ログ") and "不明: 保存された行がない" in line for line in unread)
    assert any("出力なし。" in line for line in silent)
    assert last == '最後のログ行は 2 m 前: "waiting for lock"'


@pytest.mark.parametrize("fired", ["NO", "ok", "unknown"])
@pytest.mark.parametrize("count", [1, 3])
def test_a_missed_run_is_told_in_japanese(fired: Hop, count: int) -> None:
    one = Slot(
        key="k", at=AT, name="close", kind="rule", arn="arn", region="r", account="1", cluster="c", family="close", due_by=AT, fired=fired
    )
    last = msgspec.structs.replace(one, at=AT + 3600)
    with speaking("ja"):
        told = missed_run(one, AT + 600, "Asia/Tokyo", until=last, count=count, shown="00:05 JST").explanation
    run = "hinoban schedules run close --slot 2026-11-27T0" + ("1" if count > 1 and fired == "NO" else "0") + ":00+09:00"
    assert told.next.endswith(run)
    ours = told.next.replace(run, "").replace("hinoban history --family close --since 24h", "").replace("JST", "")
    assert re.search("[a-z]{3}", ours) is None and re.search("[a-z]{3}", told.cause.replace("RunTask", "")) is None

"""Small words of messages: how a verdict, a moment or an attempt is written. Wording only; what is said is decided in `message`."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from hinoban.base.clock import HOURS
from hinoban.base.units import format_duration, local_day_time, local_time
from hinoban.watch.explain.language import either, spoken
from hinoban.watch.incident_states import QUIET
from hinoban.watch.kinds import NOT_STARTED, about_no_run
from hinoban.watch.model import Attempt, Finding, Incident, attempt_of, task_id_of
from hinoban.watch.notify.background import Background, caller_words, run_words

LABEL_WIDTH = 9
SEPARATOR = " · "

_SHORT = {
    "no_capacity": "no Fargate capacity",
    "quota_reached": "Fargate quota reached",
    "throttled": "AWS throttled the call",
    "request_limit": "AWS throttled the call",
    "server_error": "AWS failed inside",
    "provisioning_limit": "too many tasks waiting for capacity",
    "spot_interruption": "Spot capacity taken back",
}

_SHORT_JA = {
    "no_capacity": "Fargate の空き不足",
    "quota_reached": "Fargate のクォータ到達",
    "throttled": "AWS による呼び出し制限",
    "request_limit": "AWS による呼び出し制限",
    "server_error": "AWS 内部の障害",
    "provisioning_limit": "空き待ちタスクの上限",
    "spot_interruption": "Spot の中断",
    "missed_run": "起動なし",
    "no_evidence": "起動の記録なし",
    "image_missing": "イメージなし",
}

_NOT_RETRIED = {
    "out_of_memory": ("Not retried: same input, same limit.", "再試行なし: 同じ入力、同じ上限になる。"),
    "failed_exit": ("Not retried: no on_exit policy.", "再試行なし: on_exit のポリシーがない。"),
    "overdue": ("Not stopped: no stop_after.", "停止なし: stop_after の設定がない。"),
}


def short_cause(code: str) -> str:
    """A catalogue code in a few words, for one-line messages."""
    return few_words(code) or code.replace("_", " ")


def few_words(code: str) -> str | None:
    """Words of ours for a catalogue code that says too little of itself; None where there are none."""
    return (_SHORT_JA if spoken() == "ja" else _SHORT).get(code)


def short_task(task_arn: str | None) -> str:
    """The first 8 digits of a task's id; every command takes them."""
    return task_id_of(task_arn or "")[:8] or "unknown"


def definition_name(family: str, revision: int | None) -> str:
    """`web:3`, `web`, or `unknown` where the call named no definition."""
    return f"{family}:{revision}" if family and revision is not None else family or "unknown family"


def day_time(moment: float | None, zone: ZoneInfo) -> str:
    """`Fri 27 Nov 00:00 JST` or `unknown`."""
    return "unknown" if moment is None else local_day_time(moment, zone)


def clock_time(moment: float, zone: ZoneInfo) -> str:
    """`14:34:38 JST`."""
    return f"{local_time(moment, zone)} {local_day_time(moment, zone).rpartition(' ')[2]}"


def verdict_of(incident: Incident) -> str:
    """The verdict with what belongs to it: `EXIT 1 after 12 s`, `RECOVERED at attempt 3`."""
    finding = incident.finding
    if incident.verdict == "RECOVERED" and incident.attempts:
        return either("RECOVERED at attempt {}", "RECOVERED({} 回目)").format(incident.attempts[-1].number)
    ran = finding.facts.get("ran_seconds")
    if incident.verdict == finding.verdict and finding.detector in ("failed_exit", "out_of_memory") and isinstance(ran, int | float):
        return either("{} after {}", "{}({} 後)").format(incident.verdict, format_duration(ran))
    count, refused = finding.facts.get("count"), finding.facts.get("refused")
    if incident.verdict == finding.verdict and finding.detector in NOT_STARTED and count and refused and refused < count:
        return finding.verdict + either(f" ({refused} of {count} tasks)", f"({count} タスク中 {refused})")
    return incident.verdict


def due_words(finding: Finding, zone: ZoneInfo) -> str:
    """`due Fri 27 Nov 00:00 JST (rule, cron(0 15 * * ? *) UTC)`; empty of what no schedule asked for."""
    facts = finding.facts
    if (at := facts.get("due_at")) is None:
        return ""
    until, count = facts.get("last_due_at"), facts.get("count")
    schedule = f"({facts.get('schedule_kind')}, {facts.get('expression')} {facts.get('timezone')})"
    if spoken() == "ja":
        several = f"から {day_time(until, zone)} まで {count} 回" if until is not None else ""
        return f"{day_time(at, zone)} {several}起動分 {schedule}"
    several = f" to {day_time(until, zone)}, {count} runs" if until is not None else ""
    return f"due {day_time(at, zone)}{several} {schedule}"


def schedule_words(finding: Finding) -> str:
    """`rule daily-close, cron(0 15 * * ? *) UTC` of what is about a schedule as a whole."""
    facts = finding.facts
    if facts.get("schedule") is None or facts.get("due_at") is not None:
        return ""
    return f"{facts.get('schedule_kind')} {facts['schedule']}, {facts.get('expression')} {facts.get('timezone')}"


def state_of(incident: Incident) -> str:
    """`RESOLVED`, `acknowledged by s.tanaka`, `snoozed by s.tanaka`; empty where the verdict says it."""
    if incident.state == "resolved":
        return "RESOLVED" if incident.verdict == incident.finding.verdict else ""
    if incident.state not in QUIET:
        return ""
    by = incident.acknowledged_by or either("unknown", "不明")
    return either(f"{incident.state} by {by}", f"{by} が{'確認済み' if incident.state == 'acknowledged' else 'スヌーズ中'}")


def escalated_words(incident: Incident) -> str:
    """`ESCALATED after 15 min, nobody has acknowledged`."""
    after = incident.escalated[-1].after if incident.escalated else 0.0
    minutes = after / 60
    if spoken() == "ja":
        return f"エスカレーション({minutes:g} 分経過、未確認)"
    return f"ESCALATED after {f'{minutes:g} min' if after < 2 * HOURS else format_duration(after)}, nobody has acknowledged"


def ran_of(facts: Mapping[str, Any], as_of: float | None = None) -> str | None:
    """`RUNNING 26 h 03 m, limit 24 h (default)` of an overdue task: until it was found, or until `as_of`."""
    ran, limit = facts.get("ran_seconds"), facts.get("limit_seconds")
    if ran is None:
        return None
    lease = either("lease ran out", "リース切れ")
    past = lease if facts.get("orphan") else f"{either('limit', '上限')} {format_duration(limit)}" if limit is not None else ""
    if not past:
        return None
    if not facts.get("orphan") and facts.get("limit_from"):
        past += f" ({facts['limit_from']})"
    if as_of is not None and (began := facts.get("started_at")) is not None:
        ran = max(ran, as_of - began)
    return f"{facts.get('last_status') or 'RUNNING'} {format_duration(ran)}, {past}"


def not_retried(finding: Finding) -> str:
    """Why Hinoban did nothing by itself."""
    if about_no_run(finding):
        return ""
    if finding.explanation.code == "no_evidence":
        return either("Not run again: nobody knows that it did not run.", "再実行なし: 実行されなかったと確認できていない。")
    if finding.detector == "stuck" or (finding.detector == "overdue" and finding.facts.get("stop_at") is not None):
        return ""
    if finding.detector == "overdue" and finding.facts.get("orphan"):
        return either("Not stopped: no stop_orphans, no stop_after.", "停止なし: stop_orphans も stop_after も設定がない。")
    tried = finding.detector == "failed_exit" or finding.explanation.retryable
    if tried and str(finding.facts.get("group") or "").startswith("service:"):
        return either("Not retried: its service starts tasks itself.", "再試行なし: サービスが自らタスクを起動する。")
    if finding.detector in _NOT_RETRIED:
        return either(*_NOT_RETRIED[finding.detector])
    if finding.explanation.retryable:
        return either("Not retried: no policy asks for it.", "再試行なし: 再試行するポリシーがない。")
    return either("Not retried: it cannot help.", "再試行なし: 再試行しても直らない。")


def starter_of(attempt: Attempt, caller: str | None) -> str:
    """Who launched it: the call's own startedBy, else the caller; our retries are ours, and a missed run has no launcher."""
    if attempt.outcome == "missed":
        return "–"
    if attempt_of(attempt.started_by) is not None:
        return f"hinoban, {attempt.changed}" if attempt.changed else "hinoban"
    return attempt.started_by or (caller_words(caller) if attempt.number == 1 else None) or "unknown"


def attempt_columns(attempt: Attempt, said: str, background: Background, zone: ZoneInfo) -> tuple[str, str, str, str, str]:
    """An attempt as the columns of the timeline; what `said` tells already is not told again."""
    run = background.runs.get(attempt.task_arn or "")
    at, outcome, note = attempt.at, attempt.outcome, "" if attempt.note and attempt.note in said else attempt.note
    if outcome == "waiting" and not background.live:
        note = SEPARATOR.join(part for part in (note, "for `hinoban up`") if part)
    if attempt.task_arn:
        words = run_words(run, zone) if run is not None else ""
        if run is not None and run.created_at is not None:
            at = run.created_at
        if outcome in ("not started", "in doubt", "out of memory") or not words:
            words = SEPARATOR.join(part for part in (words, outcome) if part)
        outcome, note = f"task {short_task(attempt.task_arn)}", SEPARATOR.join(part for part in (words, note) if part)
    return local_time(at, zone), str(attempt.number), starter_of(attempt, background.caller), outcome, note


def table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows as lines with aligned columns, two spaces apart."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]

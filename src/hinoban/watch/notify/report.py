"""What `why` tells: line 1, labels and the timeline of attempts, as text or as JSON with the same labels. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from hinoban.base.text import one_line
from hinoban.base.units import format_duration, iso
from hinoban.watch.detect.judge import stopped_by
from hinoban.watch.explain import explain_stop
from hinoban.watch.explain.exits import containers_of, moment_of, ran_seconds
from hinoban.watch.explain.language import either, spoken
from hinoban.watch.kinds import NOT_STARTED, about_no_run
from hinoban.watch.model import Incident, Launch, family_of, revision_of
from hinoban.watch.notify.background import NOTHING, Background, Together, caller_words, from_a_session
from hinoban.watch.notify.grouped import counts, noun
from hinoban.watch.notify.labels import label_width, padded
from hinoban.watch.notify.next_words import next_line, nothing_now
from hinoban.watch.notify.wording import (
    SEPARATOR,
    attempt_columns,
    clock_time,
    day_time,
    definition_name,
    due_words,
    ran_of,
    schedule_words,
    short_task,
    state_of,
    table,
    verdict_of,
)
from hinoban.watch.schedules.slot import hops_line

MAX_LINES = 12
_SHOWS_HOPS = NOT_STARTED | {"missed_run", "schedule_changed", "dead_schedule", "delivery_failed"}
"""Where the run was lost is the question; of a run that was there, the task itself tells."""
UNKNOWN = "unknown"
Labels = tuple[tuple[str, tuple[str, ...]], ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Line 1 in its parts, and the labels in the order they are printed; a label may have several lines under `--full`."""

    title: tuple[str, ...]
    labels: Labels


def why_text(
    incident: Incident | None,
    task: Mapping[str, Any] | None,
    *,
    zone: ZoneInfo,
    launch: Launch | None = None,
    log_tail: Sequence[str] | None = None,
    background: Background = NOTHING,
    full: bool = False,
) -> list[str]:
    """The lines of `why`: about an incident (with its task's last detail, if it has one), else about a task, else about a launch.

    At most 12 lines unless `full`: a long timeline keeps its first and its last lines. `background` is what the history adds.
    """
    report = _report(incident, task, launch, zone, log_tail, background, full)
    if not full:
        report = msgspec.structs.replace(report, labels=_members_cut(report.labels))
    lines = [one_line(SEPARATOR.join(report.title))]
    for label, texts in report.labels:
        lines.append(padded(label) + texts[0])
        lines.extend(" " * label_width() + text for text in texts[1:])
    attempts: list[str] = []
    if incident is not None:
        said = SEPARATOR.join(incident.finding.explanation.said)
        # Of one that speaks for many, the many are the question.
        shown = incident.attempts if full or background.together is None or len(incident.attempts) > 1 else ()
        attempts = [one_line(line) for line in table([attempt_columns(one, said, background, zone) for one in shown])]
    return lines + (attempts if full else _shorten(attempts, MAX_LINES - len(lines)))


def why_json(
    incident: Incident | None,
    task: Mapping[str, Any] | None,
    *,
    zone: ZoneInfo,
    launch: Launch | None = None,
    log_tail: Sequence[str] | None = None,
    background: Background = NOTHING,
) -> dict[str, Any]:
    """The same as `why_text`, nothing left out: `title`, the labels in lower case as keys, `attempts` with moments in UTC."""
    report = _report(incident, task, launch, zone, log_tail, background, True)
    answer: dict[str, Any] = {"title": SEPARATOR.join(report.title)}
    answer.update({label.lower(): "\n".join(texts) for label, texts in report.labels})
    if incident is not None:
        answer |= {"incident": incident.id, "state": incident.state, "verdict": incident.verdict}
        callers = [background.caller if one.number == 1 else None for one in incident.attempts]
        if background.together is not None:
            answer |= {"lead": background.together.lead, "members": [one.id for one in background.together.members]}
        answer["attempts"] = [attempt_json(one) | {"caller": caller} for one, caller in zip(incident.attempts, callers, strict=True)]
    return answer | {"caller": background.caller}


def attempt_json(attempt: Any) -> dict[str, Any]:
    """One attempt with its documented fields; tokens stay inside."""
    return {
        "number": attempt.number,
        "at": iso(attempt.at),
        "started_by": attempt.started_by,
        "outcome": attempt.outcome,
        "task": attempt.task_arn,
        "note": attempt.note,
        "changed": attempt.changed,
    }


def _report(
    incident: Incident | None,
    task: Mapping[str, Any] | None,
    launch: Launch | None,
    zone: ZoneInfo,
    log_tail: Sequence[str] | None,
    background: Background,
    full: bool,
) -> Report:
    if incident is None:
        return _of_task(task, zone, log_tail, background, full) if task is not None else _of_launch(launch, zone)
    finding = incident.finding
    said = SEPARATOR.join(finding.explanation.said)
    failed = finding.detector in ("failed_exit", "out_of_memory")
    overdue = finding.detector == "overdue"
    followed = finding.facts.get("hops") if finding.detector in _SHOWS_HOPS else None
    started = f"{day_time(finding.facts.get('started_at'), zone)} by {_starter(finding.started_by, background)}" if overdue else ""
    log = _log(log_tail, finding.task_arn, full)
    if overdue and incident.state != "resolved" and finding.facts.get("lease_until") is None and from_a_session(background.caller):
        started += either(". Unknown whether that job still lives.", "。そのジョブがまだ動いているかは不明。")
    cause = finding.explanation.cause + (f" {background.last_line}" if background.last_line else "")
    usual = ". ".join(part for part in (background.usual, background.beside) if part)
    if usual and finding.detector == "out_of_memory":
        usual += either(
            "; peak memory unknown (Container Insights is not read)", "。メモリの最大使用量は不明(Container Insights は読まない)"
        )
    labels: list[tuple[str, Sequence[str]]] = [
        ("Cause", (cause,)),
        ("Said", (said,)),
        ("Hops", (hops_line(followed),) if followed else ()),
        ("Done", (" ".join(incident.done),)),
        ("Started", (started,)),
        ("Owner", (str(finding.facts.get("owner") or ""),)),
        ("Log", log or ((_no_log(log_tail is None),) if failed else ())),
        ("Changed", (background.changed or "",)),
        ("Usual", (usual if failed or overdue else "",)),
        ("Cost", ((background.cost or UNKNOWN) if overdue else "",)),
        ("Next", (next_line(incident, background, zone),)),
        ("Together", _members(background)),
    ]
    return Report(title=_title(incident, zone, background), labels=_kept(labels))


def _title(incident: Incident, zone: ZoneInfo, background: Background) -> tuple[str, ...]:
    finding = incident.finding
    group = str(finding.facts.get("group") or "")
    task = f"task {short_task(finding.task_arn)}" if finding.task_arn else ""
    where = due_words(finding, zone) or schedule_words(finding)
    if not where and not task and not about_no_run(finding):
        where = either("launched {}", "{} 起動").format(day_time(finding.at, zone))
    parts = [
        definition_name(finding.family, finding.revision if finding.revision is not None else background.revision),
        f"service {group.removeprefix('service:')}" if group.startswith("service:") else "",
        where,
        task,
        (ran_of(finding.facts, background.as_of) or "") if finding.detector == "overdue" and incident.state != "resolved" else "",
        _verdict(incident, zone),
        state_of(incident),
        incident.id if background.together is None else _whole(background.together),
    ]
    return tuple(part for part in parts if part)


def _verdict(incident: Incident, zone: ZoneInfo) -> str:
    """The verdict; of a deployment's end with its time, as nothing else in line 1 has one."""
    finding = incident.finding
    timed = finding.detector in ("deployment_failed", "rolled_back") and incident.verdict == finding.verdict
    return verdict_of(incident) + (either(" at {}", "({})").format(clock_time(finding.at, zone)) if timed else "")


def _whole(together: Together) -> str:
    """`inc-7h3m (3 tasks, one cause)`: the one that speaks for them all."""
    total = together.total
    if spoken() == "ja":
        return f"{together.lead} (同じ原因の{'バッチ' if together.scheduled else 'タスク'}{total}件)"
    return f"{together.lead} ({total} {noun(together.scheduled, total)}, one cause)"


def _members(background: Background) -> tuple[str, ...]:
    """Those that the incident speaks for, a line each."""
    together = background.together
    if together is None or together.shown is None:
        return ()
    rows = [
        (
            one.id,
            definition_name(one.finding.family, one.finding.revision),
            f"task {short_task(one.finding.task_arn)}" if one.finding.task_arn else "",
            verdict_of(one),
            state_of(one),
        )
        for one in together.members
    ]
    return counts(together.shown) + ".", *table(rows)


def _members_cut(labels: Labels) -> Labels:
    """With as many members as twelve lines have room for."""
    *others, (label, lines) = labels if labels else [("", ())]
    if label != "Together":
        return labels
    room = max(2, MAX_LINES - 1 - len(others))
    if len(lines) > room:
        lines = (*lines[: room - 1], either("... {} more (--full)", "... ほか {} 件 (--full)").format(len(lines) - room + 1))
    return (*others, (label, lines))


def _starter(started_by: str | None, background: Background) -> str:
    """`user hinoban (CloudTrail)`, with the call's own startedBy where it has one."""
    words = caller_words(background.caller)
    if words is None:
        return started_by or UNKNOWN
    return f"{words} (CloudTrail)" + (f", startedBy {started_by}" if started_by else "")


def _of_task(task: Mapping[str, Any], zone: ZoneInfo, log_tail: Sequence[str] | None, background: Background, full: bool) -> Report:
    definition, arn = str(task.get("taskDefinitionArn") or ""), str(task.get("taskArn") or "")
    name, status = definition_name(family_of(definition), revision_of(definition)), str(task.get("lastStatus") or UNKNOWN)
    log = ("Log", _log(log_tail, arn, full))
    if status != "STOPPED" and not background.live:
        moment = day_time(background.as_of, zone)
        seen = either(
            f"No daemon runs; as last seen {moment} the task was {status}.", f"デーモン停止中。{moment} 時点でタスクは {status}。"
        )
        labels = [("Cause", (seen,)), log, ("Next", (either("See what became of it", "その後を確認") + ": hinoban up",))]
        return Report(title=(name, f"task {short_task(arn)}", f"last seen {status}"), labels=_kept(labels))
    if status != "STOPPED":
        began = moment_of(task, "startedAt") or moment_of(task, "createdAt")
        cause = either(f"Nothing went wrong so far: the task is {status}.", f"今のところ異常なし。タスクは {status}。")
        labels = [("Cause", (cause,)), ("Started", (f"{day_time(began, zone)} by {_starter(task.get('startedBy'), background)}",)), log]
        labels.append(("Next", (either("Follow it", "ログを追う") + f": hinoban logs -f {short_task(arn)}",)))
        return Report(title=(name, f"task {short_task(arn)}", status), labels=_kept(labels))
    explanation, ran = explain_stop(task), ran_seconds(task)
    ended_well = explanation.code == "exit_0"
    codes = [one["exitCode"] for one in containers_of(task) if isinstance(one.get("exitCode"), int)]
    verdict = "EXIT 0" if ended_well else f"EXIT {codes[0]}" if len(codes) == 1 else "STOPPED"
    if (by_whom := stopped_by(task, background.stopper)) is not None:
        verdict = by_whom.replace("stopped", "STOPPED", 1)
    verdict += f" after {format_duration(ran)}" if ran is not None else ""
    stopper = caller_words(background.stopper)
    stopped = ("Stopped", (f"{day_time(moment_of(task, 'stoppingAt'), zone)} by {stopper} (CloudTrail)" if stopper else "",))
    said = ("Said", (SEPARATOR.join(explanation.said),))
    labels = [("Cause", (explanation.cause,)), said, stopped, log, ("Next", (explanation.next,))]
    return Report(title=(name, f"task {short_task(arn)}", verdict), labels=_kept(labels))


def _of_launch(launch: Launch | None, zone: ZoneInfo) -> Report:
    if launch is None:
        return Report(title=(UNKNOWN,), labels=(("Cause", (either("Nothing is known of it.", "何も分かっていない。"),)),))
    revision = revision_of(str((launch.request or {}).get("taskDefinition") or ""))
    title = (definition_name(launch.family, revision), f"launched {day_time(launch.at, zone)}", "LAUNCHED", launch.launch_id)
    tasks = ", ".join(short_task(arn) for arn in launch.task_arns)
    launched = len(launch.task_arns)
    cause = either(
        f"Nothing went wrong: {launched} of {launch.count} tasks were launched ({tasks}).",
        f"異常なし。{launch.count} タスク中 {launched} が起動された({tasks})。",
    )
    look = either("Look at the task", "タスクを確認")
    following = f"{look}: hinoban why {short_task(launch.task_arns[0])}" if launch.task_arns else nothing_now()
    return Report(title=title, labels=_kept([("Cause", (cause,)), ("Next", (following,))]))


def _log(log_tail: Sequence[str] | None, task_arn: str | None, full: bool) -> tuple[str, ...]:
    lines = [one_line(line) for line in log_tail or () if line.strip()]
    if not lines:
        return ()
    if full:
        return tuple(lines)
    kept = (
        either(f"{len(lines)} line{'s' if len(lines) > 1 else ''} kept", f"保存 {len(lines)} 行") + f": hinoban logs {short_task(task_arn)}"
    )
    return (f"{lines[-1]}      ({kept})",)


def _no_log(unread: bool) -> str:
    if unread:
        return either(f"{UNKNOWN}: no line was kept", "不明: 保存された行がない")
    return either("It printed nothing.", "出力なし。")


def _kept(labels: Sequence[tuple[str, Sequence[str]]]) -> Labels:
    return tuple((label, tuple(one_line(text) for text in texts)) for label, texts in labels if texts and texts[0])


def _shorten(lines: list[str], room: int) -> list[str]:
    if len(lines) <= room:
        return lines
    if room < 3:
        return lines[-max(room, 0) :] if room > 0 else []
    kept = room - 2
    return [lines[0], f"  ... {len(lines) - 1 - kept} more attempts (--full)", *lines[-kept:]]

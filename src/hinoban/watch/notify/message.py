"""What is told about an incident: an alert, its text on the console and its JSON for a webhook. Pure; channels only carry it."""

from collections.abc import Sequence
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from hinoban.base.text import one_line
from hinoban.base.units import iso
from hinoban.watch.explain.language import either
from hinoban.watch.incident_states import QUIET
from hinoban.watch.incidents import Change, starter_class
from hinoban.watch.model import Incident
from hinoban.watch.notify import grouped
from hinoban.watch.notify.labels import padded
from hinoban.watch.notify.next_words import next_step
from hinoban.watch.notify.report import attempt_json, why_json, why_text
from hinoban.watch.notify.wording import (
    SEPARATOR,
    clock_time,
    definition_name,
    due_words,
    escalated_words,
    not_retried,
    ran_of,
    schedule_words,
    short_cause,
    short_task,
    state_of,
    verdict_of,
)

Severity = Literal["critical", "warning", "info"]

_CALLERS_ERRORS = (
    "ClientException",
    "ClusterNotFoundException",
    "InvalidParameterException",
    "SerializationException",
    "ValidationException",
)
"""What RunTask throws for a call that is wrong in itself (facts/ecs.md §3.3)."""

UTC = ZoneInfo("UTC")
Labels = tuple[tuple[str, str], ...]
SCHEMA = 1
"""The version of the webhook's JSON; it grows when a field changes its meaning or goes, not when one is added."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message: a title, then labels. A quiet one has no labels."""

    incident: str
    change: Change
    at: float
    severity: Severity
    title: str
    labels: tuple[tuple[str, str], ...] = ()


def alert(incident: Incident, change: Change, zone: ZoneInfo = UTC) -> Message:
    """The message that an incident `opened`, `changed`, was `escalated` or `resolved`, or healed before it had to be told (`quiet`).

    Of an incident that speaks for a group (groups.face_of): about the group.
    """
    title, labels = _words(incident, change, zone)
    return Message(
        incident=incident.id,
        change=change,
        at=incident.opened_at if change == "opened" else incident.resolved_at or incident.changed_at,
        severity=_severity(incident, change),
        title=one_line(title),
        labels=tuple((label, one_line(text)) for label, text in labels if text),
    )


def console_lines(message: Message, zone: ZoneInfo) -> list[str]:
    """The message as one block: the time with its zone, the title, the labels under it."""
    return titled_lines(message.at, message.title, message.labels, zone)


def titled_lines(at: float, title: str, labels: Sequence[tuple[str, str]], zone: ZoneInfo) -> list[str]:
    """A title behind its time, its labels under it."""
    time = clock_time(at, zone)
    indent = " " * (len(time) + 1)
    return [f"{time} {title}", *(f"{indent}{padded(label)}{text}" for label, text in labels)]


def webhook_payload(incident: Incident, change: Change, *, url: str | None = None) -> dict[str, Any]:
    """The webhook's JSON; docs/webhook.md lists the fields. `url` is where the dashboard shows the incident, if it does."""
    finding = incident.finding
    message = alert(incident, change)
    return {
        "schema": SCHEMA,
        "id": f"{incident.id}/{change}/{round(message.at * 1000)}",
        "change": change,
        "severity": message.severity,
        "title": message.title,
        "incident": incident.id,
        "state": incident.state,
        "verdict": incident.verdict,
        "detector": finding.detector,
        "code": finding.explanation.code,
        "family": finding.family,
        "revision": finding.revision,
        "cluster": finding.cluster,
        "account": finding.account,
        "region": finding.region,
        "task": finding.task_arn,
        "launch": finding.launch_id,
        "started_by": finding.started_by,
        "owner": finding.facts.get("owner"),
        "cause": finding.explanation.cause,
        "said": list(finding.explanation.said),
        "done": list(incident.done),
        "next": grouped.next_for_all(incident) or next_step(incident),
        "retryable": finding.explanation.retryable,
        "attempts": [attempt_json(one) for one in incident.attempts],
        "happened_at": iso(finding.at),
        "opened_at": iso(incident.opened_at),
        "changed_at": iso(incident.changed_at),
        "resolved_at": None if incident.resolved_at is None else iso(incident.resolved_at),
        "group": grouped.group_json(incident),
        "why": f"hinoban why {incident.id}",
        "url": url,
    }


def incident_row(incident: Incident) -> tuple[str, str, str, str, str]:
    """Id, state, what, verdict and cause: a line of `hinoban incidents`."""
    finding = incident.finding
    return (
        incident.id,
        incident.state.upper(),
        definition_name(finding.family, finding.revision),
        verdict_of(incident),
        one_line(finding.explanation.cause),
    )


def _words(incident: Incident, change: Change, zone: ZoneInfo) -> tuple[str, Labels]:
    if change == "quiet":
        return _quiet_title(incident), ()
    title, labels = _title(incident, change, zone), _labels(incident, change)
    if incident.group is not None and incident.group.shown is not None:
        shown = incident.group.shown
        state = state_of(incident) if incident.state in QUIET else ""
        title = SEPARATOR.join(part for part in (grouped.title(shown, incident, change, zone), state, incident.id) if part)
        labels = grouped.labels(shown, incident, change, labels, zone)
    return f"{escalated_words(incident)} · {title}" if change == "escalated" else title, labels


def _title(incident: Incident, change: Change, zone: ZoneInfo) -> str:
    finding = incident.finding
    parts = [
        definition_name(finding.family, finding.revision),
        due_words(finding, zone) or schedule_words(finding),
        f"task {short_task(finding.task_arn)}" if finding.task_arn else "",
        (ran_of(finding.facts) or "") if finding.detector == "overdue" and change in ("opened", "changed") else "",
        verdict_of(incident),
        state_of(incident) if change == "resolved" or incident.state in QUIET else "",
        incident.id,
    ]
    return SEPARATOR.join(part for part in parts if part)


def _quiet_title(incident: Incident) -> str:
    retries = sum(1 for one in incident.attempts if one.number > 1 and (one.task_arn is not None or one.outcome == "refused"))
    counted = either(f", {retries} {'retry' if retries == 1 else 'retries'}", f"、再試行 {retries} 回") if retries else ""
    what, verdict = incident.finding.family or "unknown family", verdict_of(incident)
    if incident.verdict == incident.finding.verdict:
        verdict += f", {grouped.made_up_words()}" if incident.made_up else f", {state_of(incident)}"
    return f"{what} {verdict} ({short_cause(incident.finding.explanation.code)}{counted}) {incident.id}"


def _labels(incident: Incident, change: Change) -> Labels:
    explanation, done = incident.finding.explanation, " ".join(incident.done)
    owner = str(incident.finding.facts.get("owner") or "")
    if change == "resolved":
        # An overdue task's end has words of its own; of all others the words were told when they failed.
        said = SEPARATOR.join(explanation.said) if incident.finding.detector == "overdue" else ""
        done = done or either("Nothing: it ended without Hinoban's doing.", "なし: Hinoban の操作なしに終わった。")
        return ("Said", said), ("Owner", owner), ("Done", done), ("Next", next_step(incident))
    then = next_step(incident)
    if incident.finding.detector == "overdue" or (not done and len(incident.attempts) < 2):
        then = f"{then}      {not_retried(incident.finding)}".rstrip()
    said = SEPARATOR.join(explanation.said)
    return ("Cause", explanation.cause), ("Said", said), ("Owner", owner), ("Done", done), ("Next", then)


def _severity(incident: Incident, change: Change) -> Severity:
    if change in ("resolved", "quiet"):
        return "info"
    finding = incident.finding
    if finding.detector == "mute_ended":
        return "info"
    # A wrong call by hand has told its caller already; one of a schedule has told nobody.
    callers = finding.facts.get("error_code") in _CALLERS_ERRORS and starter_class(finding.started_by) == "hand"
    if finding.detector in ("policy_mismatch", "schedule_changed"):
        return "info" if finding.detector == "policy_mismatch" or incident.state == "resolved" else "warning"
    return "warning" if finding.detector in ("overdue", "overlap") or callers else "critical"


__all__ = ["Change", "Message", "alert", "console_lines", "incident_row", "webhook_payload", "why_json", "why_text"]

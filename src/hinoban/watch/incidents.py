"""What happens to an incident: opened, changed, resolved, and whether people are told. Pure; pipeline and runners carry it out.

An incident's id derives from its subject. A retry's tasks belong to the incident they retry: later evidence changes class and text,
never the id (incident_states.py: its states). It tells when it opens, when its verdict changes, and when it is resolved. A transient
failure under retry is held back; healed inside the hold, it is one quiet line.
"""

from typing import Literal

import msgspec

from hinoban.base.clock import SECONDS
from hinoban.base.ids import derived_id
from hinoban.base.units import format_duration, parse_iso
from hinoban.watch.explain.language import either
from hinoban.watch.incident_states import QUIET, follow
from hinoban.watch.kinds import CUT_OFF, NOT_STARTED, about_no_run
from hinoban.watch.model import Attempt, Finding, Incident, IncidentState, TaskChange, attempt_of, input_of, revision_of, stopped_by_us

Change = Literal["opened", "changed", "escalated", "resolved", "quiet"]
_OF_A_RUN = NOT_STARTED | CUT_OFF | {"failed_exit", "out_of_memory", "missed_run"}
"""What another run can make up for."""
_REMINDED = "Reminded"
RUNNING_OUTCOMES = ("launched", "running", "in doubt")


class Step(msgspec.Struct, frozen=True):
    """An incident's new value, and what is told of it (None: nothing)."""

    incident: Incident
    tell: Change | None = None


def incident_id(subject: str) -> str:
    """The id of the incident about `subject`: always the same."""
    return derived_id("inc", subject)


def opened(finding: Finding, now: float, *, held_until: float | None, missing: int = 1, done: tuple[str, ...] = ()) -> Step:
    """A new incident; held back where a retry may heal it."""
    launched_at = finding.facts.get("created_at", finding.at)
    outcome = _outcome(finding)
    first = Attempt(number=1, at=launched_at, started_by=finding.started_by, outcome=outcome or "", task_arn=finding.task_arn)
    incident = Incident(
        id=incident_id(finding.subject),
        subject=finding.subject,
        state="open",
        verdict=finding.verdict,
        finding=finding,
        opened_at=now,
        changed_at=now,
        attempts=(first,) if outcome is not None else (),
        done=done,
        held_until=held_until,
        missing=missing,
    )
    return _told(incident, None if held_until is not None else "opened")


def _outcome(finding: Finding) -> str | None:
    """What became of the first attempt; None where the matter is no run."""
    if about_no_run(finding):
        return "running" if finding.detector == "overlap" else None
    if finding.detector in NOT_STARTED:
        return "refused" if finding.launch_id and not finding.task_arn else "not started"
    if finding.detector in CUT_OFF:
        return finding.verdict.lower()
    match finding.detector:
        case "failed_exit" | "out_of_memory":
            return finding.verdict.lower()
        case "missed_run":
            return "missed"
        case "overdue":
            return "overdue"
        case "stuck":
            return "launched"
    return None


def evidence(incident: Incident, finding: Finding, now: float) -> Step | None:
    """A further finding about the same subject or about a retry of it; None where it says nothing new."""
    if incident.verdict == finding.verdict and incident.finding.detector == finding.detector:
        return None
    if incident.state == "resolved" and finding.at <= (incident.resolved_at or 0):
        return None
    if incident.finding.detector == "stuck" and (outcome := _outcome(finding)) is not None:
        # Only now is it known what became of the first attempt.
        first = (msgspec.structs.replace(one, outcome=outcome) if one.number == 1 else one for one in incident.attempts)
        incident = msgspec.structs.replace(incident, attempts=tuple(first))
    return again(incident, finding, now)


def again(incident: Incident, finding: Finding, now: float) -> Step:
    """The same matter, come back or grown: told once more, whatever was said of it before."""
    # The subject stays: it names the incident.
    kept = msgspec.structs.replace(finding, subject=incident.subject)
    found = msgspec.structs.replace(incident, resolved_at=None, verdict=finding.verdict, finding=kept, held_until=None)
    return _again_open(found, follow(incident.state, "evidence"), now)


def noticed(step: Step, now: float) -> Step:
    """Something to know and nothing to do: told as opened, over at once."""
    return Step(msgspec.structs.replace(step.incident, state="resolved", resolved_at=now), step.tell)


def release(incident: Incident, now: float, refusals_allowed: int) -> Step | None:
    """Tell a held incident whose hold is over: the time is up and nothing runs, or too many retries were refused."""
    if incident.held_until is None or incident.state != "open":
        return None
    refused = sum(1 for attempt in incident.attempts if attempt.number > 1 and attempt.outcome in ("refused", "not started"))
    runs = any(attempt.number > 1 and attempt.outcome in RUNNING_OUTCOMES for attempt in incident.attempts)
    if refused <= refusals_allowed and (now < incident.held_until or runs):
        return None
    return _told(msgspec.structs.replace(incident, held_until=None), "opened")


def give_up(incident: Incident, why: str, now: float) -> Step:
    """No further attempt will be made: told at once where it was held, else as a change."""
    said = msgspec.structs.replace(incident, changed_at=now, held_until=None, done=(*incident.done, why))
    return _told(said, "opened" if incident.told == 0 else "changed")


def stood_down(incident: Incident, why: str, run: TaskChange | None, now: float) -> Step:
    """Somebody else's run stands for the next attempt: the end where it has ended well (`run`), else no further attempt will be made."""
    if run is not None and healed_by(incident, run, run.detail.get("startedBy")):
        step = healed(msgspec.structs.replace(incident, done=(*incident.done, why)), run, now)
        if step.incident.state == "resolved":
            return step
        incident = msgspec.structs.replace(step.incident, done=incident.done)
    return give_up(incident, why, now)


def attempted(incident: Incident, attempt: Attempt, now: float) -> Incident:
    """The incident with `attempt` in place of an earlier word on the same attempt and task."""

    def same(other: Attempt) -> bool:
        return other.number == attempt.number and (other.task_arn is None or attempt.task_arn in (None, other.task_arn))

    kept = [other for other in incident.attempts if not same(other)]
    earlier = next((other for other in incident.attempts if same(other)), None)
    if earlier is not None:
        attempt = msgspec.structs.replace(
            attempt,
            # When it was launched, where that is known; not when it was to be.
            at=attempt.at if attempt.task_arn or earlier.outcome == "waiting" else earlier.at,
            # What an attempt waited for is of no interest once it was made.
            note=attempt.note or (earlier.note if earlier.outcome != "waiting" else ""),
            task_arn=attempt.task_arn or earlier.task_arn,
            token=attempt.token or earlier.token,
            changed=attempt.changed or earlier.changed,
        )
    attempts = tuple(sorted([*kept, attempt], key=lambda one: (one.number, one.task_arn or "")))
    return msgspec.structs.replace(incident, attempts=attempts, changed_at=now)


def of_retry(incident: Incident, change: TaskChange, finding: Finding | None, well: bool, now: float) -> Step:
    """The news of a retry's task. RUNNING: noted. Ended well: RECOVERED once every missing task did. Ended badly: the incident changes."""
    named = attempt_of(change.detail.get("startedBy"))
    number = named[1] if named else 1
    outcome = "launched"
    if finding is not None:
        outcome = "not started" if finding.detector in NOT_STARTED else finding.verdict.lower()
    elif change.finished:
        outcome = "exit 0" if well else "stopped"
    elif change.detail.get("lastStatus") == "RUNNING":
        outcome = "running"
    starter = change.detail.get("startedBy")
    attempt = Attempt(number=number, at=change_started(change), started_by=starter, outcome=outcome, task_arn=change.task_arn)
    if (
        before := next((a for a in incident.attempts if a.task_arn == change.task_arn and a.number == number), None)
    ) is not None and _ended(before):
        return Step(incident)
    noted = attempted(incident, attempt, now)
    if noted.finding.revision is None:
        # The call named the family alone; its task tells which revision that meant.
        revision = revision_of(str(change.detail.get("taskDefinitionArn") or ""))
        noted = msgspec.structs.replace(noted, finding=msgspec.structs.replace(noted.finding, revision=revision))
    if finding is not None and finding.detector not in NOT_STARTED:
        return evidence(noted, finding, now) or Step(noted)
    if outcome == "stopped" and incident.state != "resolved":
        words = either("Its retry was stopped", "再試行のタスクが停止された")
        why = f"{words}: {change.detail.get('stoppedReason', 'no reason given')}"
        # A person who stops it wants no run; where we did, what was missing still is.
        return give_up(noted, why, now) if stopped_by_us(change) else resolved(noted, "STOPPED", why, now)
    good = _good_retries(noted) + len(noted.made_up)
    if outcome == "exit 0" and good >= incident.missing and incident.state != "resolved" and incident.finding.detector != "overdue":
        return resolved(noted, "RECOVERED", recovered_words(noted), now)
    return Step(noted)


def resolved(incident: Incident, verdict: str, why: str, now: float) -> Step:
    """The end: told aloud only to those who were told that it began, else as one quiet line."""
    # An attempt that still waits is not made any more: the ledger takes its row away with this.
    attempts = tuple(one for one in incident.attempts if one.outcome != "waiting")
    ended = msgspec.structs.replace(
        incident,
        state=follow(incident.state, "resolve"),
        verdict=verdict,
        resolved_at=now,
        changed_at=now,
        held_until=None,
        attempts=attempts,
        done=(*incident.done, why),
    )
    return _told(ended, "resolved" if incident.told else "quiet")


def reminded(incident: Incident, finding: Finding, now: float, when: str) -> Step:
    """An overdue task is told once more; of the reminders only the last is kept."""
    count = int(incident.finding.facts.get("reminders") or 0) + 1
    facts = {**finding.facts, "reminders": count}
    kept = msgspec.structs.replace(finding, subject=incident.subject, facts=facts)
    done = (one for one in incident.done if not one.startswith(_REMINDED))
    words = f"{_REMINDED} {when}." if count == 1 else f"{_REMINDED} {_times(count)}, last {when}."
    changed = msgspec.structs.replace(incident, finding=kept, changed_at=now, done=(*done, words))
    return _told(changed, "changed")


def overdue_ended(incident: Incident, said: tuple[str, ...], why: str, now: float) -> Step:
    """The end of an overdue task: from then on it says what AWS said of it, and no longer that nothing will end it."""
    facts = incident.finding.facts
    if facts.get("orphan"):
        words = either(
            "Its lease ran out and nobody renewed it; no service owned it, so ECS would have let it run.",
            "リースが切れ、誰も更新しなかった。どのサービスにも属さないため、ECS は止めずに動かし続けるところだった。",
        )
    else:
        limit = facts.get("limit_seconds")
        past = f"its limit of {format_duration(limit)}" if limit is not None else "its limit"
        past_ja = f"上限 {format_duration(limit)}" if limit is not None else "上限"
        leased = facts.get("lease_until") is not None
        lease = "and its lease was no end to it" if leased else "and no lease was taken"
        lease_ja = "リースでも終わらない" if leased else "リースもない"
        words = either(
            f"It ran past {past}; no service owned it {lease}, so ECS would have let it run.",
            f"{past_ja}を超えて動いた。どのサービスにも属さず、{lease_ja}ため、ECS は止めずに動かし続けるところだった。",
        )
    explanation = msgspec.structs.replace(incident.finding.explanation, cause=words, said=said)
    finding = msgspec.structs.replace(incident.finding, explanation=explanation)
    return resolved(msgspec.structs.replace(incident, finding=finding), incident.verdict, why, now)


def recovered_words(incident: Incident) -> str:
    """`Retried twice, ran once, exit 0.`"""
    tries = len({attempt.number for attempt in incident.attempts if attempt.number > 1})
    ran = sum(1 for attempt in incident.attempts if attempt.number > 1 and attempt.task_arn and attempt.outcome == "exit 0")
    return either(f"Retried {_times(tries)}, ran {_times(ran)}, exit 0.", f"再試行 {tries} 回、実行 {ran} 回、exit 0。")


def acknowledged(incident: Incident, by: str, until: float | None, now: float) -> Incident:
    """Somebody has taken it; it stays quiet until `until`."""
    return _quieted(incident, follow(incident.state, "acknowledge"), by, until, now)


def snoozed(incident: Incident, by: str, until: float, now: float) -> Incident:
    """Nobody wants to hear of it before `until`; then it is told again, unless it is over by then."""
    return _quieted(incident, follow(incident.state, "snooze"), by, until, now)


def _quieted(incident: Incident, state: IncidentState, by: str, until: float | None, now: float) -> Incident:
    return msgspec.structs.replace(
        incident, state=state, acknowledged_by=by, acknowledged_until=until, changed_at=now, held_until=None, level_since=None
    )


def reopened(incident: Incident, now: float) -> Step:
    """An acknowledgement or a snooze ran out and the matter is not resolved: told again, with whose it was."""
    by, asleep = incident.acknowledged_by or either("unknown", "不明"), incident.state == "snoozed"
    words = either(
        f"The {'snooze' if asleep else 'acknowledgement'} by {by} ended.", f"{by} の{'スヌーズ' if asleep else '確認'}の期限が切れた。"
    )
    # Put off again and again, it is said once.
    said = msgspec.structs.replace(incident, done=(*(one for one in incident.done if one != words), words))
    return _again_open(said, follow(incident.state, "time is up"), now)


def reopened_by(incident: Incident, by: str, now: float) -> Step:
    """A person says that it is not over, or that others shall hear of it again: told again. Attempts that were given up stay so."""
    state = follow(incident.state, "reopen")
    verdict = incident.finding.verdict if incident.state == "resolved" else incident.verdict
    words = either(f"Reopened by {by}.", f"{by} が再開。")
    said = msgspec.structs.replace(incident, verdict=verdict, resolved_at=None, done=(*incident.done, words))
    return _again_open(said, state, now)


def _again_open(incident: Incident, state: IncidentState, now: float) -> Step:
    opened_again = msgspec.structs.replace(incident, state=state, acknowledged_by=None, acknowledged_until=None, changed_at=now)
    return _told(opened_again, "opened" if incident.told == 0 else "changed")


def healed_by(incident: Incident, change: TaskChange, started_by: str | None) -> bool:
    """Whether this run, which ended well, stands for what failed: same family and place, launched after the failure, same kind of starter.

    A run that did not start is made up for by anyone's run, but not by a task of the same call; a failure of the program only by a run
    of the same starter, of those by hand with the same input, and not while an attempt of its own waits or runs; an overdue task by nothing
    but its own end. `started_by` is the run's starter, for a retry the starter of what it retries.

    CloudTrail's moments are whole seconds: of what happened in the same second nobody can say that it came later.
    A slot that is being made up for waits for its own attempt: of several slots each is to run, and the first must not stand for all.
    """
    finding = incident.finding
    if incident.state == "resolved" or finding.detector not in _OF_A_RUN or about_no_run(finding):
        return False
    if finding.subject.startswith(("dead:", "slots:")):
        return False
    not_started = finding.detector in NOT_STARTED
    if ("due_at" in finding.facts or not not_started) and any(one.number > 1 and not _ended(one) for one in incident.attempts):
        return False
    if (finding.account, finding.region, finding.family) != (change.account, change.region, change.family):
        return False
    if finding.cluster != str(change.detail.get("clusterArn", "")).rpartition("/")[2] or change.task_arn == finding.task_arn:
        return False
    if change.task_arn in finding.facts.get("launched", ()):
        return False
    created = change_started(change)
    if created <= finding.at if finding.task_arn is not None else created < finding.at + 1 * SECONDS:
        return False
    kind = starter_class(finding.started_by)
    same = kind == starter_class(started_by) and (kind != "hand" or finding.facts.get("input") == input_of(change.detail))
    return not_started or same


def healed(incident: Incident, change: TaskChange, now: float) -> Step:
    """A run that `healed_by` approved: the end, once as many ended well as did not come to be."""
    noted = msgspec.structs.replace(incident, made_up=tuple(dict.fromkeys((*incident.made_up, change.task_arn))))
    if incident.finding.detector in NOT_STARTED and len(noted.made_up) + _good_retries(noted) < incident.missing:
        return Step(noted)
    words = either("A later run ended well.", "後の実行が正常に終わった。")
    if incident.missing > 1:
        words = either(f"Later runs ended well, {incident.missing} in all.", f"後の実行が計 {incident.missing} 件、正常に終わった。")
    return resolved(noted, incident.verdict, words, now)


def change_started(change: TaskChange) -> float:
    """When the task was created; its event's moment where that is not known."""
    created = change.detail.get("createdAt")
    return parse_iso(created) if created else change.at


def starter_class(started_by: str | None) -> str:
    """A schedule by its name, a service as such, everyone else together."""
    text = started_by or ""
    if text.startswith(("events-rule/", "chronos-schedule/")):
        return text
    return "service" if text.startswith("ecs-svc/") else "hand"


def still_missing(incident: Incident) -> int:
    """How many tasks are still to be brought to a good end; one at the least."""
    return max(1, incident.missing - _good_retries(incident) - len(incident.made_up))


def _good_retries(incident: Incident) -> int:
    return sum(1 for one in incident.attempts if one.number > 1 and one.outcome == "exit 0")


def _ended(attempt: Attempt) -> bool:
    return attempt.outcome not in ("waiting", *RUNNING_OUTCOMES)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _told(incident: Incident, tell: Change | None) -> Step:
    if tell is None or (tell not in ("resolved", "quiet") and incident.state in QUIET):
        return Step(incident)
    return Step(msgspec.structs.replace(incident, told=incident.told + (tell != "quiet")), tell)

"""Plans retries: the first after a failure, the next after an attempt that did not help, and one for each further task of the same run.

Runs inside the pipeline's transaction. Whether and when is retry/'s to decide; retry/runner carries it out.
"""

from collections.abc import Callable

import msgspec
from sqlalchemy import Connection

from hinoban.watch import incidents
from hinoban.watch.config import WatchConfig
from hinoban.watch.history.ledger import Ledger
from hinoban.watch.kinds import NOT_STARTED
from hinoban.watch.model import Attempt, Finding, Incident, Launch, TaskChange
from hinoban.watch.policies import Policies
from hinoban.watch.retry import exits
from hinoban.watch.retry import policy as retry_policy
from hinoban.watch.retry_row import Retry
from hinoban.watch.schedules.slot import Slot
from hinoban.watch.words import clock_time

_NOT_KNOWN = "Not retried so far: the record of its RunTask, which holds the request, has not come."


class Planning:
    """`dice` is chance, `next_slot` when the schedule of a slot runs next after a moment, `launch_of` the launch that brought a task."""

    def __init__(
        self,
        ledger: Ledger,
        policies: Policies,
        config: WatchConfig,
        dice: Callable[[], float],
        next_slot: Callable[[Connection, Slot, float], float | None],
        launch_of: Callable[[Connection, TaskChange], Launch | None],
    ) -> None:
        self._ledger = ledger
        self._policies = policies
        self._config = config
        self._dice = dice
        self._next_slot = next_slot
        self._launch_of = launch_of

    def first(
        self,
        connection: Connection,
        finding: Finding,
        launch: Launch | None,
        change: TaskChange | None,
        slot: Slot | None,
        now: float,
        *,
        incident_id: str | None = None,
    ) -> tuple[Retry | None, str | None]:
        """The first attempt after a failure, or why none is made although somebody asked for it. `change` is the task that failed, if one did."""
        if launch is None and change is not None and finding.detector in NOT_STARTED and finding.explanation.retryable:
            waits = self._policies.start_rule(change)
            return None, _NOT_KNOWN if waits is not None and waits.on_start_failure else None
        rule = self._policies.retry_rule(launch) if launch is not None else None
        if exits.is_exit(finding) and change is not None:
            rule = self._policies.exit_rule(change, launch, finding.facts.get("tags") or {})
            if rule is None or exits.action(finding, change.detail, rule.on_exit) == "EXIT":
                return None, None
            if launch is None:
                return None, _NOT_KNOWN
        if launch is None or rule is None or (finding.detector in NOT_STARTED and not rule.on_start_failure):
            return None, None
        if (refusal := retry_policy.refusal_to_retry(finding, launch)) is not None:
            return None, f"Not retried: {refusal}." if finding.explanation.retryable or exits.is_exit(finding) else None
        named = incident_id or incidents.incident_id(finding.subject)
        next_at = self._next_slot(connection, slot, max(now, slot.at)) if slot is not None else None
        return retry_policy.first_retry(finding, launch, named, rule, now, self._dice(), next_slot=next_at), None

    def further(
        self, connection: Connection, incident: Incident, finding: Finding, change: TaskChange, slot: Slot | None, now: float
    ) -> Incident:
        """The incident with one more task of the same run that failed: one more is missing, and is retried if the first would be."""
        over = incident.state == "resolved" and incident.verdict != "RECOVERED"
        if over or not (exits.is_exit(finding) or finding.detector in NOT_STARTED):
            return incident
        if incident.finding.task_arn != change.task_arn:
            incident = msgspec.structs.replace(incident, missing=incident.missing + 1)
        if finding.detector not in NOT_STARTED and not self._policies.retry_exits:
            return incident
        return self.failed(connection, incident, finding, change, self._launch_of(connection, change), slot, now)

    def failed(
        self,
        connection: Connection,
        incident: Incident,
        finding: Finding,
        change: TaskChange,
        launch: Launch | None,
        slot: Slot | None,
        now: float,
    ) -> Incident:
        """The incident with an attempt planned for a task that failed, if there is to be one and is none."""
        tries = self._ledger.retries_of(connection, incident.id)
        if any(change.task_arn in one.for_tasks for one in tries) or (tries and tries[-1].beside_own):
            return incident
        retry, why_not = self.first(connection, finding, launch, change, slot, now, incident_id=incident.id)
        if why_not is not None and why_not not in incident.done:
            return msgspec.structs.replace(incident, done=(*incident.done, why_not))
        if retry is None:
            return incident
        if tries:
            merged = _joined(tries[-1], retry)
            if merged is None:
                return msgspec.structs.replace(incident, done=(*incident.done, f"Not retried: {tries[-1].number} attempts were made."))
            retry = merged
        done = tuple(one for one in incident.done if one != _NOT_KNOWN)
        return self.put(connection, msgspec.structs.replace(incident, done=done), retry, now)

    def put(self, connection: Connection, incident: Incident, retry: Retry, now: float) -> Incident:
        """Write the attempt's row; the incident that shows it."""
        self._ledger.put_retry(connection, retry)
        return incidents.attempted(incident, waiting(retry), now)

    def after_refusal(
        self,
        connection: Connection,
        incident_id: str,
        number: int,
        missing: int,
        retryable: bool,
        now: float,
        *,
        off_spot: bool = False,
        ran: bool = False,
    ) -> None:
        """Plan the attempt after one that did not bring its tasks, or whose task `ran` and failed; or give up and say so."""
        tries = self._ledger.retries_of(connection, incident_id)
        mine = next((retry for retry in tries if retry.number == number), None)
        incident = self._ledger.incident(connection, incident_id)
        if mine is None or incident is None or incident.state == "resolved":
            return
        last = tries[-1]
        why = (
            "it cannot help"
            if not retryable
            else "its policy retries no failure to start"
            if not (ran or mine.rule.on_start_failure)
            else ""
        )
        if not why and last.state == "waiting":
            # Others of the same run failed before: together.
            self._ledger.put_retry(connection, msgspec.structs.replace(last, missing=last.missing + missing))
            return
        following = None if why else retry_policy.next_retry(last, missing, now, self._dice(), off_spot=off_spot)
        if following is None:
            why = why or f"{last.number} attempts since {clock_time(incident.opened_at, self._config.tz)}"
            self._ledger.put(connection, incidents.give_up(incident, f"Gave up: {why}.", now), now)
            return
        noted = self.put(connection, incident, following, now)
        step = incidents.release(noted, now, self._config.hold_refusals)
        self._ledger.put(connection, step or incidents.Step(noted), now)

    def after_exit(self, connection: Connection, incident_id: str, number: int, finding: Finding, change: TaskChange, now: float) -> None:
        """Plan the attempt after one whose program ran and ended badly, if its rule says so. One that somebody asked for is told."""
        mine = next((retry for retry in self._ledger.retries_of(connection, incident_id) if retry.number == number), None)
        if mine is None or not exits.is_exit(finding):
            return
        if exits.action(finding, change.detail, mine.rule.on_exit) == "RETRY":
            off_spot = finding.detector == "spot_interrupted"
            self.after_refusal(connection, incident_id, number, 1, True, now, off_spot=off_spot, ran=True)
            return
        incident = self._ledger.incident(connection, incident_id)
        if not mine.beside_own or incident is None or incident.state == "resolved" or incident.finding.task_arn == change.task_arn:
            return  # nobody waits for it, or it ended in another way, which has been told
        if not any(one.number == number and one.outcome in incidents.RUNNING_OUTCOMES for one in incident.attempts):
            why = f"Attempt {number} ended in the same way: {finding.verdict}."
            self._ledger.put(connection, incidents.give_up(incident, why, now), now)


def waiting(retry: Retry) -> Attempt:
    """The attempt to come, as the incident shows it."""
    return Attempt(
        number=retry.number,
        at=retry.due_at,
        started_by=retry.started_by,
        outcome="waiting",
        token=retry.token,
        changed=retry_policy.as_sent(retry).words,
    )


def _joined(last: Retry, more: Retry) -> Retry | None:
    """The attempt that also brings what `more` would; None where attempts are used up."""
    if last.state == "waiting":
        return msgspec.structs.replace(
            last,
            missing=last.missing + more.missing,
            for_tasks=(*last.for_tasks, *more.for_tasks),
            original_tasks=tuple(dict.fromkeys((*last.original_tasks, *more.original_tasks))),
            off_spot=last.off_spot or more.off_spot,
        )
    if last.number >= last.rule.attempts:
        return None
    return msgspec.structs.replace(more, number=last.number + 1, deadline_at=last.deadline_at, failed_at=last.failed_at)

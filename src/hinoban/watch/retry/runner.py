"""Carries out retries: looks first, writes the attempt's row as `launching`, then calls RunTask with the attempt's own clientToken.

No launch can happen twice: after a crash or a lost answer the same token is sent again (facts/ecs.md §3.6), a new one only after a
refusal that was read. A token protects min(24 h, task life + 1 h); an attempt in doubt after that is told, never launched.
"""

import logging
from collections.abc import Callable
from typing import Any

import msgspec
from sqlalchemy import Connection

from hinoban.aws.client import EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import HOURS, MINUTES, SECONDS, Clock
from hinoban.watch import incidents
from hinoban.watch.allow import run_task_command, would_have
from hinoban.watch.config import RetryBudget
from hinoban.watch.detect.blind import OF_RIGHTS
from hinoban.watch.explain import explain_launch_error, explain_launch_failure
from hinoban.watch.model import Attempt, Explanation, Launch, LaunchFailure
from hinoban.watch.places import Behind, Clients
from hinoban.watch.retry import policy
from hinoban.watch.retry.budget import spent
from hinoban.watch.retry.desk import Desk
from hinoban.watch.retry.general import LEAST, Outcome, Wall
from hinoban.watch.retry.look import Look, named
from hinoban.watch.retry_row import Retry
from hinoban.watch.rights import Rights

IN_DOUBT = 24 * HOURS
SHORT_LIFE = 1 * HOURS - 5 * MINUTES
"""How long a token, and a stopped task, are sure to be known to AWS where the task ended at once; five minutes are for clocks."""
BEHIND_DELAY = 2 * SECONDS
AFTER_DELAY = 2 * SECONDS
BESIDE_DELAY = 10 * SECONDS
"""How often it is asked whether a run of the family still lives."""
OTHERS_DELAY = 60 * SECONDS
"""For so long after somebody else's refused launch it is left to them: who retries at every refusal has the next one on its way."""
MAKE_UP_TIME = 20 * MINUTES
TICK = 0.001
log = logging.getLogger(__name__)


class RetryRunner:
    """One attempt after the other, each in its own transactions. `behind` says why nothing may be launched now (None: it may)."""

    def __init__(
        self,
        pipeline: Desk,
        clients: Clients,
        clock: Clock,
        *,
        behind: Behind,
        gap_at: Callable[[str, str], float | None],
        budget: RetryBudget,
        rights: Rights,
    ) -> None:
        self._pipeline = pipeline
        self._clients = clients
        self._clock = clock
        self._behind = behind
        self._gap_at = gap_at
        self._rights = rights
        self._budget = budget
        self._look = Look(pipeline, clients)

    async def step(self, now: float) -> float | None:
        """Carry out what is due; when the next attempt is."""
        with self._pipeline.transaction() as connection:
            todo = self._pipeline.ledger.retries_to_do(connection)
        held: dict[tuple[str, int], float] = {}
        walls, made = self._pipeline.launches.walls(now), 0
        for retry in todo:
            now = self._clock.now()
            if retry.due_at > now:
                continue
            if (why := self._behind(retry.account, retry.region)) is not None:
                log.info("%s waits: %s", retry.started_by, why)
                held[(retry.incident_id, retry.number)] = now + BEHIND_DELAY
                continue
            if retry.after is not None and self._under_way(retry.after):
                self._wait(retry, AFTER_DELAY)
                continue
            if (until := _hold(retry, walls.get((retry.account, retry.region)), now)) is not None:
                held[(retry.incident_id, retry.number)] = until
                continue
            try:
                await self._attempt(retry)
            except EndpointUnreachable as error:
                log.warning("attempt %s: %s", retry.started_by, error)
                self._later(retry)
            except AwsError as error:
                log.warning("attempt %s: %s", retry.started_by, error)
                self._unseen(retry, error)
            made += 1
            if walls or made % LEAST == 0:
                # Before so many were refused there is no wall; once there is one, each attempt may end it.
                walls = self._pipeline.launches.walls(self._clock.now())
        with self._pipeline.transaction() as connection:
            left = self._pipeline.ledger.retries_to_do(connection)
        return min((max(one.due_at, held.get((one.incident_id, one.number), 0.0)) for one in left), default=None)

    def _under_way(self, incident_id: str) -> bool:
        """Whether an attempt of that incident waits or runs."""
        with self._pipeline.transaction() as connection:
            incident = self._pipeline.ledger.incident(connection, incident_id)
        going = ("waiting", *incidents.RUNNING_OUTCOMES)
        return incident is not None and incident.state != "resolved" and any(one.outcome in going for one in incident.attempts)

    def _wait(self, retry: Retry, seconds: float, words: str = "") -> None:
        """Not yet. Somebody else's failure does not wait for long; a run that is made up for is not lost by waiting."""
        now = self._clock.now()
        due = now + seconds
        later = max(retry.deadline_at, due + MAKE_UP_TIME) if retry.beside_own else retry.deadline_at
        with self._pipeline.transaction() as connection:
            if (row := self._row(connection, retry)) is None or row.state != "waiting":
                return
            self._pipeline.ledger.put_retry(connection, msgspec.structs.replace(row, due_at=due, deadline_at=later))
            incident = self._pipeline.ledger.incident(connection, retry.incident_id)
            if incident is not None and words and words not in (one.note for one in incident.attempts if one.number == retry.number):
                noted = incidents.attempted(incident, _attempt(retry, "waiting", due, note=words), now)
                self._pipeline.note(connection, noted, now)

    def _postpone(self, retry: Retry, seconds: float) -> None:
        with self._pipeline.transaction() as connection:
            if (row := self._row(connection, retry)) is not None and row.state in ("waiting", "launching"):
                self._pipeline.ledger.put_retry(connection, msgspec.structs.replace(row, due_at=self._clock.now() + seconds))

    def _row(self, connection: Connection, retry: Retry) -> Retry | None:
        """The attempt as it stands now: others write it, too, while AWS is asked."""
        every = self._pipeline.ledger.retries_of(connection, retry.incident_id)
        return next((one for one in every if one.number == retry.number), None)

    async def _attempt(self, retry: Retry) -> None:
        now = self._clock.now()
        found = await self._look.own_tasks(retry)
        if len(found) >= retry.missing:
            self._launched(retry, found, ())
            return
        if retry.state == "launching":
            if self._doubtful(retry, now):
                return
        elif not await self._may_begin(retry, now):
            return
        if (words := self._not_allowed(retry)) is not None:
            self._give_up(retry, "not allowed", words)
            return
        before = retry
        retry = msgspec.structs.replace(
            retry, state="launching", launching_since=retry.launching_since or now, calls=retry.calls + 1, due_at=now
        )
        with self._pipeline.transaction() as connection:
            known = self._pipeline.ledger.incident(connection, retry.incident_id)
            if retry.calls == 1 and known is not None and known.state == "resolved":
                return  # while we looked
            if self._row(connection, retry) != before:
                return  # it is to bring more tasks now: looked at again
            self._pipeline.ledger.put_retry(connection, retry)
        await self._call(retry)

    def _doubtful(self, retry: Retry, now: float) -> bool:
        """Whether it is too late to send the attempt's token again; then it is given up."""
        since, gap = retry.launching_since or now, self._gap_at(retry.account, retry.region)
        if now - since <= IN_DOUBT and (gap is None or gap < since or now - since <= SHORT_LIFE):
            return False
        words = f"Attempt {retry.number} is in doubt: its answer was lost, and AWS no longer protects its token."
        self._give_up(retry, "in doubt", words)
        return True

    def _unseen(self, retry: Retry, error: AwsError) -> None:
        """AWS does not let us look: nothing is launched without, and the deadline holds."""
        now = self._clock.now()
        if retry.state == "launching":
            given_up = self._doubtful(retry, now)
        elif given_up := now > retry.deadline_at:
            why = f"{error.code}: {error.message}".rstrip(": .")
            self._give_up(retry, "given up", f"Gave up: the deadline has passed, and AWS did not say what runs. {why}.")
        if not given_up:
            self._postpone(retry, BESIDE_DELAY)

    async def _may_begin(self, retry: Retry, now: float) -> bool:
        """Whether a first call for this attempt may be made; what keeps it from that is written down."""
        beside = await self._look.beside(retry, now)
        if beside.after is not None:
            self._stand_down(retry, beside.after)
        elif now > retry.deadline_at:
            still = f", and {named(beside.alive)} of its family still runs" if beside.alive is not None else ""
            tried = ", and somebody else tries to launch it, too" if beside.tried_at is not None else ""
            self._give_up(retry, "given up", f"Gave up: the deadline has passed{still or tried}.")
        elif beside.alive is not None:
            self._wait(retry, BESIDE_DELAY, f"waits for {named(beside.alive)} of its family")
        elif beside.tried_at is not None and now < beside.tried_at + OTHERS_DELAY and not retry.beside_own:
            self._wait(retry, beside.tried_at + OTHERS_DELAY - now, "waits: somebody else tries to launch it, too")
        elif (why := self._spent(retry, now)) is not None:
            self._give_up(retry, "over budget", f"Not retried: {why}.")
        else:
            return True
        return False

    def _spent(self, retry: Retry, now: float) -> str | None:
        with self._pipeline.transaction() as connection:
            launched = self._pipeline.ledger.launched_since(connection, now - self._budget.window)
        return spent(retry, launched, self._budget)

    def _not_allowed(self, retry: Retry) -> str | None:
        by_hand = run_task_command(policy.request(retry), retry.region)
        with self._pipeline.transaction() as connection:
            incident = self._pipeline.ledger.incident(connection, retry.incident_id)
        tags = incident.finding.facts.get("tags") if incident is not None else None
        allowed = self._rights.of_launch(self._as_launch(retry), tags or {})
        return would_have("run_task", allowed, about=f"attempt {retry.number}", by_hand=by_hand)

    async def _call(self, retry: Retry) -> None:
        self._pipeline.launches.trying((retry.account, retry.region), self._clock.now())
        try:
            answer = await self._clients.at(retry.account, retry.region).call("ecs", "RunTask", policy.request(retry))
        except EndpointUnreachable:
            self._later(retry)  # it may have run: the same token again
            return
        except AwsError as error:
            if error.code == "ConflictException" and (arns := tuple((error.fields or {}).get("resourceIds") or ())):
                self._launched(retry, arns, ())
            elif error.status >= 500:
                self._later(retry)
            else:
                explained = explain_launch_error(error.code, error.message, self._as_launch(retry))
                if explained.code in OF_RIGHTS:
                    by_hand = run_task_command(policy.request(retry), retry.region)
                    self._give_up(retry, "refused", f"Gave up: the watch may not launch it ({error.code}). By hand: {by_hand}")
                else:
                    self._refused(retry, explained, f"{error.code}: {error.message}")
            return
        arns = tuple(task["taskArn"] for task in answer.get("tasks") or ())
        failures = tuple(LaunchFailure(f.get("reason", ""), f.get("arn"), f.get("detail")) for f in answer.get("failures") or ())
        if arns:
            self._launched(retry, arns, failures)
        else:
            explanation = explain_launch_failure(failures, self._as_launch(retry)) if failures else None
            self._refused(retry, explanation, failures[0].reason if failures else "no task and no reason given")

    def _launched(self, retry: Retry, arns: tuple[str, ...], failures: tuple[LaunchFailure, ...]) -> None:
        now = self._clock.now()
        self._tell_recent(retry, None, now)
        with self._pipeline.transaction() as connection:
            self._end(connection, retry, "launched")
            incident = self._pipeline.ledger.incident(connection, retry.incident_id)
            if incident is None:
                return
            known = {attempt.task_arn for attempt in incident.attempts}
            for arn in arns:
                if arn not in known:
                    incident = incidents.attempted(incident, _attempt(retry, "launched", now, task_arn=arn), now)
            self._pipeline.note(connection, incident, now)
            if len(arns) < retry.missing:
                explanation = explain_launch_failure(failures, self._as_launch(retry)) if failures else None
                self._again(connection, retry, retry.missing - len(arns), explanation, now)

    def _refused(self, retry: Retry, explanation: Explanation | None, why: str) -> None:
        """`explanation` None: AWS gave no reason, so that it may pass."""
        now = self._clock.now()
        self._tell_recent(retry, explanation.code if explanation is not None else "unknown", now)
        with self._pipeline.transaction() as connection:
            self._end(connection, retry, "refused")
            self._note(connection, retry, "refused", why, now)
            self._again(connection, retry, retry.missing, explanation, now)

    def _again(self, connection: Connection, retry: Retry, missing: int, explanation: Explanation | None, now: float) -> None:
        retryable = explanation is None or explanation.retryable
        off_spot = explanation is not None and policy.no_spot(explanation.code, policy.request(retry))
        self._pipeline.after_refusal(connection, retry.incident_id, retry.number, missing, retryable, now, off_spot=off_spot)

    def _tell_recent(self, retry: Retry, code: str | None, now: float) -> None:
        outcome = Outcome(at=now, place=(retry.account, retry.region), family=retry.family, code=code, ours=True)
        self._pipeline.launches.note(outcome)

    def _give_up(self, retry: Retry, state: str, words: str) -> None:
        now = self._clock.now()
        with self._pipeline.transaction() as connection:
            self._end(connection, retry, state)
            self._note(connection, retry, state, "", now)
            incident = self._pipeline.ledger.incident(connection, retry.incident_id)
            if incident is not None and incident.state != "resolved":
                self._pipeline.ledger.put(connection, incidents.give_up(incident, words, now), now)

    def _stand_down(self, retry: Retry, task_arn: str) -> None:
        now = self._clock.now()
        with self._pipeline.transaction() as connection:
            self._end(connection, retry, "stood down")
            self._note(connection, retry, "stood down", "", now)
            words = f"Stood down: {named(task_arn)} was launched after the failure by someone else."
            self._pipeline.stood_down(connection, retry.incident_id, task_arn, words, now)

    def _later(self, retry: Retry) -> None:
        self._postpone(retry, min(60 * SECONDS, 1 * SECONDS * 2 ** min(retry.calls, 10)))

    def _end(self, connection: Connection, retry: Retry, state: str) -> None:
        self._pipeline.ledger.put_retry(connection, msgspec.structs.replace(retry, state=state))

    def _note(self, connection: Connection, retry: Retry, outcome: str, note: str, now: float) -> None:
        incident = self._pipeline.ledger.incident(connection, retry.incident_id)
        if incident is not None:
            self._pipeline.note(connection, incidents.attempted(incident, _attempt(retry, outcome, now, note=note), now), now)

    def _as_launch(self, retry: Retry) -> Launch:
        request: dict[str, Any] = retry.request
        return Launch(event_id="", launch_id="", at=retry.failed_at, account=retry.account, region=retry.region, request=request)


def _hold(retry: Retry, wall: Wall | None, now: float) -> float | None:
    """Until when an attempt waits because a failure is general: one at a time tries, the others come when it was accepted."""
    if wall is None or retry.beside_own or retry.state == "launching" or now >= wall.next_probe or now > retry.deadline_at:
        return None
    return min(wall.next_probe, retry.deadline_at + TICK)


def _attempt(retry: Retry, outcome: str, at: float, *, task_arn: str | None = None, note: str = "") -> Attempt:
    return Attempt(
        number=retry.number,
        at=at,
        started_by=retry.started_by,
        outcome=outcome,
        task_arn=task_arn,
        note=note,
        token=retry.token,
        changed=policy.as_sent(retry).words,
    )

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
from hinoban.base.units import parse_iso
from hinoban.watch import incidents
from hinoban.watch.allow import EVERYTHING, run_task_command, would_have
from hinoban.watch.explain import explain_launch_error, explain_launch_failure
from hinoban.watch.history import queries
from hinoban.watch.model import Attempt, Launch, LaunchFailure, attempt_of, task_id_of
from hinoban.watch.places import Behind, Clients
from hinoban.watch.retry import policy
from hinoban.watch.retry.desk import Desk
from hinoban.watch.retry_row import Retry

IN_DOUBT = 24 * HOURS
SHORT_LIFE = 1 * HOURS - 5 * MINUTES
"""How long a token, and a stopped task, are sure to be known to AWS where the task ended at once; five minutes are for clocks."""
BEHIND_DELAY = 2 * SECONDS
AFTER_DELAY = 2 * SECONDS
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
        allow: frozenset[str] = EVERYTHING,
    ) -> None:
        self._pipeline = pipeline
        self._clients = clients
        self._clock = clock
        self._behind = behind
        self._gap_at = gap_at
        self._allow = allow

    async def step(self, now: float) -> float | None:
        """Carry out what is due; when the next attempt is."""
        with self._pipeline.transaction() as connection:
            todo = self._pipeline.ledger.retries_to_do(connection)
        for retry in todo:
            if retry.due_at > self._clock.now():
                continue
            if (why := self._behind(retry.account, retry.region)) is not None:
                log.info("%s waits: %s", retry.started_by, why)
                self._postpone(retry, BEHIND_DELAY)
                continue
            if retry.after is not None and self._under_way(retry.after):
                self._postpone(retry, AFTER_DELAY)
                continue
            try:
                await self._attempt(retry)
            except (EndpointUnreachable, AwsError) as error:
                log.warning("attempt %s: %s", retry.started_by, error)
                self._later(retry)
        with self._pipeline.transaction() as connection:
            return min((retry.due_at for retry in self._pipeline.ledger.retries_to_do(connection)), default=None)

    def _under_way(self, incident_id: str) -> bool:
        """Whether an attempt of that incident waits or runs."""
        with self._pipeline.transaction() as connection:
            incident = self._pipeline.ledger.incident(connection, incident_id)
        going = ("waiting", *incidents.RUNNING_OUTCOMES)
        return incident is not None and incident.state != "resolved" and any(one.outcome in going for one in incident.attempts)

    def _postpone(self, retry: Retry, seconds: float) -> None:
        with self._pipeline.transaction() as connection:
            self._pipeline.ledger.put_retry(connection, msgspec.structs.replace(retry, due_at=self._clock.now() + seconds))

    async def _attempt(self, retry: Retry) -> None:
        now = self._clock.now()
        found = await self._tasks_of(retry)
        if len(found) >= retry.missing:
            self._launched(retry, found, ())
            return
        if retry.state == "launching":
            since, gap = retry.launching_since or now, self._gap_at(retry.account, retry.region)
            if now - since > IN_DOUBT or (gap is not None and gap >= since and now - since > SHORT_LIFE):
                self._give_up(
                    retry, "in doubt", f"Attempt {retry.number} is in doubt: its answer was lost, and AWS no longer protects its token."
                )
                return
        else:
            other = await self._other_launch(retry)
            if other is not None:
                self._give_up(retry, "stood down", f"Stood down: {other} was launched after the failure by someone else.")
                return
            if now > retry.deadline_at:
                self._give_up(retry, "given up", "Gave up: the deadline has passed.")
                return
        by_hand = run_task_command(policy.request(retry), retry.region)
        if (words := would_have("run_task", self._allow, about=f"attempt {retry.number}", by_hand=by_hand)) is not None:
            self._give_up(retry, "not allowed", words)
            return
        retry = msgspec.structs.replace(
            retry, state="launching", launching_since=retry.launching_since or now, calls=retry.calls + 1, due_at=now
        )
        with self._pipeline.transaction() as connection:
            known = self._pipeline.ledger.incident(connection, retry.incident_id)
            if retry.calls == 1 and known is not None and known.state == "resolved":
                return  # while we looked
            self._pipeline.ledger.put_retry(connection, retry)
        await self._call(retry)

    async def _call(self, retry: Retry) -> None:
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
                explanation = explain_launch_error(error.code, error.message, self._as_launch(retry))
                self._refused(retry, retry.missing, explanation.retryable, f"{error.code}: {error.message}")
            return
        arns = tuple(task["taskArn"] for task in answer.get("tasks") or ())
        failures = tuple(LaunchFailure(f.get("reason", ""), f.get("arn"), f.get("detail")) for f in answer.get("failures") or ())
        if arns:
            self._launched(retry, arns, failures)
        else:
            retryable = explain_launch_failure(failures, self._as_launch(retry)).retryable if failures else True
            self._refused(retry, retry.missing, retryable, failures[0].reason if failures else "no task and no reason given")

    def _launched(self, retry: Retry, arns: tuple[str, ...], failures: tuple[LaunchFailure, ...]) -> None:
        now = self._clock.now()
        with self._pipeline.transaction() as connection:
            self._end(connection, retry, "launched")
            incident = self._pipeline.ledger.incident(connection, retry.incident_id)
            if incident is None:
                return
            known = {attempt.task_arn for attempt in incident.attempts}
            for arn in arns:
                if arn not in known:
                    attempt = Attempt(
                        number=retry.number, at=now, started_by=retry.started_by, outcome="launched", task_arn=arn, token=retry.token
                    )
                    incident = incidents.attempted(incident, attempt, now)
            self._pipeline.note(connection, incident, now)
            if len(arns) < retry.missing:
                retryable = explain_launch_failure(failures, self._as_launch(retry)).retryable if failures else True
                self._pipeline.after_refusal(connection, retry.incident_id, retry.number, retry.missing - len(arns), retryable, now)

    def _refused(self, retry: Retry, missing: int, retryable: bool, why: str) -> None:
        now = self._clock.now()
        with self._pipeline.transaction() as connection:
            self._end(connection, retry, "refused")
            self._note(connection, retry, "refused", why, now)
            self._pipeline.after_refusal(connection, retry.incident_id, retry.number, missing, retryable, now)

    def _give_up(self, retry: Retry, state: str, words: str) -> None:
        now = self._clock.now()
        with self._pipeline.transaction() as connection:
            self._end(connection, retry, state)
            self._note(connection, retry, state, "", now)
            incident = self._pipeline.ledger.incident(connection, retry.incident_id)
            if incident is not None and incident.state != "resolved":
                self._pipeline.ledger.put(connection, incidents.give_up(incident, words, now), now)

    def _later(self, retry: Retry) -> None:
        self._postpone(retry, min(60 * SECONDS, 1 * SECONDS * 2 ** min(retry.calls, 10)))

    def _end(self, connection: Connection, retry: Retry, state: str) -> None:
        self._pipeline.ledger.put_retry(connection, msgspec.structs.replace(retry, state=state))

    def _note(self, connection: Connection, retry: Retry, outcome: str, note: str, now: float) -> None:
        incident = self._pipeline.ledger.incident(connection, retry.incident_id)
        if incident is not None:
            attempt = Attempt(number=retry.number, at=now, started_by=retry.started_by, outcome=outcome, note=note, token=retry.token)
            self._pipeline.note(connection, incidents.attempted(incident, attempt, now), now)

    async def _tasks_of(self, retry: Retry) -> tuple[str, ...]:
        """The attempt's own tasks: what our history knows, and what AWS lists under its startedBy, RUNNING and STOPPED."""
        with self._pipeline.transaction() as connection:
            found = dict.fromkeys(queries.started_by(connection, retry.started_by))
        client = self._clients.at(retry.account, retry.region)
        for status in ("RUNNING", "STOPPED"):
            asked = {"cluster": retry.cluster, "startedBy": retry.started_by, "desiredStatus": status}
            found |= dict.fromkeys([arn async for arn in client.paginate("ecs", "ListTasks", asked, "taskArns")])
        return tuple(found)

    async def _other_launch(self, retry: Retry) -> str | None:
        """A task of the family that somebody else launched after the failure: `task 1dc5c17a`; None where there is none."""
        launch = self._as_launch(retry)
        with self._pipeline.transaction() as connection:
            for row in queries.runs_since(connection, launch.family, retry.failed_at):
                same = (row["cluster"], row["region"], row["account"]) == (launch.cluster, retry.region, retry.account)
                if same and row["arn"] not in retry.original_tasks and self._is_another(retry, row["started_by"]):
                    return f"task {task_id_of(row['arn'])[:8]}"
        arns: list[str] = []
        client = self._clients.at(retry.account, retry.region)
        for status in ("RUNNING", "STOPPED"):
            asked = {"cluster": retry.cluster, "family": launch.family, "desiredStatus": status}
            arns += [arn async for arn in client.paginate("ecs", "ListTasks", asked, "taskArns")]
        wanted = [arn for arn in dict.fromkeys(arns) if arn not in retry.original_tasks]
        for start in range(0, len(wanted), 100):
            answer = await client.call("ecs", "DescribeTasks", {"cluster": retry.cluster, "tasks": wanted[start : start + 100]})
            for task in answer.get("tasks") or ():
                created = task.get("createdAt") or 0
                moment = parse_iso(created) if isinstance(created, str) else float(created)
                if moment > retry.failed_at and self._is_another(retry, task.get("startedBy")):
                    return f"task {task_id_of(task['taskArn'])[:8]}"
        return None

    def _is_another(self, retry: Retry, started_by: str | None) -> bool:
        own = retry.beside_own and started_by is not None and started_by == retry.request.get("startedBy")
        return not own and attempt_of(started_by) is None

    def _as_launch(self, retry: Retry) -> Launch:
        request: dict[str, Any] = retry.request
        return Launch(event_id="", launch_id="", at=retry.failed_at, account=retry.account, region=retry.region, request=request)

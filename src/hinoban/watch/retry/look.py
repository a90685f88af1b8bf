"""Looks before an attempt is launched: for its own tasks, for somebody else's launch after the failure, for a run that lives. Reads only.

What our history knows is asked first; then AWS, which is the truth at that moment.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from hinoban.base.clock import DAYS
from hinoban.base.units import parse_iso
from hinoban.watch.deadlines import name_of
from hinoban.watch.history import queries
from hinoban.watch.kinds import DID_NOT_RUN
from hinoban.watch.model import Launch, attempt_of, family_of, input_of, task_id_of
from hinoban.watch.places import Clients
from hinoban.watch.policies import SCHEDULES
from hinoban.watch.retry.desk import Desk
from hinoban.watch.retry_row import Retry

_LONG_AGO = 30 * DAYS
"""A run that began before is not looked for in our history; AWS lists it all the same."""

Meant = Callable[[str | None], bool]
"""Whether a run with this input stands for the one that failed."""


class _Run(msgspec.Struct, frozen=True):
    arn: str
    started_by: str | None
    created_at: float
    lives: bool
    input: str | None = None
    """As model.input_of says; of one that AWS listed."""


class Beside(msgspec.Struct, frozen=True):
    """Other runs of the family: one that somebody else launched after the failure, and one that lives; ARNs."""

    after: str | None = None
    alive: str | None = None
    tried_at: float | None = None
    """When somebody else's launch of it was refused after the failure of a schedule's run: another retrier is at work."""


class Look:
    """Asks about one attempt."""

    def __init__(self, pipeline: Desk, clients: Clients) -> None:
        self._pipeline = pipeline
        self._clients = clients

    async def own_tasks(self, retry: Retry) -> tuple[str, ...]:
        """The attempt's own tasks: what our history knows, and what AWS lists under its startedBy, RUNNING and STOPPED."""
        with self._pipeline.transaction() as connection:
            found = dict.fromkeys(queries.started_by(connection, retry.started_by))
        client = self._clients.at(retry.account, retry.region)
        for status in ("RUNNING", "STOPPED"):
            asked = {"cluster": retry.cluster, "startedBy": retry.started_by, "desiredStatus": status}
            found |= dict.fromkeys([arn async for arn in client.paginate("ecs", "ListTasks", asked, "taskArns")])
        return tuple(found)

    async def beside(self, retry: Retry, now: float) -> Beside:
        """What of its family runs, or ran, beside the attempt. The tasks of the launch that it repeats, and of its own incident, are itself."""
        meant = self._meant(retry)
        known = self._remembered(retry, now, meant)
        if known.after is not None or known.alive is not None:
            return known
        return msgspec.structs.replace(_judged(retry, await self._listed(retry), lambda run: meant(run.input)), tried_at=known.tried_at)

    def _meant(self, retry: Retry) -> Meant:
        """Whether a run with this input is the one that failed. Of what never began, anybody's run is: they may not know its input."""
        with self._pipeline.transaction() as connection:
            incident = self._pipeline.ledger.incident(connection, retry.incident_id)
        if incident is None or incident.finding.detector in DID_NOT_RUN:
            return lambda given: True
        return lambda given: given == incident.finding.facts.get("input")

    def _remembered(self, retry: Retry, now: float, meant: Meant) -> Beside:
        place = (retry.cluster.rpartition("/")[2], retry.region, retry.account)

        def same(run: _Run) -> bool:
            change = queries.newest_change(connection, name_of(run.arn))
            return meant(input_of(change.detail) if change is not None else None)

        with self._pipeline.transaction() as connection:
            later = queries.runs_since(connection, retry.family, retry.failed_at)
            living = queries.living_since(connection, retry.family, now - _LONG_AGO)
            refused = queries.refused_since(connection, retry.family, retry.failed_at)
            tried = [one.at for one in refused if (one.cluster, one.region, one.account) == place and _retries(one, retry)]
            alive = {row["arn"] for row in living}
            rows = {row["arn"]: row for row in (*later, *living) if (row["cluster"], row["region"], row["account"]) == place}
            runs = [_Run(arn, row["started_by"], row["created_at"] or 0.0, arn in alive) for arn, row in rows.items()]
            return msgspec.structs.replace(_judged(retry, runs, same), tried_at=max(tried, default=None))

    async def _listed(self, retry: Retry) -> list[_Run]:
        client, arns = self._clients.at(retry.account, retry.region), []
        for status in ("RUNNING", "STOPPED"):
            asked = {"cluster": retry.cluster, "family": retry.family, "desiredStatus": status}
            arns += [arn async for arn in client.paginate("ecs", "ListTasks", asked, "taskArns")]
        wanted = [arn for arn in dict.fromkeys(arns) if arn not in retry.original_tasks]
        found: list[_Run] = []
        for start in range(0, len(wanted), 100):
            answer = await client.call("ecs", "DescribeTasks", {"cluster": retry.cluster, "tasks": wanted[start : start + 100]})
            found += [_run(task) for task in answer.get("tasks") or () if family_of(task.get("taskDefinitionArn", "")) == retry.family]
        return found


def _retries(launch: Launch, retry: Retry) -> bool:
    """Whether this is somebody's try to make up for a schedule's run; every schedule's launch is its own run's."""
    scheduled = str(retry.request.get("startedBy") or "").startswith(SCHEDULES)
    return scheduled and attempt_of(launch.started_by) is None and not (launch.started_by or "").startswith(SCHEDULES)


def _run(task: dict[str, Any]) -> _Run:
    created = task.get("createdAt") or 0
    moment = parse_iso(created) if isinstance(created, str) else float(created)
    return _Run(task["taskArn"], task.get("startedBy"), moment, task.get("lastStatus") != "STOPPED", input_of(task))


def _judged(retry: Retry, runs: list[_Run], same: Callable[[_Run], bool]) -> Beside:
    """Only the `same` run, launched by somebody else, stands for the attempt; any that lives is waited for.

    A run of ours for another incident is nobody else's, but lives. One that makes up for a missed run takes no offence at later ones of its
    own schedule. A service's tasks are no runs.
    """
    others = [
        one
        for one in runs
        if one.arn not in retry.original_tasks
        and (attempt_of(one.started_by) or ("",))[0] != retry.incident_id
        and not (one.started_by or "").startswith("ecs-svc/")
    ]
    own = retry.request.get("startedBy") if retry.beside_own else None
    after = (
        one
        for one in others
        if one.created_at > retry.failed_at and attempt_of(one.started_by) is None and (own is None or one.started_by != own)
    )
    alive = [one for one in others if one.lives]
    return Beside(next((one.arn for one in after if same(one)), None), alive[0].arn if alive else None)


def named(task_arn: str) -> str:
    """`task 1dc5c17a`."""
    return f"task {task_id_of(task_arn)[:8]}"

"""`hinoban retry`: runs once more what failed, with the request it was launched with. Queued as every retry is, so that it never runs twice."""

from typing import Any

import msgspec
from sqlalchemy import Connection

from hinoban.base.clock import HOURS, Clock
from hinoban.base.errors import HinobanError
from hinoban.watch import incidents
from hinoban.watch.allow import run_task_command
from hinoban.watch.answers import Answers
from hinoban.watch.answers_incidents import launch_of
from hinoban.watch.by_hand import Asked, ByHand, command, queue
from hinoban.watch.config import RetryRule
from hinoban.watch.history import queries
from hinoban.watch.kinds import about_no_run
from hinoban.watch.model import Incident, task_id_of
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.places import Clients
from hinoban.watch.retry.look import Look
from hinoban.watch.retry.policy import HIDDEN
from hinoban.watch.retry_row import Retry
from hinoban.watch.rights import Rights
from hinoban.watch.schedules.slot import Slot


class RetryByHand:
    """Finds what is meant, looks whether it may run now, and plans the attempt."""

    def __init__(self, pipeline: Pipeline, clients: Clients, clock: Clock, answers: Answers, by_hand: ByHand, *, rights: Rights) -> None:
        self._pipeline = pipeline
        self._clock = clock
        self._answers = answers
        self._by_hand = by_hand
        self._look = Look(pipeline, clients)
        self._rights = rights

    async def retry(self, name: str, by: str) -> dict[str, Any]:
        """`{"name", "incident", "attempt", "outcome", "others"}`; HinobanError where nothing failed, the request is not known in full, or it runs.

        The incident that speaks for several stands for all of them that are lost: `others` are the further ones, in the same fields; the
        attempt of one that cannot be retried is null, and its outcome says why.
        """
        several = self._told_together(name)
        if not several:
            return await self._retry(name, by) | {"others": []}
        queued: list[dict[str, Any]] = []
        left: list[tuple[str, HinobanError]] = []
        for one in several:
            try:
                queued.append(await self._retry(one, by))
            except HinobanError as error:
                left.append((one, error))
        if not queued:
            whys, todos = (dict.fromkeys(part) for part in zip(*((error.why, error.todo) for _, error in left), strict=True))
            raise HinobanError(f"None of the {len(left)} runs was retried", "; ".join(whys), "   ".join(todos))
        others = [{"name": one, "incident": one, "attempt": None, "outcome": f"not queued: {error.why}"} for one, error in left]
        return queued[0] | {"others": queued[1:] + others}

    def _told_together(self, name: str) -> list[str]:
        """Of an incident that speaks for others: which of them all are not over. Empty of any other name."""
        with self._pipeline.transaction() as connection:
            incident, _, _ = self._answers.find(connection, name)
            if incident is None or incident.group is None or incident.group.size == 1 or not incident.id.startswith(name):
                return []
            members = queries.members_of(connection, incident.id)
        return [one.id for one in (incident, *members) if one.state != "resolved"]

    async def _retry(self, name: str, by: str) -> dict[str, Any]:
        with self._pipeline.transaction() as connection:
            incident = self._lost(connection, name)
            slot = self._slot(connection, incident)
            asked = self._by_hand.asked(connection, slot) if slot is not None else self._asked(connection, incident)
            tries = self._pipeline.ledger.retries_of(connection, incident.id)
        if slot is None:
            _whole(incident, asked)
        if "run_task" not in self._rights.of_launch(asked.launch, incident.finding.facts.get("tags") or {}):
            why, by_hand = "this watch observes only: allow lacks run_task", command(incident, tries, asked, self._clock.now())
            raise HinobanError(f"{incident.id} was not retried", why, f"By hand: {by_hand}")
        await self._alone(incident, asked)
        now = self._clock.now()
        with self._pipeline.transaction() as connection:
            incident = self._lost(connection, incident.id)
            if slot is not None:
                incident_id = self._by_hand.make_up(connection, slot, by)
                number = self._pipeline.ledger.retries_of(connection, incident_id)[-1].number
            else:
                incident_id, number = incident.id, queue(self._pipeline, connection, incident, asked, by, now)
        return {"name": name, "incident": incident_id, "attempt": number, "outcome": f"queued: hinoban why {incident_id}"}

    def _lost(self, connection: Connection, name: str) -> Incident:
        """The incident that is meant, of a run that is lost."""
        incident, row, _ = self._answers.find(connection, name)
        family = incident.finding.family if incident is not None else row["family"] if row is not None else name
        again = f"Run it once more all the same: hinoban run {family} --wait"
        if incident is None:
            raise HinobanError(f"{name} did not fail", "there is no incident about it", again)
        finding = incident.finding
        if incident.state == "resolved":
            raise HinobanError(f"{incident.id} is over", " ".join(incident.done[-1:]) or "it is resolved", again)
        if str(finding.facts.get("group") or "").startswith("service:"):
            raise HinobanError(f"{incident.id} is a service's", "its service starts its tasks itself", f"See it: hinoban why {incident.id}")
        if about_no_run(finding) or finding.detector == "overdue":
            raise HinobanError(f"{incident.id} lost no run", f"it is about {finding.verdict}", f"See it: hinoban why {incident.id}")
        _ended(connection, incident)
        return incident

    def _slot(self, connection: Connection, incident: Incident) -> Slot | None:
        """The scheduled run that it is about."""
        several = self._pipeline.timetable.book.of_incident(connection, incident.id)
        if len(several) > 1:
            command = f"hinoban schedules catch-up {several[0].name} --from TIME --to TIME"
            raise HinobanError(f"{incident.id} is about {len(several)} runs", "each is made up for by itself", f"All of them: {command}")
        return next(iter(several), None)

    def _asked(self, connection: Connection, incident: Incident) -> Asked:
        """What was asked for at first, whatever became of it since."""
        finding, tries = incident.finding, self._pipeline.ledger.retries_of(connection, incident.id)
        missing = incidents.still_missing(incident)
        if tries:
            last = tries[-1]
            return Asked(
                request=last.request, region=last.region, account=last.account, missing=missing, original_tasks=last.original_tasks
            )
        launch = launch_of(connection, finding)
        if launch is None or launch.request is None:
            why = "the record of its RunTask, which holds what it was launched with, is not known"
            raise HinobanError(f"{incident.id} cannot be retried", why, f"Run it with what it needs: hinoban run {finding.family} --wait")
        return Asked(request=launch.request, region=launch.region, account=launch.account, missing=missing, original_tasks=launch.task_arns)

    async def _alone(self, incident: Incident, asked: Asked) -> None:
        """HinobanError where another run of the family lives."""
        now = self._clock.now()
        meant = Retry(
            incident_id=incident.id,
            number=1,
            state="waiting",
            due_at=now,
            failed_at=now,
            deadline_at=now + 1 * HOURS,
            rule=RetryRule(),
            missing=asked.missing,
            region=asked.region,
            account=asked.account,
            request=asked.request,
            original_tasks=asked.original_tasks,
        )
        beside = await self._look.beside(meant, now)
        if beside.alive is not None:
            alive = task_id_of(beside.alive)[:8]
            why = f"task {alive} of {incident.finding.family} runs, and two at once may do the same work twice"
            raise HinobanError(
                f"{incident.id} was not retried", why, f"Wait for its end: hinoban logs -f {alive}   then: hinoban retry {incident.id}"
            )


def _ended(connection: Connection, incident: Incident) -> None:
    """HinobanError where the task that it is about still lives: one that is stuck may go on at any moment."""
    arn = incident.finding.task_arn
    row = queries.task_by_arn(connection, arn) if arn is not None else None
    if row is None or not row["open"]:
        return
    task, ends = row["id"][:8], incident.finding.facts.get("way") == "stopping"
    first = f"Wait for its end: hinoban why {incident.id}" if ends else f'Stop it first: hinoban stop {task} --reason "stuck"'
    why = f"task {task} has not ended, and two at once may do the same work twice"
    raise HinobanError(f"{incident.id} was not retried", why, f"{first}   then: hinoban run {incident.finding.family} --wait")


def _whole(incident: Incident, asked: Asked) -> None:
    """HinobanError where CloudTrail hides a part of the request."""
    if HIDDEN not in msgspec.json.encode(asked.request).decode():
        return
    hidden = [
        f"{container.get('name')}'s environment"
        for container in (asked.request.get("overrides") or {}).get("containerOverrides") or ()
        if HIDDEN in msgspec.json.encode(container).decode()
    ]
    marks = {name: value for name, value in asked.request.items() if name not in ("clientToken",)}
    raise HinobanError(
        f"{incident.id} cannot be retried",
        f"CloudTrail hides what it was launched with: {', '.join(hidden) or 'a part of the request'}",
        f"By hand: {run_task_command({**marks, 'count': asked.missing}, asked.region)}",
    )

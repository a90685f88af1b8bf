"""Runs of a schedule that somebody asks for by hand: now, or in place of a slot that was lost. Nothing runs twice that ran once."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from hinoban.aws.errors import AwsError
from hinoban.base.clock import HOURS, SECONDS, Clock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import Ids
from hinoban.base.units import iso, iso_minutes, local_day_time
from hinoban.watch import incidents
from hinoban.watch.allow import run_task_command
from hinoban.watch.config import RetryRule
from hinoban.watch.detect.missed_run import missed_run
from hinoban.watch.detect.slots import facts_of_slot
from hinoban.watch.explain.language import either
from hinoban.watch.history.book import Known, names_of, slots_between
from hinoban.watch.model import Attempt, Incident, Launch
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.places import Clients
from hinoban.watch.planning import waiting
from hinoban.watch.retry.policy import request
from hinoban.watch.retry_row import Retry
from hinoban.watch.rights import Rights
from hinoban.watch.schedules import expected
from hinoban.watch.schedules import slot as slots
from hinoban.watch.schedules.requests import request_at
from hinoban.watch.schedules.slot import Slot

STARTED_BY = "hinoban-run/"
MOST = 100
"""So many runs are made up for with one command."""
_SHOWN = 3
_LONGEST = 36
_DEADLINE = 1 * HOURS


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The run that somebody asks for: RunTask's parameters, and how many tasks are to come of it."""

    request: dict[str, Any]
    region: str
    account: str
    missing: int
    original_tasks: tuple[str, ...]
    after: str | None = None
    """The incident whose attempt must have ended before."""

    @property
    def launch(self) -> Launch:
        """The RunTask that it will be."""
        return Launch(event_id="", launch_id="", at=0.0, account=self.account, region=self.region, request=self.request)


def queue(pipeline: Pipeline, connection: Connection, incident: Incident, asked: Asked, by: str, now: float) -> int:
    """Plan an attempt for an incident, and open it again if need be; its number. HinobanError where one waits or runs already."""
    tries = pipeline.ledger.retries_of(connection, incident.id)
    # Also one that was launched: until its task's end is known, nobody can say that the run is lost.
    if any(one.state in ("waiting", "launching") for one in tries) or any(
        one.number > 1 and one.outcome in incidents.RUNNING_OUTCOMES for one in incident.attempts
    ):
        raise HinobanError(f"{incident.id} is being retried", "an attempt waits or is under way", f"See it: hinoban why {incident.id}")
    retry = _attempt(incident, tries, asked, now)
    pipeline.ledger.put_retry(connection, retry)
    words = either(f"Run by hand by {by}.", f"{by} が手動で実行。")
    reopened = msgspec.structs.replace(incident, state="open", resolved_at=None, missing=asked.missing, done=(*incident.done, words))
    pipeline.note(connection, incidents.attempted(reopened, waiting(retry), now), now)
    return retry.number


def command(incident: Incident, tries: Sequence[Retry], asked: Asked, now: float) -> str:
    """`aws ecs run-task` of the next attempt. An attempt that was not allowed, and that nobody made since, is that one: pasted twice, it runs once."""
    last = tries[-1] if tries and tries[-1].state == "not allowed" else None
    if last is None or any(one.number == last.number and one.task_arn for one in incident.attempts):
        return run_task_command(request(_attempt(incident, tries, asked, now)), asked.region)
    return run_task_command(request(msgspec.structs.replace(last, missing=asked.missing)), last.region)


def _attempt(incident: Incident, tries: Sequence[Retry], asked: Asked, now: float) -> Retry:
    number = max([1, *(one.number for one in tries), *(one.number for one in incident.attempts)]) + 1
    return Retry(
        incident_id=incident.id,
        number=number,
        state="waiting",
        due_at=now,
        after=asked.after,
        beside_own=True,
        by_hand=True,
        failed_at=now,
        deadline_at=now + _DEADLINE,
        rule=RetryRule(attempts=number, deadline=_DEADLINE),
        missing=asked.missing,
        region=asked.region,
        account=asked.account,
        request=asked.request,
        original_tasks=asked.original_tasks,
    )


class ByHand:
    """Queues attempts with the ledger's retries, so that a crash or a lost answer makes none of them twice."""

    def __init__(self, pipeline: Pipeline, clients: Clients, clock: Clock, ids: Ids, zone: str, *, rights: Rights) -> None:
        self._rights = rights
        self._pipeline = pipeline
        self._clients = clients
        self._clock = clock
        self._ids = ids
        self._zone = zone

    async def run(self, name: str, at: float | None, by: str) -> dict[str, Any]:
        """Run a schedule's target now, or make up for the slot at `at`; HinobanError where it ran, or may still run by itself."""
        if at is not None:
            with self._pipeline.transaction() as connection:
                known = self._one(connection, name)
                incident_id = self._queue(connection, known, at, by, None)
            return {"name": name, "slot": iso(at), "task": None, "incident": incident_id, "outcome": f"queued: hinoban why {incident_id}"}
        with self._pipeline.transaction() as connection:
            known = self._one(connection, name)
        request = self._request(known, self._clock.now())
        marks = {"startedBy": f"{STARTED_BY}{known.schedule.name}"[:_LONGEST], "clientToken": self._ids.uuid()}
        account, region = known.schedule.account, known.schedule.region
        meant = Launch(event_id="", launch_id="", at=self._clock.now(), account=account, region=region, request={**request, **marks})
        if "run_task" not in self._rights.of_launch(meant):
            why, by_hand = "this watch observes only: allow lacks run_task", run_task_command({**request, **marks}, region)
            raise HinobanError(f"{name} was not run", why, f"By hand: {by_hand}")
        try:
            answer = await self._clients.at(account, region).call("ecs", "RunTask", {**request, **marks})
        except AwsError as error:
            answer = {"failures": [{"reason": f"{error.code}: {error.message}"}]}
        arns = [task["taskArn"] for task in answer.get("tasks") or ()]
        refused = [failure.get("reason", "no reason given") for failure in answer.get("failures") or ()]
        outcome = f"refused: {refused[0]}" if refused and not arns else f"launched {len(arns)} of {len(arns) + len(refused)}"
        return {"name": name, "slot": None, "task": arns[0] if arns else None, "incident": None, "outcome": outcome}

    def catch_up(self, name: str, since: float, until: float, by: str) -> dict[str, Any]:
        """Make up for every lost slot in [since, until], the earliest first; what ran, or may yet, is skipped and says why."""
        queued: list[str] = []
        skipped: list[dict[str, str]] = []
        before: str | None = None
        with self._pipeline.transaction() as connection:
            known = self._one(connection, name)
            phase = known.phase if known.phase is not None else expected.phase(known.schedule, ())
            due = expected.slots_near(known.schedule, since - 1 * SECONDS, min(until, self._clock.now()), phase=phase)
            kept = {
                one.at
                for one in slots_between(connection, since - 1 * SECONDS, until, known.schedule.name)
                if one.key == known.schedule.key
            }
            for at in sorted({*due, *kept}):
                try:
                    if at not in kept:
                        raise HinobanError("", "the watch did not follow it then: it may have run, or not have existed", "")
                    if len(queued) >= MOST:
                        raise HinobanError("", f"{MOST} runs are made up for at once; ask again for the rest", "")
                    before = self._queue(connection, known, at, by, before)
                    queued.append(iso(at))
                except HinobanError as error:
                    skipped.append({"slot": iso(at), "why": error.why})
        return {"name": name, "queued": queued, "skipped": skipped}

    def make_up(self, connection: Connection, slot: Slot, by: str) -> str:
        """Plan an attempt at a lost slot; the id of its incident. HinobanError where it cannot be, or need not."""
        return self._queue(connection, self._known(connection, slot), slot.at, by, None)

    def asked(self, connection: Connection, slot: Slot) -> Asked:
        """What an attempt at a slot would ask for."""
        known = self._known(connection, slot)
        return self._asked(known, slot, self._request(known, slot.at), None)

    def _asked(self, known: Known, slot: Slot, request: dict[str, Any], after: str | None) -> Asked:
        return Asked(
            request={**request, "startedBy": known.schedule.started_by},
            region=slot.region,
            account=slot.account,
            missing=max(1, known.schedule.count - sum(1 for standing in slot.tasks.values() if standing == "exit 0")),
            original_tasks=tuple(slot.tasks),
            after=after,
        )

    def _known(self, connection: Connection, slot: Slot) -> Known:
        known = self._pipeline.timetable.book.schedules(connection).get(slot.key)
        if known is None:
            raise HinobanError(f"{slot.name} is gone", "its schedule was deleted, and with it what it ran", "aws ecs run-task")
        return known

    def _one(self, connection: Connection, name: str) -> Known:
        found = [one for one in self._pipeline.timetable.book.schedules(connection).values() if name in names_of(one)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise HinobanError(
                f"No schedule is called {name!r}", "the watch knows no such rule or schedule with an ECS target", "hinoban schedules"
            )
        several = ", ".join(sorted(one.schedule.key for one in found))
        raise HinobanError(f"{name!r} is ambiguous", f"it names {several}", "Write GROUP/NAME, or NAME#TARGET")

    def _queue(self, connection: Connection, known: Known, at: float, by: str, after: str | None) -> str:
        """Plan an attempt at the slot's run, `after` the one of another incident has ended; the id of its incident."""
        now = self._clock.now()
        slot = self._lost(connection, known, at, now)
        request = self._request(known, at)
        ledger = self._pipeline.ledger
        # A slot that was lost together with others has an incident of its own from now on.
        incident_id = incidents.incident_id(slot.subject)
        before = slot.incident_id if slot.incident_id is not None and ledger.retries_of(connection, slot.incident_id) else incident_id
        incident = ledger.incident(connection, before) or self._opened(connection, slot, now)
        queue(self._pipeline, connection, incident, self._asked(known, slot, request, after), by, now)
        self._pipeline.timetable.book.put_slots(connection, [msgspec.structs.replace(slot, incident_id=incident.id)])
        if slot.incident_id not in (None, incident.id):
            self._left(connection, slot.incident_id or "", now)
        return incident.id

    def _left(self, connection: Connection, incident_id: str, now: float) -> None:
        """A run was taken out of the incident of several: with the last it ends."""
        known = self._pipeline.ledger.open_incidents(connection).get(incident_id)
        if known is None or not known.subject.startswith("slots:") or self._pipeline.timetable.book.of_incident(connection, incident_id):
            return
        words = "Its runs are made up for one by one."
        self._pipeline.ledger.put(connection, incidents.resolved(known, known.verdict, words, now), now)

    def _opened(self, connection: Connection, slot: Slot, now: float) -> Incident:
        """An incident of the slot's own, in the words of the one it was lost in."""
        zone = ZoneInfo(self._zone)
        finding = missed_run(slot, now, self._zone, shown=local_day_time(now, zone))
        told = self._pipeline.ledger.incident(connection, slot.incident_id) if slot.incident_id is not None else None
        if told is not None and not told.subject.startswith("slots:"):
            finding = msgspec.structs.replace(told.finding, subject=slot.subject, facts={**told.finding.facts, **facts_of_slot(slot)})
        incident = incidents.opened(finding, now, held_until=None).incident
        first = Attempt(number=1, at=slot.at, started_by=None, outcome="refused" if slot.state == "refused" else "missed")
        return msgspec.structs.replace(incident, attempts=(first,), told=0)

    def _lost(self, connection: Connection, known: Known, at: float, now: float) -> Slot:
        schedule, shown = known.schedule, iso_minutes(at, self._zone)
        phase = known.phase if known.phase is not None else expected.phase(schedule, ())
        slot = self._pipeline.timetable.book.slot(connection, schedule.key, at)
        if slot is None:
            if at not in expected.slots_near(schedule, at - 1 * SECONDS, at, phase=phase):
                near = expected.slots_near(schedule, at - 2 * 24 * HOURS, at + 24 * HOURS, phase=phase)
                closest = ", ".join(iso_minutes(one, self._zone) for one in sorted(near, key=lambda one: abs(one - at))[:_SHOWN])
                raise HinobanError(
                    f"{schedule.name} has no run at {shown}",
                    f"it is {schedule.expression} {schedule.timezone}",
                    f"Near it: {closest or 'none'}",
                )
            slot = slots.due(schedule, at)
        if at > now or (slot.state == "waiting" and now < slot.due_by):
            raise HinobanError(
                f"{schedule.name} at {shown} is not lost", "it may still run by itself", "Without --slot it runs now, besides"
            )
        if slot.state in ("launched", "running", "done", "recovered"):
            tasks = ", ".join(f"task {arn.rpartition('/')[2][:8]} {standing}" for arn, standing in slot.tasks.items())
            raise HinobanError(f"{schedule.name} at {shown} ran", tasks or "it recovered", "Without --slot it runs now, once more")
        return slot

    def _request(self, known: Known, at: float) -> dict[str, Any]:
        request = request_at(known.schedule, at)
        if request is None:
            raise HinobanError(
                f"{known.schedule.name} cannot be run by hand", known.schedule.problem or "its request is not known", "aws ecs run-task"
            )
        return request

"""Stops tasks that ran past a policy's `stop_after` or their lease, or run beside another where a policy forbids it; their own end resolves
the incident. What a service owns, what is protected and what a tag keeps is left alone.
"""

import logging
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection

from hinoban.aws.client import EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import MINUTES, SECONDS, Clock
from hinoban.base.units import format_duration, iso_seconds
from hinoban.watch.allow import stop_task_command, would_have
from hinoban.watch.deadlines import Kind, Name, start_of
from hinoban.watch.history import queries
from hinoban.watch.model import OUR_STOP, Incident, TaskChange
from hinoban.watch.places import Behind, Clients
from hinoban.watch.retry.desk import Desk
from hinoban.watch.rights import Rights

AGAIN = 5 * SECONDS
PATIENCE = 1 * MINUTES
PROTECTED_AGAIN = 5 * MINUTES
DENIED_AGAIN = 15 * MINUTES
log = logging.getLogger(__name__)


class Stopper:
    """Nothing is stopped while the feed is behind: the task may long have ended. Asking twice is harmless (facts/ecs.md §3.3).

    `read_again` reads a task's tags as they are this moment; it is False where nobody answers.
    """

    def __init__(
        self,
        pipeline: Desk,
        clients: Clients,
        clock: Clock,
        *,
        behind: Behind,
        read_again: Callable[[TaskChange], Awaitable[bool]],
        rights: Rights,
    ) -> None:
        self._rights = rights
        self._pipeline = pipeline
        self._clients = clients
        self._clock = clock
        self._behind = behind
        self._read_again = read_again
        self._untold: dict[Name, float] = {}

    async def step(self, now: float) -> float | None:
        """Stop what is due; when the next deadline is."""
        kinds: tuple[Kind, ...] = ("stop", "end")
        for kind in kinds:
            for name in self._pipeline.deadlines.due(kind, now):
                wait = AGAIN if self._behind(name[2], name[1]) is not None else await self._stop(name, kind)
                if wait is not None:
                    self._pipeline.deadlines.again(name, kind, self._clock.now() + wait)
        return self._pipeline.deadlines.next(*kinds)

    async def _stop(self, name: Name, kind: Kind) -> float | None:
        """Stop it; else how long to wait before it is asked again (None: no more)."""
        change = self._newest(name)
        if change is None or change.service_owned:
            return None
        if not await self._read_again(change):
            return AGAIN
        if (later := self._kept(change, kind)) is not None:
            return later if later > 0 else None
        with self._pipeline.transaction() as connection:
            incident = self._incident(connection, change)
            if incident is None:
                return self._until_told(name)
            self._untold.pop(name, None)
            reason = self._overlap(connection, change) or self._over(change, incident)
            if self._told_instead(connection, change, incident, reason):
                return None
        protected = await self._protected(change)
        if protected is not None:
            words, wait = protected
            if words:
                self._tell(change, words)
            return wait
        asked = {"cluster": change.detail.get("clusterArn"), "task": change.task_arn, "reason": reason}
        try:
            await self._clients.at(change.account, change.region).call("ecs", "StopTask", asked)
        except EndpointUnreachable:
            return AGAIN
        except AwsError as error:
            log.warning("StopTask %s: %s", change.task_arn, error)
            if error.code.startswith("AccessDenied"):
                self._tell(change, f"Not stopped: AWS denies StopTask (hinoban aws policy --stop). By hand: {_by_hand(change, reason)}")
                return DENIED_AGAIN
            return None if error.code == "InvalidParameterException" else AGAIN  # the task is not there any more
        return None

    def _until_told(self, name: Name) -> float | None:
        """Nothing is stopped before it is told; nor where somebody has closed its incident, so that none is open."""
        now = self._clock.now()
        if now - self._untold.setdefault(name, now) < PATIENCE:
            return AGAIN
        del self._untold[name]
        return None

    def _newest(self, name: Name) -> TaskChange | None:
        with self._pipeline.transaction() as connection:
            change = queries.newest_change(connection, name)
        gone = change is None or change.finished or change.detail.get("desiredStatus") == "STOPPED"
        return None if gone else change

    def _kept(self, change: TaskChange, kind: Kind) -> float | None:
        """How long its tags, as they are now, keep it from being stopped; 0: for good; None: not at all."""
        now, terms = self._clock.now(), self._pipeline.limits.terms(change)
        until = terms.stop_at if kind == "stop" else terms.wishes.keep_until or now
        if until is None or until == float("inf"):
            return 0.0
        return until - now if until > now else None

    async def _protected(self, change: TaskChange) -> tuple[str, float] | None:
        """Why it is not stopped now, and when to ask again; None where it is not protected. What cannot be known is taken to be."""
        asked = {"cluster": change.detail.get("clusterArn"), "tasks": [change.task_arn]}
        try:
            answer = await self._clients.at(change.account, change.region).call("ecs", "GetTaskProtection", asked)
        except EndpointUnreachable:
            return "", AGAIN
        except AwsError as error:
            if not error.code.startswith("AccessDenied"):
                log.warning("GetTaskProtection %s: %s", change.task_arn, error)
                return "", AGAIN
            return "Not stopped: whether it is protected may not be read. Allow it: hinoban aws policy --stop", PROTECTED_AGAIN
        # A task that no service owns is answered as a failure (facts/ecs.md §5.6).
        held = next((one for one in answer.get("protectedTasks") or () if one.get("protectionEnabled")), None)
        if held is None:
            return None
        until = held.get("expirationDate")
        if until is None:
            return "Not stopped: the task is protected.", PROTECTED_AGAIN
        words = f"Not stopped: the task is protected until {iso_seconds(until)}."
        return words, max(AGAIN, float(until) - self._clock.now())

    def _tell(self, change: TaskChange, words: str) -> None:
        """Say once why it is not stopped."""
        with self._pipeline.transaction() as connection:
            incident = self._incident(connection, change)
            if incident is not None:
                self._pipeline.limits.not_stopped(connection, change, incident, words, self._clock.now())

    def _told_instead(self, connection: Connection, change: TaskChange, incident: Incident, reason: str) -> bool:
        """Where stopping is not allowed, the task's incident says what would have been done."""
        about, by_hand = reason.removeprefix(OUR_STOP), _by_hand(change, reason)
        words = would_have("stop_task", self._rights.of_task(change, self._pipeline.tags(change)), about=about, by_hand=by_hand)
        if words is None:
            return False
        self._pipeline.limits.not_stopped(connection, change, incident, words, self._clock.now())
        return True

    def _incident(self, connection: Connection, change: TaskChange) -> Incident | None:
        """The open incident in which it was told that the task is to be stopped."""
        for incident in self._pipeline.ledger.open_of_family(connection, change.family):
            if change.task_arn in (incident.finding.task_arn, incident.finding.facts.get("stop")):
                return incident
        return None

    def _overlap(self, connection: Connection, change: TaskChange) -> str | None:
        """The reason to give where a policy stops it because it runs beside another of its family."""
        for incident in self._pipeline.ledger.open_of_family(connection, change.family):
            if incident.finding.detector == "overlap" and incident.finding.facts.get("stop") == change.task_arn:
                return f"{OUR_STOP}overlap ({incident.id})"
        return None

    def _over(self, change: TaskChange, incident: Incident) -> str:
        terms = self._pipeline.limits.terms(change)
        if terms.orphan_at is not None and terms.orphan_at <= self._clock.now() and terms.stops_orphan:
            return f"{OUR_STOP}its lease ran out ({incident.id})"
        limit = terms.limit if terms.limit is not None else self._clock.now() - start_of(change)
        return f"{OUR_STOP}over its limit of {format_duration(limit)} ({incident.id})"


def _by_hand(change: TaskChange, reason: str) -> str:
    return stop_task_command(str(change.detail.get("clusterArn")), change.task_arn, change.region, reason)

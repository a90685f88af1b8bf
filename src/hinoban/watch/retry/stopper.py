"""Stops tasks that ran past a policy's `stop_after`, or run beside another where a policy forbids it; their own end resolves the incident."""

import logging

from sqlalchemy import Connection

from hinoban.aws.client import EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS, Clock
from hinoban.base.units import format_duration
from hinoban.watch.allow import stop_task_command, would_have
from hinoban.watch.deadlines import Kind, Name
from hinoban.watch.history import queries
from hinoban.watch.incidents import give_up, incident_id
from hinoban.watch.model import TaskChange
from hinoban.watch.places import Behind, Clients
from hinoban.watch.retry.desk import Desk
from hinoban.watch.rights import Rights

AGAIN = 5 * SECONDS
log = logging.getLogger(__name__)


class Stopper:
    """Nothing is stopped while the feed is behind: the task may long have ended. Asking twice is harmless (facts/ecs.md §3.3)."""

    def __init__(self, pipeline: Desk, clients: Clients, clock: Clock, *, behind: Behind, rights: Rights) -> None:
        self._rights = rights
        self._pipeline = pipeline
        self._clients = clients
        self._clock = clock
        self._behind = behind

    async def step(self, now: float) -> float | None:
        """Stop what is due; when the next deadline is."""
        kinds: tuple[Kind, ...] = ("stop", "end")
        for kind in kinds:
            for name in self._pipeline.deadlines.due(kind, now):
                if self._behind(name[2], name[1]) is not None or not await self._stop(name):
                    self._pipeline.deadlines.again(name, kind, self._clock.now() + AGAIN)
        return self._pipeline.deadlines.next()

    async def _stop(self, name: Name) -> bool:
        with self._pipeline.transaction() as connection:
            change = queries.newest_change(connection, name)
            if change is None or change.finished or change.detail.get("desiredStatus") == "STOPPED":
                return True
            reason = self._overlap(connection, change) or self._over(change)
            if self._told_instead(connection, change, reason):
                return True
        asked = {"cluster": change.detail.get("clusterArn"), "task": change.task_arn, "reason": reason}
        try:
            await self._clients.at(change.account, change.region).call("ecs", "StopTask", asked)
        except EndpointUnreachable:
            return False
        except AwsError as error:
            log.warning("StopTask %s: %s", change.task_arn, error)
            return error.code == "InvalidParameterException"  # the task is not there any more
        return True

    def _told_instead(self, connection: Connection, change: TaskChange, reason: str) -> bool:
        """Where stopping is not allowed, the task's incident says what would have been done."""
        by_hand = stop_task_command(str(change.detail.get("clusterArn")), change.task_arn, change.region, reason)
        words = would_have("stop_task", self._rights.of_task(change), about=reason.removeprefix("hinoban: "), by_hand=by_hand)
        if words is None:
            return False
        for incident in self._pipeline.ledger.open_of_family(connection, change.family):
            if incident.finding.task_arn == change.task_arn and words not in incident.done:
                self._pipeline.ledger.put(connection, give_up(incident, words, self._clock.now()), self._clock.now())
        return True

    def _overlap(self, connection: Connection, change: TaskChange) -> str | None:
        """The reason to give where a policy stops it because it runs beside another of its family."""
        for incident in self._pipeline.ledger.open_of_family(connection, change.family):
            if incident.finding.detector == "overlap" and incident.finding.facts.get("stop") == change.task_arn:
                return f"hinoban: overlap ({incident.id})"
        return None

    def _over(self, change: TaskChange) -> str:
        max_runtime, stop_after = self._pipeline.limits(change)
        limit = max_runtime if max_runtime is not None and max_runtime <= (stop_after or 0) else stop_after or 0
        return f"hinoban: over its limit of {format_duration(limit)} ({incident_id(f'task:{change.task_arn}')})"

"""Fetches the tail of a failed task's log through GetLogEvents and keeps it with its incident, so that `why` can show it after all else is gone."""

import logging
from typing import Any

import msgspec
from sqlalchemy import Engine, update

from hinoban.aws.client import Client, EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS
from hinoban.watch.history import queries
from hinoban.watch.history.schema import incidents
from hinoban.watch.model import Incident, TaskChange, task_id_of
from hinoban.watch.normalise import observation
from hinoban.watch.schedules.asking import DENIED
from hinoban.watch.schedules.model import Problem

AGAIN = 2 * SECONDS
_RIGHT = "logs:GetLogEvents"
_PROBLEMS_MOST = 100
log = logging.getLogger(__name__)


class LogKeeper:
    """Tries a few times for each incident that wants a log; what cannot be had is not asked for for ever."""

    def __init__(self, engine: Engine, client: Client, lines: int) -> None:
        self._engine = engine
        self._client = client
        self._lines = lines
        self.problems: dict[str, Problem] = {}
        """By family: whose log could not be read the last time it was asked for."""

    async def step(self, now: float) -> float | None:
        """Fetch what is wanted; when to try again."""
        with self._engine.connect() as connection:
            wanted = queries.logs_wanted(connection)
        left = False
        for incident in wanted:
            left = not await self._keep(incident) or left
        return now + AGAIN if left else None

    async def _keep(self, incident: Incident) -> bool:
        values: dict[str, Any] = {"log_wanted": incidents.c.log_wanted - 1}
        kept = False
        try:
            # An empty log is read again: its last lines may be on their way.
            if (lines := await self._tail_of(incident)) is not None:
                values, kept = values | {"log": msgspec.json.encode(lines).decode()}, bool(lines)
                if kept:
                    values["log_wanted"] = 0
            self.problems.pop(incident.finding.family, None)
        except AwsError as error:
            log.info("the log of %s: %s", incident.id, error)
            self._unread(incident, error)
        except EndpointUnreachable as error:
            log.info("the log of %s: %s", incident.id, error)
        with self._engine.begin() as connection:
            connection.execute(update(incidents).where(incidents.c.id == incident.id, incidents.c.log_wanted > 0).values(**values))
        return kept

    def _unread(self, incident: Incident, error: AwsError) -> None:
        finding, denied = incident.finding, error.code in DENIED
        problem = Problem(
            region=finding.region, right=_RIGHT, code=error.code, message=error.message, subject=finding.family, denied=denied
        )
        self.problems.pop(finding.family, None)
        self.problems[finding.family] = problem
        while len(self.problems) > _PROBLEMS_MOST:
            del self.problems[next(iter(self.problems))]

    async def _tail_of(self, incident: Incident) -> list[str] | None:
        arn = incident.finding.task_arn
        with self._engine.connect() as connection:
            row = queries.task_by_arn(connection, arn) if arn else None
            raws = queries.timeline(connection, row) if row is not None else []
        change = observation(raws[-1]) if raws else None
        if not isinstance(change, TaskChange):
            return None
        return await tail(self._client, change, self._lines, container=incident.finding.facts.get("container"))


async def tail(client: Client, change: TaskChange, lines: int, *, container: str | None = None) -> list[str]:
    """The last lines that a task's containers wrote (or one of them). Empty where there is none; AwsError where it may not be read."""
    client = client.in_region(change.region)
    names: list[str] = [one.get("name", "") for one in change.detail.get("containers") or ()]
    found: list[tuple[int, str]] = []
    streams = await _streams(client, change)
    for name in [container] if container is not None and container in names else names:
        group, stream = streams.get(name) or _default(change, name)
        asked = {"logGroupName": group, "logStreamName": stream, "limit": lines, "startFromHead": False}
        try:
            answer = await client.call("logs", "GetLogEvents", asked)
        except AwsError as error:
            if error.code != "ResourceNotFoundException":
                raise
            continue
        found += [(event["timestamp"], event["message"]) for event in answer.get("events") or ()]
    found.sort(key=lambda event: event[0])
    return [message for _, message in found[-lines:]]


def _default(change: TaskChange, container: str) -> tuple[str, str]:
    # Where the engine keeps what a container without logConfiguration wrote. Differs from AWS, where it is lost.
    cluster = str(change.detail.get("clusterArn", "")).rpartition("/")[2]
    return f"/hinoban/{cluster}", f"{change.family}/{container}/{task_id_of(change.task_arn)}"


async def _streams(client: Client, change: TaskChange) -> dict[str, tuple[str, str]]:
    """Group and stream of each awslogs container (facts/ecs.md §9.1)."""
    try:
        answer = await client.call("ecs", "DescribeTaskDefinition", {"taskDefinition": change.detail.get("taskDefinitionArn", "")})
    except AwsError:
        return {}
    found: dict[str, tuple[str, str]] = {}
    for one in answer.get("taskDefinition", {}).get("containerDefinitions") or ():
        told = one.get("logConfiguration") or {}
        options = told.get("options") or {}
        if told.get("logDriver") == "awslogs" and options.get("awslogs-group") and options.get("awslogs-stream-prefix"):
            stream = f"{options['awslogs-stream-prefix']}/{one['name']}/{task_id_of(change.task_arn)}"
            found[one["name"]] = (options["awslogs-group"], stream)
    return found

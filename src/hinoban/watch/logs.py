"""Fetches the tail of a failed task's log through GetLogEvents and keeps it with its incident, so that `why` can show it after all else is gone."""

import logging
from typing import Any

import msgspec
from sqlalchemy import Engine, update

from hinoban.aws.client import Client, EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import MINUTES, SECONDS
from hinoban.watch.history import queries
from hinoban.watch.history.queries import LastLine
from hinoban.watch.history.schema import incidents
from hinoban.watch.model import Incident, TaskChange, task_id_of
from hinoban.watch.normalise import observation
from hinoban.watch.places import Clients
from hinoban.watch.schedules.asking import DENIED, Asked
from hinoban.watch.schedules.model import Problem

AGAIN = 2 * SECONDS
LOOK_AGAIN = 1 * MINUTES
LAST_LINE_AGAIN = 10 * MINUTES
"""How old the last line of an overdue task may be when somebody asks why it hangs."""
_OVERDUE_MOST = 20
_RIGHT = "logs:GetLogEvents"
_PROBLEMS_MOST = 100
log = logging.getLogger(__name__)


class LogKeeper:
    """Tries a few times for each incident that wants a log; what cannot be had is not asked for for ever.

    Of an overdue task the last line is read again and again: it tells since when it does nothing.
    """

    def __init__(self, engine: Engine, clients: Clients, lines: int) -> None:
        self._engine = engine
        self._clients = clients
        self._lines = lines
        self._look_at = 0.0
        self._read_at: dict[str, float] = {}
        self.problems: dict[str, Problem] = {}
        """By family: whose log could not be read the last time it was asked for."""

    async def step(self, now: float) -> float | None:
        """Fetch what is wanted; when to try again."""
        with self._engine.connect() as connection:
            wanted = queries.logs_wanted(connection)
        left = False
        for incident in wanted:
            left = not await self._keep(incident) or left
        if now >= self._look_at:
            await self._last_lines(now)
            self._look_at = now + LOOK_AGAIN
        return now + AGAIN if left else self._look_at

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

    async def _last_lines(self, now: float) -> None:
        with self._engine.connect() as connection:
            running = queries.overdue_incidents(connection, _OVERDUE_MOST)
        self._read_at = {one.id: self._read_at[one.id] for one in running if one.id in self._read_at}
        for incident in running:
            if now < self._read_at.get(incident.id, 0.0) + LAST_LINE_AGAIN:
                continue
            self._read_at[incident.id] = now
            try:
                change = self._change_of(incident)
                events = await _events(self._clients.at(change.account, change.region), change, 1) if change is not None else []
            except (AwsError, EndpointUnreachable) as error:
                log.info("the last line of %s: %s", incident.id, error)
                continue
            last = LastLine(text=events[-1][1], at=events[-1][0] / 1000, read_at=now) if events else LastLine(read_at=now)
            with self._engine.begin() as connection:
                this = (incidents.c.id == incident.id) & (incidents.c.verdict == incident.verdict)
                connection.execute(update(incidents).where(this).values(log=msgspec.json.encode(last).decode()))

    def _unread(self, incident: Incident, error: AwsError) -> None:
        finding, denied = incident.finding, error.code in DENIED
        problem = Problem(
            account=finding.account,
            region=finding.region,
            right=_RIGHT,
            code=error.code,
            message=error.message,
            subject=finding.family,
            denied=denied,
        )
        self.problems.pop(finding.family, None)
        self.problems[finding.family] = problem
        while len(self.problems) > _PROBLEMS_MOST:
            del self.problems[next(iter(self.problems))]

    async def _tail_of(self, incident: Incident) -> list[str] | None:
        if (change := self._change_of(incident)) is None:
            return None
        client = self._clients.at(change.account, change.region)
        return await tail(client, change, self._lines, container=incident.finding.facts.get("container"))

    def _change_of(self, incident: Incident) -> TaskChange | None:
        arn = incident.finding.task_arn
        with self._engine.connect() as connection:
            row = queries.task_by_arn(connection, arn) if arn else None
            raws = queries.timeline(connection, row) if row is not None else []
        change = observation(raws[-1]) if raws else None
        return change if isinstance(change, TaskChange) else None


async def tail(client: Client, change: TaskChange, lines: int, *, container: str | None = None) -> list[str]:
    """The last lines that a task's containers wrote (or one of them); `client` is of its region. Empty where there is none; AwsError where
    it may not be read."""
    return [message for _, message in await _events(client, change, lines, container=container)]


async def _events(client: Client, change: TaskChange, lines: int, *, container: str | None = None) -> list[tuple[int, str]]:
    """The same with each line's moment in milliseconds."""
    names: list[str] = [one.get("name", "") for one in change.detail.get("containers") or ()]
    found: list[tuple[int, str]] = []
    streams = await streams_of(client, change)
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
    return found[-lines:]


def _default(change: TaskChange, container: str) -> tuple[str, str]:
    # Where the engine keeps what a container without logConfiguration wrote. Differs from AWS, where it is lost.
    cluster = str(change.detail.get("clusterArn", "")).rpartition("/")[2]
    return f"/hinoban/{cluster}", f"{change.family}/{container}/{task_id_of(change.task_arn)}"


async def streams_of(client: Asked, change: TaskChange) -> dict[str, tuple[str, str]]:
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

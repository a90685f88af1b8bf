"""Reads the tags of tasks, as no event tells them (a service's only where a policy needs them), and the stopTimeout of definitions where a task does not end.

One batch a step, so that who else lives in the account is not in our way (facts/ecs.md §11.3).
"""

import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine

from hinoban.aws.client import EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS, Clock
from hinoban.watch.deadlines import Kind, Name
from hinoban.watch.history import queries
from hinoban.watch.model import TaskChange
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.places import Clients
from hinoban.watch.sources.pace import PER_SECOND, THROTTLED
from hinoban.watch.task_tags import TaskTags

BATCH = 100
AGAIN = 5 * SECONDS
_DEFAULT_STOP_TIMEOUT = 30 * SECONDS
"""facts/ecs.md §1.6."""
log = logging.getLogger(__name__)


class TagReader:
    """What could not be read for now is asked for again; what AWS denies is known as denied."""

    def __init__(self, pipeline: Pipeline, engine: Engine, clients: Clients, clock: Clock) -> None:
        self._pipeline = pipeline
        self._engine = engine
        self._clients = clients
        self._clock = clock
        self._waiting: dict[Name, Kind] = {}

    async def step(self, now: float) -> float | None:
        """Read one batch of what is due; when to go on."""
        deadlines = self._pipeline.deadlines
        for name in deadlines.due("definition", now):
            await self._definition(name)
        kinds: tuple[Kind, ...] = ("tags", "lease")
        for kind in kinds:
            self._waiting |= dict.fromkeys(deadlines.due(kind, now), kind)
        batch = self._batch()
        kinds_of = {name: self._waiting.pop(name) for name in batch}
        read = await self._read(list(batch.values())) if batch else {}
        if read is None:
            for name, kind in kinds_of.items():
                deadlines.again(name, kind, self._clock.now() + AGAIN)
        elif read:
            self._pipeline.tagged(read, self._clock.now())
        following = deadlines.next("tags", "lease", "definition")
        return now + 1 / PER_SECOND if self._waiting else following

    async def read_again(self, change: TaskChange) -> bool:
        """A task's tags as they are this moment; False where nobody answers."""
        read = await self._read([change.task_arn])
        if read is not None:
            self._pipeline.tagged(read, self._clock.now())
        return read is not None

    def _batch(self) -> dict[Name, str]:
        """The first of those that wait, with their ARNs, as many as one call can ask for. Those without a row are waited for no more."""
        names = list(self._waiting)[: 5 * BATCH]
        if not names:
            return {}
        with self._engine.connect() as connection:
            arns = queries.arns_of(connection, names)
        for name in names:
            if name not in arns:
                del self._waiting[name]
        first = _place(next(iter(arns.values()))) if arns else None
        return dict([(name, arn) for name, arn in arns.items() if _place(arn) == first][:BATCH])

    async def _read(self, arns: list[str]) -> dict[str, TaskTags | None] | None:
        """By ARN, None for a task that AWS does not know any more; None in all where nobody answers, or not now."""
        _, _, _, region, account, rest = arns[0].split(":", 5)
        asked = {"cluster": _cluster_arn(arns[0]), "tasks": arns, "include": ["TAGS"]}
        try:
            answer = await self._clients.at(account, region).call("ecs", "DescribeTasks", asked)
        except EndpointUnreachable:
            return None
        except AwsError as error:
            if error.code in THROTTLED or error.code.startswith("Server"):
                return None
            log.info("the tags of %s: %s", rest, error)
            denied = error.code.startswith("AccessDenied")
            return dict.fromkeys(arns, TaskTags(denied=True) if denied else None)
        found = {task["taskArn"]: TaskTags(tags=_tags(task)) for task in answer.get("tasks") or ()}
        return {arn: found.get(arn) for arn in arns}

    async def _definition(self, name: Name) -> None:
        with self._engine.connect() as connection:
            change = queries.newest_change(connection, name)
        if change is None or change.finished:
            return
        definition, seconds = str(change.detail.get("taskDefinitionArn")), _DEFAULT_STOP_TIMEOUT
        try:
            answer = await self._clients.at(change.account, change.region).call(
                "ecs", "DescribeTaskDefinition", {"taskDefinition": definition}
            )
            containers = answer.get("taskDefinition", {}).get("containerDefinitions") or ()
            seconds = max((float(one.get("stopTimeout") or _DEFAULT_STOP_TIMEOUT) for one in containers), default=seconds)
        except EndpointUnreachable:
            self._pipeline.deadlines.again(name, "definition", self._clock.now() + AGAIN)
            return
        except AwsError as error:
            # Then it is taken to be the default, which is what most have.
            log.info("the definition %s: %s", definition, error)
        self._pipeline.limits.stuck.stop_timeout(definition, seconds)
        self._pipeline.limits.watch(change, self._clock.now())
        self._pipeline.ledger.changes += 1


def _place(arn: str) -> tuple[str, str]:
    """Of which account, region and cluster: one call asks for one."""
    return arn.rpartition(":")[0], arn.split("/")[1]


def _cluster_arn(arn: str) -> str:
    return f"{arn.rpartition(':')[0]}:cluster/{arn.split('/')[1]}"


def _tags(task: Mapping[str, Any]) -> dict[str, str]:
    return {str(tag.get("key")): str(tag.get("value", "")) for tag in task.get("tags") or ()}

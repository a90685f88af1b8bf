"""Finds out in what a failed task's definition differs from that of the last good run, and keeps it with the incident."""

import logging
from collections import OrderedDict
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, RowMapping, select, update

from hinoban.aws.client import EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS
from hinoban.watch.definition_diff import difference
from hinoban.watch.history import queries
from hinoban.watch.history.schema import incidents
from hinoban.watch.model import Incident, TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.places import Clients

AGAIN = 5 * SECONDS
_AT_ONCE = 20
_KEPT = 200
log = logging.getLogger(__name__)


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """What is different since the last good run. `parts` None: the definitions could not be compared."""

    before: int
    after: int
    parts: tuple[str, ...] | None
    good_at: float
    registered_at: float | None = None
    registered_by: str | None = None
    same_digest: bool | None = None
    """Whether the images' digests are those of the good run; None where AWS told none."""


class DefinitionKeeper:
    """Asks DescribeTaskDefinition once for each revision that matters; what cannot be had is not asked for for ever."""

    def __init__(self, engine: Engine, clients: Clients) -> None:
        self._engine = engine
        self._clients = clients
        self._known: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def step(self, now: float) -> float | None:
        """Compare what is wanted; when to try again."""
        with self._engine.connect() as connection:
            found = select(incidents.c.value).where(incidents.c.changed.is_(None), incidents.c.state != "resolved").limit(_AT_ONCE)
            wanted = [msgspec.json.decode(value, type=Incident) for value in connection.execute(found).scalars()]
        left = False
        for incident in wanted:
            try:
                changed = await self._of(incident)
            except EndpointUnreachable as error:
                log.info("definitions of %s: %s", incident.id, error)
                left = True
                continue
            with self._engine.begin() as connection:
                text = msgspec.json.encode(changed).decode() if changed is not None else ""
                connection.execute(update(incidents).where(incidents.c.id == incident.id).values(changed=text))
        return now + AGAIN if left or len(wanted) == _AT_ONCE else None

    async def _of(self, incident: Incident) -> Changed | None:
        arn = next((one.task_arn for one in reversed(incident.attempts) if one.task_arn), incident.finding.task_arn)
        with self._engine.connect() as connection:
            row = queries.task_by_arn(connection, arn) if arn else None
            good = queries.last_good_run(connection, row) if row is not None else None
            if row is None or good is None or None in (good["revision"], row["revision"]):
                return None
            same = _same_digests(_last(connection, good), _last(connection, row))
        parts = after = None
        if good["revision"] != row["revision"]:
            before = await self._definition(row["account"], row["region"], f"{row['family']}:{good['revision']}")
            after = await self._definition(row["account"], row["region"], f"{row['family']}:{row['revision']}")
            parts = tuple(difference(before, after)) if before is not None and after is not None else None
        elif same is not False:
            return None
        return Changed(
            before=good["revision"],
            after=row["revision"],
            parts=parts,
            good_at=good["created_at"],
            registered_at=(after or {}).get("registeredAt"),
            registered_by=(after or {}).get("registeredBy"),
            same_digest=same,
        )

    async def _definition(self, account: str, region: str, name: str) -> dict[str, Any] | None:
        key = f"{account}/{region}/{name}"
        if key not in self._known:
            try:
                answer = await self._clients.at(account, region).call("ecs", "DescribeTaskDefinition", {"taskDefinition": name})
            except AwsError as error:
                log.info("%s: %s", name, error)
                return None
            self._known[key] = answer.get("taskDefinition") or {}
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return self._known[key]


def _last(connection: Connection, row: RowMapping | None) -> TaskChange | None:
    raws = queries.timeline(connection, row) if row is not None else []
    change = observation(raws[-1]) if raws else None
    return change if isinstance(change, TaskChange) else None


def _same_digests(before: TaskChange | None, after: TaskChange | None) -> bool | None:
    if before is None or after is None:
        return None
    old, new = _digests(before), _digests(after)
    common = old.keys() & new.keys()
    return all(old[name] == new[name] for name in common) if common else None


def _digests(change: TaskChange) -> dict[str, str]:
    return {one["name"]: one["imageDigest"] for one in change.detail.get("containers") or () if one.get("imageDigest")}

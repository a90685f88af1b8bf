"""Everything ECS knows, in memory and indexed, with a row on disk for each thing; a change and its event are one transaction."""

import heapq
from collections import defaultdict
from typing import Any

import msgspec

from hinoban.base.clock import DAYS, HOURS, Clock
from hinoban.base.ids import Ids
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.engine.ecs.model.clusters import DEFAULT_CLUSTER, Cluster
from hinoban.engine.ecs.model.task_definitions import TaskDefinition
from hinoban.engine.ecs.model.tasks import Task
from hinoban.engine.ecs.model.views import task_event, task_view
from hinoban.engine.journal import Journal
from hinoban.store.database import Database, Table

MIGRATION = """
CREATE TABLE clusters (region TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (region, name)) WITHOUT ROWID;
CREATE TABLE task_definitions (region TEXT, family TEXT, revision INTEGER, value BLOB NOT NULL, PRIMARY KEY (region, family, revision));
CREATE TABLE tasks (id TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE launch_tokens (region TEXT, cluster TEXT, token TEXT, value BLOB NOT NULL, PRIMARY KEY (region, cluster, token));
"""
CLUSTERS = Table("clusters", "region", "name")
DEFINITIONS = Table("task_definitions", "region", "family", "revision")
TASKS = Table("tasks", "id")
TOKENS = Table("launch_tokens", "region", "cluster", "token")

_NOTHING = Room(0, 0)
_TOKEN_OUTLIVES = 1 * HOURS
_INACTIVE_CLUSTER = 1 * DAYS
_encode = msgspec.json.Encoder().encode


class LaunchToken(msgspec.Struct, frozen=True, kw_only=True):
    """What a clientToken answered: the same again for the same request (facts/ecs.md §3.6)."""

    request: str
    task_ids: tuple[str, ...]
    failures: tuple[dict[str, Any], ...]
    created_at: float
    expires_at: float | None = None


class State:
    """The clusters, task definitions, tasks and launch tokens of every region."""

    def __init__(self, database: Database, journal: Journal, clock: Clock, ids: Ids, *, forget_after: float) -> None:
        self._database = database
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._forget_after = forget_after
        self.clusters: dict[tuple[str, str], Cluster] = {}
        self.families: dict[tuple[str, str], dict[int, TaskDefinition]] = {}
        self.tasks: dict[str, Task] = {}
        self.used = _NOTHING
        self._in_cluster: defaultdict[tuple[str, str], dict[str, None]] = defaultdict(dict)
        self._started_by: defaultdict[tuple[str, str, str], dict[str, None]] = defaultdict(dict)
        self._counts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
        self._tokens: dict[tuple[str, str, str], LaunchToken] = {}
        self._views: dict[str, msgspec.Raw] = {}
        self._expiries: list[tuple[float, str]] = []
        self._token_expiries: list[tuple[float, tuple[str, str, str]]] = []
        self._cluster_expiries: list[tuple[float, tuple[str, str]]] = []
        self._load()

    def _load(self) -> None:
        for _, _, value in self._database.rows(CLUSTERS):
            cluster = msgspec.json.decode(value, type=Cluster)
            self._remember_cluster(cluster)
        for _, _, _, value in self._database.rows(DEFINITIONS):
            definition = msgspec.json.decode(value, type=TaskDefinition)
            self.families.setdefault((definition.region, definition.family), {})[definition.revision] = definition
        for _, value in self._database.rows(TASKS):
            self._remember(msgspec.json.decode(value, type=Task))
        for region, cluster_name, token, value in self._database.rows(TOKENS):
            self._remember_token((region, cluster_name, token), msgspec.json.decode(value, type=LaunchToken))

    def put_cluster(self, cluster: Cluster) -> None:
        """Keep this cluster in place of the one of its name."""
        self._remember_cluster(cluster)
        self._database.put(CLUSTERS, (cluster.region, cluster.name), cluster)

    def _remember_cluster(self, cluster: Cluster) -> None:
        self.clusters[(cluster.region, cluster.name)] = cluster
        # The default one stays deleted: without its row the next start would make it again (docs/decisions/0008).
        if cluster.deleted_at is not None and cluster.name != DEFAULT_CLUSTER:
            heapq.heappush(self._cluster_expiries, (cluster.deleted_at + _INACTIVE_CLUSTER, (cluster.region, cluster.name)))

    def put_definition(self, definition: TaskDefinition) -> None:
        """Keep this revision."""
        self.families.setdefault((definition.region, definition.family), {})[definition.revision] = definition
        self._database.put(DEFINITIONS, (definition.region, definition.family, definition.revision), definition)

    def put_task(self, task: Task, *, told: bool) -> None:
        """Keep the task as it is now; `told`: with the event that tells of it."""
        self._remember(task)
        self._database.put(TASKS, (task.id,), task)
        if told:
            self._journal.write(task_event(task, self._ids.uuid()))

    def _remember(self, task: Task) -> None:
        before = self.tasks.get(task.id)
        place = (task.region, task.cluster)
        if before is None:
            self._in_cluster[place][task.id] = None
            if task.started_by is not None:
                self._started_by[(*place, task.started_by)][task.id] = None
        if before is None or before.last_status != task.last_status:
            self._recount(before, -1)
            self._recount(task, 1)
            if (before is None or before.finished) != task.finished:
                room = Room(task.cpu_units, task.memory_mib)
                self.used = self.used.minus(room) if task.finished else self.used.plus(room)
            if task.stopped_at is not None:
                heapq.heappush(self._expiries, (task.stopped_at + self._forget_after, task.id))
        self.tasks[task.id] = task
        self._views.pop(task.id, None)

    def _recount(self, task: Task | None, by: int) -> None:
        if task is not None and not task.finished:
            self._counts[(task.region, task.cluster)][0 if task.last_status == "RUNNING" else 1] += by

    def view(self, task: Task) -> msgspec.Raw:
        """DescribeTasks' Task object without tags, encoded once for each version."""
        found = self._views.get(task.id)
        if found is None:
            found = self._views[task.id] = msgspec.Raw(_encode(task_view(task)))
        return found

    def counts(self, region: str, cluster: str) -> tuple[int, int]:
        """How many tasks are RUNNING, and how many are before or behind that without being STOPPED."""
        running, pending = self._counts[(region, cluster)]
        return running, pending

    def cluster_tasks(self, region: str, cluster: str) -> list[Task]:
        """Every task of a cluster that is not forgotten, oldest first."""
        return [self.tasks[task_id] for task_id in self._in_cluster.get((region, cluster), ())]

    def tasks_started_by(self, region: str, cluster: str, started_by: str) -> list[Task]:
        """The tasks of a cluster with exactly this startedBy."""
        return [self.tasks[task_id] for task_id in self._started_by.get((region, cluster, started_by), ())]

    def live_tasks(self) -> list[Task]:
        """Every task that is not STOPPED."""
        return [task for task in self.tasks.values() if not task.finished]

    def token(self, region: str, cluster: str, token: str) -> LaunchToken | None:
        """What this clientToken answered, while it protects."""
        known = self._tokens.get((region, cluster, token))
        return known if known is not None and self._protects_until(known, self._clock.now()) > self._clock.now() else None

    def put_token(self, region: str, cluster: str, token: str, answer: LaunchToken) -> None:
        """Keep what a clientToken answered."""
        key = (region, cluster, token)
        self._remember_token(key, answer)
        self._database.put(TOKENS, key, answer)

    def _remember_token(self, key: tuple[str, str, str], answer: LaunchToken) -> None:
        self._tokens[key] = answer
        heapq.heappush(self._token_expiries, (answer.created_at + _TOKEN_OUTLIVES, key))

    def _protects_until(self, answer: LaunchToken, now: float) -> float:
        """The shorter of 24 hours and its tasks' life + 1 hour (facts/ecs.md §3.6), whatever `forget_after` says."""
        latest = answer.created_at + 1 * DAYS
        known = [self.tasks[task_id] for task_id in answer.task_ids if task_id in self.tasks]
        if any(not task.finished for task in known):
            return min(latest, now + _TOKEN_OUTLIVES)
        if answer.expires_at is not None:
            return answer.expires_at
        # Of a task that is forgotten we know only that it stopped `forget_after` ago or earlier.
        gone = [now - self._forget_after] if len(known) < len(answer.task_ids) else []
        ends = [answer.created_at, *gone, *(task.stopped_at for task in known if task.stopped_at is not None)]
        return min(latest, max(ends) + _TOKEN_OUTLIVES)

    def forget(self, now: float) -> float | None:
        """Forget the tasks that stopped long enough ago, the tokens that protect no more and the clusters deleted a day ago; answers
        when the next one is due.

        A stopped task can be described for an hour, or `forget_after`, an INACTIVE cluster "for a time" (facts/ecs.md §7).
        """
        while self._expiries and self._expiries[0][0] <= now:
            _, task_id = heapq.heappop(self._expiries)
            if (task := self.tasks.pop(task_id, None)) is not None:
                self._forget_task(task)
        while self._token_expiries and self._token_expiries[0][0] <= now:
            _, key = heapq.heappop(self._token_expiries)
            # The token may protect a later launch by now, which has an expiry of its own.
            if (answer := self._tokens.get(key)) is not None:
                self._reconsider(key, answer, now)
        while self._cluster_expiries and self._cluster_expiries[0][0] <= now:
            self._forget_cluster(heapq.heappop(self._cluster_expiries)[1], now)
        dues = [heap[0][0] for heap in (self._expiries, self._token_expiries, self._cluster_expiries) if heap]
        return min(dues, default=None)

    def _forget_cluster(self, key: tuple[str, str], now: float) -> None:
        """Let a deleted cluster go, unless it was made again; one whose tasks can still be described waits for them."""
        cluster = self.clusters.get(key)
        if cluster is None or cluster.deleted_at is None or cluster.deleted_at + _INACTIVE_CLUSTER > now:
            return
        if self._in_cluster.get(key):
            heapq.heappush(self._cluster_expiries, (now + _INACTIVE_CLUSTER, key))
            return
        del self.clusters[key]
        self._in_cluster.pop(key, None)
        self._counts.pop(key, None)
        self._database.put(CLUSTERS, key, None)

    def _reconsider(self, key: tuple[str, str, str], answer: LaunchToken, now: float) -> None:
        """Let a token go that protects no more; look again when it may not."""
        until = self._protects_until(answer, now)
        if until <= now:
            del self._tokens[key]
            self._database.put(TOKENS, key, None)
            return
        heapq.heappush(self._token_expiries, (until, key))
        if not any(task_id in self.tasks for task_id in answer.task_ids):
            # Nothing can be learned of its tasks any more: this is its end.
            self._tokens[key] = msgspec.structs.replace(answer, expires_at=until)

    def _forget_task(self, task: Task) -> None:
        place = (task.region, task.cluster)
        self._in_cluster[place].pop(task.id, None)
        self._views.pop(task.id, None)
        if task.started_by is not None:
            index = self._started_by[(*place, task.started_by)]
            index.pop(task.id, None)
            if not index:
                del self._started_by[(*place, task.started_by)]
        self._database.put(TASKS, (task.id,), None)

    def clear(self) -> None:
        """Forget everything (the reset of a test); what runs must have been ended before."""
        for region, name in self.clusters:
            self._database.put(CLUSTERS, (region, name), None)
        for (region, family), revisions in self.families.items():
            for revision in revisions:
                self._database.put(DEFINITIONS, (region, family, revision), None)
        for task_id in self.tasks:
            self._database.put(TASKS, (task_id,), None)
        for key in self._tokens:
            self._database.put(TOKENS, key, None)
        for kept in (self.clusters, self.families, self.tasks, self._tokens, self._in_cluster, self._started_by, self._counts, self._views):
            kept.clear()
        self._expiries.clear()
        self._token_expiries.clear()
        self._cluster_expiries.clear()
        self.used = _NOTHING

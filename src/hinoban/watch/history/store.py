"""Remembers every observation once, however often and in whatever order it comes.

A task's raw events stand in `task_events` while it is open and are folded into one blob in its row when it is finished; an event
that comes after the fold is folded in later. (taskArn, version) names a task event (facts/ecs.md §6.1), the record's eventID a launch.
Runs inside the caller's transaction: `take` tells what is new, `judge` adds verdicts, `flush` writes. After a failed transaction call `forget`.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from hinoban.base import units
from hinoban.watch.history import blobs
from hinoban.watch.history.bulk import Bulk
from hinoban.watch.history.schema import launches, stops, task_events, task_expiries, tasks
from hinoban.watch.model import Finding, Launch, News, Older, Stop, TaskChange, revision_of, task_id_of
from hinoban.watch.normalise import observation
from hinoban.watch.service_model import ServiceNews

_CHUNK = 500
_OF_TASKS = (TaskChange, Older)
_CACHE_BYTES = 32 * 1024 * 1024
_DELETE_EVENTS = Bulk(delete(task_events).where(task_events.c.task_key == bindparam("done_key")), ["done_key"])
_COLUMNS = [column.name for column in tasks.columns]
_INSERT_TASK = Bulk(insert(tasks), _COLUMNS)
_INSERT_EVENT = Bulk(insert(task_events), ["task_key", "version", "raw"])
# Only what can change, so that SQLite leaves the other indexes alone.
_CHANGING = ["started_at", "stopped_at", "last_status", "stop_code", "exit_code", "verdict", "class", "version", "versions"]
_FOLDING = [*_CHANGING, "open", "timeline"]


def _updating(names: list[str]) -> Bulk:
    values: dict[str, Any] = {name: bindparam(f"to_{name}") for name in names}
    return Bulk(update(tasks).where(tasks.c.key == bindparam("task_key")).values(values), [*(f"to_{name}" for name in names), "task_key"])


_UPDATE_TASK, _FOLD_TASK = _updating(_CHANGING), _updating(_FOLDING)


class Fresh(NamedTuple):
    """An observation that was not known before; `newest` is False for a task event older than one already known."""

    change: TaskChange | Launch | News | ServiceNews | Older
    newest: bool


class _Task:
    """What memory keeps of a task: which versions are known, its newest change, its raw events where it is open."""

    __slots__ = (
        "bytes",
        "events",
        "exit_code",
        "fold",
        "is_new",
        "key",
        "newest",
        "open",
        "reason",
        "stored_events",
        "unwritten",
        "verdict",
        "versions",
    )

    def __init__(self, key: int) -> None:
        self.key = key
        self.versions = 0
        self.newest: TaskChange | None = None
        self.open = True
        self.fold = False
        self.is_new = True
        self.events: list[tuple[int, bytes]] = []
        self.unwritten: list[tuple[int, bytes]] = []
        self.stored_events = False
        self.verdict: str | None = None
        self.reason: str | None = None
        self.exit_code: int | None = None
        self.bytes = 0


_Name = tuple[str, str, str]


class History:
    """The memory of tasks and launches. One writer a database; reading is queries.py's."""

    def __init__(self) -> None:
        self._known: OrderedDict[_Name, _Task] = OrderedDict()
        self._bytes = 0
        self._next_key = 0
        self._touched: dict[_Name, _Task] = {}
        self._launches: list[Launch] = []
        self._stops: dict[str, Stop] = {}
        self._restored_ended: list[_Name] = []
        self._expiries: dict[int, float] = {}

    def forget(self) -> None:
        """Drop what memory holds; the next batch reads it again."""
        self._known.clear()
        self._bytes = 0
        self._next_key = 0
        self._touched.clear()
        self._launches.clear()
        self._stops.clear()
        self._expiries.clear()

    def take(
        self, connection: Connection, items: Sequence[tuple[bytes, TaskChange | Launch | Stop | News | ServiceNews | Older]]
    ) -> list[Fresh]:
        """Which of `items` (raw envelope, observation) are new, in their order; remembered for `flush`."""
        self._load(connection, items)
        known_launches = self._known_launches(connection, [change.launch_id for _, change in items if isinstance(change, Launch)])
        fresh: list[Fresh] = []
        for raw, change in items:
            if isinstance(change, Stop):
                # Nothing follows from it: the task's own end does.
                self._stops[change.event_id] = change
                continue
            if isinstance(change, Launch):
                if change.launch_id not in known_launches:
                    known_launches.add(change.launch_id)
                    self._launches.append(change)
                    fresh.append(Fresh(change, True))
                continue
            if not isinstance(change, _OF_TASKS):
                fresh.append(Fresh(change, True))  # the book, and the memories, know what they have heard
                continue
            name = _name(change)
            task = self._known.get(name)
            if task is None:
                task = self._known[name] = _Task(self._new_key(connection))
            bit = 1 << change.version
            if task.versions & bit:
                continue
            task.versions |= bit
            newest = False
            if isinstance(change, TaskChange) and (task.newest is None or change.version > task.newest.version):
                newest = True
                task.newest = change
            if change.finished:
                task.fold = True
            if b"\n" in raw:
                raw = msgspec.json.format(raw, indent=-1)
            task.unwritten.append((change.version, raw))
            self._touched[name] = task
            fresh.append(Fresh(change, newest))
        return fresh

    def newest_named(self, name: tuple[str, str, str]) -> TaskChange | None:
        """The newest change of a task of this batch, which its row does not hold yet; None of one that memory does not have."""
        return task.newest if (task := self._known.get(name)) is not None else None

    def launch_of(self, task_arn: str) -> Launch | None:
        """The launch of this batch that brought a task."""
        return next((one for one in self._launches if task_arn in one.task_arns), None)

    def judge(self, change: TaskChange, finding: Finding | None) -> None:
        """Write what was found of a task of this batch into its row."""
        if (task := self._known.get(_name(change))) is not None:
            task.verdict = finding.verdict if finding is not None else None
            task.reason = finding.explanation.code if finding is not None else None
            task.exit_code = finding.facts.get("exit_code") if finding is not None else None
            self._touched[_name(change)] = task

    def expire(self, change: TaskChange, at: float) -> None:
        """Write when a task of this batch is to be forgotten; retention.py does it."""
        if (task := self._known.get(_name(change))) is not None:
            self._expiries[task.key] = at

    def newest(self, change: TaskChange) -> TaskChange:
        """The newest known change of the same task (of one that this batch touched)."""
        task = self._known.get(_name(change))
        return task.newest if task is not None and task.newest is not None else change

    def flush(self, connection: Connection) -> None:
        """Write what `take` found new."""
        new_rows: list[tuple[Any, ...]] = []
        changed_rows: list[tuple[Any, ...]] = []
        folded_rows: list[tuple[Any, ...]] = []
        new_events: list[tuple[Any, ...]] = []
        folded: list[tuple[int]] = []
        self._load_events(connection, [task for task in self._touched.values() if task.fold and task.stored_events and not task.events])
        for name, task in self._touched.items():
            timeline: bytes | None = None
            if task.fold:
                timeline = blobs.pack(task.events + task.unwritten)
                if task.stored_events:
                    folded.append((task.key,))
                self._drop(name, task)
            else:
                new_events += [(task.key, version, raw) for version, raw in task.unwritten]
            row = _row(task, timeline)
            if task.is_new:
                new_rows.append(tuple([row[column] for column in _COLUMNS]))
            elif task.fold:
                folded_rows.append((*(row[column] for column in _FOLDING), task.key))
            else:
                changed_rows.append((*(row[column] for column in _CHANGING), task.key))
            if not task.fold:
                self._keep(task)
        _INSERT_TASK.run(connection, new_rows)
        _UPDATE_TASK.run(connection, changed_rows)
        _FOLD_TASK.run(connection, folded_rows)
        _INSERT_EVENT.run(connection, new_events)
        _DELETE_EVENTS.run(connection, folded)
        if self._launches:
            connection.execute(insert(launches), [_launch_row(launch) for launch in self._launches])
        if self._stops:
            connection.execute(delete(stops).where(stops.c.id.in_(list(self._stops))))
            connection.execute(insert(stops), [_stop_row(one) for one in self._stops.values()])
        if self._expiries:
            connection.execute(delete(task_expiries).where(task_expiries.c.task_key.in_(list(self._expiries))))
            connection.execute(insert(task_expiries), [{"task_key": key, "at": at} for key, at in self._expiries.items()])
            self._expiries.clear()
        for name in self._restored_ended:
            self._known.pop(name, None)
        self._restored_ended.clear()
        self._launches.clear()
        self._stops.clear()
        self._touched.clear()
        self._shrink()

    def close_lost(self, connection: Connection, keys: Sequence[int]) -> None:
        """Fold open tasks that AWS no longer knows: their end was never seen, so their verdict is UNKNOWN."""
        for key in keys:
            events = connection.execute(select(task_events.c.version, task_events.c.raw).where(task_events.c.task_key == key)).all()
            values = {
                "open": False,
                "verdict": "UNKNOWN",
                "class": "unknown",
                "timeline": blobs.pack((version, raw) for version, raw in events),
            }
            connection.execute(update(tasks).where(tasks.c.key == key).values(values))
            _DELETE_EVENTS.run(connection, [(key,)])
        if keys:
            self.forget()

    def _new_key(self, connection: Connection) -> int:
        if not self._next_key:
            self._next_key = (connection.execute(select(func.max(tasks.c.key))).scalar() or 0) + 1
        key = self._next_key
        self._next_key += 1
        return key

    def _load(self, connection: Connection, items: Iterable[tuple[bytes, TaskChange | Launch | Stop | News | ServiceNews | Older]]) -> None:
        wanted: dict[str, None] = {}
        for _, change in items:
            if isinstance(change, TaskChange | Older):
                name = _name(change)
                if name in self._known:
                    self._known.move_to_end(name)
                else:
                    wanted[name[0]] = None
        ids = list(wanted)
        for start in range(0, len(ids), _CHUNK):
            for row in connection.execute(select(tasks).where(tasks.c.id.in_(ids[start : start + _CHUNK]))).mappings():
                self._restore(connection, row)

    def _restore(self, connection: Connection, row: Any) -> None:
        task = _Task(row["key"])
        task.is_new = False
        task.versions = int.from_bytes(row["versions"], "little")
        task.verdict, task.reason, task.exit_code = row["verdict"], row["class"], row["exit_code"]
        if row["timeline"] is not None:
            read = [(seen, raw) for raw in blobs.unpack(row["timeline"]) if isinstance(seen := observation(raw), TaskChange)]
            task.events = [(change.version, raw) for change, raw in read]
            task.newest, task.fold = read[-1][0], True
            self._restored_ended.append((row["id"], row["region"], row["account"]))
        else:
            task.stored_events = True
            stored = connection.execute(
                select(task_events.c.raw).where(task_events.c.task_key == task.key, task_events.c.version == row["version"])
            ).scalar_one()
            newest = observation(stored)
            task.newest = newest if isinstance(newest, TaskChange) else None
        self._known[(row["id"], row["region"], row["account"])] = task

    def _load_events(self, connection: Connection, wanted: Sequence[_Task]) -> None:
        by_key = {task.key: task for task in wanted}
        keys = list(by_key)
        for start in range(0, len(keys), _CHUNK):
            found = select(task_events).where(task_events.c.task_key.in_(keys[start : start + _CHUNK]))
            for key, version, raw in connection.execute(found):
                by_key[key].events.append((version, raw))

    def _known_launches(self, connection: Connection, ids: Sequence[str]) -> set[str]:
        known: set[str] = set()
        for start in range(0, len(ids), _CHUNK):
            known.update(connection.execute(select(launches.c.id).where(launches.c.id.in_(ids[start : start + _CHUNK]))).scalars())
        return known

    def _keep(self, task: _Task) -> None:
        # Kept in memory only where all of them are, so that a fold reads them from one place.
        if not task.stored_events or task.events:
            task.events += task.unwritten
            size = sum(len(raw) for _, raw in task.unwritten)
            task.bytes += size
            self._bytes += size
        task.unwritten = []
        task.stored_events = True
        task.is_new = False

    def _drop(self, name: _Name, task: _Task) -> None:
        self._bytes -= task.bytes
        self._known.pop(name, None)

    def _shrink(self) -> None:
        while self._known and (self._bytes > _CACHE_BYTES or len(self._known) > 50_000):
            _, task = self._known.popitem(last=False)
            self._bytes -= task.bytes


def _name(change: TaskChange | Older) -> _Name:
    return task_id_of(change.task_arn), change.region, change.account


def _moment(text: str | None) -> float | None:
    return units.parse_iso(text) if text else None


def _row(task: _Task, timeline: bytes | None) -> dict[str, Any]:
    change = task.newest
    assert change is not None  # a touched task has at least the change that touched it
    detail = change.detail
    definition = detail.get("taskDefinitionArn", "")
    return {
        "key": task.key,
        "id": task_id_of(change.task_arn),
        "region": change.region,
        "account": change.account,
        "arn": change.task_arn,
        "family": change.family,
        "revision": revision_of(definition),
        "cluster": str(detail.get("clusterArn", "")).rpartition("/")[2],
        "group": detail.get("group"),
        "started_by": detail.get("startedBy"),
        "created_at": _moment(detail.get("createdAt")),
        "started_at": _moment(detail.get("startedAt")),
        "stopped_at": _moment(detail.get("stoppedAt")),
        "last_status": detail.get("lastStatus", ""),
        "stop_code": detail.get("stopCode"),
        "exit_code": task.exit_code if task.exit_code is not None else exit_code_of(detail),
        "verdict": task.verdict,
        "class": task.reason,
        "version": change.version,
        "open": timeline is None,
        "versions": task.versions.to_bytes((task.versions.bit_length() + 7) // 8, "little"),
        "timeline": timeline,
    }


def exit_code_of(detail: dict[str, Any]) -> int | None:
    """The exit code that tells most: a container's own failure before a signal's, a signal's before success; None where none is known."""
    codes = [container["exitCode"] for container in detail.get("containers") or () if container.get("exitCode") is not None]
    own = [code for code in codes if 0 < code < 128]
    return own[0] if own else max(codes, default=None)


def _stop_row(stop: Stop) -> dict[str, Any]:
    return {"id": stop.event_id, "task_id": task_id_of(stop.task_arn), "at": stop.at, "arn": stop.task_arn, "caller": stop.caller}


def _launch_row(launch: Launch) -> dict[str, Any]:
    return {
        "id": launch.launch_id,
        "at": launch.at,
        "family": launch.family,
        "refused": launch.refused,
        "value": msgspec.json.encode(launch),
    }

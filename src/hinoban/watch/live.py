"""Which tasks live now, by family: what the detector of overlaps looks at. In memory; rebuilt from the open tasks at every start."""

import msgspec
from sqlalchemy import Connection

from hinoban.watch.detect.overlap import Live
from hinoban.watch.history import queries
from hinoban.watch.incidents import change_started
from hinoban.watch.model import Launch, TaskChange

_Family = tuple[str, str, str, str]
_ENDING = ("DEACTIVATING", "STOPPING", "DEPROVISIONING", "STOPPED", "DELETED")
MOST = 20
"""So many of a family at once are no mistake but a fan-out: who started each is not looked up any more."""


_SWEEP = 10_000


class LiveTasks:
    """Tasks from their first event to their last."""

    def __init__(self) -> None:
        self._families: dict[_Family, dict[str, Live]] = {}
        self._callers: dict[str, Launch] = {}
        self._asked: set[str] = set()
        """Tasks whose launch is in no row: a record that comes later comes by `launched`."""
        self._sweep_at = _SWEEP

    def launched(self, launch: Launch) -> None:
        """Remember who launched, for as long as its tasks live."""
        for arn in launch.task_arns:
            self._callers[arn] = launch
        if len(self._callers) > self._sweep_at:
            living = {arn for tasks in self._families.values() for arn in tasks}
            self._callers = {arn: one for arn, one in self._callers.items() if arn in living}
            self._sweep_at = max(_SWEEP, 2 * len(self._callers))

    def restore(self, change: TaskChange) -> None:
        """Take up a task that was open when the watch ended."""
        if change.detail.get("lastStatus") == "RUNNING" and not change.service_owned:
            self._families.setdefault(_family(change), {})[change.task_arn] = _live(change)

    def ended(self, change: TaskChange) -> None:
        """A task that lives no more, or not for long."""
        tasks = self._families.get(_family(change), {})
        tasks.pop(change.task_arn, None)
        self._asked.discard(change.task_arn)
        if change.finished:
            self._callers.pop(change.task_arn, None)
        if not tasks:
            self._families.pop(_family(change), None)

    def seen(self, connection: Connection, change: TaskChange) -> tuple[Live, list[Live]] | None:
        """Take in a task's news; where it has just begun to run beside others of its family, itself and all of them."""
        if change.service_owned:
            return None
        tasks = self._families.setdefault(_family(change), {})
        status = change.detail.get("lastStatus")
        if status in _ENDING or change.detail.get("desiredStatus") == "STOPPED":
            self.ended(change)
            return None
        if status != "RUNNING" or change.task_arn in tasks:
            return None
        tasks[change.task_arn] = _live(change)
        if len(tasks) < 2 or len(tasks) > MOST:
            return None
        for arn, one in list(tasks.items()):
            tasks[arn] = self._with_caller(connection, one, change.family)
        return tasks[change.task_arn], list(tasks.values())

    def _with_caller(self, connection: Connection, one: Live, family: str) -> Live:
        if one.launch_id is not None:
            return one
        launch = self._callers.get(one.arn)
        if launch is None and one.arn not in self._asked:
            launch = queries.launch_of_task(connection, family, one.arn, one.since)
            self._asked.add(one.arn)
        if launch is None:
            return one
        return msgspec.structs.replace(one, caller=launch.caller_arn or launch.invoked_by, launch_id=launch.launch_id)


def _family(change: TaskChange) -> _Family:
    return change.account, change.region, str(change.detail.get("clusterArn") or "").rpartition("/")[2], change.family


def _live(change: TaskChange) -> Live:
    return Live(arn=change.task_arn, since=change_started(change), started_by=change.detail.get("startedBy"))

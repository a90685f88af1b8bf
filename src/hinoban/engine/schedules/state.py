"""Every schedule and group, in memory and in order, with a row on disk for each. How far a schedule is decided is `marks`' to keep.

Group `default` is in every region: its row is written when somebody first asks for the region's groups.
"""

import bisect
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec
from msgspec import Struct

from hinoban.aws import arns
from hinoban.base.clock import HOURS, Clock
from hinoban.engine.schedules import marks
from hinoban.engine.schedules.model import DEFAULT_GROUP, Group, Schedule
from hinoban.store.database import Database, Table

MIGRATION = f"""
CREATE TABLE schedule_groups (region TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (region, name)) WITHOUT ROWID;
CREATE TABLE schedules (region TEXT, grp TEXT, name TEXT, value BLOB NOT NULL, PRIMARY KEY (region, grp, name)) WITHOUT ROWID;
CREATE TABLE schedule_deletions (region TEXT, token TEXT, value BLOB NOT NULL, PRIMARY KEY (region, token)) WITHOUT ROWID;
{marks.MIGRATION}"""
GROUPS = Table("schedule_groups", "region", "name")
SCHEDULES = Table("schedules", "region", "grp", "name")
DELETIONS = Table("schedule_deletions", "region", "token")

# How long a client's retry of a deletion finds that it was done.
_REMEMBERED = 1 * HOURS

Key = tuple[str, str, str]
"""Region, group, name."""
Hear = Callable[[Schedule | None, Schedule | None], None]


class _Deletion(Struct, frozen=True):
    arn: str
    at: float


class SchedulerState:
    """The groups and schedules of every region."""

    def __init__(self, database: Database, clock: Clock, account: str) -> None:
        self._database = database
        self._clock = clock
        self.account = account
        self._groups: dict[tuple[str, str], Group] = {}
        self._schedules: dict[Key, Schedule] = {}
        self._order: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        self._deletions: dict[tuple[str, str], _Deletion] = {}
        self._hearers: list[Hear] = []
        self.schedules: Mapping[Key, Schedule] = MappingProxyType(self._schedules)
        self._load()

    def _load(self) -> None:
        for region, name, value in self._database.rows(GROUPS):
            self._groups[(region, name)] = msgspec.json.decode(value, type=Group)
        decode = msgspec.json.Decoder(Schedule).decode
        for region, group, name, value in self._database.rows(SCHEDULES):
            self._schedules[(region, group, name)] = decode(value)
            self._order[region].append((group, name))
        for order in self._order.values():
            order.sort()
        for region, token, value in self._database.rows(DELETIONS):
            self._deletions[(region, token)] = msgspec.json.decode(value, type=_Deletion)

    # Groups --------------------------------------------------------------------------------------------------------------------------

    def group(self, region: str, name: str) -> Group | None:
        """The group of that name; the default one is always there."""
        found = self._groups.get((region, name))
        if found is None and name == DEFAULT_GROUP:
            now = self._clock.now()
            found = Group(region=region, name=name, arn=group_arn(region, self.account, name), created_at=now, modified_at=now)
            self.put_group(found)
        return found

    def groups(self, region: str) -> list[Group]:
        """The groups of a region by name, the default one among them."""
        self.group(region, DEFAULT_GROUP)
        return [group for (place, _), group in sorted(self._groups.items()) if place == region]

    def put_group(self, group: Group) -> None:
        """Keep this group in place of the one of its name."""
        self._groups[(group.region, group.name)] = group
        self._database.put(GROUPS, (group.region, group.name), group)

    def delete_group(self, group: Group, token: str | None = None) -> None:
        """Forget a group and its schedules."""
        for _, name in self.names(group.region, group.name):
            self.delete(self._schedules[(group.region, group.name, name)])
        del self._groups[(group.region, group.name)]
        self._database.put(GROUPS, (group.region, group.name), None)
        self._remember_deletion(group.region, token, group.arn)

    # Schedules -----------------------------------------------------------------------------------------------------------------------

    def names(self, region: str, group: str | None = None, *, after: tuple[str, str] = ("", "")) -> list[tuple[str, str]]:
        """Group and name of the region's schedules (of one group), in order, behind `after`."""
        order = self._order[region]
        start = bisect.bisect_right(order, max(after, (group or "", "")))
        end = bisect.bisect_left(order, (group + "\0", "")) if group is not None else len(order)
        return order[start:end]

    def put(self, schedule: Schedule) -> None:
        """Keep this schedule in place of the one of its name; then tell who listens."""
        key = key_of(schedule)
        before = self._schedules.get(key)
        if before is None:
            bisect.insort(self._order[schedule.region], (schedule.group, schedule.name))
        self._schedules[key] = schedule
        self._database.put(SCHEDULES, key, schedule)
        for hear in self._hearers:
            hear(before, schedule)

    def delete(self, schedule: Schedule, token: str | None = None) -> None:
        """Forget a schedule; then tell who listens. `token` is the deletion's ClientToken, whose retry finds it done."""
        key = key_of(schedule)
        before = self._schedules.pop(key)
        order = self._order[schedule.region]
        del order[bisect.bisect_left(order, (schedule.group, schedule.name))]
        self._database.put(SCHEDULES, key, None)
        self._remember_deletion(schedule.region, token, schedule.arn)
        for hear in self._hearers:
            hear(before, None)

    def listen(self, hear: Hear) -> None:
        """Tell `hear` the schedule before and after every change from now on, in the turn of the change; None where there is none."""
        self._hearers.append(hear)

    def was_deleted(self, region: str, token: str | None, arn: str) -> bool:
        """Whether a deletion with this token took just that away, not long ago."""
        found = self._deletions.get((region, token)) if token is not None else None
        return found is not None and found.arn == arn and self._clock.now() - found.at <= _REMEMBERED

    def _remember_deletion(self, region: str, token: str | None, arn: str) -> None:
        now = self._clock.now()
        # Oldest first, as a dict keeps them.
        while self._deletions and now - (oldest := next(iter(self._deletions.items())))[1].at > _REMEMBERED:
            del self._deletions[oldest[0]]
            self._database.put(DELETIONS, oldest[0], None)
        if token is not None:
            self._deletions[(region, token)] = _Deletion(arn, now)
            self._database.put(DELETIONS, (region, token), self._deletions[(region, token)])

    def clear(self) -> None:
        """Forget every schedule and group (the reset of a test); who listens is told of each."""
        for schedule in list(self._schedules.values()):
            self.delete(schedule)
        for place in list(self._groups):
            del self._groups[place]
            self._database.put(GROUPS, place, None)
        for key in list(self._deletions):
            del self._deletions[key]
            self._database.put(DELETIONS, key, None)


def key_of(schedule: Schedule) -> Key:
    return (schedule.region, schedule.group, schedule.name)


def key_of_arn(arn: str) -> Key:
    """Of `arn:aws:scheduler:REGION:ACCOUNT:schedule/GROUP/NAME`."""
    parts = arns.parse(arn)
    _, group, name = parts.resource.split("/")
    return (parts.region, group, name)


def group_arn(region: str, account: str, group: str) -> str:
    return f"arn:{arns.partition_of(region)}:scheduler:{region}:{account}:schedule-group/{group}"


def schedule_arn(region: str, account: str, group: str, name: str) -> str:
    return f"arn:{arns.partition_of(region)}:scheduler:{region}:{account}:schedule/{group}/{name}"

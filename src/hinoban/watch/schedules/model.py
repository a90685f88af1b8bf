"""The words of the ledger: a schedule with an ECS target, what surrounds it, and a reading of them all. Frozen values, no I/O."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from hinoban.aws.errors import CREDENTIALS_REFUSED

Kind = Literal["rule", "schedule"]
State = Literal["ENABLED", "DISABLED"]
What = Literal["disabled", "enabled", "deleted", "retargeted", "rescheduled"]
Thing = Literal["definition", "cluster", "role", "secret"]
Presence = Literal["there", "missing", "deleted"]


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """One ECS target of a scheduled rule (facts/eventbridge.md §5), or of a schedule of EventBridge Scheduler (§8)."""

    key: str
    """`<arn>#<target_id>`, its name for good."""
    arn: str
    kind: Kind
    name: str
    group: str | None
    """Scheduler's group; None of a rule."""
    bus: str | None
    """A rule's bus, always `default`: no other has schedules; None of a schedule."""
    region: str
    account: str
    expression: str
    timezone: str = "UTC"
    state: State = "ENABLED"
    start: float | None = None
    end: float | None = None
    window_seconds: float = 0.0
    """How long after a slot Scheduler may take (FlexibleTimeWindow)."""
    created_at: float | None = None
    """Scheduler's CreationDate. The API does not tell a rule's."""
    modified_at: float | None = None
    """Scheduler's LastModificationDate: what it was before nobody can read."""
    members: tuple[str, ...] = ()
    """What an UpdateSchedule must repeat, because it replaces the whole; empty of a rule."""
    target_id: str
    cluster: str
    """Its name."""
    task_definition: str
    """As the target has it: an ARN, with or without a revision."""
    family: str
    revision: int | None
    """None where the target names the family alone."""
    count: int = 1
    role: str | None = None
    request: dict[str, Any] | None = None
    """RunTask's parameters as this target makes them, without startedBy and clientToken; `requests.request_at` fills in a slot's."""
    problem: str | None = None
    """Why there is no `request`."""
    overrides: str | None = None
    """The target's Input as given."""
    started_by: str
    """What RunTask gets as startedBy, cut to 36 characters as AWS cuts it (§6.2)."""

    @property
    def enabled(self) -> bool:
        return self.state == "ENABLED"

    @property
    def job(self) -> str:
        """`daily-close:17`, or the family alone when no revision is pinned."""
        return self.family if self.revision is None else f"{self.family}:{self.revision}"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """A part that could not be read. The rest was."""

    account: str = ""
    """Empty where whoever answers has one account."""
    region: str
    right: str
    """The IAM action that the call needs: `scheduler:GetSchedule`."""
    code: str
    message: str
    subject: str = ""
    """The rule, schedule, definition ... it was about; empty of a whole list."""
    denied: bool = False
    """Whether AWS refuses: the right is missing, or the credentials are not taken. It is not late, nor throttled."""

    @property
    def words(self) -> str:
        """One line for people."""
        whom = f" of {self.subject}" if self.subject else ""
        return f"{self.right}{whom} {self._verdict} in {self.region}"

    @property
    def _verdict(self) -> str:
        if self.of_credentials:
            return f"refused ({self.code}: {self.message})"
        return "denied" if self.denied else f"failed ({self.code}: {self.message})"

    @property
    def of_credentials(self) -> bool:
        """Whether the credentials are not taken, so that no right would help."""
        return self.code in CREDENTIALS_REFUSED


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What DescribeTaskDefinition said of one reference: status None when there is no such definition."""

    status: str | None
    revision: int | None = None
    roles: tuple[str, ...] = ()
    """ARNs of its task role and execution role."""
    secrets: tuple[str, ...] = ()
    """`valueFrom` of its secrets, as written, and its registries' credentials."""


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What schedules need to start a run, as far as it was asked: what is in no dict is unknown, never missing."""

    definitions: Mapping[tuple[str, str], Definition] = {}
    """(region, `Schedule.job`) -> what it is; of a pinned one that is not ACTIVE the family too."""
    clusters: Mapping[tuple[str, str], str | None] = {}
    """(region, name) -> status, None when there is no such cluster."""
    roles: Mapping[str, Presence] = {}
    """By ARN."""
    secrets: Mapping[tuple[str, str], Presence] = {}
    """By (region, valueFrom)."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """What one reading found. `complete` when every list, rule and schedule that it was to read was read."""

    account: str | None = None
    """Whose schedules were asked for; None where whoever answers has one account."""
    schedules: tuple[Schedule, ...] = ()
    not_watched: Mapping[str, int] = {}
    """Scheduled targets that are no ECS tasks, counted by what they are: `Lambda` -> 1. Only of a full reading."""
    complete: bool = True
    problems: tuple[Problem, ...] = ()
    around: Surroundings = Surroundings()
    read: frozenset[str] = frozenset()
    """The scopes (`scope_of`, `region_scope`) that were read to the end."""
    unread: frozenset[str] = frozenset()
    """The single rules and schedules within them that could not be read."""

    def covers(self, schedule: Schedule) -> bool:
        """Whether this reading would have found the schedule: if it is not among `schedules` then, it is gone."""
        if self.account not in (None, schedule.account):
            return False
        own = scope_of(schedule.kind, schedule.region, schedule.group, schedule.name)
        return own not in self.unread and (own in self.read or region_scope(schedule.kind, schedule.region) in self.read)


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to a schedule between two readings."""

    key: str
    name: str
    what: tuple[What, ...]
    """The gravest first."""
    sentence: str
    """Plain words, all of `what` in one."""


class Dead(msgspec.Struct, frozen=True, kw_only=True):
    """One thing without which a schedule's next run cannot start."""

    key: str
    thing: Thing
    name: str
    why: str
    """`pinned to daily-close:17, which is INACTIVE`."""
    said: str | None = None
    """What RunTask will answer, AWS's own words, where they are known (facts/ecs.md §3.3)."""
    repair: str
    """What to do; begins with a verb."""


def region_scope(kind: Kind, region: str) -> str:
    """The name of a region's list of rules, or of schedules."""
    return f"{kind}/{region}"


def scope_of(kind: Kind, region: str, group: str | None, name: str) -> str:
    """The name of one rule or schedule."""
    return f"{kind}/{region}/{group or ''}/{name}"

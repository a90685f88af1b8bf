"""The watch's words: what was observed, what was found, and the incident it became. Frozen values, no behaviour beyond reading themselves."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from hinoban.base.ids import derived_id
from hinoban.watch.config import Level
from hinoban.watch.group_row import Escalated, Group

Detector = Literal[
    "did_not_start",
    "failed_exit",
    "out_of_memory",
    "overdue",
    "missed_run",
    "dead_schedule",
    "schedule_changed",
    "overlap",
    "delivery_failed",
    "policy_mismatch",
    "partly_started",
    "cannot_pull",
    "cannot_get_secret",
    "throttled",
    "spot_interrupted",
    "maintenance",
    "service_impaired",
    "deployment_failed",
    "rolled_back",
    "crash_loop",
    "zero_running",
    "not_steady",
    "health_replacements",
    "launch_loop",
    "too_short",
    "stuck",
    "silence",
    "blind",
    "watch_behind",
    "mute_ended",
]
IncidentState = Literal["open", "acknowledged", "snoozed", "resolved"]
Verdict = str
"""The verdict in capitals that stands in line 1: `NOT STARTED`, `EXIT 1`, `OUT OF MEMORY`, `OVERDUE`, `RECOVERED`, ..."""


class TaskChange(msgspec.Struct, frozen=True, kw_only=True):
    """One "ECS Task State Change": `detail` as AWS sends it (facts/ecs.md §6.2). (task_arn, version) names it for good."""

    event_id: str
    at: float
    account: str
    region: str
    task_arn: str
    version: int
    detail: dict[str, Any]

    @property
    def finished(self) -> bool:
        return self.detail.get("lastStatus") == "STOPPED"

    @property
    def family(self) -> str:
        return family_of(self.detail.get("taskDefinitionArn", ""))

    @property
    def service_owned(self) -> bool:
        """Whether a service looks after the task (facts/ecs.md §3.7)."""
        group, started_by = str(self.detail.get("group") or ""), str(self.detail.get("startedBy") or "")
        return group.startswith("service:") or started_by.startswith("ecs-svc/")


class Older(msgspec.Struct, frozen=True):
    """A task event that came together with a later one of the same task: of its matter nothing but its own bytes is of use any more."""

    account: str
    region: str
    task_arn: str
    version: int
    finished: bool


class LaunchFailure(msgspec.Struct, frozen=True):
    """One entry of RunTask's `failures[]`; Fargate's have only a reason (facts/ecs.md §3.2)."""

    reason: str
    arn: str | None = None
    detail: str | None = None


class Launch(msgspec.Struct, frozen=True, kw_only=True):
    """One RunTask call as its CloudTrail record tells it; event_id is the record's eventID (the de-duplication key).

    `request` is None where AWS left it out (facts/ecs.md §6.7 outcome 3). `refused` is how many of `count` did not come to be.
    """

    event_id: str
    launch_id: str
    at: float
    account: str
    region: str
    request: dict[str, Any] | None = None
    task_arns: tuple[str, ...] = ()
    failures: tuple[LaunchFailure, ...] = ()
    error_code: str | None = None
    error_message: str | None = None
    caller_arn: str | None = None
    invoked_by: str | None = None

    @property
    def count(self) -> int:
        return int((self.request or {}).get("count") or 1)

    @property
    def refused(self) -> int:
        return self.count - len(self.task_arns)

    @property
    def family(self) -> str:
        return family_of((self.request or {}).get("taskDefinition", ""))

    @property
    def cluster(self) -> str:
        return str((self.request or {}).get("cluster") or "default").rpartition("/")[2]

    @property
    def started_by(self) -> str | None:
        return (self.request or {}).get("startedBy")

    @property
    def token(self) -> str | None:
        return (self.request or {}).get("clientToken")


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """One StopTask call that was accepted, as its CloudTrail record tells it: who stopped which task."""

    event_id: str
    at: float
    task_arn: str
    caller: str
    """The ARN, or the AWS service, that called."""


class Doing(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted write to what a scheduled run stands on: a rule, a schedule, a task definition, a cluster. Who did what to which."""

    event_id: str
    at: float
    account: str
    region: str
    name: str
    """The operation: `DisableRule`, `DeregisterTaskDefinition` ..."""
    subject: str
    """What it was done to: `rule/nightly`, `schedule/default/nightly`, `definition/billing:17`, `cluster/batch`."""
    caller: str
    """The ARN, or the AWS service, that called."""


class SlotNews(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's own line on a schedule's slots: one that fired, or a run of `count` that were missed, from `first` to `last`."""

    event_id: str
    at: float
    account: str
    region: str
    arn: str
    kind: Literal["rule", "schedule"]
    name: str
    group: str | None
    expression: str
    timezone: str
    fired: bool
    first: float
    last: float
    count: int
    reason: str
    tokens: dict[str, str]
    """Target id -> the clientToken of its RunTask; ECS targets only."""
    clusters: dict[str, str]
    """Target id -> the name of its cluster."""


class DeliveryNews(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's line on a target that an event could not be delivered to, can be again, or was though its policy does not say so."""

    event_id: str
    at: float
    account: str
    region: str
    what: Literal["failed", "recovered", "mismatch", "covered", "unsent"]
    arn: str
    """The rule's, the schedule's or, of an unsent mail, the topic's."""
    name: str
    target_id: str
    detail: dict[str, Any]


Observation = TaskChange | Launch
News = Doing | SlotNews | DeliveryNews


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue says of a reason: `code` names the entry, `retryable` whether running the same again may help.

    `cause` and `next` are texts ready to print, in the language asked for; `said` holds AWS's own words, never cut or translated.
    """

    code: str
    cause: str
    next: str
    said: tuple[str, ...]
    retryable: bool


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What a detector found. `subject` is what it is about (`task:<arn>` or `launch:<event id>`): an incident's id derives from it.

    `facts` holds what the message needs beyond the explanation: exit_code, container, memory_mib, limit_seconds, ran_seconds ...
    """

    detector: Detector
    subject: str
    at: float
    account: str
    region: str
    cluster: str
    family: str
    revision: int | None
    verdict: Verdict
    explanation: Explanation
    task_arn: str | None = None
    launch_id: str | None = None
    started_by: str | None = None
    facts: dict[str, Any] = {}


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try at the run an incident is about; attempt 1 is the launch that was asked for."""

    number: int
    at: float
    """When it was launched, or refused; of one that waits, when it is due."""
    started_by: str | None
    outcome: str
    """`waiting`, `refused`, `launched`, `running`, `exit 0`, `exit 3`, `not started`, `in doubt` ..."""
    task_arn: str | None = None
    note: str = ""
    token: str | None = None
    changed: str = ""
    """What a retry asked for otherwise than the original: `subnet-0c only`."""


class Reaction(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy does about a service besides telling; written before it is done, so that it is not done twice."""

    action: Literal["scale_to_zero", "rollback"]
    state: Literal["wanted", "calling", "done", "told"]
    """`calling`: UpdateService was called, or is to be called again as its answer was lost. `told`: it is not done, and the incident says why."""
    since: float
    service_arn: str
    definition: str | None = None
    """What a rollback brings back: `web:203`."""


class Incident(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that went wrong, from its opening to its end; its id derives from `subject` and never changes."""

    id: str
    subject: str
    state: IncidentState
    verdict: Verdict
    finding: Finding
    opened_at: float
    changed_at: float
    resolved_at: float | None = None
    acknowledged_by: str | None = None
    """Who acknowledged or snoozed it, and until when (None: for good)."""
    acknowledged_until: float | None = None
    attempts: tuple[Attempt, ...] = ()
    done: tuple[str, ...] = ()
    """What Hinoban did, a sentence each."""
    told: int = 0
    """How many messages went out about it."""
    told_to: tuple[str, ...] = ()
    """The channels that were told of it: they hear how it goes on and ends, whatever routes say by then."""
    held_until: float | None = None
    """A transient failure under retry is not told before this moment."""
    missing: int = 1
    """How many tasks did not come to be: RECOVERED once retries brought as many to a good end."""
    made_up: tuple[str, ...] = ()
    """The later runs, not our retries, that ended well in place of missing ones: ARNs."""
    reaction: Reaction | None = None
    lead: str | None = None
    """The incident that speaks for it, where it is told together with others of its cause."""
    group: Group | None = None
    """Of one that was told by itself: those that it speaks for."""
    level: Level | None = None
    """How loudly it was last told."""
    level_since: float | None = None
    """Since when it is told so loudly and nobody has it."""
    escalated: tuple[Escalated, ...] = ()
    """The further people that were told, since `level_since`."""


def family_of(task_definition: str) -> str:
    """`web` of `web`, `web:3` or `arn:...:task-definition/web:3`."""
    return task_definition.rpartition("/")[2].partition(":")[0]


def revision_of(task_definition: str) -> int | None:
    """3 of `web:3` or of its ARN; None where no revision is named."""
    revision = task_definition.rpartition("/")[2].partition(":")[2]
    return int(revision) if revision.isdigit() else None


def task_id_of(task_arn: str) -> str:
    """The last part of a task's ARN."""
    return task_arn.rpartition("/")[2]


def attempt_of(started_by: str | None) -> tuple[str, int] | None:
    """(incident id, attempt) of a startedBy that a retry of ours wrote; None of all others."""
    mark, _, rest = (started_by or "").partition("/")
    incident_id, _, number = rest.partition("/")
    return (incident_id, int(number)) if mark == "hinoban" and incident_id.startswith("inc-") and number.isdigit() else None


def input_of(detail: Mapping[str, Any]) -> str | None:
    """What names a task's own input, the overrides of its containers; None where it ran its definition as it is."""
    every = (detail.get("overrides") or {}).get("containerOverrides") or ()
    said = [
        given for one in every if (given := {name: value for name, value in one.items() if value not in (None, [], {})}).keys() - {"name"}
    ]
    return derived_id("inp", msgspec.json.encode(said, order="deterministic").decode()) if said else None


OUR_STOP = "hinoban: "
"""How the reason of every stop of ours begins."""


def stopped_by_us(change: TaskChange) -> bool:
    """Whether it was Hinoban itself that stopped a task."""
    return str(change.detail.get("stoppedReason") or "").startswith(OUR_STOP)

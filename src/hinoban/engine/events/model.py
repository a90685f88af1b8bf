"""What EventBridge keeps: buses, rules with their targets, archives and replays. Values only."""

from typing import Any, Literal

from msgspec import Struct

from hinoban.aws import arns
from hinoban.aws.call import Params

DEFAULT_BUS = "default"

RuleState = Literal["ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"]
ReplayState = Literal["STARTING", "RUNNING", "CANCELLING", "COMPLETED", "CANCELLED", "FAILED"]


class Bus(Struct, frozen=True, kw_only=True):
    """An event bus. `policy` is a policy document; `settings` are the members that CreateEventBus was given and answers again."""

    region: str
    name: str
    arn: str
    settings: dict[str, Any] = {}
    policy: dict[str, Any] | None = None
    tags: dict[str, str] = {}
    created_at: float
    modified_at: float


class Rule(Struct, frozen=True, kw_only=True):
    """A rule and its targets: by Id, in the order in which they were first put, each as it was given (facts/eventbridge.md §5, §6.1)."""

    region: str
    bus: str
    name: str
    arn: str
    pattern: str | None = None
    schedule: str | None = None
    state: RuleState = "ENABLED"
    description: str | None = None
    role_arn: str | None = None
    tags: dict[str, str] = {}
    created_at: float
    created_by: str
    managed_by: str | None = None
    targets: dict[str, Params] = {}

    @property
    def enabled(self) -> bool:
        return self.state != "DISABLED"

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.region, self.bus, self.name)


class Archive(Struct, frozen=True, kw_only=True):
    """What is kept of a bus: the events that `pattern` matches (all without one), for `retention_days` (0: for ever)."""

    region: str
    name: str
    arn: str
    source_arn: str
    bus: str
    pattern: str | None = None
    retention_days: int = 0
    description: str | None = None
    kms_key: str | None = None
    created_at: float

    @property
    def key(self) -> tuple[str, str]:
        return (self.region, self.name)


class Replay(Struct, frozen=True, kw_only=True):
    """Archived events of `start` to `end` on their way to the bus again; `at` and `seq` say behind which one it goes on."""

    region: str
    name: str
    arn: str
    archive_arn: str
    archive: str
    bus: str
    destination: dict[str, Any]
    start: float
    end: float
    description: str | None = None
    state: ReplayState = "STARTING"
    state_reason: str | None = None
    at: float | None = None
    seq: int = 0
    started_at: float
    ended_at: float | None = None

    @property
    def key(self) -> tuple[str, str]:
        return (self.region, self.name)

    @property
    def under_way(self) -> bool:
        return self.state in ("STARTING", "RUNNING", "CANCELLING")


def _events(region: str, account: str, resource: str) -> str:
    return f"arn:{arns.partition_of(region)}:events:{region}:{account}:{resource}"


def bus_arn(region: str, account: str, bus: str) -> str:
    return _events(region, account, f"event-bus/{bus}")


def rule_arn(region: str, account: str, bus: str, rule: str) -> str:
    """`rule/NAME` on the default bus, `rule/BUS/NAME` elsewhere (facts/eventbridge.md §5)."""
    return _events(region, account, f"rule/{rule}" if bus == DEFAULT_BUS else f"rule/{bus}/{rule}")


def archive_arn(region: str, account: str, archive: str) -> str:
    return _events(region, account, f"archive/{archive}")


def replay_arn(region: str, account: str, replay: str) -> str:
    return _events(region, account, f"replay/{replay}")

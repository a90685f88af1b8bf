"""The fault `event`: an event of ECS that nothing here caused, as AWS would send it, so that whoever listens for it can be tried out.

Only events about services, deployments, instances and daemons: one about a task would make the watch believe in a task that nobody has.
"""

import difflib
from typing import Annotated, Any, Literal

import msgspec

from hinoban.aws import arns
from hinoban.base.clock import Clock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import Ids
from hinoban.base.units import iso, iso_seconds

# facts/ecs.md §6.1.
SERVICE_ACTION = "ECS Service Action"
DETAIL_TYPES = (
    SERVICE_ACTION,
    "ECS Deployment State Change",
    "ECS Hook State Change",
    "ECS Container Instance State Change",
    "ECS Container Instance Health Change",
    "ECS Daemon Service Action",
    "ECS Daemon Deployment State Change",
)
TASK_EVENT = "ECS Task State Change"
_EXAMPLE = (
    'Write e.g. {"what": "event", "detail-type": "ECS Service Action", '
    '"detail": {"eventType": "ERROR", "eventName": "SERVICE_TASK_PLACEMENT_FAILURE"}}.'
)
# facts/ecs.md §6.3: a daemon's WARNING is a service's WARN.
_EVENT_TYPES = {SERVICE_ACTION: ("INFO", "WARN", "ERROR"), "ECS Daemon Service Action": ("INFO", "WARNING", "ERROR")}
_CREATED, _UPDATED = "createdAt", "updatedAt"
_DEFAULT_CLUSTER = "default"

Region = Annotated[str, msgspec.Meta(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]


class EventFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"detail_type": "detail-type"}):
    """What is put in: an envelope's own part. `region` None: the engine's."""

    what: Literal["event"]
    detail_type: str
    detail: dict[str, Any]
    resources: list[str] = []
    region: Region | None = None


class Happened(EventFault, frozen=True, kw_only=True):
    """An event as it is answered: it struck when it was put in, once, and is in no list. `id` and `time` are the envelope's."""

    id: str
    time: str
    struck: int = 1
    left: int = 0


class EventMaker:
    """Checks and completes events of an engine."""

    def __init__(self, account: str, region: str, clock: Clock, ids: Ids) -> None:
        self._account = account
        self._region = region
        self._clock = clock
        self._ids = ids

    def envelope(self, body: Any, path: str) -> dict[str, Any]:
        """The whole event (facts/ecs.md §6.2); HinobanError, with `path` in it, for what AWS would never send."""
        try:
            fault = msgspec.convert(body, EventFault)
        except msgspec.ValidationError as error:
            raise HinobanError(f"{path} is not an event", str(error), _EXAMPLE) from error
        _check(fault, path)
        now = self._clock.now()
        region = fault.region or self._region
        return {
            "version": "0",
            "id": self._ids.uuid(),
            "detail-type": fault.detail_type,
            "source": "aws.ecs",
            "account": self._account,
            "time": iso_seconds(now),
            "region": region,
            "resources": fault.resources,
            "detail": self._completed(fault, region, now),
        }

    def _completed(self, fault: EventFault, region: str, now: float) -> dict[str, Any]:
        """The detail with what every such event of AWS's has; what is given stays."""
        moment = _CREATED if fault.detail_type.endswith("Service Action") else _UPDATED
        return {"clusterArn": self._cluster(fault, region), **fault.detail, moment: fault.detail.get(moment) or iso(now)}

    def _cluster(self, fault: EventFault, region: str) -> str:
        """That of the first resource whose ARN names one (`service/CLUSTER/NAME`), else the default cluster."""
        named = (arns.parse(one).resource.split("/") for one in fault.resources)
        name = next((parts[1] for parts in named if len(parts) > 2), _DEFAULT_CLUSTER)
        return arns.cluster_arn(region, self._account, name)


def happened(envelope: dict[str, Any]) -> Happened:
    """The envelope as an answer shows it."""
    return Happened(
        what="event",
        detail_type=envelope["detail-type"],
        detail=envelope["detail"],
        resources=envelope["resources"],
        region=envelope["region"],
        id=envelope["id"],
        time=envelope["time"],
    )


def _check(fault: EventFault, path: str) -> None:
    if fault.detail_type == TASK_EVENT:
        raise HinobanError(
            f"{path}.detail-type: an event about a task cannot be put in",
            "whoever hears it would believe in a task that is not there",
            'Make a task fail: {"what": "start_error"}, or {"what": "capacity"} for a launch that is refused.',
        )
    if fault.detail_type not in DETAIL_TYPES:
        near = difflib.get_close_matches(fault.detail_type, DETAIL_TYPES, 1)
        raise HinobanError(
            f"{path}.detail-type: ECS has no event {fault.detail_type!r}",
            f"its events are {', '.join(DETAIL_TYPES)}",
            f"Did you mean {near[0]!r}?" if near else _EXAMPLE,
        )
    for resource in fault.resources:
        if not _is_arn(resource):
            raise HinobanError(
                f"{path}.resources: {resource!r} is not an ARN",
                "an event names what it is about by ARN",
                "Write e.g. arn:aws:ecs:ap-northeast-1:123456789012:service/default/web",
            )
    _check_kind(fault, path)


def _check_kind(fault: EventFault, path: str) -> None:
    """`eventType` and `eventName`, by which patterns choose (facts/ecs.md §6.3, §6.4)."""
    if "Instance" in fault.detail_type:
        return
    for name in ("eventName",) if "Hook" in fault.detail_type else ("eventType", "eventName"):
        if not isinstance(fault.detail.get(name), str) or not fault.detail[name]:
            raise HinobanError(f"{path}.detail has no {name}", f"every {fault.detail_type!r} has one, a string", _EXAMPLE)
    allowed = _EVENT_TYPES.get(fault.detail_type, ("INFO", "ERROR"))
    if "eventType" in fault.detail and fault.detail["eventType"] not in allowed:
        raise HinobanError(
            f"{path}.detail.eventType must be one of {', '.join(allowed)}, not {fault.detail['eventType']!r}",
            f"no {fault.detail_type!r} of AWS's has another, so no rule would be tried out by it",
            "Choose one.",
        )


def _is_arn(text: str) -> bool:
    try:
        arns.parse(text)
    except ValueError:
        return False
    return True

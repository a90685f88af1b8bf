"""An ECS cluster as a target: RunTask with the target's EcsParameters (facts/eventbridge.md §6.2).

An answer with `failures` is a success: no retry, no dead letter, nothing told by EventBridge (facts/eventbridge.md §6.3). The watch sees it.
"""

import re
import shlex

import msgspec

from hinoban.aws.call import Params
from hinoban.aws.definitions.targets import run_task_request, started_by, task_override
from hinoban.aws.errors import AwsError
from hinoban.engine.events.targets.failure import Failure, of_answer
from hinoban.engine.events.targets.parcel import Invoke, Mismatch, Packer, Parcel
from hinoban.engine.events.targets.queue import Delivery
from hinoban.engine.events.targets.repairs import in_region
from hinoban.engine.events.targets.transform import UnknownVariableError, dynamic

_REVISION = re.compile(r":\d+$")


class EcsTarget:
    """Launches tasks. The token of a delivery makes a launch that is asked for again answer the tasks of the first time."""

    def __init__(self, invoke: Invoke, packer: Packer) -> None:
        self._invoke = invoke
        self._packer = packer

    async def deliver(self, parcel: Parcel) -> Mismatch | None:
        # Nothing is awaited: the tasks and the end of the delivery are one transaction.
        delivery = parcel.delivery
        request = _request(parcel)
        try:
            self._invoke("ecs", "RunTask", request, region=delivery.region, caller=self._packer.caller(delivery))
        except AwsError as error:
            raise _refused(delivery, request, error) from error
        return None


def _request(parcel: Parcel) -> Params:
    delivery = parcel.delivery
    target = delivery.target
    try:
        override = task_override(parcel.text) if parcel.given else None
        if delivery.event is not None:
            target = target | {"EcsParameters": dynamic(target.get("EcsParameters", {}), delivery.event)}
    except AwsError as error:
        raise Failure("INVALID_JSON", error.message, _small(error.message), target_code=error.code) from error
    except UnknownVariableError as error:
        raise Failure("INVALID_PARAMETER", str(error), str(error)) from error
    return run_task_request(target, started_by=started_by(delivery.kind, delivery.owner_name), token=delivery.token, override=override)


def _refused(delivery: Delivery, request: Params, error: AwsError) -> Failure:
    """What RunTask raised, in the words of the one who has to repair it."""
    why, repair = None, None
    if error.code == "ClusterNotFoundException":
        name = delivery.target_arn.rpartition("/")[2]
        why = f"the cluster {name} does not exist"
        repair = in_region(f"aws ecs create-cluster --cluster-name {shlex.quote(name)}", delivery.region)
    elif "inactive" in error.message.lower():
        definition = request.get("taskDefinition", "")
        why = f"its target is pinned to {definition.rpartition('/')[2]}, which is inactive"
        repair = _unpinned(delivery, definition)
    elif error.message.startswith("TaskDefinition not found"):
        why = f"the task definition {request.get('taskDefinition', '').rpartition('/')[2]} does not exist"
    return of_answer(error, "RunTask", why=why, repair=repair, request=request)


def _unpinned(delivery: Delivery, definition: str) -> str | None:
    """The command that lets a rule's target follow the family; a schedule can only be updated whole, which a line cannot hold."""
    if delivery.kind != "rule" or not _REVISION.search(definition):
        return None
    parameters = delivery.target["EcsParameters"] | {"TaskDefinitionArn": _REVISION.sub("", definition)}
    target = msgspec.json.encode([delivery.target | {"EcsParameters": parameters}]).decode()
    bus = "" if delivery.bus == "default" else f" --event-bus-name {shlex.quote(delivery.bus)}"
    command = f"aws events put-targets --rule {shlex.quote(delivery.owner_name)}{bus} --targets {shlex.quote(target)}"
    return in_region(command, delivery.region)


def _small(sentence: str) -> str:
    return f"{sentence[:1].lower()}{sentence[1:]}".rstrip(".")

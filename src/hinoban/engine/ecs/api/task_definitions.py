"""RegisterTaskDefinition, DescribeTaskDefinition, DeregisterTaskDefinition, ListTaskDefinitions (facts/ecs.md §§4.2, 11.4)."""

import re

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.definitions.register import normalise
from hinoban.engine.ecs.api.names import client_exception, invalid_parameter, page
from hinoban.engine.ecs.model.task_definitions import TaskDefinition
from hinoban.engine.ecs.model.views import definition_view
from hinoban.engine.ecs.state import State

_NOT_DESCRIBABLE = "Unable to describe task definition."
_REVISION = re.compile(r"[0-9]{1,10}")
_STATUSES = ("ACTIVE", "INACTIVE", "DELETE_IN_PROGRESS")


class TaskDefinitions:
    """The operations on task definitions."""

    def __init__(self, state: State) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {
            "RegisterTaskDefinition": self.register,
            "DescribeTaskDefinition": self.describe,
            "DeregisterTaskDefinition": self.deregister,
            "ListTaskDefinitions": self.list_revisions,
        }

    def register(self, call: Call, params: Params) -> Result:
        """Always a new revision; numbers go up by one and are never used again."""
        body = normalise(params, account=call.account, region=call.region)
        family = params["family"]
        # Deregistered revisions stay on record, so the highest number is the last one given.
        revision = max(self._state.families.get((call.region, family), {}), default=0) + 1
        definition = TaskDefinition(
            region=call.region,
            family=family,
            revision=revision,
            arn=arns.task_definition_arn(call.region, call.account, family, revision),
            body=body,
            registered_at=call.now,
            registered_by=call.caller.principal_arn,
            tags=tuple(params.get("tags", ())),
        )
        self._state.put_definition(definition)
        return _answer(definition, tags=True)

    def describe(self, call: Call, params: Params) -> Result:
        definition = find(self._state, call.region, params["taskDefinition"])
        if definition is None:
            raise client_exception(_NOT_DESCRIBABLE)
        return _answer(definition, tags="TAGS" in params.get("include", ()))

    def deregister(self, call: Call, params: Params) -> Result:
        """An INACTIVE revision stays describable; it is not deleted."""
        if ":" not in params["taskDefinition"].rpartition("/")[2]:
            raise client_exception("Invalid revision number. Number: null")
        definition = find(self._state, call.region, params["taskDefinition"])
        if definition is None:
            raise client_exception(_NOT_DESCRIBABLE)
        if definition.status != "ACTIVE":
            raise client_exception("The specified task definition is inactive. Please specify an active task definition and try again.")
        gone = msgspec.structs.replace(definition, status="INACTIVE", deregistered_at=call.now)
        self._state.put_definition(gone)
        return {"taskDefinition": definition_view(gone)}

    def list_revisions(self, call: Call, params: Params) -> Result:
        """By family, then by revision; `familyPrefix` is the whole name of a family."""
        status = params.get("status", "ACTIVE")
        if status not in _STATUSES:
            raise invalid_parameter(f"Task definition status must be one of [{', '.join(_STATUSES)}]")
        wanted = params.get("familyPrefix")
        found = [
            definition
            for (region, family), revisions in self._state.families.items()
            if region == call.region and (not wanted or family == wanted)
            for definition in revisions.values()
            if definition.status == status
        ]
        found.sort(key=lambda definition: (definition.family, definition.revision), reverse=params.get("sort") == "DESC")
        return page([definition.arn for definition in found], params, "taskDefinitionArns")


def find(state: State, region: str, text: str) -> TaskDefinition | None:
    """The definition of `family` (its newest ACTIVE revision), `family:revision` or an ARN; None where there is none."""
    if text.startswith("arn:"):
        try:
            arn = arns.parse(text)
        except ValueError:
            raise invalid_parameter("Invalid identifier: Unexpected number of separators") from None
        if arn.region != region:
            return None
        text = arn.resource.removeprefix("task-definition/")
    family, _, revision = text.partition(":")
    revisions = state.families.get((region, family), {})
    if not revision:
        active = [number for number, definition in revisions.items() if definition.status == "ACTIVE"]
        return revisions[max(active)] if active else None
    if not _REVISION.fullmatch(revision):
        raise client_exception(f"Invalid revision number. Number: {revision}")
    return revisions.get(int(revision))


def _answer(definition: TaskDefinition, *, tags: bool) -> Result:
    answer: Result = {"taskDefinition": definition_view(definition)}
    if tags:
        answer["tags"] = list(definition.tags)
    return answer

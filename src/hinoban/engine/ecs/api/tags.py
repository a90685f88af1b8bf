"""TagResource, UntagResource, ListTagsForResource: of tasks, task definitions and clusters (facts/ecs.md §11.2, §11.4). No event tells of tags."""

from collections.abc import Callable
from typing import Any

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.engine.ecs.api.names import check_tags, invalid_parameter
from hinoban.engine.ecs.model.clusters import Cluster
from hinoban.engine.ecs.model.task_definitions import TaskDefinition
from hinoban.engine.ecs.model.tasks import Task
from hinoban.engine.ecs.state import State

_MOST = 50
Tags = tuple[dict[str, Any], ...]


class Tagging:
    """The operations on tags; StopTask takes a task's tags away by itself (facts/ecs.md §7)."""

    def __init__(self, state: State) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {"TagResource": self.tag, "UntagResource": self.untag, "ListTagsForResource": self.list}

    def tag(self, call: Call, params: Params) -> Result:
        """Add tags; those of a key that is there take its place."""
        check_tags(params)
        thing, put = self._thing(call, params["resourceArn"])
        kept = {tag["key"]: tag for tag in thing.tags} | {tag["key"]: tag for tag in params["tags"]}
        if len(kept) > _MOST:
            raise invalid_parameter("The maximum number of tags for this resource has been reached.")
        put(tuple(kept.values()))
        return {}

    def untag(self, call: Call, params: Params) -> Result:
        """Take tags away; a key that is not there is no error."""
        thing, put = self._thing(call, params["resourceArn"])
        put(tuple(tag for tag in thing.tags if tag["key"] not in params["tagKeys"]))
        return {}

    def list(self, call: Call, params: Params) -> Result:
        """The tags of a resource."""
        thing, _ = self._thing(call, params["resourceArn"])
        return {"tags": list(thing.tags)}

    def _thing(self, call: Call, text: str) -> tuple[Task | TaskDefinition | Cluster, Callable[[Tags], None]]:
        """What an ARN names, and how its tags are written."""
        try:
            arn = arns.parse(text)
        except ValueError:
            raise invalid_parameter("Invalid ARN.") from None
        kind, *names = arn.resource.split("/")
        if kind == "task" and len(names) == 1:
            raise invalid_parameter("Long arn format must be used for tagging operations")
        state, replace = self._state, msgspec.structs.replace
        match kind, names:
            case "task", [_, identifier] if (task := state.tasks.get(identifier)) is not None and task.arn == text:
                return task, lambda tags: state.put_task(replace(task, tags=tags), told=False)
            case "task-definition", [name]:
                family, _, revision = name.partition(":")
                if revision.isdecimal() and (found := state.families.get((call.region, family), {}).get(int(revision))) is not None:
                    return found, lambda tags: state.put_definition(replace(found, tags=tags))
            case "cluster", [name] if (cluster := state.clusters.get((call.region, name))) is not None:
                return cluster, lambda tags: state.put_cluster(replace(cluster, tags=tags))
        # The text is UNCONFIRMED.
        raise AwsError("ResourceNotFoundException", "The specified resource was not found.")

"""GetTaskProtection, UpdateTaskProtection: only a service's tasks can be protected, and services are not here yet (facts/ecs.md §5.6)."""

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.engine.ecs.api.names import active_cluster, invalid_parameter, task_id
from hinoban.engine.ecs.state import State

_MOST_READ, _MOST_WRITTEN = 100, 10


class Protection:
    """The operations on task protection: each task that there is stands alone, so its answer is a failure (facts/ecs.md §3.2)."""

    def __init__(self, state: State) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {"GetTaskProtection": self.get, "UpdateTaskProtection": self.update}

    def get(self, call: Call, params: Params) -> Result:
        """Of the tasks that are named, or of all that run."""
        named = params.get("tasks") or []
        if len(named) > _MOST_READ:
            raise invalid_parameter("Tasks cannot have more than 100 elements.")
        cluster = active_cluster(self._state, call, params)
        running = [task.arn for task in self._state.cluster_tasks(call.region, cluster.name) if not task.finished]
        return self._refused(call, cluster.name, named or running[:_MOST_READ])

    def update(self, call: Call, params: Params) -> Result:
        """Nothing is protected."""
        if not params["tasks"]:
            raise invalid_parameter("Tasks cannot be empty.")
        if len(params["tasks"]) > _MOST_WRITTEN:
            raise invalid_parameter("Tasks cannot have more than 10 elements.")
        return self._refused(call, active_cluster(self._state, call, params).name, params["tasks"])

    def _refused(self, call: Call, cluster: str, named: list[str]) -> Result:
        failures = []
        for identifier in map(task_id, named):
            task = self._state.tasks.get(identifier)
            there = task is not None and (task.region, task.cluster) == (call.region, cluster)
            arn = arns.task_arn(call.region, call.account, cluster, identifier)
            failures.append({"arn": arn, "reason": "TASK_NOT_VALID" if there else "MISSING"})
        return {"protectedTasks": [], "failures": failures}

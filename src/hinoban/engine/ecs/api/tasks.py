"""StopTask, DescribeTasks, ListTasks, and RunTask by way of launch (facts/ecs.md §§3.3, 11.2)."""

from collections.abc import Callable

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.engine.ecs.api.launch import Launcher
from hinoban.engine.ecs.api.names import active_cluster, invalid_parameter, page_after, task_id
from hinoban.engine.ecs.decide import stop_reasons
from hinoban.engine.ecs.decide.tasks import stop
from hinoban.engine.ecs.model.tasks import Task
from hinoban.engine.ecs.model.views import task_view
from hinoban.engine.ecs.state import State

_MOST_DESCRIBED = 100
_DESIRED = ("RUNNING", "PENDING", "STOPPED")


class Tasks:
    """The operations on tasks."""

    def __init__(self, state: State, launcher: Launcher, wake: Callable[[str], None]) -> None:
        self._state = state
        self._launcher = launcher
        self._wake = wake

    def operations(self) -> dict[str, Handler]:
        return {
            "RunTask": self._launcher.run_task,
            "StopTask": self.stop,
            "DescribeTasks": self.describe,
            "ListTasks": self.list_tasks,
        }

    def stop(self, call: Call, params: Params) -> Result:
        """Ask the task to end; one that is ending or STOPPED already is answered as it is. The given reason is kept to the letter."""
        cluster = active_cluster(self._state, call, params)
        task = self._find(call, cluster.name, task_id(params["task"]))
        if task is None:
            raise invalid_parameter("The referenced task was not found.")
        stopped = stop(task, "UserInitiated", params.get("reason") or stop_reasons.STOPPED_BY_USER, call.now)
        if stopped is not task:
            # StopTask deletes the task's tags (facts/ecs.md §7).
            stopped = msgspec.structs.replace(stopped, tags=())
            self._state.put_task(stopped, told=True)
            self._wake(task.id)
        return {"task": task_view(stopped)}

    def describe(self, call: Call, params: Params) -> Result:
        """An unknown or forgotten task is a failure in a 200 answer."""
        cluster = active_cluster(self._state, call, params)
        wanted = params["tasks"]
        if not wanted:
            raise invalid_parameter("Tasks cannot be empty.")
        if len(wanted) > _MOST_DESCRIBED:
            raise invalid_parameter("Tasks cannot have more than 100 elements.")
        tags = "TAGS" in params.get("include", ())
        found: list[object] = []
        failures = []
        for text in wanted:
            # By far the most are ARNs (or ids) just as we gave them out: no need to take them apart.
            task = self._find(call, cluster.name, text.rpartition("/")[2])
            if task is not None and not tags and text in (task.arn, task.id):
                found.append(self._state.view(task))
                continue
            identifier = task_id(text)
            task = self._find(call, cluster.name, identifier)
            if task is None:
                failures.append({"arn": arns.task_arn(call.region, call.account, cluster.name, identifier), "reason": "MISSING"})
            else:
                found.append(task_view(task, tags=True) if tags else self._state.view(task))
        return {"tasks": found, "failures": failures}

    def list_tasks(self, call: Call, params: Params) -> Result:
        """Task ARNs by desiredStatus (RUNNING if not said) and one kind of filter; `startedBy` stands alone."""
        cluster = active_cluster(self._state, call, params)
        desired = params.get("desiredStatus", "RUNNING")
        if desired not in _DESIRED:
            raise invalid_parameter(f"desiredStatus should be one of [{', '.join(_DESIRED)}]")
        started_by = params.get("startedBy")
        if started_by is not None:
            if any(params.get(other) is not None for other in ("family", "serviceName", "containerInstance")):
                raise invalid_parameter("cannot specify startedBy with any other filter")
            candidates = self._state.tasks_started_by(call.region, cluster.name, started_by)
        else:
            candidates = self._state.cluster_tasks(call.region, cluster.name)
        if (service := params.get("serviceName")) is not None:
            raise AwsError("ServiceNotFoundException", "Service not found.") if service else invalid_parameter("Service name is empty.")
        if params.get("containerInstance") is not None:
            raise invalid_parameter("No Container Instances were found in your cluster.")
        family = params.get("family")
        launch_type = params.get("launchType")
        # desiredStatus is only ever RUNNING or STOPPED, so PENDING finds nothing (facts/ecs.md §1.1).
        found = (
            task.arn
            for task in candidates
            if task.desired_status == desired
            and (family is None or task.family == family)
            and (launch_type is None or task.launch_type == launch_type)
        )
        return page_after(found, params, "taskArns")

    def _find(self, call: Call, cluster: str, identifier: str) -> Task | None:
        task = self._state.tasks.get(identifier)
        return task if task is not None and (task.region, task.cluster) == (call.region, cluster) else None

"""Tasks as values for tests of the pure decisions, and a walker that writes down what would be told."""

from typing import Any

from hinoban.engine.ecs.decide.tasks import Command, advance, observe
from hinoban.engine.ecs.model.tasks import Container, Dependency, Task
from hinoban.engine.runtime.driver import ContainerKey, Exited, Observation, Started, StartFailed

TASK_ID = "0123456789abcdef0123456789abcdef"


def a_container(name: str = "app", *, needs: dict[str, str] | None = None, **members: Any) -> Container:
    depends_on = tuple(Dependency(other, condition) for other, condition in (needs or {}).items())
    return Container(
        **({"name": name, "arn": f"arn:{name}", "image": "busybox", "cpu": "0", "essential": True, "depends_on": depends_on} | members)
    )


def a_task(*containers: Container, **members: Any) -> Task:
    values: dict[str, Any] = {
        "region": "ap-northeast-1",
        "account": "123456789012",
        "cluster": "default",
        "id": TASK_ID,
        "arn": f"arn:aws:ecs:ap-northeast-1:123456789012:task/default/{TASK_ID}",
        "cluster_arn": "arn:aws:ecs:ap-northeast-1:123456789012:cluster/default",
        "definition_arn": "arn:aws:ecs:ap-northeast-1:123456789012:task-definition/job:1",
        "family": "job",
        "revision": 1,
        "containers": containers or (a_container(),),
        "overrides": {},
        "cpu": "256",
        "memory": "512",
        "cpu_units": 256,
        "memory_mib": 512,
        "launch_type": "FARGATE",
        "group": "family:job",
        "availability_zone": "ap-northeast-1a",
        "created_at": 0.0,
        "attachment_id": "a",
        "subnet": "subnet-1",
        "interface_id": "eni-1",
        "mac_address": "0a:00:00:00:00:00",
    }
    return Task(**(values | members))


def started(name: str = "app", at: float = 0.0, **members: Any) -> Started:
    return Started(ContainerKey(TASK_ID, name), at, runtime_id=f"r-{name}", **members)


def exited(name: str = "app", at: float = 0.0, code: int | None = 0, **members: Any) -> Exited:
    return Exited(ContainerKey(TASK_ID, name), at, code, **members)


def failed(name: str = "app", at: float = 0.0, reason: str = "CannotStartContainerError: no", **members: Any) -> StartFailed:
    return StartFailed(ContainerKey(TASK_ID, name), at, reason, **members)


class Walk:
    """One task walked by hand. `told` has (lastStatus, desiredStatus, version, stopCode) for every change that AWS would show."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.told: list[tuple[str, str, int, str | None]] = [(task.last_status, task.desired_status, task.version, task.stop_code)]
        self.commands: list[Command] = []

    def go(self, now: float, *seen: Observation) -> "Walk":
        """Observe one thing after the other, each time going as far as it goes."""
        for observation in seen or (None,):
            before = self.task
            changed = before if observation is None else observe(before, observation)
            while (step := advance(before, changed, now)) is not None:
                before = changed = step.task
                self.commands += step.commands
                if step.told:
                    self._note(step.task)
            self.task = before
        return self

    def put(self, task: Task) -> "Walk":
        """A change from outside, as StopTask makes it."""
        self.task = task
        self._note(task)
        return self

    def _note(self, task: Task) -> None:
        self.told.append((task.last_status, task.desired_status, task.version, task.stop_code))

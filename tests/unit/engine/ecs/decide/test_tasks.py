"""How a task goes from PROVISIONING to STOPPED: each way's statuses, versions, stop codes and times (facts/ecs.md §§1, 2, 12)."""

import pytest

from hinoban.engine.ecs.decide.tasks import RemoveTask, StartContainer, StopContainer, observe, stop
from hinoban.engine.runtime.driver import ContainerKey, PortMapping
from tests.support.tasks import TASK_ID, Walk, a_container, a_task, exited, failed, started

RUN, END = "RUNNING", "STOPPED"
EXITED, FAILED, USER = "EssentialContainerExited", "TaskFailedToStart", "UserInitiated"


def key(name: str) -> ContainerKey:
    return ContainerKey(TASK_ID, name)


def test_one_container_that_exits_by_itself() -> None:
    walk = Walk(a_task()).go(1.0).go(2.0, started(at=2.0, pull_started_at=1.1, pull_stopped_at=1.9)).go(5.5, exited(at=5.0, code=3))
    assert walk.told == [
        ("PROVISIONING", RUN, 1, None),
        ("PENDING", RUN, 2, None),
        # The Fargate examples of AWS show RUNNING as version 3 and DEPROVISIONING as version 4 (facts/ecs.md §1.2).
        ("RUNNING", RUN, 3, None),
        ("DEPROVISIONING", END, 4, EXITED),
        ("STOPPED", END, 5, EXITED),
    ]
    assert walk.commands == [StartContainer(key("app")), RemoveTask((key("app"),))]
    task = walk.task
    assert (task.connected_at, task.pull_started_at, task.pull_stopped_at, task.started_at) == (1.0, 1.1, 1.9, 2.0)
    # A self exit: execution stops first, then the task (facts/ecs.md §1.2).
    assert (task.execution_stopped_at, task.stopping_at, task.stopped_at) == (5.0, 5.5, 5.5)
    assert task.stopped_reason == "Essential container in task exited"
    assert (task.containers[0].exit_code, task.containers[0].reason) == (3, None)


def test_a_sidecar_is_stopped_when_the_essential_container_exits() -> None:
    task = a_task(a_container("app"), a_container("side", essential=False, stop_timeout=7.0))
    walk = (
        Walk(task).go(1.0).go(2.0, started("app", 2.0), started("side", 2.0)).go(5.0, exited("app", 5.0)).go(6.0, exited("side", 6.0, 143))
    )
    assert walk.told == [
        ("PROVISIONING", RUN, 1, None),
        ("PENDING", RUN, 2, None),
        ("PENDING", RUN, 3, None),  # the first container runs
        ("RUNNING", RUN, 4, None),
        ("RUNNING", END, 5, EXITED),
        ("STOPPING", END, 6, EXITED),
        ("DEPROVISIONING", END, 7, EXITED),
        ("STOPPED", END, 8, EXITED),
    ]
    assert walk.commands[2:] == [StopContainer(key("side"), 7.0), RemoveTask((key("app"), key("side")))]
    assert (walk.task.execution_stopped_at, walk.task.stopping_at, walk.task.stopped_at) == (5.0, 5.0, 6.0)


def test_a_sidecar_that_ends_first_changes_no_status_of_the_task() -> None:
    task = a_task(a_container("app"), a_container("side", essential=False))
    walk = Walk(task).go(1.0).go(2.0, started("app", 2.0), started("side", 2.0)).go(3.0, exited("side", 3.0, 1))
    assert walk.told[-1] == ("RUNNING", RUN, 5, None)
    assert walk.task.execution_stopped_at is None


def test_stop_task_while_running() -> None:
    walk = Walk(a_task()).go(1.0).go(2.0, started(at=2.0))
    walk.put(stop(walk.task, USER, "Task stopped by user", 10.0)).go(10.1).go(12.5, exited(at=12.0, code=143))
    assert walk.told[3:] == [
        ("RUNNING", END, 4, USER),
        ("STOPPING", END, 5, USER),
        ("DEPROVISIONING", END, 6, USER),
        ("STOPPED", END, 7, USER),
    ]
    task = walk.task
    # Stopped by a user: stoppingAt < executionStoppedAt < stoppedAt (facts/ecs.md §1.2).
    assert (task.stopping_at, task.execution_stopped_at, task.stopped_at) == (10.1, 12.0, 12.5)
    assert (task.stopped_reason, task.containers[0].exit_code) == ("Task stopped by user", 143)


def test_the_first_reason_to_stop_stays() -> None:
    walk = Walk(a_task()).go(1.0).go(2.0, started(at=2.0))
    stopped = stop(walk.task, USER, "first", 3.0)
    assert stop(stopped, USER, "second", 4.0) is stopped
    walk.put(stopped).go(3.0).go(4.0, exited(at=4.0, code=1))
    assert (walk.task.stop_code, walk.task.stopped_reason) == (USER, "first")


def test_stop_task_while_provisioning_starts_nothing() -> None:
    task = a_task()
    walk = Walk(task).put(stop(task, USER, "no", 0.5)).go(1.0)
    assert walk.told[1:] == [("PROVISIONING", END, 2, USER), ("DEPROVISIONING", END, 3, USER), ("STOPPED", END, 4, USER)]
    assert walk.commands == [RemoveTask(())]
    assert (walk.task.started_at, walk.task.execution_stopped_at, walk.task.containers[0].exit_code) == (None, None, None)
    assert walk.task.containers[0].last_status == "STOPPED"


def test_stop_task_while_pending_stops_the_container_that_is_starting() -> None:
    walk = Walk(a_task()).go(1.0)
    walk.put(stop(walk.task, USER, "no", 1.5)).go(1.5).go(2.0, started(at=2.0)).go(2.1, exited(at=2.1, code=143))
    assert walk.told[2:] == [
        ("PENDING", END, 3, USER),
        ("STOPPING", END, 4, USER),
        ("STOPPING", END, 5, USER),  # the container runs, for a moment
        ("DEPROVISIONING", END, 6, USER),
        ("STOPPED", END, 7, USER),
    ]
    assert StopContainer(key("app"), 30.0) in walk.commands
    assert walk.task.started_at is None


def test_a_failed_pull() -> None:
    reason = "CannotPullContainerError: pull image manifest has been retried 1 time(s)"
    walk = Walk(a_task()).go(1.0).go(3.0, failed(reason=reason, at=3.0, pull_started_at=1.5, pull_stopped_at=3.0))
    assert walk.told[2:] == [("DEPROVISIONING", END, 3, FAILED), ("STOPPED", END, 4, FAILED)]
    task = walk.task
    assert task.stopped_reason == task.containers[0].reason == reason
    assert (task.started_at, task.execution_stopped_at, task.containers[0].exit_code) == (None, None, None)
    # pullStoppedAt is set also when the pull failed (facts/ecs.md §1.2).
    assert (task.pull_started_at, task.pull_stopped_at) == (1.5, 3.0)


def test_an_essential_container_that_cannot_start_fails_the_task_and_stops_the_others() -> None:
    task = a_task(a_container("side", essential=False), a_container("app"))
    walk = Walk(task).go(1.0).go(2.0, started("side", 2.0), failed("app", 2.0)).go(3.0, exited("side", 3.0, 143))
    assert walk.told[3:] == [
        ("PENDING", END, 4, FAILED),
        ("STOPPING", END, 5, FAILED),
        ("DEPROVISIONING", END, 6, FAILED),
        ("STOPPED", END, 7, FAILED),
    ]
    assert walk.task.started_at is None


def test_a_sidecar_that_cannot_start_does_not_keep_the_task_from_running() -> None:
    task = a_task(a_container("app"), a_container("side", essential=False))
    walk = Walk(task).go(1.0).go(2.0, started("app", 2.0), failed("side", 2.0))
    assert walk.told[-1] == ("RUNNING", RUN, 4, None)


@pytest.mark.parametrize(
    "code, oom, reason", [(137, True, "OutOfMemoryError: Container killed due to memory usage"), (137, False, None), (1, True, None)]
)
def test_the_out_of_memory_text_stands_in_the_containers_reason_and_only_with_137(code: int, oom: bool, reason: str | None) -> None:
    walk = Walk(a_task()).go(1.0).go(2.0, started()).go(3.0, exited(code=code, oom=oom))
    assert (walk.task.containers[0].exit_code, walk.task.containers[0].reason) == (code, reason)
    assert walk.task.stopped_reason == "Essential container in task exited"


def test_an_exit_code_that_nobody_can_know_stays_absent() -> None:
    walk = Walk(a_task()).go(1.0).go(2.0, started()).go(3.0, exited(code=None, reason="ContainerVanishedError: gone"))
    assert walk.told[-1] == ("STOPPED", END, 5, EXITED)
    assert (walk.task.containers[0].exit_code, walk.task.containers[0].reason) == (None, "ContainerVanishedError: gone")


def test_a_dependency_that_did_not_succeed_dooms_the_task() -> None:
    task = a_task(a_container("init", essential=False), a_container("app", needs={"init": "SUCCESS"}))
    walk = Walk(task).go(1.0).go(2.0, started("init", 2.0), exited("init", 2.5, 3))
    assert walk.told[-2:] == [("DEPROVISIONING", END, 4, FAILED), ("STOPPED", END, 5, FAILED)]
    app = walk.task.containers[1]
    assert (app.exit_code, walk.task.stopped_reason) == (143, app.reason)
    assert walk.commands == [StartContainer(key("init")), RemoveTask((key("init"),))]


def test_a_dependency_that_succeeded_lets_the_rest_begin() -> None:
    task = a_task(a_container("init", essential=False), a_container("app", needs={"init": "SUCCESS"}))
    walk = Walk(task).go(1.0).go(2.0, started("init", 2.0), exited("init", 2.5, 0)).go(3.0, started("app", 3.0))
    assert walk.told[-1] == ("RUNNING", RUN, 5, None)
    assert walk.task.started_at == 3.0


def test_a_chain_of_doomed_containers_ends_a_task_whose_essential_one_runs_not() -> None:
    task = a_task(
        a_container("a", essential=False),
        a_container("b", essential=False, needs={"a": "SUCCESS"}),
        a_container("app", needs={"b": "START"}),
    )
    walk = Walk(task).go(1.0).go(2.0, started("a", 2.0), exited("a", 2.5, 1))
    assert walk.task.last_status == "STOPPED"
    assert walk.task.stop_code == FAILED


def test_what_was_seen_already_is_no_news() -> None:
    walk = Walk(a_task()).go(1.0).go(2.0, started(at=2.0))
    assert observe(walk.task, started(at=9.0)) is walk.task
    assert observe(walk.task, started("nobody")) is walk.task
    # A container that runs did start: a late failure to start is another life's echo.
    assert observe(walk.task, failed(at=9.0)) is walk.task
    walk.go(3.0, exited(at=3.0, code=1))
    assert observe(walk.task, exited(at=9.0, code=0)) is walk.task


def test_the_address_and_the_ports_come_with_the_start() -> None:
    port = PortMapping(80, 8080)
    walk = Walk(a_task(a_container("app"), a_container("side"))).go(1.0)
    walk.go(2.0, started("app", 2.0, address="10.0.0.1", ports=(port,)), started("side", 2.0, address="10.0.0.2"))
    assert (walk.task.address, walk.task.containers[0].ports) == ("10.0.0.1", (port,))


def test_a_reason_is_cut_at_1024_characters() -> None:
    walk = Walk(a_task()).go(1.0).go(2.0, failed(reason="CannotStartContainerError: " + "x" * 2000))
    assert len(walk.task.containers[0].reason or "") == 1024

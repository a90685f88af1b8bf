"""Which containers of a task start, stop, doom it or end it (facts/ecs.md §§1.4, 1.5)."""

import pytest

from hinoban.engine.ecs.decide import stop_reasons
from hinoban.engine.ecs.decide.containers import Ending, doomed, ending, over, startable, stoppable, up
from hinoban.engine.ecs.model.tasks import Container
from tests.support.tasks import a_container, a_task


def running(name: str, **members: object) -> Container:
    return a_container(name, **({"last_status": "RUNNING", "asked": True, "started_at": 1.0} | members))


def ended(name: str, code: int | None = 0, **members: object) -> Container:
    return a_container(
        name, **({"last_status": "STOPPED", "asked": True, "started_at": 1.0, "exited_at": 2.0, "exit_code": code} | members)
    )


def never(name: str, reason: str = "CannotStartContainerError: no", **members: object) -> Container:
    return a_container(name, **({"last_status": "STOPPED", "asked": True, "exited_at": 2.0, "reason": reason} | members))


def names(found: tuple[Container, ...]) -> list[str]:
    return [each.name for each in found]


@pytest.mark.parametrize(
    "condition, other, starts, dooms",
    [
        ("START", a_container("db"), False, False),
        ("START", a_container("db", asked=True), False, False),
        ("START", running("db"), True, False),
        ("START", ended("db", 1), True, False),
        ("START", never("db"), False, True),
        ("COMPLETE", running("db"), False, False),
        ("COMPLETE", ended("db", 0), True, False),
        ("COMPLETE", ended("db", 3), True, False),
        ("COMPLETE", never("db"), False, True),
        # Nobody can know the exit code any more, so waiting for one would never end.
        ("COMPLETE", ended("db", None), False, True),
        ("SUCCESS", running("db"), False, False),
        ("SUCCESS", ended("db", 0), True, False),
        ("SUCCESS", ended("db", 3), False, True),
        ("SUCCESS", ended("db", None), False, True),
        ("SUCCESS", never("db"), False, True),
        ("HEALTHY", running("db"), True, False),
        ("HEALTHY", never("db"), False, True),
    ],
)
def test_a_dependency_lets_start_waits_or_dooms(condition: str, other: Container, starts: bool, dooms: bool) -> None:
    task = a_task(a_container("app", needs={"db": condition}), other)
    assert ("app" in names(startable(task))) is starts
    assert ("app" in names(doomed(task))) is dooms


def test_a_doomed_container_ends_with_143_and_the_graphs_words() -> None:
    task = a_task(a_container("app", needs={"db": "SUCCESS"}), ended("db", 3, essential=False))
    (app,) = doomed(task)
    assert (app.last_status, app.exit_code) == ("STOPPED", 143)
    assert app.reason == stop_reasons.DEPENDENCY_FAILED.format(name="app", other="db")
    assert app.reason.startswith("CannotStartContainerError: dependency graph: ")
    assert app.reason.endswith("as dependency did not exit successfully.")


def test_every_dependency_must_be_met() -> None:
    task = a_task(a_container("app", needs={"a": "START", "b": "COMPLETE"}), running("a"), running("b", essential=False))
    assert names(startable(task)) == []


def test_a_container_is_asked_for_once() -> None:
    assert names(startable(a_task(a_container("app"), a_container("side")))) == ["app", "side"]
    assert names(startable(a_task(a_container("app", asked=True), running("side"), ended("old")))) == []


def test_an_essential_container_that_exits_stops_the_task() -> None:
    for code in (0, 1, None):
        assert ending(a_task(ended("app", code), running("side"))) == Ending(
            "EssentialContainerExited", "Essential container in task exited"
        )


def test_one_that_is_not_essential_does_not() -> None:
    assert ending(a_task(running("app"), ended("side", 1, essential=False))) is None


def test_an_essential_container_that_never_ran_is_a_failed_start() -> None:
    assert ending(a_task(never("app"))) == Ending("TaskFailedToStart", "CannotStartContainerError: no")
    assert ending(a_task(running("app"), never("side", essential=False))) is None


@pytest.mark.parametrize("reason", ["CannotPullContainerError: x", "CannotPullECRContainerError: x", "ResourceInitializationError: x"])
def test_a_failed_pull_fails_the_task_whosever_it_is(reason: str) -> None:
    assert ending(a_task(running("app"), never("side", reason, essential=False))) == Ending("TaskFailedToStart", reason)


def test_a_task_is_up_when_all_run_or_have_run_without_being_essential() -> None:
    assert up(a_task(running("app"), ended("init", essential=False)))
    assert up(a_task(running("app"), never("side", essential=False)))
    assert not up(a_task(running("app"), a_container("late", essential=False)))
    assert not up(a_task(ended("app"), running("side")))


def test_a_task_is_over_when_nothing_is_alive() -> None:
    assert over(a_task(ended("app"), a_container("never asked")))
    assert not over(a_task(ended("app"), a_container("asked", asked=True)))


def test_stopping_goes_the_other_way_round() -> None:
    proxy, web = running("proxy"), running("web", needs={"db": "START"})
    db = running("db")
    front = running("front", needs={"web": "START"})
    assert names(stoppable(a_task(proxy, web, db, front))) == ["proxy", "front"]
    assert names(stoppable(a_task(ended("proxy"), web, db, ended("front", needs={"web": "START"})))) == ["web"]
    stopping = running("web", needs={"db": "START"}, stop_asked=True)
    assert names(stoppable(a_task(stopping, db))) == []
    assert names(stoppable(a_task(ended("web", needs={"db": "START"}), db))) == ["db"]

"""Detector failed_exit: a program that ended with an error by itself, whoever owns its task. Who is to blame: explain/exits.py (facts/ecs.md §2.4)."""

from hinoban.watch.detect.judge import how_it_ended
from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain import explain_stop
from hinoban.watch.explain.exits import containers_of, culprits
from hinoban.watch.model import Finding, Observation, TaskChange


def failed_exit(observation: Observation) -> Finding | None:
    """A finding for a bad exit code, and for a task that ended and left no exit code at all (its host was lost, §2.4 step 5)."""
    if not isinstance(observation, TaskChange) or not observation.finished or how_it_ended(observation.detail) != "itself":
        return None
    detail = observation.detail
    to_blame = culprits(detail)
    if not to_blame:
        if any(isinstance(one.get("exitCode"), int) for one in containers_of(detail)):
            return None
        return about_task(observation, "failed_exit", "EXIT UNKNOWN", explain_stop(detail), facts={})
    first = to_blame[0]
    facts = {"exit_code": first["exitCode"], "container": first.get("name"), "image": first.get("image")}
    return about_task(observation, "failed_exit", f"EXIT {first['exitCode']}", explain_stop(detail), facts=facts)

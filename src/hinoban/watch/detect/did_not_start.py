"""Detector did_not_start: a RunTask refused in part or in whole, and a task that never reached RUNNING (facts/ecs.md §2.1, §3.2)."""

from hinoban.watch.detect.subject import about_launch, about_task
from hinoban.watch.explain import explain_launch_error, explain_launch_failure, explain_stop
from hinoban.watch.model import Finding, Launch, Observation, TaskChange

VERDICT = "NOT STARTED"


def did_not_start(observation: Observation) -> Finding | None:
    """A finding for `failures[]`, for a thrown error, and for a STOPPED task with stop code TaskFailedToStart."""
    if isinstance(observation, Launch):
        return _refused(observation)
    return _failed_to_start(observation)


def _refused(launch: Launch) -> Finding | None:
    if launch.error_code is not None:
        explanation = explain_launch_error(launch.error_code, launch.error_message or "", launch)
    elif launch.failures or launch.refused > 0:
        explanation = explain_launch_failure(launch.failures, launch)
    else:
        return None
    facts = {
        "count": launch.count,
        "refused": launch.refused,
        "launched": list(launch.task_arns) or None,
        "error_code": launch.error_code,
        "client_token": launch.token,
    }
    return about_launch(launch, "did_not_start", VERDICT, explanation, facts=facts)


def _failed_to_start(change: TaskChange) -> Finding | None:
    if not change.finished or change.detail.get("stopCode") != "TaskFailedToStart":
        return None
    return about_task(change, "did_not_start", VERDICT, explain_stop(change.detail), facts={})

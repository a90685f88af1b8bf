"""Detector partly_started: a RunTask that launched some of its tasks and refused the others (facts/ecs.md §3.2, last line). Pure."""

from hinoban.watch.detect.subject import about_launch
from hinoban.watch.explain import explain_launch_failure
from hinoban.watch.model import Finding, Launch, Observation

VERDICT = "PARTLY STARTED"


def partly_started(observation: Observation) -> Finding | None:
    """A finding for a launch with fewer tasks than its count, but some. Nobody is told by AWS: the call itself succeeded."""
    if not isinstance(observation, Launch) or observation.error_code is not None:
        return None
    if not observation.task_arns or observation.refused <= 0:
        return None
    facts = {"count": observation.count, "refused": observation.refused, "launched": list(observation.task_arns)}
    return about_launch(observation, "partly_started", VERDICT, explain_launch_failure(observation.failures, observation), facts=facts)

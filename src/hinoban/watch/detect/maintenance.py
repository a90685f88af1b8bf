"""Detector maintenance: a task that stands alone and that AWS, or the loss of its host, ended (facts/ecs.md §2.1, §2.2). Pure."""

from hinoban.watch.detect.judge import ended_by_aws, how_it_ended
from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain import explain_stop
from hinoban.watch.model import Finding, Observation, TaskChange

MAINTENANCE, HOST_LOST, STOPPED_BY_AWS = "MAINTENANCE", "HOST LOST", "STOPPED BY AWS"


def maintenance(observation: Observation) -> Finding | None:
    """A finding whatever the exit code. MAINTENANCE: the host was retired or drained; HOST LOST: it went; STOPPED BY AWS: for words that
    we do not know. A service's task is replaced, and none."""
    if not isinstance(observation, TaskChange) or not ended_by_aws(observation):
        return None
    end = how_it_ended(observation.detail)
    if end == "spot":
        return None
    explanation = explain_stop(observation.detail)
    verdict = HOST_LOST if end == "host" else STOPPED_BY_AWS
    if explanation.code in ("host_maintenance", "instance_draining"):
        verdict = MAINTENANCE
    return about_task(observation, "maintenance", verdict, explanation, facts={})

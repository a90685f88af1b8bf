"""What detectors of tasks that never got to run have in common: the stop code, and the catalogue's code of the reason. Pure."""

from collections.abc import Collection

from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain import explain_stop
from hinoban.watch.model import Detector, Finding, Observation, TaskChange


def failed_to_start(observation: Observation, detector: Detector, verdict: str, codes: Collection[str]) -> Finding | None:
    """A finding for a STOPPED task with stop code TaskFailedToStart, where the catalogue explains it by one of `codes`."""
    if not isinstance(observation, TaskChange) or not observation.finished or observation.detail.get("stopCode") != "TaskFailedToStart":
        return None
    explanation = explain_stop(observation.detail)
    return about_task(observation, detector, verdict, explanation, facts={}) if explanation.code in codes else None

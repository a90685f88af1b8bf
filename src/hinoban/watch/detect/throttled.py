"""Detector throttled: what did not start because AWS limits the rate of calls (facts/ecs.md §2.2, §3.3, §6.3). Pure."""

from hinoban.watch.detect.services import about_service
from hinoban.watch.detect.subject import about_launch, about_task
from hinoban.watch.explain import explain_action, explain_launch_error, explain_stop
from hinoban.watch.explain.catalogue import kind_of
from hinoban.watch.model import Finding, Launch, TaskChange
from hinoban.watch.service_model import ServiceAction

VERDICT = "THROTTLED"


def throttled(observation: TaskChange | Launch | ServiceAction) -> Finding | None:
    """A finding for a launch, a task or a service's action that was refused for its rate: the catalogue's class `throttling`."""
    if isinstance(observation, ServiceAction):
        if observation.level == "INFO" or kind_of((explanation := explain_action(observation)).code) != "throttling":
            return None
        return about_service(observation, "throttled", f"service:{observation.service_arn}#throttled", VERDICT, explanation, facts={})
    if isinstance(observation, Launch):
        if observation.error_code is None:
            return None
        explanation = explain_launch_error(observation.error_code, observation.error_message or "", observation)
        if kind_of(explanation.code) != "throttling":
            return None
        facts = {"count": observation.count, "refused": observation.refused, "error_code": observation.error_code}
        return about_launch(observation, "throttled", VERDICT, explanation, facts=facts)
    if not observation.finished or observation.detail.get("stopCode") != "TaskFailedToStart":
        return None
    explanation = explain_stop(observation.detail)
    return about_task(observation, "throttled", VERDICT, explanation, facts={}) if kind_of(explanation.code) == "throttling" else None

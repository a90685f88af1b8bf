"""Detector service_impaired: any service action of level WARN or ERROR (facts/ecs.md §6.3). Pure."""

from hinoban.watch.detect.services import about_service
from hinoban.watch.explain import explain_action
from hinoban.watch.model import Finding
from hinoban.watch.service_model import ServiceAction

VERDICT = "SERVICE IMPAIRED"


def service_impaired(action: ServiceAction) -> Finding | None:
    """A finding for every level but INFO, also for one that is not known yet. One matter per service and kind of action.

    SERVICE_DEPLOYMENT_FAILED is `deployment_failed`'s, calls that AWS throttles are `throttled`'s: those are asked first.
    """
    if action.level == "INFO":
        return None
    facts = {"action": action.name, "level": action.level, "reason": action.reason or None, "providers": list(action.providers) or None}
    subject = f"service:{action.service_arn}#{action.name}"
    return about_service(action, "service_impaired", subject, VERDICT, explain_action(action), facts=facts)

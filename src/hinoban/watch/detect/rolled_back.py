"""Detector rolled_back: ECS took a deployment back by itself. Waiters take that for success (facts/ecs.md §5.2, §5.3). Pure."""

from hinoban.watch.detect.deployment_failed import subject_of
from hinoban.watch.detect.services import about_service
from hinoban.watch.explain import explain_deployment
from hinoban.watch.model import Finding
from hinoban.watch.service_model import DeploymentChange

VERDICT = "ROLLED BACK"


def rolled_back(change: DeploymentChange) -> Finding | None:
    """A finding for a deployment that names the one that it goes back to; the same matter as the failure before it."""
    if change.back_to is None:
        return None
    facts = {"deployment": change.deployment_id or None, "back_to": change.back_to}
    return about_service(change, "rolled_back", subject_of(change.service_arn), VERDICT, explain_deployment(change), facts=facts)

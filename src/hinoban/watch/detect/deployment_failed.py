"""Detector deployment_failed: a service's deployment that its circuit breaker or an alarm ended (facts/ecs.md §5.3, §6.4). Pure."""

from hinoban.watch.detect.services import about_service
from hinoban.watch.explain import explain_deployment
from hinoban.watch.model import Finding
from hinoban.watch.service_model import DeploymentChange, ServiceAction

VERDICT = "DEPLOYMENT FAILED"
ACTION = "SERVICE_DEPLOYMENT_FAILED"


def subject_of(service_arn: str) -> str:
    """What names the matter of a service's failed deployment: its rollback belongs to it."""
    return f"deployment:{service_arn}"


def deployment_failed(news: DeploymentChange | ServiceAction) -> Finding | None:
    """A finding for a deployment that FAILED, whichever of the two kinds of events tells it; AWS sends both and promises neither."""
    if isinstance(news, ServiceAction):
        if news.name != ACTION:
            return None
        news = DeploymentChange(
            event_id=news.event_id,
            at=news.at,
            account=news.account,
            region=news.region,
            service_arn=news.service_arn,
            cluster=news.cluster,
            deployment_id="",
            state="failed",
            reason=news.reason,
        )
    if news.state != "failed":
        return None
    facts = {"failed_deployment": news.deployment_id or None}
    return about_service(news, "deployment_failed", subject_of(news.service_arn), VERDICT, explain_deployment(news), facts=facts)

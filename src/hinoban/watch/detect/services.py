"""What every finding about a service has in common, and when an event of the service ends one. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from hinoban.watch.model import Detector, Explanation, Finding, TaskChange, Verdict, revision_of
from hinoban.watch.service_model import DeploymentChange, ServiceAction, ServiceNews, ServiceReading


class Over(msgspec.Struct, frozen=True):
    """The end of the matter `subject`, as its detector sees it; `why` is a sentence for `Done`."""

    subject: str
    at: float
    why: str


Told = Finding | Over


def about_service(
    about: ServiceNews, detector: Detector, subject: str, verdict: Verdict, explanation: Explanation, *, facts: Mapping[str, Any]
) -> Finding:
    """A finding about one service; its name stands for the family, as people know it by that."""
    definition = None if isinstance(about, ServiceAction) else about.definition
    known = {"service": about.service, "service_arn": about.service_arn, "task_definition": definition, **facts}
    return Finding(
        detector=detector,
        subject=subject,
        at=about.at,
        account=about.account,
        region=about.region,
        cluster=about.cluster,
        family=about.service,
        revision=revision_of(definition or ""),
        verdict=verdict,
        explanation=explanation,
        facts={name: value for name, value in known.items() if value is not None},
    )


def service_arn_of(change: TaskChange) -> str | None:
    """The long ARN of the service that owns a task (facts/ecs.md §3.7); None of a task that stands alone."""
    name = str(change.detail.get("group") or "")
    if not name.startswith("service:"):
        return None
    partition = change.task_arn.split(":")[1] if change.task_arn.startswith("arn:") else "aws"
    cluster = str(change.detail.get("clusterArn") or "").rpartition("/")[2]
    return f"arn:{partition}:ecs:{change.region}:{change.account}:service/{cluster}/{name.removeprefix('service:')}"


def over(finding: Finding, news: ServiceNews) -> Over | None:
    """The end of a finding about a service by a later event of the same service, else None.

    `service_impaired`, `throttled`: it reached a steady state. `deployment_failed`, `rolled_back`: another deployment than the failed
    one and the rollback itself completed. All: the service was deleted. The others end by their own detectors.
    """
    if news.service_arn != finding.facts.get("service_arn") or news.at <= finding.at:
        return None
    if isinstance(news, ServiceReading):
        return Over(finding.subject, news.at, "The service was deleted.") if news.status != "ACTIVE" else None
    if isinstance(news, ServiceAction):
        steady = news.name == "SERVICE_STEADY_STATE" and finding.detector in ("service_impaired", "throttled")
        return Over(finding.subject, news.at, "The service reached a steady state.") if steady else None
    if not _completes_another(finding, news):
        return None
    return Over(finding.subject, news.at, f"Deployment {news.deployment_id} completed.")


def _completes_another(finding: Finding, news: DeploymentChange) -> bool:
    if finding.detector not in ("deployment_failed", "rolled_back") or news.state != "completed":
        return False
    if finding.detector == "rolled_back" and not finding.facts.get("deployment"):
        # Which deployment the rollback is, is not known: the first to complete is taken for it, and ends nothing.
        return False
    return news.deployment_id not in (finding.facts.get("deployment"), finding.facts.get("failed_deployment"))

"""What every finding about a task or a launch has in common: whom it is about."""

from typing import Any

from hinoban.watch.explain.exits import moment_of, ran_seconds
from hinoban.watch.model import Detector, Explanation, Finding, Launch, TaskChange, Verdict, input_of, revision_of


def about_task(
    change: TaskChange, detector: Detector, verdict: Verdict, explanation: Explanation, *, at: float | None = None, facts: dict[str, Any]
) -> Finding:
    """A finding about one task; `at` is when it happened: `stoppedAt` if the task has one, else the moment of the event."""
    detail = change.detail
    known = {
        "ran_seconds": ran_seconds(detail),
        "created_at": moment_of(detail, "createdAt"),
        "started_at": moment_of(detail, "startedAt"),
        "group": detail.get("group"),
        "input": input_of(detail),
        **facts,
    }
    return Finding(
        detector=detector,
        subject=f"task:{change.task_arn}",
        at=at if at is not None else moment_of(detail, "stoppedAt") or change.at,
        account=change.account,
        region=change.region,
        cluster=str(detail.get("clusterArn") or "").rpartition("/")[2],
        family=change.family,
        revision=revision_of(str(detail.get("taskDefinitionArn") or "")),
        verdict=verdict,
        explanation=explanation,
        task_arn=change.task_arn,
        started_by=detail.get("startedBy"),
        facts={name: value for name, value in known.items() if value is not None},
    )


def about_launch(launch: Launch, detector: Detector, verdict: Verdict, explanation: Explanation, *, facts: dict[str, Any]) -> Finding:
    """A finding about one RunTask call."""
    return Finding(
        detector=detector,
        subject=f"launch:{launch.event_id}",
        at=launch.at,
        account=launch.account,
        region=launch.region,
        cluster=launch.cluster if launch.request is not None else "",
        family=launch.family,
        revision=revision_of(str((launch.request or {}).get("taskDefinition") or "")),
        verdict=verdict,
        explanation=explanation,
        launch_id=launch.launch_id,
        started_by=launch.started_by,
        facts={name: value for name, value in {"input": input_of(launch.request or {}), **facts}.items() if value is not None},
    )

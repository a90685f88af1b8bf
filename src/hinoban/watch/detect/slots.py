"""What findings about a schedule's runs have in common: which slot, and what is known of its hops. Pure."""

from typing import Any

import msgspec

from hinoban.base.units import iso_minutes
from hinoban.watch.kinds import NOT_STARTED
from hinoban.watch.model import Detector, Explanation, Finding, Verdict
from hinoban.watch.schedules.model import Schedule
from hinoban.watch.schedules.slot import Slot, hops

DID_NOT_RUN = "DID NOT RUN"


def facts_of_slot(slot: Slot) -> dict[str, Any]:
    """What a message tells of the slot itself."""
    return {
        "schedule": slot.name,
        "schedule_kind": slot.kind,
        "schedule_arn": slot.arn,
        "due_at": slot.at,
        "expression": slot.expression,
        "timezone": slot.timezone,
        "hops": hops(slot),
    }


def of_slot(finding: Finding, slot: Slot) -> Finding:
    """A finding about a launch or a task, as one about the slot it was for: one slot, one incident.

    A launch refused in whole did not run; that it may be retried changes nothing of that.
    """
    whole = finding.detector in NOT_STARTED | {"delivery_failed"} and not slot.tasks
    verdict = DID_NOT_RUN if whole else finding.verdict
    return msgspec.structs.replace(
        finding,
        subject=slot.subject,
        verdict=verdict,
        family=finding.family if finding.detector != "delivery_failed" else slot.family or finding.family,
        cluster=finding.cluster or slot.cluster,
        revision=finding.revision if finding.revision is not None else slot.revision,
        facts={**finding.facts, **facts_of_slot(slot)},
    )


def about_slot(slot: Slot, verdict: Verdict, explanation: Explanation, *, at: float, facts: dict[str, Any]) -> Finding:
    """A finding about a slot of which no launch is known."""
    return Finding(
        detector="missed_run",
        subject=slot.subject,
        at=at,
        account=slot.account,
        region=slot.region,
        cluster=slot.cluster,
        family=slot.family or slot.name,
        revision=slot.revision,
        verdict=verdict,
        explanation=explanation,
        started_by=None,
        facts={**facts_of_slot(slot), **facts},
    )


def about_schedule(
    schedule: Schedule, detector: Detector, subject: str, verdict: Verdict, explanation: Explanation, *, at: float, facts: dict[str, Any]
) -> Finding:
    """A finding about a schedule as a whole."""
    return Finding(
        detector=detector,
        subject=subject,
        at=at,
        account=schedule.account,
        region=schedule.region,
        cluster=schedule.cluster,
        family=schedule.family,
        revision=schedule.revision,
        verdict=verdict,
        explanation=explanation,
        facts={
            "schedule": schedule.name,
            "schedule_kind": schedule.kind,
            "schedule_arn": schedule.arn,
            "expression": schedule.expression,
            "timezone": schedule.timezone,
            **facts,
        },
    )


def run_it(name: str, at: float, zone: str) -> str:
    """The command that makes up for a lost run."""
    return f"hinoban schedules run {name} --slot {iso_minutes(at, zone)}"

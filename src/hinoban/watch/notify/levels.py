"""How loudly each detector's findings are told: a table, and the rule that only what is lost for good wakes anybody. Pure."""

from collections.abc import Mapping
from typing import Literal

from hinoban.watch.config import Level
from hinoban.watch.incidents import RUNNING_OUTCOMES, starter_class
from hinoban.watch.model import Incident

Row = Literal["lost run", "page", "ticket", "digest"]
"""`lost run`: a page where a scheduled run is lost for good; a ticket while a retry may heal it, or where it was launched by hand."""

LEVELS: dict[str, Row] = {
    "did_not_start": "lost run",
    "missed_run": "lost run",
    "failed_exit": "lost run",
    "out_of_memory": "lost run",
    "partly_started": "lost run",
    "cannot_pull": "lost run",
    "cannot_get_secret": "lost run",
    "spot_interrupted": "lost run",
    "maintenance": "lost run",
    "zero_running": "page",
    "overdue": "ticket",
    "stuck": "ticket",
    "overlap": "ticket",
    "dead_schedule": "ticket",
    "schedule_changed": "ticket",
    "delivery_failed": "ticket",
    "service_impaired": "ticket",
    "deployment_failed": "ticket",
    "rolled_back": "ticket",
    "not_steady": "ticket",
    "crash_loop": "ticket",
    "health_replacements": "ticket",
    "launch_loop": "ticket",
    "throttled": "lost run",
    "silence": "ticket",
    "blind": "ticket",
    "watch_behind": "ticket",
    "mute_ended": "ticket",
    "policy_mismatch": "digest",
    "too_short": "digest",
}


def level_of(incident: Incident, change: str, configured: Mapping[str, Level]) -> Level:
    """The configured level of its detector, else the table's; what healed unseen (`quiet`) is for the report only."""
    if change == "quiet":
        return "digest"
    detector = incident.finding.detector
    if detector in configured:
        return configured[detector]
    row = LEVELS.get(detector, "ticket")
    if row != "lost run":
        return row
    return "page" if _lost(incident) else "ticket"


def notice_level(detector: str, configured: Mapping[str, Level]) -> Level:
    """The level of a detector that finds no lost runs."""
    row = configured.get(detector, LEVELS[detector])
    assert row != "lost run", f"what {detector} finds is as loud as what became of the run"
    return row


def _lost(incident: Incident) -> bool:
    """A schedule's run that no attempt may bring back any more. Of a launch by hand its caller knows; a service's task is replaced."""
    if any(attempt.number > 1 and attempt.outcome in ("waiting", *RUNNING_OUTCOMES) for attempt in incident.attempts):
        return False
    finding = incident.finding
    return finding.facts.get("due_at") is not None or starter_class(finding.started_by) not in ("hand", "service")

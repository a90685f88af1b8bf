"""Detectors by the kind of matter that they find, for those who treat a kind as one."""

from hinoban.watch.model import Detector, Finding

NOT_STARTED: frozenset[Detector] = frozenset({"did_not_start", "partly_started", "cannot_pull", "cannot_get_secret", "throttled"})
"""No program ran: any later good run makes up for it, and trying again cannot run anything twice."""

DID_NOT_RUN: frozenset[Detector] = NOT_STARTED | {"missed_run"}

CUT_OFF: frozenset[Detector] = frozenset({"spot_interrupted", "maintenance"})
"""AWS ended a run half-way: the program may have done a part of its work."""

OF_SERVICES: frozenset[Detector] = frozenset(
    {
        "service_impaired",
        "deployment_failed",
        "rolled_back",
        "crash_loop",
        "zero_running",
        "not_steady",
        "health_replacements",
    }
)
"""About a service as a whole: `family` is its name, and no run is lost."""

OF_THE_WATCH: frozenset[Detector] = frozenset({"silence", "blind", "watch_behind"})
"""About what the watch itself can see."""

ABOUT_NO_RUN: frozenset[Detector] = (
    OF_SERVICES
    | OF_THE_WATCH
    | frozenset[Detector](
        {
            "dead_schedule",
            "schedule_changed",
            "overlap",
            "delivery_failed",
            "policy_mismatch",
            "mute_ended",
            "launch_loop",
            "too_short",
        }
    )
)
"""Matters that no retry concerns."""


def about_no_run(finding: Finding) -> bool:
    """Whether no run was lost: by its detector, or as it is about a service's own action (`throttled` finds those and runs)."""
    return finding.detector in ABOUT_NO_RUN or finding.subject.startswith("service:")

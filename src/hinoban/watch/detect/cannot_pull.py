"""Detector cannot_pull: a task that did not start because its image could not be pulled (facts/ecs.md §2.3 CannotPull...). Pure."""

from hinoban.watch.detect.start import failed_to_start
from hinoban.watch.model import Finding, Observation

VERDICT = "NOT STARTED"
CODES = frozenset(
    {
        "image_platform",
        "registry_rate_limit",
        "disk_full",
        "image_check_exists",
        "pull_denied",
        "registry_unreachable",
        "image_missing",
        "ecr_layers_unreachable",
        "pull_crashed",
        "registry_timeout",
        "registry_login",
        "image_manifest",
        "pull_failed",
        "ecr_auth_unreachable",
        "ecr_auth_timeout",
        "ecr_auth",
    }
)
"""The catalogue's codes that mean the image or the way to it."""


def cannot_pull(observation: Observation) -> Finding | None:
    """A finding for stop code TaskFailedToStart whose reason, the task's or a container's, is one of `CODES`."""
    return failed_to_start(observation, "cannot_pull", VERDICT, CODES)

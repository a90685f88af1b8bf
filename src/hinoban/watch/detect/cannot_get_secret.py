"""Detector cannot_get_secret: a task that did not start for want of a secret or parameter (facts/ecs.md §2.3 ResourceInitialization). Pure."""

from hinoban.watch.detect.start import failed_to_start
from hinoban.watch.model import Finding, Observation, TaskChange

VERDICT = "NOT STARTED"
CODES = frozenset(
    {
        "ssm_unreachable",
        "secrets_manager_unreachable",
        "secret_missing",
        "secret_json_key",
        "secret_not_json",
        "secrets_manager_timeout",
        "secrets_manager_denied",
        "secrets_manager_missing",
        "secrets_manager_other",
        "ssm_timeout",
        "ssm_parameter_missing",
        "ssm_denied",
        "ssm_other",
        "secrets_or_registry_auth",
    }
)
"""The catalogue's codes that mean a secret or parameter. AWS's old sentence names secrets and registry in one: it is counted here."""

_EITHER = frozenset({"resource_not_found"})


def cannot_get_secret(observation: Observation) -> Finding | None:
    """A finding for stop code TaskFailedToStart whose reason is one of `CODES`, or speaks of a secret that does not exist."""
    finding = failed_to_start(observation, "cannot_get_secret", VERDICT, CODES | _EITHER)
    if finding is not None and finding.explanation.code in _EITHER and not _names_a_secret(observation):
        return None
    return finding


def _names_a_secret(observation: Observation) -> bool:
    return isinstance(observation, TaskChange) and "secret" in str(observation.detail.get("stoppedReason") or "").lower()

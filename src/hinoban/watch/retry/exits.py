"""Which ended tasks a rule's `on_exit` runs again. Pure.

As in AWS Batch's evaluateOnExit (facts/cloudtrail_sns_lambda.md §4.2): the first rule whose conditions all hold decides, and a `*` ends a
pattern. Otherwise than there a task is left alone where no rule fits.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hinoban.watch.config import Action, ExitRule
from hinoban.watch.explain.exits import containers_of, culprits
from hinoban.watch.kinds import CUT_OFF
from hinoban.watch.model import Detector, Finding

EXITS: frozenset[Detector] = CUT_OFF | frozenset[Detector]({"failed_exit", "out_of_memory"})
"""Ends of a program that ran, which only a rule of `on_exit` retries."""
_OUT_OF_MEMORY = "outofmemory"


def is_exit(finding: Finding) -> bool:
    """Whether this is the end of a program that ran, of a task that no service replaces."""
    return finding.detector in EXITS and not str(finding.facts.get("group") or "").startswith("service:")


def action(finding: Finding, detail: Mapping[str, Any], rules: Sequence[ExitRule]) -> Action:
    """What the rules say of this STOPPED task: of a program out of memory only a rule that names it may say RETRY."""
    for rule in rules:
        if rule.action == "RETRY" and finding.detector == "out_of_memory" and not _names_memory(rule):
            continue
        if _holds(rule, detail):
            return rule.action
    return "EXIT"


def _holds(rule: ExitRule, detail: Mapping[str, Any]) -> bool:
    """Of several containers one must meet all conditions: the one named, else one that is to blame."""
    of_task = [str(detail.get(name) or "") for name in ("stoppedReason", "stopCode")]
    several = containers_of(detail) if rule.container is not None else culprits(detail) or containers_of(detail)
    for one in several:
        if rule.container is not None and not _fits(rule.container, str(one.get("name") or "")):
            continue
        if rule.exit_code and not any(_fits(code, str(one.get("exitCode", ""))) for code in rule.exit_code):
            continue
        if rule.reason is None or any(_fits(rule.reason, text) for text in (*of_task, str(one.get("reason") or ""))):
            return True
    return False


def _fits(pattern: str, text: str) -> bool:
    """Upper and lower case are one; an empty text fits nothing."""
    if not text:
        return False
    wanted, seen = pattern.lower(), text.lower()
    return seen.startswith(wanted[:-1]) if wanted.endswith("*") else seen == wanted


def _names_memory(rule: ExitRule) -> bool:
    return "137" in rule.exit_code or (rule.reason or "").lower().startswith(_OUT_OF_MEMORY)

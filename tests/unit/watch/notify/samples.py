"""Incidents for messages: one refused launch, one failed program."""

from typing import Any

import msgspec

from hinoban.watch.incidents import opened, resolved
from hinoban.watch.model import Explanation, Finding, Incident

AT = 1_795_705_200.0


def finding(**words: Any) -> Finding:
    """A program that ended with 3."""
    given: dict[str, Any] = {
        "detector": "failed_exit",
        "subject": "task:1",
        "at": AT,
        "account": "123456789012",
        "region": "ap-northeast-1",
        "cluster": "batch",
        "family": "nightly-billing",
        "revision": 31,
        "verdict": "EXIT 3",
        "explanation": Explanation(
            code="exit", cause="Your program ended.", next="Look at its log.", said=("Essential container in task exited",), retryable=False
        ),
        "task_arn": "arn:aws:ecs:ap-northeast-1:123456789012:task/batch/" + "7c1e90ab" * 4,
    }
    return Finding(**given | words)


def incident(**words: Any) -> Incident:
    """Opened at AT."""
    return opened(finding(**words), AT, held_until=None).incident


def over(one: Incident, why: str = "A later run ended well.") -> Incident:
    """The same, resolved ten minutes later."""
    return resolved(one, "RECOVERED", why, AT + 600).incident


def said(one: Incident, **words: Any) -> Incident:
    """The same with other words of its explanation."""
    explanation = msgspec.structs.replace(one.finding.explanation, **words)
    return msgspec.structs.replace(one, finding=msgspec.structs.replace(one.finding, explanation=explanation))

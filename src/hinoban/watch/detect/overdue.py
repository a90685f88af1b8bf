"""Detector overdue: a task that runs longer than its limit, or past its lease, and that nothing will end. Asked by time, not by an event."""

from typing import Any

import msgspec

from hinoban.base.units import format_duration
from hinoban.watch.deadlines import start_of
from hinoban.watch.detect.subject import about_task
from hinoban.watch.explain import explain_finding
from hinoban.watch.explain.language import spoken
from hinoban.watch.model import Finding, TaskChange, task_id_of
from hinoban.watch.terms import Terms

VERDICT = "OVERDUE"
ENDING = ("STOPPED", "DEPROVISIONING", "STOPPING", "DEACTIVATING", "DELETED")
_STILL = {"en": "Still running after {ran}. ", "ja": "{ran} 経過後も実行中。"}


class Spelt(msgspec.Struct, frozen=True, kw_only=True):
    """What people read of moments and of who launched it: the pipeline knows their time zone, and the launch."""

    stop_at: str = ""
    lease_until: str = ""
    session: str = ""
    """The session of the role that launched it: `run-8790`."""


def overdue(
    change: TaskChange, now: float, terms: Terms, *, spelt: Spelt | None = None, again: bool = False, stops: bool = True
) -> Finding | None:
    """A finding when the task has been there for longer than the limit, since `startedAt`, or since `createdAt` if it never got to run; or
    when its lease has run out. `again`: it is told of it once more. `stops`: where it is to be stopped, Hinoban will do it.

    Not for tasks of a service, which live for ever, nor for those that are being stopped already.
    """
    detail, spelt = change.detail, spelt or Spelt()
    if change.service_owned or detail.get("lastStatus") in ENDING or detail.get("desiredStatus") == "STOPPED":
        return None
    orphan = terms.orphan_at is not None and now >= terms.orphan_at
    moments = [at for at in (terms.warn_at, terms.orphan_at) if at is not None and now >= at]
    if not moments:
        return None
    began, wishes = start_of(change), terms.wishes
    facts: dict[str, Any] = {
        "limit_seconds": terms.limit,
        "limit_from": terms.limit_from,
        "ran_seconds": round(now - began, 3),
        "started_at": began,
        "last_status": detail.get("lastStatus"),
        "stop_at": terms.stop_at,
        "lease_until": wishes.lease_until,
        "orphan": True if orphan else None,
    }
    texts = {
        "task": task_id_of(change.task_arn)[:8],
        "stop_at": spelt.stop_at,
        "lease": spelt.lease_until,
        "owner": wishes.owner or ("(nobody is named)" if spoken() == "en" else "(記載なし)"),
        "reason": f"orphan of {spelt.session}" if spelt.session else "orphan" if orphan else "overdue",
    }
    explanation = explain_finding(_code(terms, orphan, stops), texts)
    if again:
        still = _STILL[spoken()].format(ran=format_duration(now - began))
        explanation = msgspec.structs.replace(explanation, cause=still + explanation.cause)
    return about_task(change, "overdue", VERDICT, explanation, at=min(moments), facts=facts)


def _code(terms: Terms, orphan: bool, stops: bool) -> str:
    kind = "orphan" if orphan else "leased" if terms.wishes.lease_until is not None else "overdue"
    return f"{kind}_stopped" if stops and terms.stop_at is not None else kind

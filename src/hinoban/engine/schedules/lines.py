"""What a decided slot looks like: the Scheduled Event of a rule, and the journal's lines about fired and missed slots."""

from collections.abc import Mapping, Sequence
from typing import Any

from hinoban.aws.call import Params
from hinoban.aws.definitions.targets import slot_token
from hinoban.base.units import iso, iso_seconds
from hinoban.engine.events.model import Rule
from hinoban.engine.schedules.decide import Missed
from hinoban.engine.schedules.model import Schedule

TARGET_ID = "target"
"""The Id under which a Scheduler schedule's one target goes."""

Owner = Rule | Schedule


def targets_of(owner: Owner) -> Mapping[str, Params]:
    """The targets by their Id; a schedule has one."""
    return owner.targets if isinstance(owner, Rule) else {TARGET_ID: {**owner.target, "Id": TARGET_ID}}


def scheduled_event(rule: Rule, slot: float, event_id: str, account: str) -> dict[str, Any]:
    """The event of a rule's slot (facts/eventbridge.md §2)."""
    return _envelope(event_id, "Scheduled Event", "aws.events", slot, rule.region, account, rule.arn, {})


def fired_line(owner: Owner, slot: float, invoke_at: float, *, line_id: str, now: float, account: str) -> dict[str, Any]:
    """The journal's line for a slot that fires."""
    told = [{**each, "token": slot_token(owner.arn, each["id"], slot)} for each in _targets(owner)]
    detail = {**_about(owner), "decision": "fired", "slot": iso(slot), "invoke_at": iso(invoke_at), "targets": told}
    return _line(owner, detail, line_id, now, account)


def missed_line(owner: Owner, missed: Missed, reason: str, *, line_id: str, now: float, account: str) -> dict[str, Any]:
    """The journal's one line for a run of missed slots."""
    run = {"first": iso(missed.first), "last": iso(missed.last), "count": missed.count}
    detail = {**_about(owner), "decision": "missed", **run, "reason": reason, "targets": _targets(owner)}
    return _line(owner, detail, line_id, now, account)


def absence(since: float | None, until: float) -> str:
    """Why nobody decided: this engine last lived at `since` (None: it never did with a schedule) and lives again since `until`."""
    if since is None:
        return f"hinoban was not running until {iso_seconds(until)}"
    return f"hinoban was not running from {iso_seconds(since)} to {iso_seconds(until)}"


def jump(before: float, after: float) -> str:
    """Why nobody decided while the engine lived: its clock was set, or its machine slept."""
    return f"the clock jumped from {iso_seconds(before)} to {iso_seconds(after)}"


def _about(owner: Owner) -> dict[str, Any]:
    if isinstance(owner, Rule):
        return {"kind": "rule", "arn": owner.arn, "name": owner.name, "group": None, "expression": owner.schedule, "timezone": "UTC"}
    return {
        "kind": "schedule",
        "arn": owner.arn,
        "name": owner.name,
        "group": owner.group,
        "expression": owner.expression,
        "timezone": owner.timezone,
    }


def _targets(owner: Owner) -> Sequence[dict[str, str]]:
    return [{"id": target_id, "arn": target["Arn"]} for target_id, target in targets_of(owner).items()]


def _line(owner: Owner, detail: dict[str, Any], line_id: str, now: float, account: str) -> dict[str, Any]:
    return _envelope(line_id, "Hinoban Slot", "hinoban.schedules", now, owner.region, account, owner.arn, detail)


def _envelope(
    event_id: str, detail_type: str, source: str, moment: float, region: str, account: str, arn: str, detail: dict[str, Any]
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": event_id,
        "detail-type": detail_type,
        "source": source,
        "account": account,
        "time": iso_seconds(moment),
        "region": region,
        "resources": [arn],
        "detail": detail,
    }

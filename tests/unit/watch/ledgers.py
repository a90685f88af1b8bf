"""A world with scheduled rules, and the lines, records and events that tell of their runs."""

from typing import Any

import msgspec

from hinoban.base.units import iso, iso_seconds, parse_iso
from hinoban.watch.history.book import slots_between
from hinoban.watch.history.queries import incidents_of
from hinoban.watch.model import Incident
from hinoban.watch.schedules.slot import Slot
from tests.unit.watch.samples import ACCOUNT, NO_ROOM, REGION, envelope, task_arn, task_event
from tests.unit.watch.schedules.samples import rule_body, target_body
from tests.unit.watch.worlds import World

DUE = parse_iso("2026-11-26T16:00:00Z")
"""The first slot of `DAILY`, an hour after the clock's start."""
DAILY = "cron(0 16 * * ? *)"


def token(name: str, slot: float, target: str = "1") -> str:
    return f"{name}-{target}-{slot:.0f}"


def rule_arn(name: str) -> str:
    return f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"


def add_rule(world: World, name: str, expression: str = DAILY, *, state: str = "ENABLED", **target: Any) -> None:
    """A rule that starts its own family, unless its target says otherwise."""
    one = target_body(**({"job": f"{name}:7", "cluster": "default"} | target))
    world.aws.add_rule(rule_body(name, expression, State=state), one)


def fired(name: str, slot: float, *targets: str) -> bytes:
    """The engine's line on a slot that fired."""
    arn = rule_arn(name)
    several = [
        {"id": one, "arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/default", "token": token(name, slot, one)} for one in targets or ("1",)
    ]
    detail = {"kind": "rule", "arn": arn, "name": name, "group": None, "expression": "", "timezone": "UTC"}
    return line({**detail, "decision": "fired", "slot": iso(slot), "targets": several}, slot, f"fired-{name}-{slot}")


def missed(name: str, first: float, last: float, count: int, reason: str = "hinoban was not running") -> bytes:
    """The engine's line on slots that it slept through."""
    arn = rule_arn(name)
    targets = [{"id": "1", "arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/default"}]
    detail = {"kind": "rule", "arn": arn, "name": name, "group": None, "expression": "", "timezone": "UTC", "targets": targets}
    told = {**detail, "decision": "missed", "first": iso(first), "last": iso(last), "count": count, "reason": reason}
    return line(told, last, f"missed-{name}-{first}-{last}")


def line(detail: dict[str, Any], at: float, event_id: str) -> bytes:
    raw = msgspec.json.decode(envelope("Hinoban Slot", detail, at, event_id))
    return msgspec.json.encode(raw | {"source": "hinoban.schedules"})


def launch(
    name: str, slot: float, number: int, *, tasks: int = 1, target: str = "1", known: bool = True, refused: int = 0, **more: Any
) -> bytes:
    """CloudTrail's record of the RunTask of a slot; `known`: with the clientToken that the slot's line named."""
    at = more.pop("at", slot)
    request = {"taskDefinition": f"{name}:7", "cluster": "default", "count": tasks + refused, "startedBy": f"events-rule/{name}"[:36]}
    record = {
        "eventTime": iso_seconds(at),
        "eventSource": "ecs.amazonaws.com",
        "eventName": "RunTask",
        "awsRegion": REGION,
        "eventID": more.pop("event_id", f"call-{name}-{target}-{slot}-{number}"),
        "userIdentity": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/ecsEventsRole/x", "invokedBy": "events.amazonaws.com"},
        "requestParameters": request | ({"clientToken": token(name, slot, target)} if known else {}) | more.pop("request", {}),
        "responseElements": {
            "tasks": [{"taskArn": task_arn(number + place)} for place in range(tasks)],
            "failures": [{"reason": NO_ROOM}] * refused,
        },
    } | more
    return envelope("AWS API Call via CloudTrail", record, at, f"envelope-{record['eventID']}")


def doing(name: str, rule: str, at: float, by: str = "s.tanaka") -> bytes:
    """CloudTrail's record of a write to a rule."""
    record = {
        "eventTime": iso_seconds(at),
        "eventSource": "events.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "eventID": f"{name}-{rule}-{at}",
        "userIdentity": {"arn": f"arn:aws:iam::{ACCOUNT}:user/{by}"},
        "requestParameters": {"name": rule},
        "responseElements": {},
    }
    raw = msgspec.json.decode(envelope("AWS API Call via CloudTrail", record, at, f"envelope-{record['eventID']}"))
    return msgspec.json.encode(raw | {"source": "aws.events"})


def task(name: str, number: int, status: str, slot: float, *, at: float | None = None, exit_code: int = 0, **more: Any) -> bytes:
    """An event of a scheduled run's task."""
    moment = slot + 5 if at is None else at
    more.setdefault("started_by", f"events-rule/{name}"[:36])
    return task_event(number, status, at=moment, created=slot + 1, family=name, exit_code=exit_code, **more)


def slots(world: World) -> dict[tuple[str, str], Slot]:
    """Every slot by name (and target, where it is not the first) and moment."""
    with world.engine.connect() as connection:
        found = slots_between(connection, 0, float("inf"))
    keyed = {(one.name + ("" if one.key.endswith("#1") else "#" + one.key.rpartition("#")[2]), iso_seconds(one.at)): one for one in found}
    assert len(keyed) == len(found)
    return keyed


def incidents(world: World) -> dict[str, Incident]:
    """Every incident, by id, in whatever state."""
    with world.engine.connect() as connection:
        return {one.id: one for one in incidents_of(connection, None, None, 1000)}


def groups_hold(world: World) -> None:
    """Each incident that was told is told by itself or by exactly one lead, and every lead has counted its members right."""
    known = incidents(world)
    for one in known.values():
        members = [other for other in known.values() if other.lead == one.id]
        if members:
            assert one.lead is None and one.told >= 1 and one.group is not None
            assert one.group.size == 1 + len(members), one
            assert one.group.open == sum(1 for other in (one, *members) if other.state != "resolved"), one
        if one.lead is not None:
            lead = known[one.lead]
            assert (
                lead.group is not None
                and one.group is None
                and (lead.finding.account, lead.finding.region)
                == (
                    one.finding.account,
                    one.finding.region,
                )
            )


async def until(world: World, moment: float, step: float = 30) -> None:
    """Let time pass up to a moment."""
    await world.turns()
    while world.clock.now() < moment:
        await world.clock.advance(min(step, moment - world.clock.now()))
        await world.watch.turn()

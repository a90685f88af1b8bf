"""From events to deliveries: who matches, once, and what is queued."""

from typing import Any

import pytest

from hinoban.aws.definitions.targets import slot_token
from tests.support.events import ACCOUNT, ARN, QUEUE, REGION, Hall

EVENT = {
    "version": "0",
    "id": "e1",
    "detail-type": "ECS Task State Change",
    "source": "aws.ecs",
    "account": ACCOUNT,
    "time": "2026-11-26T00:00:00Z",
    "region": REGION,
    "resources": [],
    "detail": {"lastStatus": "STOPPED"},
}
STOPPED = '{"source": ["aws.ecs"], "detail": {"lastStatus": ["STOPPED"]}}'


def rule(hall: Hall, name: str, pattern: str = STOPPED, *, targets: int = 1, region: str = REGION, **params: Any) -> str:
    arn: str = hall.ask("PutRule", Name=name, EventPattern=pattern, region=region, **params)["RuleArn"]
    bus = {"EventBusName": params["EventBusName"]} if "EventBusName" in params else {}
    if targets:
        hall.ask("PutTargets", Rule=name, region=region, Targets=[{"Id": str(n), "Arn": QUEUE} for n in range(targets)], **bus)
    return arn


async def test_each_target_of_each_matching_rule_gets_one_delivery(hall: Hall) -> None:
    arns = [rule(hall, "a", targets=2), rule(hall, "b", '{"$or": [{"source": ["aws.ecs"]}, {"detail": {"lastStatus": ["STOPPED"]}}]}')]
    rule(hall, "other", '{"source": ["aws.ec2"]}')
    assert hall.router.publish(REGION, "default", EVENT) == 2
    found = hall.queue.deliveries
    assert [(one.owner_arn, one.target["Id"]) for one in found] == [(arns[0], "0"), (arns[0], "1"), (arns[1], "0")]
    assert len({one.id for one in found}) == len({one.token for one in found}) == 3
    assert {one.kind for one in found} == {"rule"}
    assert found[0].token == slot_token(arns[0], "0", "e1")
    assert all(one.event is EVENT and one.due_at == one.created_at == hall.clock.now() for one in found)
    assert all(one.slot is None and not one.forwarded and one.attempts == 0 for one in found)
    assert hall.queue.counted == arns


async def test_a_rule_without_targets_is_counted(hall: Hall) -> None:
    arn = rule(hall, "a", targets=0)
    assert hall.router.publish(REGION, "default", EVENT) == 1
    assert (hall.queue.counted, hall.queue.deliveries) == ([arn], [])


async def test_a_disabled_rule_sees_nothing(hall: Hall) -> None:
    rule(hall, "a", State="DISABLED")
    assert hall.router.publish(REGION, "default", EVENT) == 0
    hall.ask("EnableRule", Name="a")
    assert hall.router.publish(REGION, "default", EVENT) == 1
    hall.ask("DisableRule", Name="a")
    assert hall.router.publish(REGION, "default", EVENT) == 0


async def test_a_rule_sees_its_own_bus_and_region(hall: Hall) -> None:
    hall.ask("CreateEventBus", Name="b")
    rule(hall, "a", EventBusName="b")
    rule(hall, "a", region="us-east-1")
    assert hall.router.publish(REGION, "default", EVENT) == 0
    assert hall.router.publish(REGION, "b", EVENT, forwarded=True) == 1
    (delivery,) = hall.queue.deliveries
    assert (delivery.owner_arn, delivery.owner_name, delivery.bus, delivery.region) == (f"{ARN}:rule/b/a", "a", "b", REGION)
    assert delivery.forwarded


async def test_read_only_calls_are_seen_by_rules_that_ask_for_them(hall: Hall) -> None:
    rule(hall, "writes")
    rule(hall, "all", State="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    assert hall.router.publish(REGION, "default", EVENT, read=True) == 1
    assert hall.router.publish(REGION, "default", EVENT) == 2
    assert [one.owner_name for one in hall.queue.deliveries] == ["all", "writes", "all"]


async def test_a_slot_is_its_rules_and_whoever_matches_its_event(hall: Hall) -> None:
    hall.ask("PutRule", Name="nightly", ScheduleExpression="rate(1 day)", EventPattern='{"source": ["aws.events"]}')
    hall.ask("PutTargets", Rule="nightly", Targets=[{"Id": "1", "Arn": QUEUE}])
    rule(hall, "watcher", '{"source": ["aws.events"]}')
    nightly = hall.state.rules[(REGION, "default", "nightly")]
    event = EVENT | {"source": "aws.events", "detail-type": "Scheduled Event", "resources": [nightly.arn], "detail": {}}
    assert hall.router.publish(REGION, "default", event, also=[nightly], slot=1000.0) == 2
    first, second = hall.queue.deliveries
    assert (first.owner_name, first.slot, first.token) == ("nightly", 1000.0, slot_token(nightly.arn, "1", 1000.0))
    assert (second.owner_name, second.slot, second.token) == ("watcher", None, slot_token(second.owner_arn, "0", "e1"))


@pytest.mark.parametrize(
    ("change", "heard"),
    [
        ({}, 1),
        ({"detail-type": "ECS Service Action"}, 1),
        ({"detail-type": "AWS API Call via CloudTrail"}, 0),
        ({"source": "hinoban.events", "detail-type": "ECS of a kind"}, 0),
        ({"source": "aws.logs"}, 0),
    ],
)
async def test_what_ecs_tells_is_heard_and_nothing_else(hall: Hall, change: dict[str, str], heard: int) -> None:
    rule(hall, "everything", '{"version": ["0"]}')
    hall.router.hear(EVENT | change)
    hall.router.hear(EVENT | change | {"region": "us-east-1"})
    assert len(hall.queue.deliveries) == heard


async def test_a_rule_is_found_again_after_a_crash(hall: Hall) -> None:
    rule(hall, "a")
    rule(hall, "b", State="DISABLED")
    await hall.database.committed()
    rule(hall, "lost")
    hall.reopen()
    assert hall.router.publish(REGION, "default", EVENT) == 1
    assert hall.ask("ListRuleNamesByTarget", TargetArn=QUEUE) == {"RuleNames": ["a", "b"]}


async def test_listeners_hear_each_change_with_what_was_before(hall: Hall) -> None:
    heard: list[tuple[str | None, str | None]] = []
    hall.state.listen(lambda before, after: heard.append((before.state if before else None, after.state if after else None)))
    rule(hall, "a", targets=0)
    hall.ask("DisableRule", Name="a")
    hall.ask("DisableRule", Name="a")
    hall.ask("DeleteRule", Name="a")
    assert heard == [(None, "ENABLED"), ("ENABLED", "DISABLED"), ("DISABLED", None)]
    rule(hall, "b", targets=0)
    hall.state.clear()
    assert heard[-1] == ("ENABLED", None)


async def test_nothing_is_left_after_a_reset(hall: Hall) -> None:
    hall.ask("CreateEventBus", Name="b")
    rule(hall, "a", EventBusName="b")
    rule(hall, "a")
    hall.ask("CreateArchive", ArchiveName="arc", EventSourceArn=f"{ARN}:event-bus/b")
    hall.router.publish(REGION, "b", EVENT)
    hall.state.clear()
    await hall.database.committed()
    for _ in range(2):
        assert [bus["Name"] for bus in hall.ask("ListEventBuses")["EventBuses"]] == ["default"]
        assert hall.ask("ListRules") == {"Rules": []}
        assert hall.ask("ListArchives") == {"Archives": []}
        assert hall.ask("ListRuleNamesByTarget", TargetArn=QUEUE) == {"RuleNames": []}
        assert hall.database.query("SELECT COUNT(*) FROM archived_events") == [(0,)]
        hall.reopen()

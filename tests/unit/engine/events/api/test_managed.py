"""The rule that EventBridge puts on a bus for each archive."""

import json

import pytest

from tests.support.events import ACCOUNT, ARN, QUEUE, REGION, Hall

NAME = "Events-Archive-a"
MANAGED = {
    "Name": NAME,
    "Arn": f"{ARN}:rule/{NAME}",
    "State": "ENABLED",
    "EventBusName": "default",
    "ManagedBy": "prod.vhs.events.aws.internal",
}
TOLD = ("ManagedRuleException", f"Rule {NAME} is managed by prod.vhs.events.aws.internal and can't be changed.")


@pytest.fixture(autouse=True)
async def archive(hall: Hall) -> None:
    hall.ask("CreateArchive", ArchiveName="a", EventSourceArn=f"{ARN}:event-bus/default", EventPattern='{"source": ["my.app"]}')


async def test_an_archives_rule_is_listed_among_the_others_of_its_bus(hall: Hall) -> None:
    hall.ask("PutRule", Name="Z", EventPattern='{"source": ["x"]}')
    listed = hall.ask("ListRules")["Rules"]
    assert [rule["Name"] for rule in listed] == [NAME, "Z"]
    assert json.loads(listed[0].pop("EventPattern")) == {"source": ["my.app"], "replay-name": [{"exists": False}]}
    assert listed[0] == MANAGED
    described = hall.ask("DescribeRule", Name=NAME)
    assert described.items() >= {**MANAGED, "CreatedBy": ACCOUNT}.items()
    hall.ask("CreateEventBus", Name="other")
    assert hall.ask("ListRules", EventBusName="other") == {"Rules": []}
    hall.ask("DeleteArchive", ArchiveName="a")
    assert [rule["Name"] for rule in hall.ask("ListRules")["Rules"]] == ["Z"]


async def test_its_target_lies_within_eventbridge(hall: Hall) -> None:
    (target,) = hall.ask("ListTargetsByRule", Rule=NAME)["Targets"]
    assert target["Arn"] == f"arn:aws:events:{REGION}:::"
    assert target["InputTransformer"]["InputPathsMap"] == {}
    assert f'"archive-arn": "{ARN}:archive/a"' in target["InputTransformer"]["InputTemplate"]


async def test_nobody_changes_it(hall: Hall) -> None:
    target = {"Id": "1", "Arn": QUEUE}
    assert hall.refused("PutRule", Name=NAME, EventPattern='{"source": ["x"]}') == TOLD
    assert hall.refused("DeleteRule", Name=NAME) == TOLD
    assert hall.refused("DisableRule", Name=NAME) == TOLD
    assert hall.refused("PutTargets", Rule=NAME, Targets=[target]) == TOLD
    assert hall.refused("RemoveTargets", Rule=NAME, Ids=["1"]) == TOLD
    assert hall.refused("TagResource", ResourceARN=f"{ARN}:rule/{NAME}", Tags=[{"Key": "a", "Value": "b"}]) == TOLD


async def test_it_takes_no_part_in_matching(hall: Hall) -> None:
    hall.put_events({})
    assert hall.queue.deliveries == []
    assert hall.queue.counted == []
    assert hall.ask("DescribeArchive", ArchiveName="a")["EventCount"] == 1

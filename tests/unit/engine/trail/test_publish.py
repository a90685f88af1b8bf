"""Records on the default bus and in the trail's log group: after the delay, while a trail logs, each at least once."""

from typing import Any

import msgspec
import pytest

from hinoban.aws.errors import AwsError
from hinoban.base.clock import settle
from hinoban.engine.trail.printing import HIDDEN
from tests.unit.engine.trail.conftest import GROUP_ARN, REGION, ROLE_ARN, USER, Desk, made_call

TO_GROUP = {"CloudWatchLogsLogGroupArn": GROUP_ARN, "CloudWatchLogsRoleArn": ROLE_ARN}


async def make_group(desk: Desk) -> None:
    desk.logs.operations()["CreateLogGroup"](made_call("CreateLogGroup", "logs", REGION, USER, desk.clock.now()), {"logGroupName": "trail"})
    await desk.database.committed()


async def test_a_record_comes_after_the_delay_and_not_before(desk: Desk) -> None:
    await desk.make()
    await desk.clock.advance(60)
    desk.bus.events.clear()
    await desk.did("RunTask", params={"cluster": "c"})
    await desk.clock.advance(4.9)
    assert desk.bus.events == []
    await desk.clock.advance(0.2)
    ((region, event, read),) = desk.bus.events
    assert (region, read, event["source"], event["detail-type"], event["resources"]) == (
        REGION, False, "aws.ecs", "AWS API Call via CloudTrail", [],
    )  # fmt: skip
    assert event["detail"]["requestParameters"] == {"cluster": "c"}
    (line,) = [msgspec.json.decode(line)["event"] for line in desk.journal.read(desk.journal.newest - 1, 10)]
    assert (line["id"], line["detail"]["eventID"]) == (event["id"], event["detail"]["eventID"])


async def test_nothing_comes_while_no_trail_logs(desk: Desk) -> None:
    await desk.make(logging=False)
    await desk.did("RunTask")
    await desk.clock.advance(60)
    assert desk.bus.events == []


async def test_it_is_the_moment_of_the_call_that_counts(desk: Desk) -> None:
    """What was called before StopLogging or DeleteTrail still comes, these two also; what was called after does not."""
    await desk.did("StopTask")
    await desk.make()
    await desk.did("RunTask")
    await desk.call("StopLogging", Name="main")
    await desk.did("CreateCluster")
    await desk.call("StartLogging", Name="main")
    await desk.did("DeleteCluster")
    await desk.call("DeleteTrail", Name="main")
    await desk.did("RegisterTaskDefinition")
    await desk.clock.advance(10)
    assert desk.bus.names() == ["StartLogging", "RunTask", "StopLogging", "StartLogging", "DeleteCluster", "DeleteTrail"]
    assert desk.state.spans == {}


async def test_a_trail_is_of_its_region_and_a_multi_region_one_of_all(desk: Desk) -> None:
    await desk.make("here")
    await desk.did("RunTask", region="us-east-1")
    await desk.clock.advance(10)
    assert desk.bus.names() == ["StartLogging"]
    await desk.make("all", IsMultiRegionTrail=True)
    await desk.did("StopTask", region="us-east-1")
    await desk.clock.advance(10)
    assert [(region, event["detail"]["eventName"]) for region, event, _ in desk.bus.events][-1] == ("us-east-1", "StopTask")
    assert desk.bus.names().count("StopTask") == 1


async def test_reads_come_marked_as_such(desk: Desk) -> None:
    await desk.did("DescribeClusters")
    await desk.make()
    await desk.clock.advance(10)
    desk.bus.events.clear()
    await desk.did("DescribeTasks", params={"tasks": ["t"]})
    await desk.did("ListTasks", outcome=AwsError("ClusterNotFoundException", "Cluster not found."))
    await desk.clock.advance(4.9)
    assert desk.bus.events == []
    await desk.clock.advance(1)
    assert [(event["detail"]["eventName"], read) for _, event, read in desk.bus.events] == [("DescribeTasks", True), ("ListTasks", True)]


async def test_event_selectors_choose_what_comes(desk: Desk) -> None:
    await desk.make()
    selectors = [{"ReadWriteType": "WriteOnly", "ExcludeManagementEventSources": ["logs.amazonaws.com"]}]
    await desk.call("PutEventSelectors", TrailName="main", EventSelectors=selectors)
    for service, operation in (("ecs", "RunTask"), ("logs", "CreateLogGroup"), ("ecs", "ListTasks")):
        await desk.did(operation, service=service)
    advanced = [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}]}]
    await desk.call("PutEventSelectors", TrailName="main", AdvancedEventSelectors=advanced)
    await desk.did("StopTask")
    await desk.clock.advance(10)
    assert desk.bus.names() == ["StartLogging", "PutEventSelectors", "RunTask", "PutEventSelectors"]


async def test_environments_are_hidden_outside_and_whole_in_the_journal(desk: Desk) -> None:
    await desk.make()
    environment = [{"name": "TOKEN", "value": "secret"}]
    overrides = {"containerOverrides": [{"name": "app", "environment": environment, "command": ["x"]}]}
    await desk.did(
        "RunTask", params={"overrides": overrides}, outcome={"tasks": [{"taskArn": "t", "overrides": overrides}], "failures": []}
    )
    await desk.clock.advance(10)
    detail = desk.bus.events[-1][1]["detail"]
    hidden = {"containerOverrides": [{"name": "app", "environment": HIDDEN, "command": ["x"]}]}
    assert detail["requestParameters"] == {"overrides": hidden}
    assert detail["responseElements"]["tasks"][0] == {"taskArn": "t", "overrides": hidden}
    whole = msgspec.json.decode(desk.journal.read(desk.journal.newest - 1, 1)[0])["event"]["detail"]
    assert whole["requestParameters"]["overrides"] == overrides
    assert whole["responseElements"]["tasks"][0]["overrides"] == overrides


async def test_a_record_beyond_256_kib_is_dropped(desk: Desk) -> None:
    await desk.make()
    await desk.did("RunTask", params={"startedBy": "x" * (256 * 1024)})
    await desk.did("StopTask", params={"reason": "x" * (200 * 1024)})
    await desk.clock.advance(10)
    assert desk.bus.names() == ["StartLogging", "StopTask"]


async def test_records_are_lines_of_the_trails_log_group(desk: Desk) -> None:
    await make_group(desk)
    await desk.make(**TO_GROUP)
    await desk.did("RunTask", params={"overrides": {"containerOverrides": [{"environment": [{"name": "A", "value": "b"}]}]}})
    await desk.clock.advance(10)
    lines = desk.lines()
    assert [line["eventName"] for line in lines] == ["StartLogging", "RunTask"]
    assert lines[1]["requestParameters"]["overrides"]["containerOverrides"] == [{"environment": HIDDEN}]
    status = await desk.call("GetTrailStatus", Name="main")
    assert "LatestCloudWatchLogsDeliveryTime" in status and "LatestCloudWatchLogsDeliveryError" not in status


async def test_a_log_group_that_is_not_there_is_told_in_the_status(desk: Desk) -> None:
    await desk.make(**TO_GROUP)
    await desk.clock.advance(10)
    status = await desk.call("GetTrailStatus", Name="main")
    assert status["LatestCloudWatchLogsDeliveryError"] == "The specified log group does not exist."
    assert desk.bus.names() == ["StartLogging"]
    await make_group(desk)
    await desk.did("RunTask")
    await desk.clock.advance(10)
    assert "LatestCloudWatchLogsDeliveryError" not in await desk.call("GetTrailStatus", Name="main")


async def test_a_trail_that_moves_to_another_group_tells_each_call_once(desk: Desk) -> None:
    await make_group(desk)
    await desk.make(**TO_GROUP)
    await desk.call("UpdateTrail", Name="main", IsMultiRegionTrail=True)
    await desk.did("RunTask")
    await desk.clock.advance(10)
    assert [line["eventName"] for line in desk.lines()] == ["StartLogging", "UpdateTrail", "RunTask"]


async def test_after_a_crash_what_was_not_published_is(desk: Desk) -> None:
    await desk.make()
    await desk.did("RunTask")
    await desk.clock.advance(2)
    await desk.did("StopTask")
    await desk.kill()
    desk.open()
    await settle()
    assert desk.bus.events == []
    await desk.clock.advance(3.5)
    assert desk.bus.names() == ["StartLogging", "RunTask"]
    await desk.kill()
    desk.open()
    await desk.clock.advance(60)
    assert desk.bus.names() == ["StartLogging", "RunTask", "StopTask"]


async def test_a_clock_that_was_set_back_holds_nothing_up(desk: Desk) -> None:
    await desk.make()
    await desk.clock.advance(10)
    await desk.did("RunTask")
    desk.clock._now -= 3600
    await desk.did("StopTask")
    await desk.clock.advance(20)
    assert desk.bus.names() == ["StartLogging", "RunTask", "StopTask"]


async def test_many_records_are_published_in_their_order(desk: Desk) -> None:
    await desk.make()
    for number in range(350):
        await desk.did("RunTask", params={"startedBy": str(number)})
        desk.journal.write({"source": "aws.ecs", "detail-type": "ECS Task State Change", "region": REGION, "detail": {}})
    await desk.database.committed()
    await desk.clock.advance(10)
    told = [event["detail"]["requestParameters"] for _, event, _ in desk.bus.events[1:]]
    assert told == [{"startedBy": str(number)} for number in range(350)]


@pytest.mark.parametrize("state", [{}, {"logging": False}])
async def test_clear_forgets_every_trail(desk: Desk, state: dict[str, Any]) -> None:
    await desk.make(**state)
    desk.state.clear()
    await desk.did("RunTask")
    await desk.clock.advance(10)
    assert (dict(desk.state.trails), dict(desk.state.spans), desk.bus.events) == ({}, {}, [])

"""EventBridge inside an engine: what ECS tells comes to the default bus, is kept, and comes again."""

from pathlib import Path

from tests.support.engine import ACCOUNT, REGION, Bench

BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/default"


async def test_task_events_are_archived_and_replayed_also_after_a_crash(tmp_path: Path) -> None:
    bench = await Bench(tmp_path).open()
    began = bench.clock.now()
    pattern = '{"source": ["aws.ecs"], "detail": {"lastStatus": ["STOPPED"]}}'
    answer = await bench.call("CreateArchive", service="events", ArchiveName="a", EventSourceArn=BUS, EventPattern=pattern)
    await bench.define(script="run_for=1s")
    task = await bench.run_one()
    await bench.clock.advance(60)
    stopped = [detail for detail in bench.told(task) if detail["lastStatus"] == "STOPPED"]
    assert len(stopped) == 1
    await bench.reopen()
    described = await bench.call("DescribeArchive", service="events", ArchiveName="a")
    assert described["EventCount"] == 1
    await bench.call(
        "StartReplay",
        service="events",
        ReplayName="again",
        EventSourceArn=answer["ArchiveArn"],
        EventStartTime=began,
        EventEndTime=bench.clock.now(),
        Destination={"Arn": BUS},
    )
    await bench.clock.advance(1)
    replay = await bench.call("DescribeReplay", service="events", ReplayName="again")
    assert replay["State"] == "COMPLETED"
    assert began <= replay["EventLastReplayedTime"] <= bench.clock.now()
    assert (await bench.call("DescribeArchive", service="events", ArchiveName="a"))["EventCount"] == 1
    await bench.close()


async def test_a_reset_leaves_no_rule_and_no_archive(tmp_path: Path) -> None:
    bench = await Bench(tmp_path).open()
    await bench.call("PutRule", service="events", Name="r", EventPattern='{"source": ["aws.ecs"]}')
    await bench.call("CreateArchive", service="events", ArchiveName="a", EventSourceArn=BUS)
    await bench.engine.reset()
    for _ in range(2):
        assert (await bench.call("ListRules", service="events"))["Rules"] == []
        assert (await bench.call("ListArchives", service="events"))["Archives"] == []
        await bench.reopen()
    await bench.close()

"""Two runs of a family at once: told where nobody meant it, and only there."""

from pathlib import Path

import httpx
import pytest

from hinoban.base.clock import MINUTES
from hinoban.watch.allow import EVERYTHING, NOTHING
from hinoban.watch.config import OnOverlap, Policy, RetryRule, Right, WatchConfig
from tests.unit.watch.ledgers import DUE, add_rule, incidents, task, until
from tests.unit.watch.samples import NO_ROOM, run_task, task_arn, task_event, task_id
from tests.unit.watch.worlds import World


async def verdicts(world: World, *events: bytes) -> list[str]:
    world.aws.emit(*events)
    await world.turns()
    return [one.verdict for one in incidents(world).values() if one.finding.detector == "overlap"]


async def test_a_scheduled_run_beside_one_by_hand_names_both_starters(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close")
    await until(world, DUE + 1)
    by_hand = task("close", 1, "RUNNING", DUE - 10 * MINUTES, started_by="s.tanaka")
    assert await verdicts(world, by_hand, task("close", 2, "RUNNING", DUE)) == ["OVERLAP"]
    (incident,) = incidents(world).values()
    assert "s.tanaka" in incident.finding.explanation.cause
    assert "events-rule/close" in incident.finding.explanation.cause
    await verdicts(world, task_event(1, "STOPPED", at=DUE + 9, family="close"))
    assert [one.state for one in incidents(world).values()] == ["resolved"]


async def test_a_task_of_a_service_is_no_other_run(tmp_path: Path) -> None:
    world = World(tmp_path)
    owned = task_event(1, "RUNNING", family="web", started_by="ecs-svc/1", group="service:web")
    migration = task_event(2, "RUNNING", family="web", at=DUE, started_by="deploy")
    assert await verdicts(world, owned, migration) == []


async def test_tasks_of_one_call_are_one_run_before_its_record_has_come(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close")
    await world.turns()
    assert await verdicts(world, *(task_event(number, "RUNNING", family="close", at=DUE - 60) for number in (1, 2))) == []


async def test_one_starter_of_many_means_it_where_no_schedule_starts_the_family(tmp_path: Path) -> None:
    world = World(tmp_path)
    many = [task_event(number, "RUNNING", family="resize", at=DUE + number * 60, started_by="queue") for number in range(1, 4)]
    assert await verdicts(world, *many) == []
    assert await verdicts(world, task_event(9, "RUNNING", family="resize", at=DUE + 900, started_by="s.tanaka")) == ["OVERLAP"]


async def partly_started(world: World) -> str:
    """Of three that alice asked for one runs; the two that Hinoban launches for the rest run too. The id of the incident."""
    arn = world.aws.start("shards", "alice")
    refused = (NO_ROOM, NO_ROOM)
    world.aws.emit(run_task(1, at=world.clock.now(), family="shards", tasks=(arn,), failures=refused, count=3, startedBy="alice"))
    await world.turns(60, step=2)
    (known,) = (one for one in incidents(world).values() if one.finding.detector == "partly_started")
    return known.id


@pytest.mark.parametrize("policy", ["tell", "stop_newer", "stop_older"])
async def test_our_retry_belongs_to_the_run_that_it_completes_also_where_no_schedule_is(tmp_path: Path, policy: OnOverlap) -> None:
    world = World(tmp_path, WatchConfig(policies=(Policy(overlap=policy, retry=RetryRule()),)))
    known = await partly_started(world)
    assert [call["count"] for call in world.aws.run_task_calls] == [2]
    assert (list(incidents(world)), world.aws.stopped) == ([known], [])
    for arn in list(world.aws.tasks):
        world.aws.finish(arn)
    await world.turns(2)
    assert incidents(world)[known].verdict == "RECOVERED"


async def test_the_first_of_a_launch_may_run_only_after_its_retry_does(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(policies=(Policy(retry=RetryRule()),)))
    asked = run_task(9, at=world.clock.now(), family="shards", tasks=(task_arn(9),), failures=(NO_ROOM,), count=2, startedBy="alice")
    world.aws.emit(asked, task_event(9, "PENDING", at=world.clock.now(), family="shards", started_by="alice"))
    world.aws.tasks[task_arn(9)] = {"number": 9, "family": "shards", "startedBy": "alice", "createdAt": world.clock.now()}
    await world.turns(60, step=2)
    assert len(world.aws.launched) == 1
    assert await verdicts(world, task_event(9, "RUNNING", at=world.clock.now(), family="shards", started_by="alice")) == []


async def test_more_than_were_asked_for_are_too_many_whoever_launched_them(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(policies=(Policy(retry=RetryRule()),)))
    again = f"hinoban/{await partly_started(world)}/2"
    assert await verdicts(world, task_event(99, "RUNNING", at=world.clock.now(), family="shards", started_by=again)) == ["OVERLAP"]


async def test_a_retry_that_we_stop_leaves_its_incident_open_and_says_so(tmp_path: Path) -> None:
    """Somebody else's run began beside it, and a policy stops the older: what was missing still is."""
    world = World(tmp_path, WatchConfig(policies=(Policy(overlap="stop_older", retry=RetryRule()),)))
    world.aws.refused_launch(1, family="export", startedBy="alice")
    await world.turns(30, step=2)
    assert len(world.aws.launched) == 1
    world.aws.start("export", "bob")
    await world.turns(10, step=2)
    assert len(world.aws.stopped) == 1
    (known,) = (one for one in incidents(world).values() if one.finding.detector == "did_not_start")
    assert (known.state, known.verdict) == ("open", "NOT STARTED")
    assert known.done[-1].startswith("Its retry was stopped: hinoban: overlap (inc-")
    assert any("export" in line and "NOT STARTED" in line for line in world.told())


@pytest.mark.parametrize("allow", [NOTHING, EVERYTHING])
async def test_a_stop_is_promised_only_where_it_is_allowed(tmp_path: Path, allow: frozenset[Right]) -> None:
    world = World(tmp_path, WatchConfig(policies=(Policy(overlap="stop_older"),)), allow=allow)
    world.aws.start("export", "alice")
    await world.turns(10, step=2)
    world.aws.start("export", "bob")
    await world.turns(10, step=2)
    by_hand = f'Next     Stop one, if they must not: hinoban stop {task_id(1)[:8]} --reason "overlap"\n'
    promise = f"Next     Hinoban stops task {task_id(1)[:8]}, as the policy says.\n"
    assert (world.console.getvalue().count(by_hand), world.console.getvalue().count(promise)) == ((0, 1) if allow else (2, 0))


async def test_a_stop_of_one_of_two_that_aws_denies_is_told(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(policies=(Policy(overlap="stop_newer"),)))
    denied = httpx.Response(400, json={"__type": "AccessDeniedException", "message": "no"})
    world.aws.instead["StopTask"] = lambda params: denied
    for starter in ("alice", "bob"):
        world.aws.start("export", starter)
        await world.turns(60, step=2)
    (known,) = incidents(world).values()
    assert known.done[-1].startswith("Not stopped: AWS denies StopTask") and world.aws.calls.count("StopTask") == 1
    assert known.finding.explanation.next == f'Stop one, if they must not: hinoban stop {task_id(2)[:8]} --reason "overlap"'

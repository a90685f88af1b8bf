"""Two runs of a family at once: told where nobody meant it, and only there."""

from pathlib import Path

from hinoban.base.clock import MINUTES
from tests.unit.watch.ledgers import DUE, add_rule, incidents, task, until
from tests.unit.watch.samples import task_event
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

"""What is over and old is forgotten, batch by batch; what is open, or belongs to something open, never."""

from pathlib import Path

from sqlalchemy import func, select

from hinoban.base.clock import DAYS, HOURS
from hinoban.watch.config import Keep, Policy, WatchConfig
from hinoban.watch.history import queries
from hinoban.watch.history.retention import BATCH, PASS_EVERY, Retention
from hinoban.watch.history.schema import launches, task_expiries, tasks
from tests.unit.watch.samples import life, run_task
from tests.unit.watch.worlds import World

KEEP = Keep(tasks=30 * DAYS, events=10 * DAYS, launches=20 * DAYS)


async def whole_pass(world: World, keep: Keep = KEEP) -> int:
    """A pass from its beginning; in how many batches."""
    retention, batches, now = Retention(world.watch.pipeline.transaction, keep), 0, world.clock.now()
    while await retention.step(now) < now + PASS_EVERY:
        batches += 1
    return batches + 1


def ids(world: World) -> list[str]:
    with world.engine.connect() as connection:
        return sorted(connection.execute(select(tasks.c.id)).scalars())


def count(world: World, table: object) -> int:
    with world.engine.connect() as connection:
        found: int = connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]
    return found


async def test_a_task_keeps_its_events_then_its_last_event_then_nothing(tmp_path: Path) -> None:
    world = World(tmp_path)
    arn = world.aws.start("job", None)
    await world.turns()
    world.aws.finish(arn, 0)
    await world.turns()
    await world.clock.advance(10 * DAYS - HOURS)
    await whole_pass(world)
    assert events(world, arn) == 2
    await world.clock.advance(2 * HOURS)
    await whole_pass(world)
    assert events(world, arn) == 1
    assert "exit 0" in "\n".join(world.watch.why("job")["lines"]).lower(), "its last event tells its end"
    await world.clock.advance(20 * DAYS)
    await whole_pass(world)
    assert ids(world) == []


async def test_what_is_open_or_belongs_to_an_open_incident_stays(tmp_path: Path) -> None:
    world = World(tmp_path)
    running = world.aws.start("long", None)
    failed = world.aws.start("job", None)
    await world.turns()
    world.aws.finish(failed, 3)
    await world.turns()
    await world.clock.advance(40 * DAYS)
    await whole_pass(world)
    assert len(ids(world)) == 2
    [incident] = [one for one in world.watch.incidents()["incidents"] if one["detector"] == "failed_exit"]
    world.watch.resolve(incident["id"], "me")
    await whole_pass(world)
    assert ids(world) == [running.rpartition("/")[2]]
    assert len(world.watch.incidents()["incidents"]) >= 1, "incidents stay for good"


async def test_a_policy_says_otherwise_for_its_tasks_shorter_and_longer(tmp_path: Path) -> None:
    short = Policy(match={"hinoban": {"family": ["short"]}}, keep=2 * DAYS)
    longer = Policy(match={"hinoban": {"family": ["longer"]}}, keep=100 * DAYS)
    world = World(tmp_path, WatchConfig(policies=(short, longer)))
    named = {family: world.aws.start(family, None).rpartition("/")[2] for family in ("short", "longer", "usual")}
    await world.turns()
    for arn in list(world.aws.tasks):
        world.aws.finish(arn, 0)
    await world.turns()
    assert count(world, task_expiries) == 2
    await world.clock.advance(3 * DAYS)
    await whole_pass(world)
    assert ids(world) == sorted([named["longer"], named["usual"]])
    await world.clock.advance(40 * DAYS)
    await whole_pass(world)
    assert ids(world) == [named["longer"]]
    await world.clock.advance(60 * DAYS)
    await whole_pass(world)
    assert (ids(world), count(world, task_expiries)) == ([], 0)


async def test_a_policy_by_tag_holds_for_a_task_whose_tags_were_read(tmp_path: Path) -> None:
    of_team = {"hinoban": {"tags": {"team": ["batch"]}}}
    world = World(tmp_path, WatchConfig(policies=(Policy(match=of_team, keep=1 * HOURS),)))
    arns = [world.aws.start("job", None) for _ in range(2)]
    world.aws.tags[arns[0]] = {"team": "batch"}
    await world.turns(5)
    for arn in arns:
        world.aws.finish(arn, 0)
    await world.turns()
    await world.clock.advance(2 * HOURS)
    await whole_pass(world)
    assert ids(world) == [arns[1].rpartition("/")[2]]


async def test_many_go_in_batches_also_those_of_one_moment(tmp_path: Path) -> None:
    world = World(tmp_path)
    now = world.clock.now()
    for number in range(1, 2 * BATCH + 51):
        # The first of them were all created at once.
        world.aws.emit(*life(number, at=now + max(0, number - BATCH - 20), family="job"))
    await world.turns(5)
    assert len(ids(world)) == 2 * BATCH + 50
    await world.clock.advance(31 * DAYS)
    assert await whole_pass(world) >= 5
    assert ids(world) == []


async def test_launches_go_but_not_that_of_an_open_incident(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.emit(run_task(1, at=world.clock.now(), family="good", tasks=("arn:aws:ecs:x:1:task/default/abc",)))
    world.aws.emit(run_task(2, at=world.clock.now(), family="bad", failures=("RESOURCE:CPU",)))
    await world.turns(5)
    assert count(world, launches) == 2
    await world.clock.advance(21 * DAYS)
    await whole_pass(world)
    assert count(world, launches) == 1
    with world.engine.connect() as connection:
        assert [one.finding.family for one in queries.incidents_not_resolved(connection)] == ["bad"]


async def test_an_event_that_comes_again_after_that_brings_no_task_back_to_life(tmp_path: Path) -> None:
    world = World(tmp_path)
    told = life(1, at=world.clock.now(), family="job")
    world.aws.emit(*told)
    await world.turns()
    await world.clock.advance(11 * DAYS)
    await whole_pass(world)
    world.aws.emit(*told)
    await world.turns()
    assert len(ids(world)) == 1 and world.watch.incidents()["incidents"] == []


def events(world: World, arn: str) -> int:
    with world.engine.connect() as connection:
        row = queries.task_by_arn(connection, arn)
        assert row is not None
        return len(queries.timeline(connection, row))

"""What the watch keeps of open tasks: tags that live as long as they do, whatever comes first."""

from pathlib import Path

import pytest

from hinoban.watch.config import WatchConfig
from hinoban.watch.history import task_tags
from tests.unit.watch.samples import life, run_task, task_arn, task_event
from tests.unit.watch.worlds import World

TAGS = [{"key": "hinoban:max-runtime", "value": "1h"}]


def rows(world: World) -> set[str]:
    with world.engine.connect() as connection:
        return set(task_tags.read_all(connection))


@pytest.mark.parametrize("record_first", [True, False])
async def test_a_launchs_tags_move_the_deadlines_whichever_comes_first(tmp_path: Path, record_first: bool) -> None:
    world = World(tmp_path, WatchConfig(max_runtime=10))
    now = world.clock.now()
    both = [run_task(1, at=now, tasks=(task_arn(1),), tags=TAGS), task_event(1, "RUNNING", at=now)]
    world.aws.emit(*(both if record_first else reversed(both)))
    await world.turns(60, step=5)
    assert world.told() == [] and "DescribeTasks TAGS" not in world.aws.calls
    assert rows(world) == {task_arn(1)}
    world.crash()
    await world.turns(60, step=5)
    assert world.told() == []
    world.aws.emit(task_event(1, "STOPPED", at=world.clock.now(), created=now))
    await world.turns(1)
    assert rows(world) == set()


async def test_a_record_that_comes_after_the_end_leaves_nothing_behind(tmp_path: Path) -> None:
    world = World(tmp_path)
    now = world.clock.now()
    world.aws.emit(*life(1, at=now))
    await world.turns(1)
    world.aws.emit(run_task(1, at=now, tasks=(task_arn(1),), tags=TAGS))
    await world.turns(1)
    assert rows(world) == set()
    world.aws.emit(*life(2, at=now), run_task(2, at=now, tasks=(task_arn(2),), tags=TAGS))
    await world.turns(1)
    world.crash()
    await world.turns(1)
    assert rows(world) == set()


async def test_tags_that_may_come_from_the_definition_are_asked_for(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(max_runtime=10))
    now = world.clock.now()
    arn = world.aws.start("job", None)
    world.aws.tags[arn] = {"hinoban:keep": "true"}
    world.aws.emit(run_task(1, at=now, tasks=(arn,), tags=[{"key": "team", "value": "a"}], propagateTags="TASK_DEFINITION"))
    await world.turns(60, step=5)
    assert world.told() == [] and world.aws.calls.count("DescribeTasks TAGS") == 1


async def test_a_task_that_aws_does_not_know_any_more_is_over(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(max_runtime=10))
    world.aws.start("job", None)
    await world.turns(15)
    [incident] = world.watch.incidents()["incidents"]
    assert incident["verdict"] == "OVERDUE"
    world.aws.tasks.clear()
    world.aws.oldest, world.aws.feed_id = 5, "feed-2"
    world.aws.events = world.aws.events + [task_event(9, "RUNNING", at=world.clock.now())] * 5
    await world.turns(5)
    [incident] = [one for one in world.watch.incidents()["incidents"] if one["id"] == incident["id"]]
    assert (incident["state"], incident["done"][-1]) == ("resolved", "It has ended: AWS does not know it any more. How, was not seen.")

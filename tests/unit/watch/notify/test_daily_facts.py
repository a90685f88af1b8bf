"""What the daily report counts, read from a watch's own history."""

from pathlib import Path

import msgspec
import pytest

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.watch.config import Mute, NotifyConfig, WatchConfig
from hinoban.watch.history.daily import Daily, Matter, Muted
from hinoban.watch.notify.daily_facts import facts
from hinoban.watch.notify.levels import level_of
from tests.unit.watch.ledgers import DUE, add_rule, doing, fired, launch, missed, task, until
from tests.unit.watch.worlds import World


def report(world: World, since: float, *, first: float | None = None) -> Daily:
    now = world.clock.now()
    with world.engine.connect() as connection:
        return facts(
            connection,
            "2026-11-27",
            now,
            since,
            lambda one: level_of(one, "opened", {"failed_exit": "digest"}),
            unwell=(),
            first=since if first is None else first,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_runs_at_once_by_retry_by_hand_failed_lost_and_still_to_come(world: World) -> None:
    for name in ("once", "retried", "failed", "lost", "later"):
        add_rule(world, name)
    add_rule(world, "soon", "cron(10 16 * * ? *)")
    began = world.clock.now()
    await until(world, DUE + 1)
    for number, (name, code) in enumerate((("once", 0), ("failed", 3)), start=50):
        ended = task(name, number, "STOPPED", DUE, at=DUE + 60, exit_code=code)
        world.aws.emit(fired(name, DUE), launch(name, DUE, number), task(name, number, "RUNNING", DUE), ended)
    world.aws.emit(fired("retried", DUE), launch("retried", DUE, 60, tasks=0, refused=1))
    world.aws.emit(missed("lost", DUE, DUE, 1), missed("later", DUE, DUE, 1))
    await until(world, DUE + 5 * MINUTES)
    [(_, arn)] = world.aws.launched
    world.aws.finish(arn, 0)
    await world.turns(5)
    await world.watch.run_schedule("later", DUE, "s.tanaka")
    await world.turns(10)
    world.aws.finish(world.aws.launched[-1][1], 0)
    await until(world, DUE + 12 * MINUTES)
    runs = report(world, began).runs
    assert (runs.due, runs.at_once, runs.by_retry, runs.by_hand) == (6, 2, 1, 1)
    assert (runs.failed, runs.lost, runs.pending) == (("failed",), ("lost",), 1)
    assert len(runs.by_hand_incidents) == 1


async def test_a_run_that_a_person_stopped_is_no_failure(world: World) -> None:
    add_rule(world, "close")
    began = world.clock.now()
    await until(world, DUE + 1)
    ended = task("close", 50, "STOPPED", DUE, at=DUE + 60, exit_code=143, code="UserInitiated", reason="Task stopped by user")
    world.aws.emit(fired("close", DUE), launch("close", DUE, 50), task("close", 50, "RUNNING", DUE), ended)
    await until(world, DUE + 5 * MINUTES)
    runs = report(world, began).runs
    assert (runs.due, runs.at_once, runs.failed, runs.lost) == (1, 1, (), ())


async def test_a_failure_outside_of_schedules_and_a_minor_matter_and_what_is_open(world: World) -> None:
    began = world.clock.now()
    world.aws.finish(world.aws.start("adhoc", None), 3)
    await world.turns(5)
    await world.clock.advance(HOURS)
    told = report(world, began - 1)
    assert (told.others_failed, told.digest) == (1, (Matter("failed_exit", 1, ("adhoc",)),))
    assert [(one.family, one.verdict) for one in told.open] == [("adhoc", "EXIT 3")] and told.open_count == 1
    later = report(world, world.clock.now() - 1)
    assert (later.others_failed, later.digest, later.open_count) == (0, (), 1), "open it still is"


async def test_what_a_mute_hid_is_counted(tmp_path: Path) -> None:
    mute = Mute(match={"hinoban": {"family": ["adhoc"]}}, until=DUE + 10 * DAYS, name="move")
    world = World(tmp_path, WatchConfig(notify=NotifyConfig(mutes=(mute,))))
    began = world.clock.now()
    for code in (3, 4):  # two causes: those of one are told together
        world.aws.finish(world.aws.start("adhoc", None), code)
        await world.turns(2)
    assert report(world, began - 1).muted == (Muted("move", 2, 2),)
    assert report(world, world.clock.now()).muted == ()


async def test_disabled_for_a_week_is_named_as_far_as_it_is_known(world: World) -> None:
    add_rule(world, "old-export", state="DISABLED")
    add_rule(world, "young")
    began = world.clock.now()
    await world.turns(5)
    assert report(world, began).disabled == (), "we came a moment ago"
    await world.clock.advance(8 * DAYS)
    await world.turns(5)
    world.aws.rules["young"] = world.aws.rules["young"] | {"State": "DISABLED"}
    world.aws.emit(doing("DisableRule", "young", world.clock.now()))
    await world.turns(30, step=5)
    assert report(world, began, first=began).disabled == ("old-export",)
    await world.clock.advance(8 * DAYS)
    await world.turns(5)
    assert report(world, began, first=began).disabled == ("old-export", "young")
    assert msgspec.json.decode(msgspec.json.encode(report(world, began)), type=Daily) == report(world, began)

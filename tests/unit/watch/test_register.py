"""What is read of the schedules, taken over: changes told once, slots owed as the schedule was then, what cannot run told before it is due."""

from pathlib import Path

import pytest

from hinoban.base.clock import HOURS, MINUTES
from tests.unit.watch.ledgers import DUE, add_rule, doing, fired, incidents, launch, slots, until
from tests.unit.watch.samples import REGION
from tests.unit.watch.worlds import World


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    add_rule(world, "close")
    return world


def switch(world: World, state: str, name: str = "close") -> None:
    """Enable or disable a rule, with its record."""
    world.aws.rules[name]["State"] = state
    world.aws.emit(doing("DisableRule" if state == "DISABLED" else "EnableRule", name, world.clock.now()))


async def test_a_rule_that_was_disabled_is_told_once_and_owes_nothing_while_it_is(world: World) -> None:
    await until(world, DUE - 10 * MINUTES)
    switch(world, "DISABLED")
    await until(world, DUE + 30 * MINUTES)
    (incident,) = incidents(world).values()
    assert (incident.verdict, incident.told, slots(world)) == ("DISABLED", 1, {})
    assert "s.tanaka" in incident.finding.explanation.cause
    switch(world, "ENABLED")
    await until(world, DUE + 1 * HOURS)
    (incident,) = incidents(world).values()
    assert (incident.state, slots(world)) == ("resolved", {})


async def test_what_fired_before_the_rule_was_disabled_is_still_followed(world: World) -> None:
    await until(world, DUE + 1)
    world.aws.emit(fired("close", DUE))
    await world.turns()
    world.aws.rules["close"]["State"] = "DISABLED"
    world.aws.emit(doing("DisableRule", "close", DUE))
    await world.turns()
    world.aws.emit(launch("close", DUE, 1))
    await world.turns()
    assert [one.state for one in slots(world).values()] == ["launched"]


async def test_a_rule_with_two_targets_is_one_matter_when_it_is_disabled(world: World) -> None:
    one = world.aws.targets["close"][0]
    world.aws.targets["close"] = [one, one | {"Id": "2"}]
    await until(world, DUE - 10 * MINUTES)
    switch(world, "DISABLED")
    await world.turns()
    assert [(one.verdict, one.state, one.told) for one in incidents(world).values()] == [("DISABLED", "open", 1)]


async def test_a_rule_moved_to_another_hour_owes_the_old_hour_no_more(world: World) -> None:
    await until(world, DUE - 10 * MINUTES)
    world.aws.rules["close"]["ScheduleExpression"] = "cron(0 17 * * ? *)"
    world.aws.emit(doing("PutRule", "close", world.clock.now()))
    await until(world, DUE + 1 * HOURS + 1)
    assert [moment for _, moment in slots(world)] == ["2026-11-26T17:00:00Z"]
    assert [one.verdict for one in incidents(world).values()] == ["RESCHEDULED"]


async def test_a_deleted_rule_leaves_what_was_due_before_it_went(world: World) -> None:
    await until(world, DUE + 1)
    del world.aws.rules["close"]
    world.aws.emit(doing("DeleteRule", "close", DUE + 1))
    await until(world, DUE + 10 * MINUTES)
    assert [one.state for one in slots(world).values()] == ["unknown"]
    assert {one.verdict for one in incidents(world).values()} == {"DELETED", "DID NOT RUN"}


async def test_somebodys_other_run_does_not_end_the_matter_of_a_disabled_rule(world: World) -> None:
    await until(world, DUE - 10 * MINUTES)
    switch(world, "DISABLED")
    await world.turns()
    world.aws.finish(world.aws.start("close", None))
    await world.turns(5)
    assert [one.state for one in incidents(world).values()] == ["open"]


async def test_a_pinned_inactive_revision_is_told_before_the_run_and_each_lost_run_in_the_same_incident(world: World) -> None:
    await until(world, DUE - 30 * MINUTES)
    world.aws.inactive.add("close:7")
    await until(world, DUE - 10 * MINUTES)
    (incident,) = incidents(world).values()
    assert incident.verdict == "CANNOT RUN"
    inactive = {"errorCode": "InvalidParameterException", "errorMessage": "TaskDefinition is inactive", "responseElements": None}
    for day in range(2):
        slot = DUE + day * 24 * HOURS
        await until(world, slot + 1, step=300)
        world.aws.emit(fired("close", slot), launch("close", slot, day + 1, **inactive))
        await world.turns()
    (incident,) = incidents(world).values()
    explanation = incident.finding.explanation
    assert (incident.verdict, incident.told) == ("DID NOT RUN", 3)
    assert [one.state for one in slots(world).values()] == ["refused", "refused"]
    assert explanation.cause.startswith("The rule fired; ECS refused. Its target is pinned to close:7")
    assert explanation.said == ("RunTask InvalidParameterException: TaskDefinition is inactive",)
    assert explanation.next.count("1. ") == 1
    assert "2. hinoban schedules run close --slot 2026-11-27T16:00+00:00" in explanation.next
    assert "is lost too." in explanation.next
    assert f"--region {REGION}" in explanation.next

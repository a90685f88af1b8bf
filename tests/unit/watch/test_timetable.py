"""A scheduled run, followed from its slot to its exit: with the engine's lines, and without them as on AWS."""

from pathlib import Path

import pytest

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.watch.config import CatchUp, Policy, WatchConfig
from hinoban.watch.schedules.slot import hops
from tests.unit.watch.ledgers import DUE, add_rule, fired, incidents, launch, missed, slots, task, until
from tests.unit.watch.samples import task_arn
from tests.unit.watch.worlds import World

AT = "2026-11-26T16:00:00Z"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    add_rule(world, "close")
    return world


async def test_a_run_of_the_engine_is_followed_to_its_exit(world: World) -> None:
    await until(world, DUE + 1)
    world.aws.emit(fired("close", DUE), launch("close", DUE, 1), task("close", 1, "RUNNING", DUE), task("close", 1, "STOPPED", DUE))
    await until(world, DUE + 10 * MINUTES)
    (slot,) = slots(world).values()
    assert (slot.state, slot.tasks, slot.token) == ("done", {task_arn(1): "exit 0"}, f"close-1-{DUE:.0f}")
    assert hops(slot) == {"enabled": "ok", "fired": "ok", "RunTask": "ok", "task": "00000001", "exit": "0"}
    assert incidents(world) == {}


async def test_on_aws_the_record_and_the_task_are_joined_by_starter_family_and_time(world: World) -> None:
    await until(world, DUE + 4 * MINUTES)
    world.aws.emit(task("close", 1, "RUNNING", DUE), launch("close", DUE, 1, known=False), task("close", 1, "STOPPED", DUE))
    await until(world, DUE + 10 * MINUTES)
    (slot,) = slots(world).values()
    assert (slot.state, list(slot.tasks)) == ("done", [task_arn(1)])
    assert incidents(world) == {}


async def test_a_slot_without_any_evidence_is_missed_with_unknown_hops_and_never_retried(world: World) -> None:
    await until(world, DUE + 5 * MINUTES - 1)
    assert incidents(world) == {}
    await until(world, DUE + 10 * MINUTES)
    await until(world, DUE + 7 * HOURS, step=600)
    (slot,), (incident,) = slots(world).values(), incidents(world).values()
    assert (slot.state, slot.incident_id) == ("unknown", incident.id)
    assert hops(slot) == {"enabled": "ok", "fired": "unknown", "RunTask": "unknown", "task": "unknown", "exit": "unknown"}
    assert (incident.verdict, incident.told) == ("DID NOT RUN", 1)
    assert world.aws.run_task_calls == []


async def test_a_record_that_comes_after_the_slot_was_given_up_ends_its_incident(world: World) -> None:
    await until(world, DUE + 20 * MINUTES)
    world.aws.emit(launch("close", DUE, 1, known=False))
    await world.turns()
    (slot,), (incident,) = slots(world).values(), incidents(world).values()
    assert (slot.state, incident.state, incident.verdict) == ("launched", "resolved", "RAN")


async def test_so_does_its_task_where_no_record_ever_comes(world: World) -> None:
    await until(world, DUE + 20 * MINUTES)
    world.aws.emit(task("close", 1, "RUNNING", DUE), task("close", 1, "STOPPED", DUE))
    await world.turns()
    (slot,), (incident,) = slots(world).values(), incidents(world).values()
    assert (slot.state, incident.state, incident.verdict) == ("done", "resolved", "RAN")


async def test_a_task_that_comes_late_and_failed_changes_the_incident(world: World) -> None:
    await until(world, DUE + 20 * MINUTES)
    world.aws.emit(task("close", 1, "STOPPED", DUE, exit_code=3))
    await world.turns()
    (slot,), (incident,) = slots(world).values(), incidents(world).values()
    assert (slot.state, incident.state, incident.verdict, incident.told) == ("failed", "open", "EXIT 3", 2)


async def test_two_targets_of_one_rule_each_get_their_own_launch_although_nothing_tells_them_apart(world: World) -> None:
    one = world.aws.targets["close"][0]
    world.aws.targets["close"] = [one, one | {"Id": "2"}]
    await until(world, DUE + 1)
    world.aws.emit(
        launch("close", DUE, 1, known=False, event_id="a"),
        launch("close", DUE, 2, known=False, event_id="b"),
        *(task("close", number, "STOPPED", DUE) for number in (1, 2)),
    )
    await until(world, DUE + 10 * MINUTES)
    found = slots(world)
    assert {name for name, _ in found} == {"close", "close#2"}
    assert [one.state for one in found.values()] == ["done", "done"]
    assert all(one.ambiguous == ("close", "close") for one in found.values())
    assert incidents(world) == {}


async def test_a_task_that_was_taken_for_another_targets_goes_to_its_own_with_its_record(world: World) -> None:
    one = world.aws.targets["close"][0]
    world.aws.targets["close"] = [one, one | {"Id": "2"}]
    await until(world, DUE + 1)
    world.aws.emit(fired("close", DUE, "1", "2"), task("close", 2, "RUNNING", DUE))
    await world.turns()
    world.aws.emit(launch("close", DUE, 2, target="2"), launch("close", DUE, 1, target="1"), task("close", 1, "RUNNING", DUE))
    await world.turns()
    found = slots(world)
    assert found["close", AT].tasks == {task_arn(1): "running"}
    assert found["close#2", AT].tasks == {task_arn(2): "running"}


async def test_two_tasks_of_one_slot_are_one_run_and_no_overlap(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close", ecs={"TaskCount": 2})
    await until(world, DUE + 1)
    world.aws.emit(*(task("close", number, "RUNNING", DUE) for number in (1, 2)))
    await until(world, DUE + 4 * MINUTES)
    world.aws.emit(launch("close", DUE, 1, tasks=2, known=False), *(task("close", number, "STOPPED", DUE) for number in (1, 2)))
    await until(world, DUE + 10 * MINUTES)
    (slot,) = slots(world).values()
    assert (slot.state, len(slot.tasks)) == ("done", 2)
    assert incidents(world) == {}


async def test_a_slot_that_got_fewer_tasks_than_it_asked_for_is_lost_until_the_rest_has_run(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close", ecs={"TaskCount": 2})
    world.aws.refuse = 3
    await until(world, DUE + 1)
    world.aws.emit(fired("close", DUE), launch("close", DUE, 41, tasks=1, refused=1), task("close", 41, "STOPPED", DUE))
    await world.turns()
    assert slots(world)["close", AT].state == "refused"
    await until(world, DUE + 2 * HOURS, step=20)
    (launched,) = [arn for _, arn in world.aws.launched]
    world.aws.finish(launched)
    await world.turns()
    (slot,), (incident,) = slots(world).values(), incidents(world).values()
    assert (slot.state, incident.state, incident.verdict) == ("recovered", "resolved", "RECOVERED")
    assert set(slot.tasks) == {task_arn(41), launched}


async def test_a_refused_call_that_the_service_makes_again_is_no_lost_run(world: World) -> None:
    await until(world, DUE + 1)
    error = {"errorCode": "ThrottlingException", "errorMessage": "Rate exceeded", "responseElements": None}
    world.aws.emit(fired("close", DUE), launch("close", DUE, 1, event_id="first", **error))
    await world.turns()
    world.aws.emit(launch("close", DUE, 1, at=DUE + 2, event_id="second"), task("close", 1, "STOPPED", DUE))
    await world.turns()
    (slot,), (incident,) = slots(world).values(), incidents(world).values()
    assert (slot.state, incident.state, incident.verdict) == ("done", "resolved", "RAN")
    assert world.aws.run_task_calls == []


async def test_slots_that_the_engine_slept_through_are_one_incident_and_none_is_made_up_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close", "cron(0 * * * ? *)")
    await until(world, DUE - 1)
    world.crash()
    world.clock._now = DUE + 3 * HOURS + 60
    world.aws.emit(missed("close", DUE, DUE + 3 * HOURS, 4))
    await until(world, DUE + 3 * HOURS + 20 * MINUTES)
    found, (incident,) = slots(world), incidents(world).values()
    assert [one.state for one in found.values()] == ["missed"] * 4
    assert {one.incident_id for one in found.values()} == {incident.id}
    assert (incident.finding.facts["count"], incident.told) == (4, 1)
    assert world.aws.run_task_calls == []


@pytest.mark.parametrize(("catch_up", "launched"), [("last", 1), ("all", 3)])
async def test_a_policy_makes_up_for_the_last_or_for_all(tmp_path: Path, catch_up: CatchUp, launched: int) -> None:
    policy = Policy(match={"hinoban": {"family": ["close"]}}, catch_up=catch_up)
    world = World(tmp_path, WatchConfig(policies=(policy,)))
    add_rule(world, "close", "cron(0 * * * ? *)")
    await until(world, DUE - 1)
    world.clock._now = DUE + 2 * HOURS + 60
    world.aws.emit(missed("close", DUE, DUE + 2 * HOURS, 3))
    for _ in range(8):
        await until(world, world.clock.now() + 10 * MINUTES)
        for _, arn in world.aws.launched:
            if world.aws.tasks[arn].get("stopped") is None:
                world.aws.finish(arn)
    recovered = [one for one in slots(world).values() if one.state == "recovered"]
    assert len(recovered) == len(world.aws.launched) == launched
    assert all(incidents(world)[one.incident_id or ""].verdict == "RECOVERED" for one in recovered)


async def test_several_slots_given_up_at_once_are_one_incident_that_ends_when_the_last_was_seen(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close", "cron(0 * * * ? *)")
    await until(world, DUE - 1)
    world.crash()
    world.clock._now = DUE + 2 * HOURS + 10 * MINUTES
    await until(world, DUE + 2 * HOURS + 20 * MINUTES)
    (incident,) = incidents(world).values()
    assert (incident.finding.facts["count"], incident.told, len(slots(world))) == (3, 1, 3)
    for hour in range(3):
        assert incidents(world)[incident.id].state == "open"
        world.aws.emit(launch("close", DUE + hour * HOURS, hour + 1, known=False))
        await world.turns()
    assert incidents(world)[incident.id].verdict == "RAN"


async def test_a_watch_that_was_away_for_weeks_expects_no_more_than_the_feed_can_hold(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close")
    await until(world, DUE - 1)
    world.crash()
    world.clock._now = DUE + 30 * DAYS + 10 * MINUTES
    await until(world, DUE + 30 * DAYS + 20 * MINUTES)
    assert len(slots(world)) == 7
    assert len(incidents(world)) == 1


async def test_a_rate_is_learned_from_its_first_run_and_expected_from_then_on(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close", "rate(1 hour)")
    await until(world, DUE + 10 * MINUTES)
    assert slots(world) == {}
    first = DUE + 10 * MINUTES + 7
    world.aws.emit(launch("close", first, 1, known=False, at=first))
    await until(world, first + 1 * HOURS + 10 * MINUTES)
    assert [one.state for _, one in sorted(slots(world).items())] == ["launched", "unknown"]


async def test_a_rates_new_phase_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close", "rate(1 hour)")
    await until(world, DUE)
    for number, slot in enumerate((DUE, DUE + 1 * HOURS, DUE + 1 * HOURS + 20 * MINUTES, DUE + 2 * HOURS + 20 * MINUTES)):
        await until(world, slot + 1)
        world.aws.emit(fired("close", slot), launch("close", slot, number + 1), task("close", number + 1, "STOPPED", slot))
    await until(world, DUE + 2 * HOURS + 50 * MINUTES)
    assert [one.state for one in slots(world).values()] == ["done"] * 4
    assert incidents(world) == {}


async def test_nothing_before_the_first_reading_is_expected(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close", "cron(0/5 * * * ? *)")
    await until(world, DUE - 1 * HOURS + 4 * MINUTES)
    assert slots(world) == {}

"""The loop over everything scheduled. Its clock begins on Thu 2026-11-26 15:00:00 UTC."""

from hinoban.base.clock import DAYS, HOURS, MINUTES, settle
from hinoban.base.supervise import Group
from hinoban.base.units import iso, parse_iso
from hinoban.engine.schedules import slots
from tests.support.slots import ACCOUNT, CLUSTER, REGION, ROLE, House


async def test_a_rules_slot_is_an_event_a_delivery_and_a_line(house):
    rule = house.put_rule(schedule="cron(30 15 * * ? *)")
    await house.until(house.clock.now() + HOURS)
    (line,) = await house.told()
    (delivery,) = house.queued()
    assert line == {
        "kind": "rule",
        "arn": rule.arn,
        "name": "nightly",
        "group": None,
        "expression": "cron(30 15 * * ? *)",
        "timezone": "UTC",
        "decision": "fired",
        "slot": "2026-11-26T15:30:00Z",
        "invoke_at": "2026-11-26T15:30:00Z",
        "targets": [{"id": "job", "arn": CLUSTER, "token": delivery.token}],
    }
    assert delivery.slot == parse_iso("2026-11-26T15:30:00Z")
    assert delivery.event["source"] == "aws.events"
    assert delivery.event["detail-type"] == "Scheduled Event"
    assert delivery.event["time"] == "2026-11-26T15:30:00Z"
    assert delivery.event["resources"] == [rule.arn]
    assert delivery.event["detail"] == {}


async def test_a_schedules_slot_is_a_delivery_of_its_own(house):
    arn = house.create(expression="cron(30 15 * * ? *)", Target={"Arn": CLUSTER, "RoleArn": ROLE, "Input": "{}", "EcsParameters": _ecs()})
    await house.until(house.clock.now() + HOURS)
    (line,) = await house.told()
    (delivery,) = house.queued()
    assert (line["kind"], line["group"], line["slot"]) == ("schedule", "default", "2026-11-26T15:30:00Z")
    assert line["targets"] == [{"id": "target", "arn": CLUSTER, "token": delivery.token}]
    assert (delivery.kind, delivery.owner_arn, delivery.owner_name, delivery.input) == ("schedule", arn, "nightly", "{}")
    assert (delivery.target["Id"], delivery.event, delivery.due_at) == ("target", None, delivery.slot)


async def test_a_rule_without_targets_is_decided_all_the_same(house):
    house.put_rule(schedule="rate(10 minutes)", targets={})
    await house.until(house.clock.now() + 10 * MINUTES)
    (line,) = await house.told()
    assert line["targets"] == []
    assert house.queued() == []


async def test_a_slot_is_an_event_for_other_rules_too(house):
    house.put_rule("clock", "rate(10 minutes)", targets={})
    listener = house.put_rule("listener", None, pattern='{"source":["aws.events"]}')
    await house.until(house.clock.now() + 10 * MINUTES)
    assert [each.owner_arn for each in house.queued()] == [listener.arn]


async def test_a_rules_rate_counts_from_its_creation(house):
    house.set_clock(house.clock.now() + 7.25)
    house.put_rule(schedule="rate(5 minutes)")
    await house.until(house.clock.now() + 11 * MINUTES)
    assert await house.fired() == ["2026-11-26T15:05:07Z", "2026-11-26T15:10:07Z"]


async def test_a_rules_rate_counts_anew_when_it_is_enabled(house):
    rule = house.put_rule(schedule="rate(5 minutes)")
    await house.until(house.clock.now() + 2 * MINUTES)
    house.put_rule(schedule="rate(5 minutes)", state="DISABLED")
    await house.until(house.clock.now() + 10 * MINUTES)
    house.put_rule(schedule="rate(5 minutes)")
    await house.until(house.clock.now() + 6 * MINUTES)
    assert await house.fired() == ["2026-11-26T15:17:00Z"]
    assert house.events.rules[rule.key].created_at == rule.created_at


async def test_what_does_not_change_the_timing_changes_no_slot(house):
    house.put_rule(schedule="rate(5 minutes)")
    house.create(expression="rate(5 minutes)")
    await house.until(house.clock.now() + 2 * MINUTES)
    house.put_rule(schedule="rate(5 minutes)", description="new", state="ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
    house.update(expression="rate(5 minutes)", Description="new")
    await house.until(house.clock.now() + 4 * MINUTES)
    assert await house.fired() == ["2026-11-26T15:00:00Z", "2026-11-26T15:05:00Z", "2026-11-26T15:05:00Z"]


async def test_only_the_default_bus_has_schedules(house):
    house.put_rule(schedule="rate(1 minute)", bus="other")
    assert await house.step() is None


async def test_a_schedules_rate_begins_at_once_or_at_its_start(house):
    now = house.clock.now()
    house.create("now", "rate(1 hour)")
    house.create("later", "rate(1 hour)", StartDate=now + 20 * MINUTES)
    await house.until(now + 90 * MINUTES)
    assert await house.fired() == [iso(now), iso(now + 20 * MINUTES), iso(now + HOURS), iso(now + 80 * MINUTES)]


async def test_a_new_expression_counts_from_the_update(house):
    house.create(expression="cron(0 * * * ? *)")
    await house.until(house.clock.now() + 90 * MINUTES)
    house.update(expression="cron(45 * * * ? *)")
    await house.until(house.clock.now() + HOURS)
    assert await house.fired() == ["2026-11-26T16:00:00Z", "2026-11-26T16:45:00Z"]


async def test_what_was_due_before_an_update_is_decided_by_the_old_expression(house):
    house.create(expression="cron(0 * * * ? *)")
    await house.step()
    house.set_clock(house.clock.now() + HOURS)
    house.update(expression="cron(30 * * * ? *)")
    assert await house.fired() == ["2026-11-26T16:00:00Z"]
    assert await house.step() == house.clock.now() + slots.HEARTBEAT


async def test_dates_bound_the_slots(house):
    now = house.clock.now()
    house.create(expression="cron(0/10 * * * ? *)", StartDate=now + 10 * MINUTES, EndDate=now + 30 * MINUTES)
    await house.until(now + HOURS)
    assert await house.fired() == [iso(now + minutes * MINUTES) for minutes in (10, 20, 30)]
    assert await house.step() is None


async def test_a_time_zone_and_its_missing_hour(tmp_path):
    house = House(tmp_path, start=parse_iso("2026-03-07T00:00:00Z"))
    house.create(expression="cron(30 2 * * ? *)", ScheduleExpressionTimezone="America/Los_Angeles")
    await house.until(house.clock.now() + 3 * DAYS)
    # 2026-03-08 has no 02:30 there.
    assert await house.fired() == ["2026-03-07T10:30:00Z", "2026-03-09T09:30:00Z"]
    house.database.close()


async def test_a_disabled_schedule_decides_nothing_and_owes_nothing(house):
    house.create(expression="rate(10 minutes)", State="DISABLED")
    house.put_rule(schedule="rate(10 minutes)", state="DISABLED")
    assert await house.step() is None
    house.set_clock(house.clock.now() + HOURS + MINUTES)
    house.update(expression="rate(10 minutes)")
    await house.until(house.clock.now() + 10 * MINUTES)
    assert await house.fired() == ["2026-11-26T16:10:00Z"]


async def test_a_deleted_schedule_leaves_nothing(house):
    now = house.clock.now()
    arn = house.create(expression="rate(10 minutes)", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 5})
    await house.step()
    assert house.queued(arn)
    house.ask("DeleteSchedule", Name="nightly")
    await house.until(now + HOURS)
    assert await house.fired() == [iso(now)]
    assert house.queued() == []


async def test_the_moment_within_a_flexible_window_is_drawn_once(house):
    house.create(expression="cron(0 * * * ? *)", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15})
    await house.until(house.clock.now() + HOURS)
    (line,), (delivery,) = await house.told(), house.queued()
    assert line["slot"] == "2026-11-26T16:00:00Z"
    assert delivery.slot < delivery.due_at < delivery.slot + 15 * MINUTES
    assert line["invoke_at"] == iso(delivery.due_at)
    house.reopen()
    await house.step()
    assert [each.due_at for each in house.queued()] == [delivery.due_at]


async def test_a_slot_within_its_window_still_fires_after_a_stop(house):
    house.create(expression="cron(0 * * * ? *)", FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15})
    await house.until(house.clock.now() + 59 * MINUTES)
    house.set_clock(house.clock.now() + 10 * MINUTES)
    house.reopen()
    await house.step()
    assert await house.fired() == ["2026-11-26T16:00:00Z"]
    assert house.clock.now() <= house.queued()[0].due_at <= parse_iso("2026-11-26T16:15:00Z")


# Completion ------------------------------------------------------------------------------------------------------------------------------


async def test_a_one_time_schedule_runs_once_in_its_zone_and_stays(house):
    house.create(expression="at(2026-11-27T01:00:00)", ScheduleExpressionTimezone="Asia/Tokyo", StartDate=house.clock.now() + DAYS)
    await house.until(house.clock.now() + 2 * DAYS)
    assert await house.fired() == ["2026-11-26T16:00:00Z"]
    assert house.ask("GetSchedule", Name="nightly")["State"] == "ENABLED"


async def test_a_one_time_schedule_in_the_past_never_runs(house):
    house.create(expression="at(2026-11-26T14:59:30)", ActionAfterCompletion="DELETE")
    assert await house.step() is None


async def test_a_completed_schedule_is_deleted_once_its_last_delivery_is_over(house):
    now = house.clock.now()
    once = house.create("once", "at(2026-11-26T16:00:00)", ActionAfterCompletion="DELETE")
    house.create("ends", "rate(30 minutes)", EndDate=now + HOURS, ActionAfterCompletion="DELETE")
    house.create("kept", "cron(0 16 26 11 ? 2026)", ActionAfterCompletion="DELETE")
    await house.until(now + 90 * MINUTES)
    assert {name for _, name in house.state.names(REGION)} == {"once", "ends", "kept"}
    house.reopen()
    for delivery in house.queued():
        house.queue.remove(delivery.id)
    await house.until(house.clock.now() + 10)
    # Without an EndDate a recurring schedule never completes.
    assert [name for _, name in house.state.names(REGION)] == ["kept"]
    assert once.split(":")[4] == ACCOUNT


async def test_a_one_time_schedule_that_was_missed_stays_to_be_seen(house):
    house.create(expression="at(2026-11-26T16:00:00)", ActionAfterCompletion="DELETE")
    await house.step()
    house.set_clock(parse_iso("2026-11-26T17:00:00Z"))
    house.reopen()
    await house.step()
    assert [line["decision"] for line in await house.told()] == ["missed"]
    assert house.ask("GetSchedule", Name="nightly")


async def test_a_completed_schedule_that_is_given_more_time_goes_on(house):
    now = house.clock.now()
    house.create(expression="rate(30 minutes)", EndDate=now + 40 * MINUTES, ActionAfterCompletion="DELETE")
    await house.until(now + 35 * MINUTES)
    house.update(expression="rate(30 minutes)", EndDate=now + 70 * MINUTES, ActionAfterCompletion="DELETE")
    house.queue.remove(house.queued()[0].id)
    house.queue.remove(house.queued()[0].id)
    await house.until(now + 65 * MINUTES)
    assert await house.fired() == [iso(now), iso(now + 30 * MINUTES), iso(now + HOURS)]


# Rows ------------------------------------------------------------------------------------------------------------------------------------


async def test_what_is_scheduled_without_a_mark_is_taken_up_and_owes_nothing(house):
    house.put_rule(schedule="cron(0/10 * * * ? *)")
    await house.database.committed()
    house.database.append("DELETE FROM schedule_marks", ())
    await house.database.committed()
    house.set_clock(house.clock.now() + 35 * MINUTES)
    house.reopen()
    await house.until(house.clock.now() + 10 * MINUTES)
    assert await house.fired() == ["2026-11-26T15:40:00Z"]


async def test_the_loop_runs_by_itself(house):
    failures: list[BaseException] = []
    group = Group(failures.append)
    group.start(house.slots.loop.run(), "slots")
    await settle()
    house.create(expression="rate(10 minutes)")
    await house.clock.advance(25 * MINUTES)
    await group.close()
    assert failures == []
    assert await house.fired() == ["2026-11-26T15:00:00Z", "2026-11-26T15:10:00Z", "2026-11-26T15:20:00Z"]


def _ecs() -> dict[str, str]:
    return {"TaskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/job"}

"""What happens to slots that nobody decided in time, and what a crash leaves. The clock begins on Thu 2026-11-26 15:00:00 UTC."""

import pytest

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.base.units import parse_iso
from hinoban.engine.schedules import decide, slots
from tests.support.slots import CLUSTER


@pytest.mark.parametrize(("late", "decision"), [(60.0, "fired"), (60.001, "missed")])
async def test_sixty_seconds_late_is_the_latest(house, late, decision):
    house.create(expression="cron(0 16 * * ? *)")
    await house.step()
    house.set_clock(parse_iso("2026-11-26T16:00:00Z") + late)
    await house.step()
    assert [line["decision"] for line in await house.told()] == [decision]


async def test_what_fell_due_while_the_engine_was_down_is_one_line(house):
    rule = house.put_rule(schedule="cron(0/5 * * * ? *)")
    await house.until(parse_iso("2026-11-26T15:01:00Z"))
    house.slots.rest()
    await house.database.committed()
    house.set_clock(parse_iso("2026-11-26T15:22:12Z"))
    house.reopen()
    await house.step()
    assert await house.told() == [
        {
            "kind": "rule",
            "arn": rule.arn,
            "name": "nightly",
            "group": None,
            "expression": "cron(0/5 * * * ? *)",
            "timezone": "UTC",
            "decision": "missed",
            "first": "2026-11-26T15:05:00Z",
            "last": "2026-11-26T15:20:00Z",
            "count": 4,
            "reason": "hinoban was not running from 2026-11-26T15:01:00Z to 2026-11-26T15:22:12Z",
            "targets": [{"id": "job", "arn": CLUSTER}],
        }
    ]
    assert house.queued() == []
    await house.until(parse_iso("2026-11-26T15:25:00Z"))
    assert await house.fired() == ["2026-11-26T15:25:00Z"]


async def test_a_stop_between_two_days_names_them(house):
    house.create(expression="cron(0 16 * * ? *)")
    await house.step()
    house.set_clock(house.clock.now() + 3 * DAYS)
    house.reopen()
    await house.step()
    (line,) = await house.told()
    assert line["reason"] == "hinoban was not running from 2026-11-26T15:00:00Z to 2026-11-29T15:00:00Z"
    assert (line["first"], line["last"], line["count"]) == ("2026-11-26T16:00:00Z", "2026-11-28T16:00:00Z", 3)


async def test_a_clock_that_jumps_forward_is_told(house):
    house.put_rule(schedule="cron(0/5 * * * ? *)")
    await house.step()
    house.set_clock(house.clock.now() + 12 * MINUTES)
    await house.step()
    (line,) = await house.told()
    assert line["reason"] == "the clock jumped from 2026-11-26T15:00:00Z to 2026-11-26T15:12:00Z"
    assert (line["first"], line["last"], line["count"]) == ("2026-11-26T15:05:00Z", "2026-11-26T15:10:00Z", 2)


async def test_a_clock_set_back_fires_no_slot_twice(house):
    house.put_rule(schedule="cron(0 * * * ? *)")
    house.create(expression="rate(1 hour)")
    await house.until(house.clock.now() + 2 * HOURS + MINUTES)
    before = await house.told()
    house.set_clock(house.clock.now() - 2 * HOURS)
    house.update(expression="rate(1 hour)", State="DISABLED")
    house.update(expression="rate(1 hour)")
    await house.until(house.clock.now() + 2 * HOURS)
    assert await house.told() == before
    await house.until(house.clock.now() + HOURS)
    assert len(await house.told()) == len(before) + 2


async def test_a_month_of_missed_minutes_is_counted_and_not_walked_through(house, monkeypatch):
    house.put_rule(schedule="cron(* * * * ? *)")
    house.put_rule("rate", "rate(1 minute)")
    await house.step()
    walked: list[float] = []
    real = decide.slots

    def walking(*given, **named):
        found = real(*given, **named)
        walked.extend(found)
        return found

    monkeypatch.setattr(decide, "slots", walking)
    house.set_clock(house.clock.now() + 30 * DAYS + 30)
    house.reopen()
    await house.step()
    told = await house.told()
    assert [line["count"] for line in told if line["decision"] == "missed"] == [30 * 24 * 60 - 1] * 2
    assert {line["last"] for line in told if line["decision"] == "missed"} == {"2026-12-26T14:59:00Z"}
    assert await house.fired() == ["2026-12-26T15:00:00Z"] * 2
    assert 0 < len(walked) < 200


# One transaction -------------------------------------------------------------------------------------------------------------------------


async def test_a_decision_that_was_not_committed_is_made_again_and_once(house):
    house.create(expression="cron(0 16 * * ? *)")
    house.put_rule(schedule="cron(0 16 * * ? *)")
    await house.step()
    house.set_clock(parse_iso("2026-11-26T16:00:01Z"))
    await house.slots.step(house.clock.now())
    assert len(house.queued()) == 2
    house.reopen()
    assert house.queued() == []
    await house.step()
    house.reopen()
    await house.step()
    assert await house.fired() == ["2026-11-26T16:00:00Z"] * 2
    assert len(house.queued()) == 2


async def test_many_due_at_once_leave_the_event_loop_turns_of_its_own(house, monkeypatch):
    monkeypatch.setattr(slots, "_BATCH", 3)
    for number in range(7):
        house.create(f"job-{number}", "cron(0 16 * * ? *)")
    await house.step()
    house.set_clock(parse_iso("2026-11-26T16:02:00Z"))
    house.reopen()
    steps = [await house.slots.step(house.clock.now()) for _ in range(3)]
    assert steps[:2] == [house.clock.now()] * 2
    assert steps[2] > house.clock.now()
    told = await house.told()
    assert len(told) == 7
    assert {line["reason"] for line in told} == {"hinoban was not running from 2026-11-26T15:00:00Z to 2026-11-26T16:02:00Z"}


async def test_a_life_is_written_down_while_something_is_scheduled(house):
    assert await house.step() is None
    house.create(expression="cron(0 16 * * ? *)")
    started = house.clock.now()
    await house.until(started + 100)
    house.set_clock(started + 2 * HOURS)
    house.reopen()
    await house.step()
    (line,) = await house.told()
    assert line["reason"] == "hinoban was not running from 2026-11-26T15:01:30Z to 2026-11-26T17:00:00Z"

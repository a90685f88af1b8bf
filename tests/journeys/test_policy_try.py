"""A configuration tried on what happened: the same one changes nothing, another says what it would have done, and nobody is called."""

import io
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.watch.config import Escalation, Mute, NotifyConfig, PagerDuty, Policy, RetryRule, WatchConfig
from hinoban.watch.notify.channels import Channel, Console, MemoryKeep, PagerDutyChannel
from hinoban.watch.policy_try import policy_try
from tests.unit.watch.ledgers import DUE, add_rule, fired, launch, missed, task, until
from tests.unit.watch.worlds import World


class Week:
    """What happened: a scheduled run failed, another was refused and healed by a retry, a third never came; a task of nobody's ran for long."""

    def __init__(self, folder: Path, config: WatchConfig | None = None) -> None:
        self.world = World(
            folder, config or WatchConfig(policies=(Policy(match={"hinoban": {"family": ["long"]}}, max_runtime=2 * HOURS),))
        )
        for name in ("close", "lost"):
            add_rule(self.world, name)

    async def passes(self) -> None:
        world = self.world
        await until(world, DUE + 1)
        ended = task("close", 50, "STOPPED", DUE, at=DUE + 60, exit_code=3)
        world.aws.emit(fired("close", DUE), launch("close", DUE, 50), task("close", 50, "RUNNING", DUE))
        await world.turns(60, step=10)
        world.aws.emit(ended)
        self.long = world.aws.start("long", None)
        await until(world, DUE + 10 * MINUTES)
        world.aws.refuse = 1
        world.aws.refused_launch(1)
        await until(world, DUE + 30 * MINUTES)
        [(_, arn)] = world.aws.launched
        world.aws.finish(arn)
        await until(world, DUE + 4 * HOURS, 120)
        world.aws.finish(self.long)
        await until(world, DUE + 5 * HOURS, 120)

    async def tried(self, config: WatchConfig) -> dict[str, Any]:
        calls = len(self.world.aws.run_task_calls)
        before = self.world.watch.incidents()
        found = await policy_try(self.world.engine, config, 2 * DAYS, self.world.clock.now())
        assert self.world.watch.incidents() == before, "the history is only read"
        assert (len(self.world.aws.run_task_calls), self.world.aws.stopped) == (calls, [])
        return found


@pytest.fixture
async def week(tmp_path: Path) -> Week:
    week = Week(tmp_path)
    await week.passes()
    return week


def of(found: dict[str, Any], family: str) -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in found["incidents"] if row["what"].startswith(family))
    return row


async def test_the_same_configuration_would_have_done_the_same(week: Week) -> None:
    found = await week.tried(week.world.config)
    assert [(row["then"], row["with"]) for row in found["incidents"] if row["differs"]] == []
    assert {row["what"].partition(":")[0] for row in found["incidents"]} == {"close", "lost", "nightly-billing", "long"}
    assert found["then"]["retried"] == found["with"]["retried"] == 2
    assert found["with"]["unknown_outcomes"] == 0
    assert "No incident would have been told, retried or stopped otherwise." in found["lines"]


async def test_without_retries_people_would_have_heard_of_what_healed(week: Week) -> None:
    found = await week.tried(WatchConfig(policies=week.world.config.policies, retry=RetryRule(attempts=1)))
    row = of(found, "nightly-billing")
    assert (row["then"]["retried"], row["with"]["retried"], row["differs"]) == (2, 0, True)
    assert (row["then"]["told"], row["with"]["told"]) == (0, 1)
    assert found["with"]["told"] > found["then"]["told"]
    assert any("nightly-billing" in line and "not told, retried 2" in line for line in found["lines"])


async def test_a_limit_says_what_it_would_have_stopped(week: Week) -> None:
    stop = Policy(match={"hinoban": {"family": ["long"]}}, max_runtime=1 * HOURS, stop_after=90 * MINUTES)
    found = await week.tried(WatchConfig(policies=(stop,)))
    assert [one["task"] for one in found["would_stop"]] == [week.long]
    assert (found["then"]["stopped"], found["with"]["stopped"]) == (0, 1)
    assert any(line.startswith("Would have stopped ") and "over its limit of 1 h" in line for line in found["lines"])


async def test_a_mute_would_have_kept_a_channel_quiet(week: Week) -> None:
    mute = Mute(match={"hinoban": {"family": ["close"]}}, until=week.world.clock.now() + DAYS, name="close")
    quiet = WatchConfig(policies=week.world.config.policies, notify=NotifyConfig(mutes=(mute,)))
    found = await week.tried(quiet)
    assert of(found, "close")["with"]["channels"] == ["console"], "the console hears everything"


async def test_a_retry_that_was_never_made_has_no_outcome_and_is_not_made_up(tmp_path: Path) -> None:
    week = Week(tmp_path, WatchConfig(retry=RetryRule(attempts=1)))
    world = week.world
    await until(world, DUE - 30 * MINUTES)
    world.aws.refused_launch(1)
    await until(world, DUE + HOURS, 60)
    found = await week.tried(WatchConfig())
    row = of(found, "nightly-billing")
    assert (row["then"]["told"], row["with"]["told"], row["outcome_unknown"]) == (1, 0, True)
    assert (row["with"]["retried"], found["with"]["unknown_outcomes"]) == (1, 1)
    assert any("outcome unknown" in line for line in found["lines"])


async def test_an_empty_history_is_said_in_a_line(tmp_path: Path) -> None:
    world = World(tmp_path)
    found = await policy_try(world.engine, WatchConfig(), 30 * DAYS, world.clock.now())
    assert found["lines"][0].endswith("0 tasks, 0 launches, 0 due runs replayed")


PAGER, BOSS = "0123456789abcdef" * 2, "fedcba9876543210" * 2
ESCALATED = WatchConfig(
    notify=NotifyConfig(
        pagerduty=(PagerDuty(routing_key=PAGER, levels=()), PagerDuty(name="boss", routing_key=BOSS, levels=())),
        escalations=(Escalation(after=15 * MINUTES, channels=("pagerduty",)), Escalation(after=1 * HOURS, channels=("boss",))),
    )
)


@pytest.fixture
async def escalated(tmp_path: Path) -> World:
    """A scheduled run failed, and further people were told; somebody ran it again by hand, and it ended well before the last step."""
    pagers: list[Channel] = [
        PagerDutyChannel(one, MemoryKeep(), transport=httpx.MockTransport(lambda request: httpx.Response(202)))
        for one in ESCALATED.notify.pagerduty
    ]
    world = World(tmp_path, ESCALATED, [Console(io.StringIO(), "UTC"), *pagers])
    add_rule(world, "close")
    await until(world, DUE + 1)
    world.aws.emit(fired("close", DUE), launch("close", DUE, 50), task("close", 50, "RUNNING", DUE))
    await world.turns(60, step=10)
    world.aws.emit(task("close", 50, "STOPPED", DUE, at=DUE + 60, exit_code=3))
    await until(world, DUE + 30 * MINUTES)
    [failed] = world.watch.incidents()["incidents"]
    await world.watch.retry(failed["id"], "s.tanaka")
    await world.turns(60, step=10)
    [(_, arn)] = world.aws.launched
    world.aws.finish(arn)
    await until(world, DUE + 2 * HOURS, 120)
    return world


async def test_the_same_escalation_and_the_same_retry_by_hand_are_no_difference(escalated: World) -> None:
    found = await policy_try(escalated.engine, ESCALATED, 2 * DAYS, escalated.clock.now())
    row = of(found, "close")
    assert row["then"] == row["with"]
    assert (row["then"]["channels"], row["then"]["retried"]) == (["console", "pagerduty"], 1)
    assert "No incident would have been told, retried or stopped otherwise." in found["lines"]


async def test_an_escalation_that_comes_sooner_would_have_told_more_people(escalated: World) -> None:
    steps = tuple(msgspec.structs.replace(one, after=one.after / 4) for one in ESCALATED.notify.escalations)
    sooner = WatchConfig(notify=msgspec.structs.replace(ESCALATED.notify, escalations=steps))
    found = await policy_try(escalated.engine, sooner, 2 * DAYS, escalated.clock.now())
    assert of(found, "close")["with"]["channels"] == ["console", "pagerduty", "boss"]


async def test_what_people_did_is_named_among_the_limits(escalated: World) -> None:
    found = await policy_try(escalated.engine, ESCALATED, 2 * DAYS, escalated.clock.now())
    [acts] = [line for line in found["lines"] if line.startswith("What people did")]
    assert all(act in acts for act in ("acknowledge", "snooze", "reopen", "resolve"))
    assert any("asked for by hand" in line for line in found["limits"])


async def test_what_a_policy_made_up_for_was_nobodys_wish(tmp_path: Path) -> None:
    making_up = WatchConfig(policies=(Policy(match={"hinoban": {"family": ["close"]}}, catch_up="last"),))
    world = World(tmp_path, making_up)
    add_rule(world, "close", "rate(1 hour)")
    await until(world, DUE - 60)
    world.aws.emit(missed("close", DUE, DUE, 1))
    await until(world, DUE + 30 * MINUTES)
    [(_, arn)] = world.aws.launched
    world.aws.finish(arn)
    await world.turns(10)
    for config, retried in ((making_up, 1), (WatchConfig(), 0)):
        found = await policy_try(world.engine, config, 2 * DAYS, world.clock.now())
        assert (found["then"]["retried"], found["with"]["retried"]) == (1, retried)

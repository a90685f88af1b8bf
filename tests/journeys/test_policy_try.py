"""A configuration tried on what happened: the same one changes nothing, another says what it would have done, and nobody is called."""

from pathlib import Path
from typing import Any

import pytest

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.watch.config import Mute, NotifyConfig, Policy, RetryRule, WatchConfig
from hinoban.watch.policy_try import policy_try
from tests.unit.watch.ledgers import DUE, add_rule, fired, launch, task, until
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

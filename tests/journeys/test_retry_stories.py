"""What is retried by policy, how, and what keeps it from running twice: stories on a fake clock before a fake AWS."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from hinoban.base.clock import HOURS, MINUTES
from hinoban.watch.allow import NOTHING
from hinoban.watch.config import ExitRule, Policy, RetryBudget, RetryRule, WatchConfig
from tests.unit.watch.ledgers import DUE, add_rule, fired, launch, task, until
from tests.unit.watch.worlds import World

AGAIN_75 = ExitRule(action="RETRY", exit_code=("75",))
NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-0a", "subnet-0c"]}}


def world_with(folder: Path, *, budget: RetryBudget | None = None, **rule: Any) -> World:
    """A watch whose one policy retries so."""
    return World(folder, WatchConfig(policies=(Policy(retry=RetryRule(**rule)),), retry_budget=budget or RetryBudget()))


def incident(world: World) -> dict[str, Any]:
    [found] = world.watch.incidents()["incidents"]
    return dict(found)


async def finish_newest(world: World, code: int) -> None:
    await world.turns(2)
    world.aws.finish(world.aws.launched[-1][1], code)
    await world.turns(1)


async def test_exit_75_is_run_again_with_its_own_overrides_and_heals_quietly(tmp_path: Path) -> None:
    world = world_with(tmp_path, on_exit=(AGAIN_75,))
    overrides = {"containerOverrides": [{"name": "app", "command": ["--month", "11"]}]}
    [arn] = world.aws.launch(1, overrides=overrides)
    await world.turns(30)
    world.aws.finish(arn, 75)
    await world.turns(40)
    [asked] = world.aws.run_task_calls
    assert (asked["overrides"], asked["count"], asked["startedBy"]) == (overrides, 1, f"hinoban/{incident(world)['id']}/2")
    await finish_newest(world, 0)
    found = incident(world)
    assert (found["state"], found["verdict"], found["done"]) == ("resolved", "RECOVERED", ["Retried once, ran once, exit 0."])
    assert [one["outcome"] for one in found["attempts"]] == ["exit 75", "exit 0"]
    assert len(world.told()) == 1 and "RECOVERED" in world.told()[0]


async def test_a_run_with_other_input_does_not_stand_for_the_one_that_failed(tmp_path: Path) -> None:
    world = world_with(tmp_path, on_exit=(AGAIN_75,))

    def shard(number: int) -> dict[str, Any]:
        return {"containerOverrides": [{"name": "app", "command": [f"--shard={number}"]}]}

    [first] = world.aws.launch(1, "worker", startedBy="app", overrides=shard(1))
    await world.turns(10)
    world.aws.finish(first, 75)
    await world.turns(1)
    [second] = world.aws.launch(2, "worker", startedBy="app", overrides=shard(2))
    await world.turns(60)
    assert world.aws.run_task_calls == [], "it waits while another run of the family lives"
    world.aws.finish(second, 0)
    await world.turns(60)
    [asked] = world.aws.run_task_calls
    assert asked["overrides"] == shard(1)
    await finish_newest(world, 0)
    assert (incident(world)["state"], incident(world)["verdict"]) == ("resolved", "RECOVERED")


async def test_by_hand_only_a_run_with_the_same_input_ends_a_failure(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number, command in enumerate(("--month=11", "--month=12", "--month=11"), start=1):
        [arn] = world.aws.launch(
            number, "report", startedBy="s.tanaka", overrides={"containerOverrides": [{"name": "app", "command": [command]}]}
        )
        await world.turns(10)
        world.aws.finish(arn, 3 if number == 1 else 0)
        await world.turns(5)
        assert incident(world)["state"] == ("resolved" if number == 3 else "open")


async def test_exit_3_is_told_and_left_alone_where_only_75_is_retried(tmp_path: Path) -> None:
    world = world_with(tmp_path, on_exit=(AGAIN_75,))
    [arn] = world.aws.launch(1)
    world.aws.finish(arn, 3)
    await world.turns(600, step=10)
    assert world.aws.run_task_calls == []
    assert "Not retried: no on_exit policy." in world.watch.why("nightly-billing")["next"]


async def test_starts_and_exits_share_one_count_of_attempts(tmp_path: Path) -> None:
    world = world_with(tmp_path, on_exit=(AGAIN_75,), attempts=3)
    world.aws.refused_launch(1)
    await world.turns(40)
    await finish_newest(world, 75)
    await world.turns(70)
    await finish_newest(world, 75)
    await world.turns(600, step=10)
    assert [one["outcome"] for one in incident(world)["attempts"]] == ["refused", "exit 75", "exit 75"]
    assert incident(world)["done"][-1].startswith("Gave up: 3 attempts")
    assert len(world.aws.launched) == 2


async def test_a_record_that_comes_after_the_end_is_waited_for(tmp_path: Path) -> None:
    world = world_with(tmp_path, on_exit=(AGAIN_75,))
    [arn] = world.aws.launch(1, told=False)
    world.aws.finish(arn, 75)
    await world.turns(60)
    assert incident(world)["done"] == ["Not retried so far: the record of its RunTask, which holds the request, has not come."]
    assert world.aws.run_task_calls == []
    world.aws.tell_launch(1)
    await world.turns(40)
    assert len(world.aws.launched) == 1
    assert incident(world)["done"] == []


@pytest.mark.parametrize("told", [True, False])
async def test_a_policy_by_a_tag_of_the_definition_retries_also_when_the_record_is_late(tmp_path: Path, told: bool) -> None:
    of_team = {"hinoban": {"tags": {"team": ["batch"]}}}
    rule = Policy(match=of_team, retry=RetryRule(on_exit=(AGAIN_75,)), allow=("run_task",))
    world = World(tmp_path, WatchConfig(policies=(rule,)), allow=NOTHING)
    [arn] = world.aws.launch(1, told=told, propagateTags="TASK_DEFINITION")
    world.aws.tags[arn] = {"team": "batch"}
    [other] = world.aws.launch(2, "other", propagateTags="TASK_DEFINITION")
    await world.turns(10)
    world.aws.finish(arn, 75)
    world.aws.finish(other, 75)
    await world.turns(60)
    if not told:
        assert world.aws.launched == []
        world.aws.tell_launch(1)
        await world.turns(60)
    assert [asked["taskDefinition"].partition(":")[0] for asked in world.aws.run_task_calls] == ["nightly-billing"]


async def test_hidden_overrides_of_an_ended_task_are_told_and_never_launched(tmp_path: Path) -> None:
    world = world_with(tmp_path, on_exit=(AGAIN_75,))
    [arn] = world.aws.launch(1, overrides={"containerOverrides": [{"name": "app", "environment": "HIDDEN_DUE_TO_SECURITY_REASONS"}]})
    world.aws.finish(arn, 75)
    await world.turns(600, step=10)
    assert world.aws.run_task_calls == []
    assert "hides the overrides" in incident(world)["done"][0]


async def test_of_three_tasks_the_two_that_failed_are_run_again_beside_the_third(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(policies=(Policy(retry=RetryRule(on_exit=(AGAIN_75,))),)))
    add_rule(world, "close", ecs={"TaskCount": 3})
    await until(world, DUE)
    world.aws.emit(fired("close", DUE), launch("close", DUE, 500, tasks=3))
    world.aws.emit(*(task("close", number, "RUNNING", DUE) for number in (500, 501, 502)))
    await world.turns(10)
    world.aws.emit(*(task("close", number, "STOPPED", DUE, at=DUE + 10, exit_code=75) for number in (500, 501)))
    await world.turns(60)
    assert sum(call["count"] for call in world.aws.run_task_calls) == 2
    for _, arn in list(world.aws.launched):
        world.aws.finish(arn, 0)
    world.aws.emit(task("close", 502, "STOPPED", DUE, at=DUE + 70, exit_code=0))
    await world.turns(2)
    assert (incident(world)["verdict"], incident(world)["state"]) == ("RECOVERED", "resolved")


async def test_a_sibling_that_fails_after_the_first_was_made_good_is_run_again_too(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(policies=(Policy(retry=RetryRule(on_exit=(AGAIN_75,))),)))
    add_rule(world, "close", ecs={"TaskCount": 2})
    await until(world, DUE)
    world.aws.emit(fired("close", DUE), launch("close", DUE, 500, tasks=2))
    world.aws.emit(*(task("close", number, "RUNNING", DUE) for number in (500, 501)))
    for number in (500, 501):
        await world.turns(10)
        world.aws.emit(task("close", number, "STOPPED", DUE, at=world.clock.now(), exit_code=75))
        await world.turns(60)
        await finish_newest(world, 0)
        assert incident(world)["verdict"] == "RECOVERED"
    assert [call["count"] for call in world.aws.run_task_calls] == [1, 1]


async def test_the_next_run_of_the_schedule_ends_the_retries_of_the_last(tmp_path: Path) -> None:
    world = World(tmp_path)
    add_rule(world, "close", "cron(0/5 * * * ? *)")
    await until(world, DUE)
    world.aws.refuse = 100
    world.aws.emit(fired("close", DUE), launch("close", DUE, 500, tasks=0, refused=1))
    await world.turns(4 * MINUTES + 50)
    assert len(world.aws.run_task_calls) >= 1
    world.aws.refuse = 0
    await world.turns(2 * MINUTES)
    assert all(one["state"] != "resolved" for one in world.watch.incidents()["incidents"])
    assert world.aws.launched == []


async def test_it_waits_while_an_older_run_of_the_family_lives_and_then_runs(tmp_path: Path) -> None:
    world = World(tmp_path)
    older = world.aws.start("nightly-billing", "alice")
    await world.turns(5)
    world.aws.refused_launch(1)
    await world.turns(120)
    assert world.aws.run_task_calls == []
    [waiting] = [one for one in incident(world)["attempts"] if one["number"] == 2]
    assert (waiting["outcome"], waiting["note"]) == ("waiting", "waits for task 00000001 of its family")
    world.aws.finish(older, 0)
    await world.turns(15)
    assert len(world.aws.launched) == 1
    assert incident(world)["attempts"][-1]["note"] == ""


async def test_one_that_lives_on_past_the_deadline_is_not_joined(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.start("nightly-billing", "alice")
    await world.turns(5)
    world.aws.refused_launch(1)
    await world.turns(1300, step=10)
    assert world.aws.run_task_calls == []
    assert incident(world)["done"][-1] == "Gave up: the deadline has passed, and task 00000001 of its family still runs."


async def test_a_service_that_runs_the_same_definition_is_no_run(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.start("nightly-billing", "ecs-svc/1")
    await world.turns(5)
    world.aws.refused_launch(1)
    await world.turns(60)
    assert len(world.aws.launched) == 1


async def test_each_attempt_tries_another_subnet_and_says_so(tmp_path: Path) -> None:
    world = world_with(tmp_path, rotate=True)
    world.aws.refuse = 2
    world.aws.refused_launch(1, networkConfiguration=NETWORK)
    await world.turns(400, step=2)
    assert [call["networkConfiguration"]["awsvpcConfiguration"]["subnets"] for call in world.aws.run_task_calls] == [
        ["subnet-0c"],
        ["subnet-0a"],
        ["subnet-0c"],
    ]
    lines = world.watch.why("nightly-billing")["lines"]
    assert any("hinoban, subnet-0c only      refused" in line for line in lines)
    assert any("hinoban, subnet-0c only      task " in line for line in lines)


async def test_a_task_that_spot_took_back_runs_again_on_fargate(tmp_path: Path) -> None:
    taken = ExitRule(action="RETRY", reason="Your Spot Task*")
    world = world_with(tmp_path, on_exit=(taken,), fargate_spot_to_fargate=True)
    [arn] = world.aws.launch(1, launchType=None, capacityProviderStrategy=[{"capacityProvider": "FARGATE_SPOT", "weight": 1}])
    world.aws.finish(arn, 143, reason="Your Spot Task was interrupted.", code="SpotInterruption")
    await world.turns(40)
    [asked] = world.aws.run_task_calls
    assert asked["launchType"] == "FARGATE" and "capacityProviderStrategy" not in asked
    assert incident(world)["attempts"][-1]["changed"] == "FARGATE instead of FARGATE_SPOT"


async def test_a_spent_budget_is_told_once_and_holds_over_a_restart(tmp_path: Path) -> None:
    world = world_with(tmp_path, budget=RetryBudget(per_family=2))
    for number in range(4):
        world.aws.refused_launch(number + 1)
        await world.turns(40)
        if number < 2:
            await finish_newest(world, 3)
        world.crash()
    assert len(world.aws.launched) == 2
    done = [one["done"] for one in world.watch.incidents()["incidents"]]
    words = "Not retried: the budget of 2 retries of nightly-billing in 1 h is spent."
    assert sum(words in one for one in done) == 2
    await world.turns(600, step=10)
    assert len(world.aws.launched) == 2
    world.aws.refused_launch(9)
    await world.turns(HOURS, step=60)
    world.aws.refused_launch(10)
    await world.turns(40)
    assert len(world.aws.launched) == 3, "the hour is over"


async def test_a_wall_of_no_capacity_is_tried_by_one_retry_at_a_time_until_one_is_accepted(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.refuse = 10_000
    for number in range(60):
        world.aws.refused_launch(number + 1, family=f"job-{number}")
    await world.turns(5 * MINUTES)
    before = len(world.aws.run_task_calls)
    assert 5 <= before <= 12, "each half minute one"
    world.aws.refuse = 0
    await world.turns(60)
    assert len(world.aws.launched) == 60
    assert len(set(world.aws.launched)) == 60


async def test_what_the_wall_keeps_back_is_given_up_at_its_deadline(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.refuse = 10_000
    for number in range(30):
        world.aws.refused_launch(number + 1, family=f"job-{number}")
    await world.turns(1400, step=5)
    assert all("Gave up" in one["done"][-1] for one in world.watch.incidents()["incidents"])
    assert len(world.aws.run_task_calls) <= 45
    assert world.watch.status()["retries"].get("waiting") is None


DENIED = {"__type": "AccessDeniedException", "message": "User is not authorized to perform: ecs:ListTasks"}


async def test_where_aws_denies_the_look_it_is_given_up_at_its_deadline_in_awss_words(tmp_path: Path) -> None:
    world = world_with(tmp_path, deadline=20 * MINUTES)
    world.aws.instead["ListTasks"] = lambda params: httpx.Response(400, json=DENIED)
    world.aws.refused_launch(1)
    await world.turns(19 * MINUTES, step=5)
    assert [one["outcome"] for one in incident(world)["attempts"]] == ["refused", "waiting"]
    assert world.aws.calls.count("ListTasks") < 150
    await world.turns(2 * MINUTES, step=5)
    found = incident(world)
    assert found["done"] == [
        "Gave up: the deadline has passed, and AWS did not say what runs. "
        "AccessDeniedException: User is not authorized to perform: ecs:ListTasks."
    ]
    assert [one["outcome"] for one in found["attempts"]] == ["refused", "given up"]
    assert found["done"][0] in world.console.getvalue() and world.aws.run_task_calls == []


async def test_a_lost_answer_that_may_not_be_looked_for_is_in_doubt_after_a_day(tmp_path: Path) -> None:
    world = world_with(tmp_path)
    world.aws.lose = ["before"]
    denied = httpx.Response(400, json=DENIED)
    world.aws.instead["ListTasks"] = lambda params: denied if world.aws.run_task_calls else world.aws.ListTasks(params)
    world.aws.refused_launch(1)
    await world.turns(2 * MINUTES, step=1)
    await world.turns(23 * HOURS, step=10 * MINUTES)
    assert incident(world)["attempts"][-1]["outcome"] == "waiting"
    await world.turns(2 * HOURS, step=10 * MINUTES)
    assert incident(world)["attempts"][-1]["outcome"] == "in doubt"
    assert len(world.aws.run_task_calls) == 1


@pytest.mark.parametrize("rule", [{"on_start_failure": False}, {"attempts": 1}])
async def test_a_policy_may_say_that_no_failure_to_start_is_retried(tmp_path: Path, rule: dict[str, Any]) -> None:
    world = world_with(tmp_path, **rule)
    world.aws.refused_launch(1)
    await world.turns(300, step=5)
    assert world.aws.run_task_calls == []
    assert len(world.told()) == 1


async def test_a_launch_that_iam_denies_is_given_up_with_the_command(tmp_path: Path) -> None:
    world = World(tmp_path)
    denied = httpx.Response(400, json={"__type": "AccessDeniedException", "message": "no: ecs:RunTask"})
    world.aws.instead["RunTask"] = lambda params: denied
    world.aws.refused_launch(1)
    await world.turns(300, step=5)
    found = incident(world)
    why = "Gave up: the watch may not launch it (AccessDeniedException). By hand: aws ecs run-task "
    assert (found["state"], len(found["done"])) == ("open", 1) and found["done"][0].startswith(why)
    [attempt] = [one for one in found["attempts"] if one["number"] == 2]
    assert attempt["outcome"] == "refused" and f"hinoban/{found['id']}/2" in found["done"][0]


async def test_what_failed_to_start_before_its_record_came_says_why_it_is_not_retried_so_far(tmp_path: Path) -> None:
    world = World(tmp_path)
    reason = "Timeout waiting for network interface provisioning to complete."
    add_rule(world, "close")
    await until(world, DUE)
    world.aws.emit(task("close", 500, "STOPPED", DUE, at=DUE + 40, exit_code=None, code="TaskFailedToStart", reason=reason))
    await world.turns(60, step=5)
    assert incident(world)["done"] == ["Not retried so far: the record of its RunTask, which holds the request, has not come."]
    world.aws.emit(launch("close", DUE, 500))
    await world.turns(60, step=5)
    assert (incident(world)["done"], len(world.aws.run_task_calls)) == ([], 1)

"""What the watch does about each kind of failure, as stories on a fake clock before a fake AWS."""

from pathlib import Path

import httpx
import pytest

from hinoban.base.clock import DAYS, HOURS
from hinoban.base.errors import HinobanError
from hinoban.watch.answers import Answers
from hinoban.watch.config import Policy, WatchConfig, Webhook
from hinoban.watch.notify.channels import WebhookChannel
from tests.unit.watch.ledgers import DUE, add_rule, fired, launch, task, until
from tests.unit.watch.samples import call_record, life, task_arn, task_event, task_id
from tests.unit.watch.worlds import World


async def test_refused_twice_then_it_runs_once_and_one_quiet_line_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.refuse = 1
    world.aws.refused_launch(1, count=1)
    await world.turns(120)
    [(started_by, arn)] = world.aws.launched
    assert world.told() == []
    await world.turns(200)
    assert world.told() == []  # it runs: the hold lasts
    world.aws.finish(arn)
    await world.turns()
    [incident] = world.watch.incidents()["incidents"]
    assert (incident["state"], incident["verdict"], incident["done"]) == ("resolved", "RECOVERED", ["Retried twice, ran once, exit 0."])
    assert [attempt["outcome"] for attempt in incident["attempts"]] == ["refused", "refused", "exit 0"]
    assert started_by == f"hinoban/{incident['id']}/3"
    assert len(world.told()) == 1
    asked = world.aws.run_task_calls[-1]
    assert asked["tags"] == [{"key": "hinoban:started-by", "value": "events-rule/nightly-billing"}]
    assert "RECOVERED" in world.watch.why("nightly-billing")["lines"][0]


async def test_capacity_that_stays_away_is_told_once_and_given_up_at_the_deadline(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.refuse = 100
    world.aws.refused_launch(1)
    await world.turns(1500, step=5)
    [incident] = world.watch.incidents()["incidents"]
    assert incident["state"] == "open"
    assert incident["done"][-1].startswith("Gave up")
    assert len(incident["attempts"]) <= 6
    assert len(world.told()) == 2  # opened, and given up
    assert world.aws.launched == []


async def test_a_launch_by_hand_is_told_at_once_and_not_retried(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.refused_launch(1, startedBy="alice")
    await world.turns(600, step=10)
    assert world.aws.run_task_calls == []
    assert len(world.told()) == 1


async def test_hidden_overrides_are_told_and_never_launched(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.refused_launch(1, overrides={"containerOverrides": [{"name": "app", "environment": "HIDDEN_DUE_TO_SECURITY_REASONS"}]})
    await world.turns(300, step=10)
    [incident] = world.watch.incidents()["incidents"]
    assert world.aws.run_task_calls == []
    assert "hides the overrides" in incident["done"][0]
    assert len(world.told()) == 1


async def test_it_stands_down_once_somebody_else_has_launched_the_family(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.refused_launch(1)
    await world.turns()
    await world.clock.advance(0.5)
    world.aws.start("nightly-billing", "alice")
    await world.turns(120)
    [incident] = world.watch.incidents()["incidents"]
    assert world.aws.run_task_calls == []
    assert incident["done"][-1].startswith("Stood down")


async def test_exit_3_is_told_with_its_log_kept_and_a_later_good_run_resolves_it(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.log = ["Traceback", "KeyError: 'STAGE'"]
    world.aws.finish(world.aws.start("report-export", None), 3)
    await world.turns()
    [incident] = world.watch.incidents()["incidents"]
    assert (incident["state"], incident["verdict"]) == ("open", "EXIT 3")
    world.aws.log = []
    why = Answers.readonly(world.path).why("report-export")
    assert why["log"][-1] == "KeyError: 'STAGE'"
    await world.clock.advance(60)
    world.aws.finish(world.aws.start("report-export", None))
    await world.turns()
    [incident] = world.watch.incidents()["incidents"]
    assert (incident["state"], incident["done"][-1]) == ("resolved", "A later run ended well.")
    assert len(world.told()) == 2


async def test_out_of_memory_is_told_as_such(tmp_path: Path) -> None:
    world = World(tmp_path)
    reason = "OutOfMemoryError: Container killed due to memory usage"
    world.aws.finish(world.aws.start("import-orders", None), 137, container_reason=reason)
    await world.turns()
    [incident] = world.watch.incidents()["incidents"]
    assert (incident["detector"], incident["verdict"]) == ("out_of_memory", "OUT OF MEMORY")


async def test_an_overdue_task_is_warned_about_then_stopped_also_over_a_restart(tmp_path: Path) -> None:
    rule = Policy(match={"hinoban": {"family": ["db-migrate"]}}, max_runtime=8, stop_after=12)
    world = World(tmp_path, WatchConfig(policies=(rule,)))
    world.aws.start("db-migrate", None)
    await world.turns(9)
    assert len(world.told()) == 1
    world.crash()
    await world.turns(5)
    [stop] = world.aws.stopped
    [incident] = world.watch.incidents()["incidents"]
    assert stop["reason"] == f"hinoban: over its limit of 8 s ({incident['id']})"
    assert (incident["state"], incident["verdict"]) == ("resolved", "OVERDUE")
    assert [word.split()[0] for word in incident["done"]] == ["Warned", "Stopped"]
    assert incident["said"][0] == stop["reason"] and "ran past its limit of 8 s" in incident["cause"]
    assert "OVERDUE · RESOLVED" in world.watch.why("db-migrate")["lines"][0]
    assert "OVERDUE · RESOLVED" in world.told()[-1] and stop["reason"] in world.console.getvalue()
    assert len(world.told()) == 2


async def test_a_webhook_that_is_down_for_an_hour_gets_everything_in_order(tmp_path: Path) -> None:
    world = World(tmp_path)
    got: list[str] = []
    down = True

    def receive(request: httpx.Request) -> httpx.Response:
        if down:
            return httpx.Response(503)
        got.append(request.headers["x-hinoban-delivery"])
        return httpx.Response(204)

    world.channels = [WebhookChannel(Webhook(url="https://hook.test/x", secret="s"), world.clock, transport=httpx.MockTransport(receive))]
    world.crash()
    for number in range(3):
        world.aws.finish(world.aws.start(f"job-{number}", None), 1)
        await world.turns(1)
    await world.turns(3600, step=60)
    world.crash()
    down = False
    await world.turns(600, step=60)
    with world.engine.connect() as connection:
        from hinoban.watch.history.queries import messages

        queued = [message.incident.finding.family for message in reversed(messages(connection))]
    assert queued == ["job-0", "job-1", "job-2"]
    assert len(got) == len(set(got)) == 3
    assert world.watch.status()["outbox"] == {"sent": 3}


async def test_a_lost_thread_is_backfilled(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.start("job", None)
    await world.turns()
    world.aws.finish(world.aws.start("other", None), 4)
    world.aws.finish(task_arn(1), 0)
    world.aws.events.append(world.aws.events[-1])
    world.aws.oldest = 5
    await world.turns(2)
    rows = world.watch.history({})["tasks"]
    assert {(row["family"], row["exit_code"], row["open"]) for row in rows} == {("job", 0, False), ("other", 4, False)}
    assert [incident["family"] for incident in world.watch.incidents()["incidents"]] == ["other"]


async def test_shortened_ids_find_their_task_and_ambiguous_ones_name_the_candidates(tmp_path: Path) -> None:
    world = World(tmp_path)
    for _ in range(2):
        world.aws.finish(world.aws.start("job", None), 2)
    await world.turns()
    assert world.watch.why("00000001")["task"] == task_arn(1)
    with pytest.raises(HinobanError, match="ambiguous"):
        world.watch.why("000000")
    with pytest.raises(HinobanError, match="Nothing is known"):
        world.watch.why("nobody")


async def test_a_new_revision_since_the_last_good_run_and_what_is_usual_are_told(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.finish(world.aws.start("job", None), 0)
    await world.turns(60)
    world.aws.finish(world.aws.start("job", None), 2)
    await world.turns()
    answer = world.watch.why("job")
    assert answer["usual"].startswith("the last good run ") and "changed" not in answer
    assert answer["task_definition"].endswith("task-definition/job:7")


async def test_nothing_is_launched_while_the_feed_does_not_answer(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.refused_launch(1)
    await world.turns()
    world.aws.down = True
    await world.turns(120, step=5)
    assert world.aws.run_task_calls == []
    world.aws.down = False
    await world.turns(5)
    assert len(world.aws.launched) == 1


@pytest.mark.parametrize("attached_late", [False, True])
async def test_the_history_is_asked_by_class_of_what_was_told_and_of_what_ended_before(tmp_path: Path, attached_late: bool) -> None:
    world = World(tmp_path)
    if not attached_late:
        await world.turns()
    no_network = {
        "code": "TaskFailedToStart",
        "exit_code": None,
        "reason": "Timeout waiting for network interface provisioning to complete.",
    }
    moment = world.clock.now() - (DAYS if attached_late else 0)
    world.aws.emit(*life(1, at=moment), *life(2, at=moment, exit_code=3))
    world.aws.emit(task_event(3, "PENDING", at=moment), task_event(3, "STOPPED", at=moment, **no_network))
    await world.turns(10)
    for asked, number in (("program", 2), ("exit_non_zero", 2), ("platform", 3), ("eni_provisioning_timeout", 3)):
        [task] = world.watch.history({"class": asked})["tasks"]
        assert task["id"] == task_id(number), asked
    assert [task["class"] for task in world.watch.history({"outcome": "good"})["tasks"]] == [None]
    with pytest.raises(HinobanError, match="cannot be asked for"):
        world.watch.history({"class": "colour"})


@pytest.mark.parametrize(("known", "by"), [(True, "s.tanaka"), (False, "somebody")])
async def test_a_scheduled_run_that_a_person_stopped_says_by_whom_and_is_no_failure(tmp_path: Path, known: bool, by: str) -> None:
    world = World(tmp_path)
    add_rule(world, "close")
    await until(world, DUE)
    world.aws.emit(fired("close", DUE), launch("close", DUE, 500), task("close", 500, "RUNNING", DUE))
    if known:
        answer = {"task": {"taskArn": task_arn(500)}}
        world.aws.emit(call_record("StopTask", DUE + 60, service="ecs", task=task_arn(500), answer=answer))
    stopped = {"at": DUE + 60, "exit_code": 143, "code": "UserInitiated", "reason": "Task stopped by user"}
    world.aws.emit(task("close", 500, "STOPPED", DUE, **stopped))
    await world.turns(60, step=5)
    [lost] = world.watch.schedules_since(DUE - 1 * HOURS, 1)["lost"]
    assert (lost["verdict"], lost["what"], lost["incident"]) == ("STOPPED", f"stopped by {by}", None)
    told = world.watch.why("close@16:00")
    assert told["title"] == f"close:7 · task {task_arn(500)[-32:][:8]} · STOPPED by {by} after 59 s"
    assert told["said"] == "Task stopped by user · app exit 143"
    assert world.told() == []

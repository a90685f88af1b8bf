"""What happens from a RunTask to a message, through every room, as stories on one fake clock."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hinoban.base.errors import HinobanError
from hinoban.base.units import iso
from hinoban.engine.ecs.decide.capacity import Room
from hinoban.watch.answers import Answers
from hinoban.watch.config import Policy, RetryRule, WatchConfig
from hinoban.watch.history import queries
from hinoban.watch.notify.message import webhook_payload
from tests.support.engine import Refused
from tests.support.street import Street

Open = Callable[..., Awaitable[Street]]
RETRIED = {"tags": [{"key": "hinoban:retry", "value": "on-start-failure"}]}


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Open]:
    opened: list[Street] = []

    async def make(config: WatchConfig | None = None, room: Room | None = None, **settings: Any) -> Street:
        opened.append(await Street(tmp_path, config, room, **settings).open())
        return opened[-1]

    yield make
    for each in opened:
        await each.close()


async def test_a_task_that_ends_well_is_remembered_and_nobody_is_told(street: Open) -> None:
    here = await street()
    await here.bench.define("hello", "run_for=2s output=hi")
    await here.bench.run_one("hello")
    await here.pass_time(5)
    assert here.said() == []
    assert here.watch.incidents()["incidents"] == []
    [task] = here.watch.history({"family": "hello"})["tasks"]
    assert (task["exit_code"], task["last_status"], task["version"]) == (0, "STOPPED", 5)


async def test_a_program_that_fails_is_told_once_with_its_last_words(street: Open) -> None:
    here = await street()
    await here.bench.define("export", "run_for=1s exit=3 output='KeyError STAGE'")
    await here.bench.run_one("export")
    await here.pass_time(60)
    assert len(here.said()) == 1
    assert "EXIT 3" in here.said()[0]
    assert here.watch.incident(here.incident()["id"])["log"] == ["KeyError STAGE"]


async def test_why_answers_after_the_engine_has_forgotten(street: Open) -> None:
    here = await street()
    await here.bench.define("export", "run_for=1s exit=3 output=broken")
    arn = await here.bench.run_one("export")
    await here.pass_time(3)
    await here.pass_time(3700, step=100)
    answer = await here.bench.call("DescribeTasks", tasks=[arn])
    assert answer["failures"][0]["reason"] == "MISSING"
    assert "EXIT 3" in here.watch.why("export")["lines"][0]
    assert here.watch.why(arn[-32:-24])["log"] == ["broken"]


async def test_a_launch_without_room_is_retried_until_it_runs_once_and_one_quiet_line_says_so(street: Open) -> None:
    here = await street()
    await here.bench.define("nightly", "run_for=2s")
    await here.put_in(what="capacity", match={"family": ["nightly"]}, times=2)
    answer = await here.bench.run("nightly", **RETRIED)
    assert answer["tasks"] == []
    await here.pass_time(170)
    assert [attempt["outcome"] for attempt in here.incident()["attempts"]] == ["refused", "refused", "exit 0"]
    assert here.incident()["verdict"] == "RECOVERED"
    assert sum(here.bench.runs.values()) == 1
    assert len(here.said()) == 1
    assert "RECOVERED" in here.said()[0]


async def test_a_full_machine_refuses_and_the_retry_runs_when_room_is_made(street: Open) -> None:
    here = await street(WatchConfig(retry=RetryRule(base=10, cap=20, attempts=30)), Room(1024, 1024))
    await here.bench.define("big", "run_for=60s", cpu="512", memory="1024")
    await here.bench.define("late", "run_for=1s", cpu="512", memory="1024")
    await here.bench.run_one("big")
    refused = await here.bench.run("late", **RETRIED)
    assert refused["failures"][0]["reason"].startswith("Capacity is unavailable at this time.")
    await here.pass_time(120)
    found = here.watch.history({"family": "late"})["tasks"]
    assert [task["exit_code"] for task in found] == [0]
    assert here.incident()["verdict"] == "RECOVERED"


async def test_a_refused_launch_by_hand_is_told_and_left_alone(street: Open) -> None:
    here = await street()
    await here.bench.define("once", "run_for=1s")
    await here.put_in(what="capacity", times=1)
    await here.bench.run("once")
    await here.pass_time(600, step=10)
    assert sum(here.bench.runs.values()) == 0
    assert here.incident()["state"] == "open"
    assert len(here.said()) == 1


async def test_a_partly_refused_launch_is_not_healed_by_the_tasks_of_its_own_call(street: Open) -> None:
    here = await street(room=Room(1024, 4096))
    await here.bench.define("fan", "run_for=3s")
    answer = await here.bench.run("fan", count=5)
    assert (len(answer["tasks"]), len(answer["failures"])) == (4, 1)
    await here.pass_time(60)
    assert here.incident()["state"] == "open"
    await here.bench.run_one("fan")
    await here.pass_time(10)
    assert (here.incident()["state"], here.incident()["done"]) == ("resolved", ["A later run ended well."])


async def test_a_run_launched_just_before_a_refusal_does_not_heal_it(street: Open) -> None:
    here = await street()
    await here.bench.define("job", "run_for=3s")
    await here.bench.run_one("job")
    await here.put_in(what="capacity", times=1)
    await here.bench.run("job")
    await here.pass_time(60)
    assert here.incident()["state"] == "open"


async def test_a_refused_launch_of_three_is_healed_by_three_runs(street: Open) -> None:
    here = await street()
    await here.bench.define("job", "run_for=1s")
    await here.put_in(what="capacity", times=3)
    assert (await here.bench.run("job", count=3))["tasks"] == []
    for state in ("open", "open", "resolved"):
        await here.pass_time(2)
        await here.bench.run_one("job")
        await here.pass_time(5)
        assert here.incident()["state"] == state


async def test_a_run_by_hand_that_heals_a_held_refusal_ends_its_retries(street: Open) -> None:
    here = await street()
    await here.bench.define("job", "run_for=1s")
    await here.put_in(what="capacity", times=1)
    await here.bench.run("job", **RETRIED)
    await here.pass_time(2)
    await here.bench.run_one("job")
    await here.pass_time(300, step=5)
    assert (here.incident()["state"], [one["outcome"] for one in here.incident()["attempts"]]) == ("resolved", ["refused"])
    assert sum(here.bench.runs.values()) == 1
    assert len(here.said()) == 1


async def test_an_incident_is_closed_by_hand_and_its_retries_with_it(street: Open) -> None:
    here = await street()
    await here.bench.define("job", "run_for=1s")
    await here.put_in(what="capacity", times=1)
    await here.bench.run("job", **RETRIED)
    await here.pass_time(2)
    found = here.watch.resolve(here.incident()["id"][:9], "s.tanaka", "not needed today")
    assert (found["state"], found["done"], found["next"]) == ("resolved", ["Resolved by s.tanaka: not needed today"], "Nothing now.")
    await here.pass_time(300, step=5)
    assert (here.incident()["state"], sum(here.bench.runs.values())) == ("resolved", 0)
    with pytest.raises(HinobanError, match="resolved already"):
        here.watch.resolve(found["id"], "s.tanaka")


async def test_attempts_tell_when_they_were_launched(street: Open) -> None:
    here = await street()
    await here.bench.define("job", "run_for=90s exit=2")
    arn = await here.bench.run_one("job")
    await here.pass_time(120, step=5)
    [row] = here.watch.history({"family": "job"})["tasks"]
    assert row["arn"] == arn
    assert here.incident()["attempts"][0]["at"] == row["created_at"]


async def test_a_program_that_printed_nothing_is_said_to_have_printed_nothing(street: Open) -> None:
    here = await street()
    await here.bench.define("mute", "run_for=1s exit=2")
    await here.bench.run_one("mute")
    await here.pass_time(5)
    assert "Log      It printed nothing." in here.watch.why("mute")["lines"]


async def test_without_a_daemon_why_says_that_it_knows_only_what_was_last_seen(street: Open) -> None:
    here = await street()
    await here.bench.define("long", "run_for=forever")
    await here.bench.run_one("long")
    await here.bench.define("late", "run_for=1s")
    await here.put_in(what="capacity", match={"family": ["late"]})
    await here.bench.run("late", **RETRIED)
    await here.pass_time(5)
    offline = Answers.readonly(here.bench.directory / "watch.db")
    told = offline.why("long")
    assert told["title"].endswith("last seen RUNNING")
    assert told["cause"].startswith("No daemon runs; as last seen ")
    assert "the retry waits for `hinoban up`" in offline.why("late")["next"]
    assert "for `hinoban up`" in offline.why("late")["lines"][-1]
    assert "No daemon" not in here.watch.why("long")["cause"]


async def test_a_wrong_call_by_hand_is_a_warning_and_one_of_a_schedule_is_critical(street: Open) -> None:
    here = await street()
    starters: tuple[dict[str, Any], ...] = ({}, {"startedBy": "events-rule/nightly"})
    for starter in starters:
        with pytest.raises(Refused):
            await here.bench.run("nothing-of-that-name", **starter)
    await here.pass_time(2)
    with here.watch.pipeline.transaction() as connection:
        found = queries.incidents_of(connection, None, None, 10)
    told = [webhook_payload(one, "opened")["severity"] for one in found]
    assert sorted(told) == ["critical", "warning"]


async def test_a_good_run_does_not_settle_a_task_that_is_overdue(street: Open) -> None:
    here = await street(WatchConfig(max_runtime=10))
    await here.bench.define("stuck", "run_for=forever")
    await here.bench.run_one("stuck")
    await here.pass_time(15)
    await here.bench.define("stuck", "run_for=1s")
    await here.bench.run_one("stuck")
    await here.pass_time(10)
    assert here.incident()["state"] == "open"


async def test_an_image_that_cannot_be_pulled_is_no_retry_and_says_why(street: Open) -> None:
    here = await street()
    await here.bench.define("web", "start_error='CannotPullContainerError: pull image manifest has been retried 1 time(s): not found'")
    await here.bench.run_one("web", **RETRIED)
    await here.pass_time(600, step=10)
    assert here.incident()["verdict"] == "NOT STARTED"
    assert here.incident()["retryable"] is False
    assert len(here.watch.history({"family": "web"})["tasks"]) == 1


async def test_a_task_out_of_memory_says_what_to_set(street: Open) -> None:
    here = await street()
    await here.bench.define("import", "run_for=3s oom")
    await here.bench.run_one("import")
    await here.pass_time(10)
    assert here.incident()["verdict"] == "OUT OF MEMORY"
    assert "Set memory to" in here.incident()["next"]


async def test_a_task_that_runs_too_long_is_warned_about_and_stopped_by_policy(street: Open) -> None:
    policy = Policy(match={"detail": {"group": ["family:migrate"]}}, max_runtime=8, stop_after=12)
    here = await street(WatchConfig(policies=(policy,)))
    await here.bench.define("migrate", "run_for=forever")
    arn = await here.bench.run_one("migrate")
    await here.pass_time(9)
    assert here.incident()["verdict"] == "OVERDUE"
    assert re.fullmatch(r"Nothing now: Hinoban stops it at \d\d:\d\d:\d\d\.", here.incident()["next"])
    assert "Stop it" not in here.console.getvalue()
    await here.pass_time(10)
    assert (here.incident()["state"], here.incident()["next"]) == ("resolved", "Nothing now.")
    task = (await here.bench.call("DescribeTasks", tasks=[arn]))["tasks"][0]
    assert task["stoppedReason"].startswith("hinoban: over its limit of 8 s")
    assert len(here.said()) == 2


async def test_a_task_without_limits_is_overdue_after_a_day_and_never_stopped(street: Open) -> None:
    here = await street()
    await here.bench.define("forgotten", "run_for=forever")
    await here.bench.run_one("forgotten")
    await here.pass_time(23.9 * 3600, step=3600)
    assert here.watch.incidents()["incidents"] == []
    await here.pass_time(48 * 3600, step=3600)
    assert here.incident()["verdict"] == "OVERDUE"
    assert here.incident()["state"] == "open"
    assert len(here.said()) == 2  # warned, and reminded a day later


async def test_a_users_stop_is_no_failure(street: Open) -> None:
    here = await street()
    await here.bench.define("long", "run_for=forever")
    arn = await here.bench.run_one("long")
    await here.pass_time(2)
    await here.bench.call("StopTask", task=arn, reason="not needed")
    await here.pass_time(60)
    assert here.watch.incidents()["incidents"] == []
    assert re.search(r" by user \w+ \(CloudTrail\)$", here.watch.why("long")["stopped"])
    assert "cloudtrail" not in here.watch.why("long")["next"]


async def test_killed_at_any_moment_the_street_misses_nothing_and_runs_nothing_twice(street: Open) -> None:
    here = await street()
    await here.bench.define("nightly", "run_for=20s exit=4")
    await here.put_in(what="capacity", match={"family": ["nightly"]}, times=1)
    await here.bench.run("nightly", **RETRIED)
    for _ in range(12):
        await here.pass_time(7)
        await here.restart_engine()
    await here.pass_time(30)
    [task] = here.watch.history({"family": "nightly"})["tasks"]
    assert (task["exit_code"], task["version"]) == (4, 5)
    assert here.incident()["verdict"] == "EXIT 4"
    assert sum(here.bench.runs.values()) == 1


async def test_a_failure_in_another_region_is_followed_there(street: Open) -> None:
    here = await street()
    await here.bench.call("CreateCluster", region="eu-west-1", clusterName="default")
    container = {"name": "app", "image": "busybox", "environment": [{"name": "HINOBAN_FAKE", "value": "run_for=1s output=ja"}]}
    await here.bench.call(
        "RegisterTaskDefinition",
        region="eu-west-1",
        family="there",
        cpu="256",
        memory="512",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        containerDefinitions=[container],
    )
    await here.put_in(what="capacity", match={"region": ["eu-west-1"]}, times=1)
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    await here.bench.call(
        "RunTask", region="eu-west-1", taskDefinition="there", launchType="FARGATE", networkConfiguration=network, **RETRIED
    )
    await here.pass_time(120)
    [task] = here.watch.history({"family": "there"})["tasks"]
    assert (task["region"], task["exit_code"]) == ("eu-west-1", 0)
    assert here.incident()["verdict"] == "RECOVERED"


async def test_a_feed_that_was_trimmed_is_made_up_for_by_describing(street: Open) -> None:
    here = await street(feed_keep=60.0)
    await here.bench.define("lost", "run_for=5s exit=2")
    await here.pass_time(1)
    await here.bench.run_one("lost")
    # The watch sleeps while the feed forgets.
    await here.bench.clock.advance(600)
    await here.bench.define("other", "run_for=1s")
    await here.pass_time(5)
    [task] = here.watch.history({"family": "lost"})["tasks"]
    assert task["exit_code"] == 2
    assert here.incident()["verdict"] == "EXIT 2"


async def test_a_lease_that_ecs_keeps_as_a_tag_is_renewed_by_its_owner_and_runs_out_without(street: Open) -> None:
    here = await street(WatchConfig(stop_orphans=True))
    await here.bench.define("job", "run_for=forever")
    arn = await here.bench.run_one("job", tags=[{"key": "hinoban:lease", "value": "60s"}, {"key": "hinoban:owner", "value": "ci/8790"}])
    for _ in range(4):
        await here.pass_time(30, step=5)
        renewed = iso(here.bench.clock.now() + 60)
        await here.bench.call("TagResource", resourceArn=arn, tags=[{"key": "hinoban:lease", "value": renewed}])
    assert here.said() == []
    await here.pass_time(80, step=5)
    task = (await here.bench.call("DescribeTasks", tasks=[arn]))["tasks"][0]
    assert task["stoppedReason"] == f"hinoban: its lease ran out ({here.incident()['id']})"
    assert here.incident()["state"] == "resolved" and "Owner    ci/8790" in here.console.getvalue()

"""An account that nobody watched, read once: what was lost last night, what AWS has forgotten since, and that reading changes nothing."""

import json
import shlex
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hinoban.aws.client import Client
from hinoban.aws.errors import AwsError
from hinoban.aws.iam_needed import READS
from hinoban.base.clock import HOURS, MINUTES
from hinoban.base.errors import HinobanError
from hinoban.daemon.one_off import NotARead
from hinoban.watch.answers_one_off import FORGOTTEN, UNSEEN
from tests.support.night import Night
from tests.support.street import Street


@pytest.fixture
async def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Street]:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    made = await Street(tmp_path).open()
    yield made
    await made.close()


async def test_the_lost_runs_of_the_night_and_how_long_aws_keeps_their_reasons(street: Street) -> None:
    night = Night(street)
    await night.fall()
    one_off = night.one_off()
    answer = await night.ask(one_off, "schedules", since=24 * 3600, next=1)
    lost = {row["name"]: (row["verdict"], row["what"].partition(" · ")[0]) for row in answer["lost"]}
    assert set(lost) == {"report", "closing"}
    assert lost["report"][0] in ("FAILED", "EXIT 3") and lost["report"][1].endswith("; AWS keeps the reason until about 17:02")
    assert lost["closing"][0] == "REFUSED" and lost["closing"][1].endswith("nobody retried")
    assert answer["runs"] == {"exit 0": 1}
    assert (answer["account"], answer["schedules"], answer["due"]) == ("default 123456789012", 3, 3)
    assert answer["problems"] == []
    why = await night.ask(one_off, "why", name="report")
    assert "EXIT 3" in why["title"]
    assert why["next"].startswith("Read its last lines      then: aws ecs run-task ")
    assert [line for line in why["lines"] if line.endswith(why["next"])] and not any("hinoban logs" in line for line in why["lines"])
    refused = await night.ask(one_off, "why", name="closing")
    assert "Capacity is unavailable" in "\n".join(refused["lines"])
    words = shlex.split(refused["next"][refused["next"].index("aws ecs run-task") :])
    asked = json.loads(words[words.index("--cli-input-json") + 1])
    assert (asked["taskDefinition"].rpartition("/")[2], asked["count"], "clientToken" in asked) == ("closing:1", 1, False)
    with pytest.raises(HinobanError) as unknown:
        await night.ask(one_off, "why", name="nobody")
    assert unknown.value.todo.startswith("See what was read: hinoban schedules --one-off --endpoint-url http://127.0.0.1:4566 --region ")
    await one_off.close()


async def test_the_next_step_names_where_a_failed_task_wrote_to(street: Street) -> None:
    night = Night(street)
    options = {"awslogs-group": "/jobs", "awslogs-stream-prefix": "run", "awslogs-region": "ap-northeast-1", "awslogs-create-group": "true"}
    container = {"name": "app", "image": "busybox", "environment": [{"name": "HINOBAN_FAKE", "value": "run_for=120s exit=3"}]}
    logged = [{**container, "logConfiguration": {"logDriver": "awslogs", "options": options}}]
    await night.schedule("report", "", containerDefinitions=logged, executionRoleArn="arn:aws:iam::123456789012:role/execution")
    await street.bench.clock.advance(1 * HOURS + 20 * MINUTES)
    why = await night.ask(night.one_off(), "why", name="report")
    stream = f"run/app/{why['task'].rpartition('/')[2]}"
    wrote = f"aws logs get-log-events --region ap-northeast-1 --log-group-name /jobs --log-stream-name {stream}"
    assert why["next"].startswith(f"Read its last lines: {wrote}"), why["next"]


async def test_what_ended_over_an_hour_ago_is_unknown_and_what_was_refused_is_still_told(street: Street) -> None:
    night = Night(street)
    await night.fall()
    await street.bench.clock.advance(2 * HOURS)
    answer = await night.ask(night.one_off(), "schedules", since=24 * 3600)
    assert [row["name"] for row in answer["lost"]] == ["closing"]
    assert answer["runs"] == {FORGOTTEN: 2}
    assert {one["last"]["outcome"] for one in answer["list"]} == {FORGOTTEN, "REFUSED"}


async def test_a_run_that_never_began_is_lost_once_cloudtrail_must_have_told_and_not_before(street: Street) -> None:
    night = Night(street)
    await night.schedule("billing", "run_for=1s")
    # Nobody fires it: the whole engine sleeps over its slot.
    await street.bench.kill()
    street.bench.clock._now += 1 * HOURS + 6 * MINUTES
    await street.bench.open()
    street._connect()
    early = await night.ask(night.one_off(), "schedules", since=24 * 3600)
    assert (early["lost"], early["runs"]) == ([], {"waiting": 1})
    await street.bench.clock.advance(20 * MINUTES)
    later = await night.ask(night.one_off(), "schedules", since=24 * 3600)
    assert [row["name"] for row in later["lost"]] == ["billing"]


async def test_only_reads_are_made_and_the_account_is_as_it_was(street: Street) -> None:
    night = Night(street)
    await night.fall()
    before = await every_fact(street.client)
    one_off = night.one_off()
    await night.ask(one_off, "schedules", since=24 * 3600)
    await night.ask(one_off, "why", name="closing")
    await street.bench.clock.advance(10 * MINUTES)
    assert await every_fact(street.client) == before, "no retry, no stop"
    assert set(night.calls) <= READS
    assert one_off.reads == len(night.calls)
    with pytest.raises(NotARead, match="ecs:RunTask"):
        await one_off.call("ecs", "RunTask", {"taskDefinition": "billing"})


async def every_fact(client: Client) -> list[Any]:
    found = [sorted([arn async for arn in client.paginate("ecs", "ListTasks", {"desiredStatus": status}, "taskArns")])
             for status in ("RUNNING", "STOPPED")]  # fmt: skip
    return [*found, (await client.call("scheduler", "ListSchedules", {}))["Schedules"]]


@pytest.mark.parametrize("right", sorted(READS - {"events:DescribeRule"}))
async def test_a_missing_right_is_a_line_and_never_a_crash(street: Street, right: str) -> None:
    night = Night(street)
    await night.fall()
    night.denied = {right}
    one_off = night.one_off()
    answer = await night.ask(one_off, "schedules", since=24 * 3600)
    asked = right in night.calls
    lines = one_off.problem_lines()
    assert bool(lines) is asked, (right, lines)
    if asked:
        assert any(line.startswith(right) and line.endswith("hinoban aws policy --observe") for line in lines), lines
    needed = right.partition(":")[0] in ("events", "scheduler", "cloudtrail") or right in (
        "ecs:ListClusters",
        "ecs:ListTasks",
        "ecs:DescribeTasks",
    )
    assert answer["unread"] == ([right] if asked and needed else [])
    if right == "cloudtrail:LookupEvents":
        assert answer["runs"][UNSEEN] == 1, "the refused one left no other trace"
        assert "UNKNOWN" not in [row["verdict"] for row in answer["lost"]], "nothing is called lost that could not be seen"


async def test_keys_that_aws_does_not_take_are_an_error_in_its_own_words(street: Street) -> None:
    night = Night(street)
    await night.fall()
    night.untaken = AwsError("SignatureDoesNotMatch", "The request signature we calculated does not match.")
    one_off = night.one_off()
    for path, query in (("schedules", {"since": 24 * 3600}), ("why", {"name": "closing"})):
        with pytest.raises(HinobanError) as caught:
            await night.ask(one_off, path, **query)
        assert caught.value.what == "AWS does not take the credentials of profile default"
        assert caught.value.why == "SignatureDoesNotMatch: The request signature we calculated does not match."
        assert caught.value.exit_code == 1
    assert one_off.problem_lines() == []


async def test_keys_that_expire_in_between_are_no_missing_right(street: Street) -> None:
    night = Night(street)
    await night.fall()
    one_off = night.one_off()
    night.untaken, night.taken = (
        AwsError("ExpiredTokenException", "The security token included in the request is expired"),
        {"events:ListRules"},
    )
    answer = await night.ask(one_off, "schedules", since=24 * 3600)
    assert "scheduler:ListSchedules" in answer["unread"] and "events:ListRules" not in answer["unread"]
    refused = "refused (ExpiredTokenException: The security token included in the request is expired) in ap-northeast-1"
    assert f"scheduler:ListSchedules {refused} → aws sts get-caller-identity" in one_off.problem_lines()
    assert not any("policy" in line for line in one_off.problem_lines())


async def test_no_run_is_owed_from_before_its_rule_was_made_or_enabled(street: Street) -> None:
    night = Night(street)
    await night.rule("always", "cron(10 15 * * ? *)")
    await street.client.call("events", "DisableRule", {"Name": "always"})
    await street.bench.clock.advance(30 * MINUTES)
    await street.client.call("events", "EnableRule", {"Name": "always"})
    await night.rule("new", "cron(10 15 * * ? *)")
    await street.bench.clock.advance(20 * MINUTES)
    one_off = night.one_off()
    answer = await night.ask(one_off, "schedules", since=24 * 3600)
    assert (answer["schedules"], answer["lost"], answer["runs"]) == (2, [], {})
    with pytest.raises(HinobanError, match="Nothing is known of 'new'"):
        await night.ask(one_off, "why", name="new")


async def test_without_what_was_done_to_the_rules_nothing_is_called_lost(street: Street) -> None:
    night = Night(street)
    await street.bench.clock.advance(30 * MINUTES)
    await night.rule("new", "cron(10 15 * * ? *)")
    await street.bench.clock.advance(20 * MINUTES)
    night.fails = ("cloudtrail:LookupEvents", "PutRule")
    answer = await night.ask(night.one_off(), "schedules", since=24 * 3600)
    assert (answer["lost"], answer["unread"]) == ([], ["cloudtrail:LookupEvents"])

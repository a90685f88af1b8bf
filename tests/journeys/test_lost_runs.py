"""A run that was due at 00:00 and did not happen: each story ends in one incident that tells which hop lost it, as transcripts say it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hinoban.base.clock import FakeClock
from hinoban.watch.config import Policy, WatchConfig
from tests.support.engine import ACCOUNT, NETWORK, REGION
from tests.support.street import Street

Open = Callable[..., Awaitable[Street]]
MIDNIGHT = datetime.fromisoformat("2026-11-27T00:00+09:00").timestamp()
DAILY = "cron(0 15 * * ? *)"


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Open]:
    opened: list[Street] = []

    async def make(*policies: Policy) -> Street:
        here = Street(tmp_path, WatchConfig(tz="Asia/Tokyo", policies=policies))
        here.bench.clock = FakeClock(MIDNIGHT - 90)
        opened.append(await here.open())
        return here

    yield make
    for each in opened:
        await each.close()


async def nightly(here: Street, definition: str = "daily-close", **members: Any) -> None:
    """A rule daily-close at 00:00 JST, as people make them."""
    await here.bench.define("daily-close", "run_for=5s")
    await here.bench.call("PutRule", service="events", Name="daily-close", ScheduleExpression=DAILY, **members)
    parameters = {
        "TaskDefinitionArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:task-definition/{definition}",
        "LaunchType": "FARGATE",
        "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": NETWORK["awsvpcConfiguration"]["subnets"]}},
    }
    target = {
        "Id": "job",
        "Arn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/default",
        "RoleArn": f"arn:aws:iam::{ACCOUNT}:role/ecsEventsRole",
        "EcsParameters": parameters,
    }
    await here.bench.call("PutTargets", service="events", Rule="daily-close", Targets=[target])
    await here.pass_time(20, step=5)


async def wake_again(here: Street, wakes_at: float) -> None:
    """The daemon is killed now, and started again later."""
    await here.bench.kill()
    await here.bench.clock.advance(wakes_at - here.bench.clock.now())
    await here.bench.open()
    here._connect()
    here._watch()


def told(here: Street, asked: str = "daily-close@00:00") -> dict[str, str]:
    """The labels of `hinoban why`; its first line is `title`."""
    lines: list[str] = here.watch.why(asked)["lines"]
    labels = {line[:9].strip(): line[9:] for line in lines[1:] if line[0].isalpha()}
    return {"title": lines[0], **labels}


def lost(here: Street) -> list[tuple[str, str, str]]:
    """The lost runs of `hinoban schedules`: name, verdict, why."""
    found = here.watch.answers.schedules(here.bench.clock.now(), 86400, 2)["lost"]
    return [(one["name"], one["verdict"], one["what"]) for one in found]


RUN_IT = "hinoban schedules run daily-close --slot 2026-11-27T00:00+09:00"
DUE = "due Fri 27 Nov 00:00 JST (rule, cron(0 15 * * ? *) UTC)"
NO_ROOM = "Capacity is unavailable at this time. Please try again later or in a different availability zone"


async def test_no_capacity_at_midnight_is_retried_and_shows_as_recovered(street: Open) -> None:
    here = await street()
    await nightly(here)
    await here.put_in(what="capacity", match={"family": ["daily-close"]}, times=2)
    await here.pass_time(500, step=2)
    incident = here.incident()
    why = told(here)
    assert why["title"] == f"daily-close:1 · {DUE} · RECOVERED at attempt 3 · {incident['id']}"
    assert why["Said"] == f"RunTask failures[0]: {NO_ROOM}"
    [run] = here.watch.history({"family": "daily-close"})["tasks"]
    assert why["Hops"] == f"enabled ok · fired ok · RunTask REFUSED · task {run['id'][:8]} · exit 0"
    assert (why["Done"], why["Next"]) == ("Retried twice, ran once, exit 0.", "Nothing now.")
    assert sum(here.bench.runs.values()) == 1
    assert len(here.said()) == 1 and "RECOVERED at attempt 3" in here.said()[0]
    assert lost(here) == []


async def test_no_capacity_for_good_says_that_ecs_refused_and_how_to_make_up_for_it(street: Open) -> None:
    here = await street()
    await nightly(here)
    await here.put_in(what="capacity", match={"family": ["daily-close"]}, times=1000)
    await here.pass_time(1800, step=5)
    incident = here.incident()
    assert incident["state"] == "open"
    why = told(here)
    assert why["title"] == f"daily-close · {DUE} · DID NOT RUN · {incident['id']}"
    assert why["Hops"] == "enabled ok · fired ok · RunTask REFUSED · task – · exit –"
    assert why["Done"].startswith("Gave up: 6 attempts")
    assert why["Next"].endswith(RUN_IT)
    assert len(here.said()) == 2  # opened, given up
    assert lost(here) == [("daily-close", "REFUSED", "no Fargate capacity; 5 retries, none ran")]
    assert sum(here.bench.runs.values()) == 0


async def test_an_inactive_revision_is_told_before_midnight_and_the_lost_run_joins_its_incident(street: Open) -> None:
    here = await street()
    await nightly(here, "daily-close:1")
    await here.bench.define("daily-close", "run_for=5s")
    await here.bench.call("DeregisterTaskDefinition", taskDefinition="daily-close:1")
    await here.pass_time(20, step=2)
    before = here.incident()
    assert (before["detector"], before["verdict"]) == ("dead_schedule", "CANNOT RUN")
    assert "The run due Fri 27 Nov 00:00 JST will be lost." in before["cause"]
    await here.pass_time(600, step=5)
    assert here.incident()["id"] == before["id"]
    why = told(here)
    assert why["title"] == f"daily-close:1 · {DUE} · DID NOT RUN · {before['id']}"
    assert why["Cause"].startswith("The rule fired; ECS refused. Its target is pinned to daily-close:1")
    assert "deregistered Thu 26 Nov 23:58 JST by hinoban" in why["Cause"]
    assert why["Said"] == "RunTask InvalidParameterException: TaskDefinition is inactive"
    assert why["Hops"] == "enabled ok · fired ok · RunTask REFUSED · task – · exit –"
    assert why["Next"].startswith("1. ") and f"   2. {RUN_IT}" in why["Next"]
    assert "Next slot Sat 28 Nov 00:00 JST is lost too." in why["Next"]
    assert len(here.said()) == 2
    assert lost(here) == [("daily-close", "REFUSED", "TaskDefinition is inactive; nobody retried")]


async def test_a_disabled_rule_says_who_disabled_it_and_that_nothing_is_due(street: Open) -> None:
    here = await street()
    await nightly(here)
    await here.bench.call("DisableRule", service="events", Name="daily-close")
    await here.pass_time(600, step=5)
    incident = here.incident()
    why = told(here)
    assert why["title"] == f"daily-close · rule daily-close, cron(0 15 * * ? *) UTC · DISABLED · {incident['id']}"
    assert "by hinoban" in why["Cause"] and "The run due Fri 27 Nov 00:00 JST will not happen." in why["Cause"]
    assert why["Hops"] == "enabled NO · fired – · RunTask – · task – · exit –"
    assert "aws events enable-rule --name daily-close" in why["Next"]
    assert len(here.said()) == 1
    assert told(here, "daily-close@2026-11-27T00:00+09:00") == why


async def test_a_rule_that_ran_last_night_and_was_disabled_since_shows_why_it_does_not_tonight(street: Open) -> None:
    here = await street()
    await nightly(here)
    await here.pass_time(120, step=5)
    assert "EXIT 0" in told(here)["title"]
    await here.bench.call("DisableRule", service="events", Name="daily-close")
    await here.pass_time(60, step=5)
    assert "DISABLED" in told(here)["title"]
    assert "EXIT 0" in told(here, "daily-close@2026-11-27T00:00")["title"]


async def test_a_daemon_that_slept_through_midnight_says_so(street: Open) -> None:
    here = await street()
    await nightly(here)
    await here.pass_time(MIDNIGHT - 30 - here.bench.clock.now(), step=5)
    await wake_again(here, MIDNIGHT + 400)
    await here.pass_time(600, step=5)
    incident = here.incident()
    why = told(here)
    assert why["title"] == f"daily-close · {DUE} · DID NOT RUN · {incident['id']}"
    assert why["Cause"].startswith("It did not fire: hinoban was not running from ")
    assert why["Hops"] == "enabled ok · fired NO · RunTask – · task – · exit –"
    assert RUN_IT in why["Next"]
    assert here.watch.why("daily-close@00:00")["lines"][-1] == "00:00:00  1  –  missed"
    assert len(here.said()) == 1
    assert [(name, verdict) for name, verdict, _ in lost(here)] == [("daily-close", "DID NOT RUN")]
    assert sum(here.bench.runs.values()) == 0


async def test_a_daemon_that_died_between_the_decision_and_run_task_does_not_start_it_at_nine(street: Open) -> None:
    here = await street()
    await nightly(here)
    await here.pass_time(MIDNIGHT - 1 - here.bench.clock.now(), step=5)
    here.bench.clock._now = MIDNIGHT
    here.bench.engine.events._slots.loop.wake()
    await until_decided(here)
    await wake_again(here, MIDNIGHT + 9 * 3600)
    await here.pass_time(600, step=5)
    assert sum(here.bench.runs.values()) == 0
    incident = here.incident()
    why = told(here)
    assert why["title"] == f"daily-close · {DUE} · DID NOT RUN · {incident['id']}"
    assert "hinoban was not running from Fri 27 Nov 00:00 JST to Fri 27 Nov 09:00 JST" in why["Cause"]
    assert why["Hops"] == "enabled ok · fired NO · RunTask – · task – · exit –"
    assert RUN_IT in why["Next"]


@pytest.mark.parametrize("decided", [False, True])
async def test_a_policy_that_catches_up_runs_the_last_missed_run_once(street: Open, decided: bool) -> None:
    here = await street(Policy(match={"detail": {"group": ["family:daily-close"]}}, catch_up="last"))
    await nightly(here)
    await here.pass_time(MIDNIGHT - 1 - here.bench.clock.now(), step=5)
    if decided:
        here.bench.clock._now = MIDNIGHT
        here.bench.engine.events._slots.loop.wake()
        await until_decided(here)
    await wake_again(here, MIDNIGHT + 400)
    await here.pass_time(600, step=5)
    assert sum(here.bench.runs.values()) == 1
    incident = here.incident()
    assert (incident["state"], incident["verdict"]) == ("resolved", "RECOVERED")
    assert told(here)["Hops"].startswith("enabled ok · fired NO · RunTask ok · task ")
    assert lost(here) == []


@pytest.mark.parametrize(("policy", "stopped"), [("stop_newer", 1), ("stop_older", 0)])
async def test_of_two_runs_at_once_a_policy_stops_one(street: Open, policy: Any, stopped: int) -> None:
    here = await street(Policy(match={"detail": {"group": ["family:daily-close"]}}, overlap=policy))
    await here.bench.define("daily-close", "run_for=600s")
    arns = []
    for starter in ("first", "second"):
        arns.append(await here.bench.run_one("daily-close", startedBy=starter))
        await here.pass_time(20, step=2)
    await here.pass_time(60, step=2)
    states = [(await here.bench.task(arn))["lastStatus"] for arn in arns]
    assert states[stopped] == "STOPPED" and states[1 - stopped] == "RUNNING"
    assert (await here.bench.task(arns[stopped]))["stoppedReason"].startswith("hinoban: overlap (inc-")
    incident = here.incident()
    assert (incident["verdict"], incident["state"]) == ("OVERLAP", "resolved")


async def until_decided(here: Street) -> None:
    """Return right after the commit of the slot's decision, before anything is delivered."""
    engine = here.bench.engine
    for _ in range(100):
        if len(engine.events._queue):
            await engine.database.committed()
            return
        await asyncio.sleep(0)
    raise AssertionError("the slot was not decided")

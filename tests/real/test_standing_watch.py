"""`hinoban watch` on an engine of another process, which it knows by endpoint, credentials, and a queue or nothing: what failed is told once,
what was refused is launched once, whatever dies in between."""

import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.real.daemon_support import NETWORK, Make, RealDaemon, until
from tests.real.daemon_support import daemons as daemons
from tests.real.standing_support import QUIET, StandingWatch, caught_up, free_port, logged, queue_of

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
RETRY = '[[policy]]\nallow = ["run_task"]\nretry = { attempts = 4, base = "1s", cap = "2s" }\n'
KEY = "0123456789abcdef0123"


async def engine(make: Make, tmp_path: Path) -> RealDaemon:
    (tmp_path / "engine.toml").write_text(QUIET)
    daemon = make("--runtime", "fake", "--config", str(tmp_path / "engine.toml"))
    await daemon.start()
    await logged(daemon)
    return daemon


async def posts_to(daemon: RealDaemon, url: str) -> None:
    """An API destination that posts the same events to us."""
    auth = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Api-Key", "ApiKeyValue": KEY}}
    made = await daemon.call("events", "CreateConnection", {"Name": "hinoban", "AuthorizationType": "API_KEY", "AuthParameters": auth})
    asked = {"Name": "hinoban", "ConnectionArn": made["ConnectionArn"], "InvocationEndpoint": url, "HttpMethod": "POST"}
    arn = (await daemon.call("events", "CreateApiDestination", asked))["ApiDestinationArn"]
    await daemon.call("events", "PutRule", {"Name": "hinoban", "EventPattern": json.dumps({"source": ["aws.ecs"]})})
    role = "arn:aws:iam::123456789012:role/events"
    await daemon.call("events", "PutTargets", {"Rule": "hinoban", "Targets": [{"Id": "post", "Arn": arn, "RoleArn": role}]})


@asynccontextmanager
async def standing(daemon: RealDaemon, tmp_path: Path, source: str) -> AsyncIterator[StandingWatch]:
    aws = ""
    if source == "queue":
        aws = f'[aws]\npoll = false\n[[aws.queue]]\nurl = "{await queue_of(daemon)}"\n'
    if source == "http":
        port = free_port()
        await posts_to(daemon, f"http://127.0.0.1:{port}/events")
        aws = f'[aws]\npoll = false\n[aws.http]\nlisten = "127.0.0.1:{port}"\nkey = "{KEY}"\n'
    watch = StandingWatch(daemon, tmp_path / "watch", RETRY + aws)
    await watch.start()
    try:
        yield watch
    finally:
        await watch.end()


async def define(daemon: RealDaemon, family: str, script: str) -> None:
    container = {"name": "app", "image": "busybox", "environment": [{"name": "HINOBAN_FAKE", "value": script}]}
    shape = {"cpu": "256", "memory": "512", "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}
    await daemon.call("ecs", "RegisterTaskDefinition", {"family": family, "containerDefinitions": [container], **shape})


async def launch(daemon: RealDaemon, family: str, **more: Any) -> list[str]:
    asked = {"taskDefinition": family, "launchType": "FARGATE", "networkConfiguration": NETWORK, **more}
    return [task["taskArn"] for task in (await daemon.call("ecs", "RunTask", asked))["tasks"]]


@pytest.mark.parametrize("source", ["queue", "http", "poll"])
async def test_failures_are_told_once_and_refused_runs_launched_once_through_kills(daemons: Make, tmp_path: Path, source: str) -> None:
    daemon = await engine(daemons, tmp_path)
    await define(daemon, "export", "run_for=0.1s exit=3")
    await define(daemon, "nightly", "run_for=0.1s")
    async with standing(daemon, tmp_path, source) as watch:
        await until(lambda: caught_up(watch), "the watch is up to date", within=120)
        failed = [arn for _ in range(5) for arn in await launch(daemon, "export")]
        await watch.kill()
        failed += [arn for _ in range(5) for arn in await launch(daemon, "export")]
        fault = {"what": "capacity", "match": {"family": ["nightly"]}, "times": 3}
        await daemon.put_in(fault)
        for number in range(3):
            assert await launch(daemon, "nightly", startedBy=f"events-rule/nightly-{number}", group="family:nightly") == []
        await watch.start()

        async def all_told() -> bool:
            found = (await watch.get("incidents", {"limit": 1000}))["incidents"]
            told = Counter(one["task"] for one in found if one["family"] == "export")
            healed = [one for one in found if one["family"] == "nightly" and one["verdict"] == "RECOVERED"]
            return told == Counter(failed) and bool(healed)

        await until(all_told, "every failure is an incident", within=180)
        await watch.kill()
        await watch.start()
        await until(lambda: quiet(watch), "nothing is left to do", within=120)
        found = (await watch.get("incidents", {"limit": 1000}))["incidents"]
        assert Counter(one["task"] for one in found if one["family"] == "export") == Counter(failed)
        _, envelopes = await daemon.feed()
        starters = Counter(
            event["detail"]["startedBy"]
            for event in envelopes
            if event["detail-type"] == "ECS Task State Change"
            and event["detail"]["lastStatus"] == "PROVISIONING"
            and event["detail"]["group"] == "family:nightly"
        )
        assert starters and set(starters.values()) == {1}
        assert all(one.startswith("hinoban/") for one in starters)
        assert await watch.stop() == 0
        assert not (watch.state / "daemon.json").exists()


async def quiet(watch: StandingWatch) -> bool:
    status = await watch.get("status")
    return await caught_up(watch) and status["tasks_open"] == 0 and not status["outbox"].get("queued")


async def test_without_a_policy_it_observes_and_says_what_it_would_have_done(daemons: Make, tmp_path: Path) -> None:
    daemon = await engine(daemons, tmp_path)
    await define(daemon, "nightly", "run_for=0.1s")
    watch = StandingWatch(daemon, tmp_path / "watch", '[[policy]]\nretry = { attempts = 2, base = "1s" }\n')
    await watch.start()
    try:
        assert "OBSERVE ONLY: never launches, never stops" in watch.output
        await until(lambda: caught_up(watch), "the watch is up to date", within=120)
        fault = {"what": "capacity", "match": {"family": ["nightly"]}, "times": 1}
        await daemon.put_in(fault)
        assert await launch(daemon, "nightly", startedBy="events-rule/nightly", group="family:nightly") == []

        async def told() -> str | None:
            found = (await watch.get("incidents"))["incidents"]
            return " ".join(found[0]["done"]) if found and found[0]["done"] else None

        done = await until(told, "it is told", within=180)
        assert "Would have launched it again (attempt 2): observes only, allow lacks run_task. By hand: aws ecs run-task" in done
        _, envelopes = await daemon.feed()
        assert not any(event["detail-type"] == "ECS Task State Change" for event in envelopes)
    finally:
        await watch.end()


async def test_an_account_that_cannot_be_read_is_blind_and_the_others_are_watched(daemons: Make, tmp_path: Path) -> None:
    daemon = await engine(daemons, tmp_path)
    await define(daemon, "export", "run_for=0.1s exit=3")
    role = "arn:aws:iam::210987654321:role/hinoban"
    other = f'[[aws.account]]\nid = "210987654321"\nrole_arn = "{role}"\nregions = ["us-east-1"]\n'
    watch = StandingWatch(daemon, tmp_path / "watch", other)
    await watch.start()
    try:
        # The engine knows no keys but its own: those that its STS hands out for the role are refused.
        async def home_is_up_to_date() -> bool:
            found = {one["account"]: one["behind"] for one in (await watch.get("status"))["sources"]}
            return found["123456789012"] is None and found["210987654321"] is not None

        await until(home_is_up_to_date, "the one is read and the other is not", within=120)
        failed = await launch(daemon, "export")

        async def both() -> bool:
            found = (await watch.get("incidents"))["incidents"]
            blind = {one["account"] for one in found if one["detector"] == "blind"}
            return blind == {"210987654321"} and [one["task"] for one in found if one["family"] == "export"] == failed

        await until(both, "one account's failure is told, and the other's blindness", within=240)
    finally:
        await watch.end()

"""An account that nobody watches, read once through its endpoint and a profile file: an engine in another process stands in for AWS."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.daemon_support import Make, RealDaemon
from tests.real.daemon_support import daemons as daemons
from tests.real.test_sqs_source import client_of, run_a_task

pytestmark = pytest.mark.timeout(240)


class Laptop:
    """Somebody's machine: a profile, no daemon and no state."""

    def __init__(self, daemon: RealDaemon, folder: Path) -> None:
        facts = json.loads((daemon.state / "daemon.json").read_bytes())
        keys = json.loads((daemon.state / "credentials.json").read_bytes())
        self.url = facts["url"]
        credentials = folder / "credentials"
        credentials.write_text(
            f"[prd-ro]\naws_access_key_id = {keys['access_key_id']}\naws_secret_access_key = {keys['secret_access_key']}\n"
            "[wrong]\naws_access_key_id = AKIAWRONG\naws_secret_access_key = wrong\n"
        )
        config = folder / "config"
        config.write_text(f"[profile prd-ro]\nregion = {facts['region']}\n[profile wrong]\nregion = {facts['region']}\n")
        self.home = folder / "home"
        self.home.mkdir()
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "HINOBAN_", "XDG_"))} | {
            "HOME": str(self.home),
            "AWS_SHARED_CREDENTIALS_FILE": str(credentials),
            "AWS_CONFIG_FILE": str(config),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    async def hinoban(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from hinoban.cli.main import main; main()", *words]
        run = subprocess.run
        return await asyncio.to_thread(run, command, env=self.environ, capture_output=True, text=True, timeout=100, cwd=self.home)


async def test_schedules_and_why_of_a_profile_without_daemon_or_state(daemons: Make, tmp_path: Path) -> None:
    daemon = daemons("--runtime", "process")
    await daemon.start()
    client = client_of(daemon)
    arn = await run_a_task(client, "exit 3")
    target = {
        "Arn": arn.replace(":task/", ":cluster/").rpartition("/")[0],
        "RoleArn": "arn:aws:iam::123456789012:role/events",
        "EcsParameters": {
            "TaskDefinitionArn": arn.partition(":task/")[0] + ":task-definition/job",
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"]}},
        },
    }
    flexible = {"FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
    await client.call("scheduler", "CreateSchedule", {"Name": "nightly", "ScheduleExpression": "cron(0 15 * * ? *)", **flexible})
    await client.call("events", "PutRule", {"Name": "report", "ScheduleExpression": "cron(0 0 * * ? *)"})
    await client.call("events", "PutTargets", {"Rule": "report", "Targets": [{"Id": "1", "Arn": "arn:aws:lambda:us-east-1:1:function:f"}]})

    async def stopped() -> bool:
        asked = {"cluster": target["Arn"], "tasks": [arn]}
        return bool((await client.call("ecs", "DescribeTasks", asked))["tasks"][0]["lastStatus"] == "STOPPED")

    async with asyncio.timeout(60):
        while not await stopped():
            await asyncio.sleep(0.2)
    calls = len((await client.call("ecs", "ListTaskDefinitions", {}))["taskDefinitionArns"])
    laptop = Laptop(daemon, tmp_path)
    there = ("--profile", "prd-ro", "--endpoint-url", laptop.url)

    done = await laptop.hinoban("schedules", "--since", "24h", "--next", "1", *there)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("prd-ro 123456789012 · "), done.stdout
    assert " · 1 schedule, " in done.stdout and "Not watched: 1 (Lambda 1)" in done.stdout
    assert "nightly" in done.stdout
    assert "nothing written." in done.stderr

    for name in (arn, "job", arn.rpartition("/")[2][:8]):
        why = await laptop.hinoban("why", name, *there)
        assert why.returncode == 0, why.stderr
        assert "EXIT 3" in why.stdout and "Cause" in why.stdout, why.stdout
    told = json.loads((await laptop.hinoban("schedules", "-o", "json", *there)).stdout)
    assert told["account"] == "prd-ro 123456789012" and told["not_watched"] == {"Lambda": 1}

    # The daemon's own keys in the environment, and --one-off beside it.
    laptop.environ |= {"AWS_ENDPOINT_URL": laptop.url, "AWS_PROFILE": "prd-ro"}
    assert "prd-ro" in (await laptop.hinoban("schedules", "--one-off")).stdout
    assert [path.name for path in laptop.home.iterdir()] == [], "no state was made"
    assert len((await client.call("ecs", "ListTaskDefinitions", {}))["taskDefinitionArns"]) == calls
    await client.close()


async def test_a_profile_that_cannot_be_used_is_told_in_words(daemons: Make, tmp_path: Path) -> None:
    daemon = daemons("--runtime", "process")
    await daemon.start()
    laptop = Laptop(daemon, tmp_path)
    none = await laptop.hinoban("schedules", "--profile", "nobody")
    assert none.returncode != 0 and "Profile nobody cannot be used" in none.stderr and "Traceback" not in none.stderr
    nowhere = await laptop.hinoban("schedules", "--profile", "prd-ro", "--region", "moon-1")
    assert nowhere.returncode != 0 and "AWS has no region 'moon-1'" in nowhere.stderr and "Traceback" not in nowhere.stderr
    wrong = await laptop.hinoban("schedules", "--profile", "wrong", "--endpoint-url", laptop.url)
    assert wrong.returncode == 1 and wrong.stdout == "" and "Traceback" not in wrong.stderr
    assert "AWS does not take the credentials of profile wrong" in wrong.stderr and "hinoban aws policy" not in wrong.stderr, wrong.stderr
    gone = await laptop.hinoban("why", "job", "--profile", "prd-ro", "--endpoint-url", "http://127.0.0.1:9")
    assert gone.returncode != 0 and "no answer from http://127.0.0.1:9" in gone.stderr and "Traceback" not in gone.stderr

"""The watch through SQS: an engine in another process, its rule, its queue, and nothing else between the two."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from hinoban.aws.client import Client
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import SystemClock
from hinoban.base.ids import SystemIds
from hinoban.watch import detect
from hinoban.watch.config import WatchConfig
from hinoban.watch.history.aside import AsideBook
from hinoban.watch.history.database import open_file
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.sources.sqs import Sqs
from tests.real.daemon_support import Make, RealDaemon
from tests.real.daemon_support import daemons as daemons

pytestmark = pytest.mark.timeout(240)
PATTERN = json.dumps({"source": ["aws.ecs"]})


def client_of(daemon: RealDaemon) -> Client:
    facts = json.loads((daemon.state / "daemon.json").read_bytes())
    keys = json.loads((daemon.state / "credentials.json").read_bytes())
    credentials = Credentials(keys["access_key_id"], keys["secret_access_key"])
    return Client(facts["url"], credentials, facts["region"], clock=SystemClock())


async def queue_of_events(client: Client) -> str:
    """What docs/on-aws.md tells people to set up."""
    url: str = (await client.call("sqs", "CreateQueue", {"QueueName": "hinoban-events"}))["QueueUrl"]
    asked = {"QueueUrl": url, "AttributeNames": ["QueueArn"]}
    arn = (await client.call("sqs", "GetQueueAttributes", asked))["Attributes"]["QueueArn"]
    rule = (await client.call("events", "PutRule", {"Name": "hinoban", "EventPattern": PATTERN}))["RuleArn"]
    allowed = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": rule}},
            }
        ],
    }
    await client.call("sqs", "SetQueueAttributes", {"QueueUrl": url, "Attributes": {"Policy": json.dumps(allowed)}})
    await client.call("events", "PutTargets", {"Rule": "hinoban", "Targets": [{"Id": "queue", "Arn": arn}]})
    return url


async def run_a_task(client: Client, script: str) -> str:
    container = {"name": "app", "image": "busybox", "command": ["sh", "-c", script]}
    definition: dict[str, Any] = {"family": "job", "containerDefinitions": [container], "cpu": "256", "memory": "512"}
    definition |= {"networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"]}
    await client.call("ecs", "RegisterTaskDefinition", definition)
    network = {"awsvpcConfiguration": {"subnets": ["subnet-1"]}}
    asked = {"taskDefinition": "job", "launchType": "FARGATE", "networkConfiguration": network}
    answer = await client.call("ecs", "RunTask", asked)
    arn: str = answer["tasks"][0]["taskArn"]
    return arn


async def test_a_failing_task_becomes_an_incident_through_the_queue_and_the_queue_is_empty_then(daemons: Make, tmp_path: Path) -> None:
    daemon = daemons("--runtime", "process")
    await daemon.start()
    client = client_of(daemon)
    url = await queue_of_events(client)
    clock = SystemClock()
    engine = open_file(tmp_path / "other.db")
    book = AsideBook(engine)
    pipeline = Pipeline(engine, WatchConfig(), detectors=detect, channels=(), ids=SystemIds())
    await client.call("sqs", "SendMessage", {"QueueUrl": url, "MessageBody": "poison"})
    arn = await run_a_task(client, "exit 3")

    async def watch(source: Sqs, *, commit: bool) -> None:
        """Until the incident is there and the poison is set aside; without `commit` each batch is given up as by a crash."""
        while True:
            with engine.connect() as connection:
                cursor = pipeline.ledger.cursor(connection, source.name)
            batch = await source.poll(cursor)
            if not commit:
                return
            pipeline.take(source.name, batch, clock.now())
            await source.committed()
            with engine.connect() as connection:
                found = list(pipeline.ledger.open_incidents(connection).values())
            if found and book.listed():
                assert [one.finding.task_arn for one in found] == [arn]
                assert found[0].verdict == "EXIT 3"
                return

    def source() -> Sqs:
        return Sqs(client, clock, url, aside=book, wait=2.0, visibility=2.0)

    async with asyncio.timeout(120):
        await watch(source(), commit=False)
        await watch(source(), commit=True)
    assert [one.body for one in book.listed()] == ["poison"]
    asked = {"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]}
    async with asyncio.timeout(60):
        # What the life that crashed had received becomes visible again, and is remembered a second time, harmlessly.
        last = source()
        while True:
            pipeline.take(last.name, await last.poll(None), clock.now())
            await last.committed()
            counts = (await client.call("sqs", "GetQueueAttributes", asked))["Attributes"]
            if set(counts.values()) == {"0"}:
                break
    with engine.connect() as connection:
        assert len(pipeline.ledger.open_incidents(connection)) == 1
    await client.close()

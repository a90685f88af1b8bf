"""Topics of the neighbours' real process: who subscribes hears each message once, also over a new life of the process."""

import json
from pathlib import Path
from typing import Any

import pytest

from hinoban.aws.errors import AwsError
from hinoban.base.clock import SystemClock
from hinoban.engine.neighbours import log
from hinoban.engine.neighbours.ask import Ask
from hinoban.engine.neighbours.process import Neighbours
from hinoban.engine.neighbours.wire import Mail
from hinoban.store.database import Database
from tests.real.daemon_support import until
from tests.real.seed_support import Receiver
from tests.real.seed_support import receiver as receiver

ACCOUNT = "123456789012"
REGION = "ap-northeast-1"

pytestmark = pytest.mark.timeout(180)


class Street:
    """The neighbours on their own, and what their topics mailed."""

    def __init__(self, directory: Path) -> None:
        self.database = Database(directory / "engine.db", [log.MIGRATION])
        self.mails: list[Mail] = []
        self.neighbours = Neighbours(self.database, directory, ACCOUNT, SystemClock(), on_mail=self.mails.append)
        self._ask = Ask(self.neighbours, ACCOUNT)

    async def ask(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        return await self._ask.call(service, operation, params, region=REGION)

    async def queue(self, name: str) -> tuple[str, str]:
        """URL and ARN."""
        url = (await self.ask("sqs", "CreateQueue", QueueName=name))["QueueUrl"]
        attributes = await self.ask("sqs", "GetQueueAttributes", QueueUrl=url, AttributeNames=["QueueArn"])
        return url, attributes["Attributes"]["QueueArn"]

    async def received(self, url: str) -> list[dict[str, Any]]:
        answer = await self.ask(
            "sqs", "ReceiveMessage", QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=0
        )
        found: list[dict[str, Any]] = answer.get("Messages", [])
        return found

    async def close(self) -> None:
        await self.neighbours.close()
        self.database.close()


async def test_queues_endpoints_and_readers_of_mail_hear_a_message_once(tmp_path: Path, receiver: Receiver) -> None:
    street = Street(tmp_path)
    topic = (await street.ask("sns", "CreateTopic", Name="alerts"))["TopicArn"]
    (plain_url, plain_arn), (raw_url, raw_arn), (_, gone_arn) = [await street.queue(name) for name in ("plain", "raw", "gone")]
    for protocol, endpoint, attributes in (
        ("sqs", gone_arn, {}),
        ("sqs", plain_arn, {}),
        ("sqs", raw_arn, {"RawMessageDelivery": "true"}),
        ("http", f"{receiver.base}/plain", {}),
        ("http", f"{receiver.base}/raw", {"RawMessageDelivery": "true"}),
        ("email", "night@example.com", {}),
        ("email-json", "robot@example.com", {}),
        ("email", "nobody@example.com", {"FilterPolicy": '{"severity":["low"]}'}),
    ):
        made = await street.ask("sns", "Subscribe", TopicArn=topic, Protocol=protocol, Endpoint=endpoint, Attributes=attributes)
        # Confirmed at once, also by mail.
        assert made["SubscriptionArn"].startswith(f"{topic}:")
        told = (await street.ask("sns", "GetSubscriptionAttributes", SubscriptionArn=made["SubscriptionArn"]))["Attributes"]
        assert told["PendingConfirmation"] == "false"
        if endpoint == plain_arn:
            # Spelled out, false is false.
            await street.ask(
                "sns",
                "SetSubscriptionAttributes",
                SubscriptionArn=made["SubscriptionArn"],
                AttributeName="RawMessageDelivery",
                AttributeValue="false",
            )
    await street.ask("sqs", "DeleteQueue", QueueUrl=plain_url.replace("plain", "gone"))
    severity = {"severity": {"DataType": "String", "StringValue": "high"}}
    published = await street.ask("sns", "Publish", TopicArn=topic, Message="it burns ü", Subject="Fire", MessageAttributes=severity)
    await until(lambda: len(receiver.heard) == 2 and len(street.mails) == 2, "each is told")

    (enveloped,) = await street.received(plain_url)
    envelope = json.loads(enveloped["Body"])
    assert (envelope["Message"], envelope["Subject"], envelope["MessageId"]) == ("it burns ü", "Fire", published["MessageId"])
    (raw,) = await street.received(raw_url)
    assert (raw["Body"], raw["MessageAttributes"]) == ("it burns ü", severity)

    by_path = {path: (headers, body) for path, headers, body in receiver.heard}
    headers, body = by_path["/plain"]
    posted = json.loads(body)
    assert list(posted)[:5] == ["Type", "MessageId", "TopicArn", "Subject", "Message"]
    assert posted["MessageAttributes"] == {"severity": {"Type": "String", "Value": "high"}}
    assert (headers["x-amz-sns-message-type"], headers["content-type"]) == ("Notification", "text/plain; charset=UTF-8")
    assert headers["x-amz-sns-subscription-arn"].startswith(topic)
    headers, body = by_path["/raw"]
    assert (body, headers["x-amz-sns-rawdelivery"]) == ("it burns ü", "true")

    to_people, to_robots = sorted(street.mails, key=lambda mail: mail.to)
    assert (to_people.topic, to_people.to, to_people.subject) == (topic, "night@example.com", "Fire")
    assert to_people.body.startswith("it burns ü\n")
    assert "aws sns unsubscribe --subscription-arn" in to_people.body
    assert json.loads(to_robots.body)["Message"] == "it burns ü"
    await street.close()

    street = Street(tmp_path)
    (again,) = await street.received(raw_url)
    assert again["MessageId"] == raw["MessageId"]
    await street.ask("sns", "Publish", TopicArn=topic, Message="{}", Subject="second", MessageAttributes=severity)
    await until(lambda: len(street.mails) == 2, "each is told")
    # Nothing of the first life was sent again.
    assert {mail.subject for mail in street.mails} == {"second"}
    assert len(await street.received(raw_url)) == 2
    with pytest.raises(AwsError) as caught:
        await street.ask("sns", "Publish", TopicArn=f"{topic}-none", Message="x")
    assert caught.value.code == "NotFound"
    with pytest.raises(AwsError) as caught:
        await street.ask("sqs", "GetQueueUrl", QueueName="none")
    assert caught.value.code == "AWS.SimpleQueueService.NonExistentQueue"
    await street.close()


async def test_nobody_is_forgotten_on_a_second_page(tmp_path: Path) -> None:
    street = Street(tmp_path)
    topic = (await street.ask("sns", "CreateTopic", Name="alerts"))["TopicArn"]
    for number in range(103):
        await street.ask("sns", "Subscribe", TopicArn=topic, Protocol="email", Endpoint=f"reader{number}@example.com")
    first = await street.ask("sns", "ListSubscriptionsByTopic", TopicArn=topic)
    second = await street.ask("sns", "ListSubscriptionsByTopic", TopicArn=topic, NextToken=first["NextToken"])
    assert (len(first["Subscriptions"]), len(second["Subscriptions"])) == (100, 3)
    await street.ask("sns", "Publish", TopicArn=topic, Message="all of you")
    await until(lambda: len(street.mails) == 103, "each is told")
    assert len({mail.to for mail in street.mails}) == 103
    assert {mail.subject for mail in street.mails} == {"AWS Notification Message"}
    await street.close()

"""SNS, e-mail, Apprise and CloudEvents: what each sends, and what a partial failure leaves to be done."""

import asyncio
import smtplib
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec
import pytest

from hinoban.aws.client import Client
from hinoban.aws.sigv4 import Credentials
from hinoban.base.clock import FakeClock
from hinoban.watch.config import Apprise, Email, Sns
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.channels import AppriseChannel, DeliveryFailed, EmailChannel, MemoryKeep, SnsChannel
from hinoban.watch.notify.cloudevent import cloud_event
from hinoban.watch.notify.message import webhook_payload
from tests.unit.watch.notify.samples import incident, over, said

BILLING = incident()
OPENED = Message(BILLING, "opened", ("last line",))
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"


class Topic:
    def __init__(self, *answers: httpx.Response) -> None:
        self.answers = list(answers)
        self.forms: list[dict[str, str]] = []
        self.signed: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.forms.append({name: values[0] for name, values in parse_qs(request.content.decode()).items()})
        self.signed.append(request.headers["authorization"])
        return self.answers.pop(0) if self.answers else httpx.Response(200, text="<PublishResponse><PublishResult/></PublishResponse>")

    def channel(self, **config: Any) -> SnsChannel:
        keys = Credentials("AKIA", "secret")
        client = Client("https://sns.test", keys, "ap-northeast-1", clock=FakeClock(), transport=httpx.MockTransport(self))
        return SnsChannel(Sns(**{"topic": TOPIC} | config), client, MemoryKeep())


async def test_a_topic_gets_text_for_people_in_its_own_region() -> None:
    topic = Topic()
    await topic.channel().send(OPENED, "dlv-1")
    [form] = topic.forms
    assert (form["TopicArn"], form["Subject"]) == (TOPIC, f"nightly-billing:31 · task 7c1e90ab · EXIT 3 · {BILLING.id}")
    assert "Cause    Your program ended.\n" in form["Message"]
    assert "  last line\n" in form["Message"]
    assert "/eu-west-1/sns/aws4_request" in topic.signed[0]
    values = [value for name, value in sorted(form.items()) if name.startswith("MessageAttributes") and name.endswith("StringValue")]
    assert values == ["dlv-1", BILLING.id, "opened"]


@pytest.mark.parametrize("format_", ["text", "json"])
async def test_no_incident_is_too_long_for_a_topic(format_: str) -> None:
    topic = Topic()
    await topic.channel(format=format_).send(Message(said(incident(family="f" * 300), said=("日" * 300_000,)), "opened"), "dlv-1")
    [form] = topic.forms
    assert len(form["Subject"]) <= 99
    assert len(form["Message"].encode()) <= 262_144 - 1_000
    if format_ == "json":
        assert msgspec.json.decode(form["Message"])["cause"] == "Your program ended."


@pytest.mark.parametrize(
    "status, code, permanent",
    [(404, "NotFound", True), (403, "AuthorizationError", True), (400, "Throttling", False), (500, "InternalError", False)],
)
async def test_which_of_snss_errors_pass(status: int, code: str, permanent: bool) -> None:
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>words</Message></Error></ErrorResponse>"
    with pytest.raises(DeliveryFailed, match=f"{code}: words") as failure:
        await Topic(httpx.Response(status, text=body)).channel().send(OPENED, "dlv-1")
    assert failure.value.permanent is permanent


class Postman:
    """A mail server that refuses some addresses."""

    def __init__(self, **refused: int) -> None:
        self.refused = refused
        self.mails: list[tuple[EmailMessage, list[str]]] = []

    def __call__(self, config: Email, mail: EmailMessage, to: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        self.mails.append((mail, list(to)))
        refused = {address: (self.refused[name], b"no") for address in to if (name := address.partition("@")[0]) in self.refused}
        if len(refused) == len(to):
            raise smtplib.SMTPRecipientsRefused(refused)
        return refused

    def channel(self) -> EmailChannel:
        config = Email(to=("a@example.com", "b@example.com"), host="smtp.test", sender="h@example.com")
        return EmailChannel(config, FakeClock(), MemoryKeep(), send=self)


async def test_the_mails_of_an_incident_are_one_conversation() -> None:
    postman = Postman()
    channel = postman.channel()
    await channel.send(OPENED, "dlv-1")
    await channel.send(Message(over(BILLING), "resolved"), "dlv-2")
    (first, to), (second, _) = postman.mails
    assert to == ["a@example.com", "b@example.com"]
    assert first["Subject"] == f"nightly-billing:31 · task 7c1e90ab · EXIT 3 · {BILLING.id}"
    assert (first["Message-ID"], second["Message-ID"]) == ("<dlv-1@hinoban>", "<dlv-2@hinoban>")
    assert first["References"] == second["References"] == f"<{BILLING.id}@hinoban>"


async def test_who_has_the_mail_does_not_get_it_again_with_those_that_were_refused() -> None:
    postman = Postman(b=450)
    channel = postman.channel()
    with pytest.raises(DeliveryFailed, match=r"b@example.com: 450 no") as failure:
        await channel.send(OPENED, "dlv-1")
    assert not failure.value.permanent
    with pytest.raises(DeliveryFailed):
        await channel.send(OPENED, "dlv-1")
    postman.refused = {}
    await channel.send(OPENED, "dlv-1")
    assert [to for _, to in postman.mails] == [["a@example.com", "b@example.com"], ["b@example.com"], ["b@example.com"]]


async def test_an_address_that_does_not_exist_is_said_and_not_tried_again() -> None:
    postman = Postman(b=550)
    with pytest.raises(DeliveryFailed, match=r"b@example.com: 550 no") as failure:
        await postman.channel().send(OPENED, "dlv-1")
    assert failure.value.permanent


async def test_a_mail_goes_over_the_wire_and_the_refused_address_is_said() -> None:
    got: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hello\r\n")
        while line := await reader.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                writer.write(b"354 go on\r\n")
                got.append(await reader.readuntil(b"\r\n.\r\n"))
            refused = word == b"RCPT" and b"bad" in line
            writer.write(b"550 no such user\r\n" if refused else b"250 ok\r\n")
            if word == b"QUIT":
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = Email(to=("a@example.com", "bad@example.com"), host="127.0.0.1", port=port, starttls=False, sender="h@example.com")
    channel = EmailChannel(config, FakeClock(), MemoryKeep(), tz="Asia/Tokyo")
    with pytest.raises(DeliveryFailed, match=r"refused bad@example\.com: 550 no such user") as failure:
        await channel.send(Message(BILLING, "opened", ("最後の行",)), "dlv-1")
    server.close()
    assert failure.value.permanent
    [mail] = got
    text = mail.decode()
    assert "From: h@example.com" in text and "最後の行" in text and "Fri 27 Nov 00:00 JST" in text


class Service:
    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.said: list[dict[str, Any]] = []

    async def async_notify(self, **said: Any) -> bool:
        self.said.append(said)
        return self.answers.pop(0) if self.answers else True


async def test_a_service_that_took_it_is_not_told_again() -> None:
    good, bad = Service(), Service(False)
    channel = AppriseChannel(Apprise(urls=("a://x", "b://x")), MemoryKeep(), services=(good, bad))
    with pytest.raises(DeliveryFailed, match=r"urls\[1\]: Apprise could not deliver it") as failure:
        await channel.send(OPENED, "dlv-1")
    assert not failure.value.permanent
    await channel.send(OPENED, "dlv-1")
    assert (len(good.said), len(bad.said)) == (1, 2)
    assert good.said[0]["notify_type"] == "failure"
    await channel.send(Message(over(BILLING), "resolved"), "dlv-2")
    assert good.said[-1]["notify_type"] == "success"


@pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise")
async def test_a_url_that_apprise_does_not_know_is_named_by_its_place() -> None:
    channel = AppriseChannel(Apprise(urls=("nosuchservice://s3cret", "json://localhost:1/")), MemoryKeep())
    with pytest.raises(DeliveryFailed) as failure:
        await channel.send(OPENED, "dlv-1")
    assert str(failure.value) == "urls[1], urls[0]: Apprise could not deliver it"


def test_a_cloud_event_has_what_the_standard_asks_for() -> None:
    payload = webhook_payload(over(BILLING), "resolved")
    event = cloud_event(payload)
    assert {name: event[name] for name in ("specversion", "type", "source", "subject", "time", "datacontenttype")} == {
        "specversion": "1.0",
        "type": "dev.hinoban.incident.resolved",
        "source": "/hinoban/123456789012/ap-northeast-1",
        "subject": BILLING.id,
        "time": "2026-11-26T15:10:00Z",
        "datacontenttype": "application/json",
    }
    assert (event["id"], event["data"]) == (payload["id"], payload)

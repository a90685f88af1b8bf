"""The other side of each channel, to be told what to answer: it notes what arrived, and whether a receiver could tell it from a repeat."""

import io
import smtplib
from collections.abc import Callable, Sequence
from email.message import EmailMessage
from typing import Any, Literal
from urllib.parse import parse_qs

import httpx
import msgspec

from hinoban.aws.client import Client
from hinoban.base.clock import FakeClock
from hinoban.watch.config import Apprise, Email, PagerDuty, Slack, Sns, Webhook
from hinoban.watch.notify.channels import (
    AppriseChannel,
    Channel,
    Console,
    EmailChannel,
    MemoryKeep,
    PagerDutyChannel,
    SlackChannel,
    SnsChannel,
    WebhookChannel,
)
from hinoban.watch.notify.channels.keep import REPEAT

SECRET = "s3cret-of-the-hook-0123456789abcd"
Answer = Literal["ok", "down", "limited", "refused", "lost"]
"""`lost`: the message arrives, its answer does not."""


class Got(msgspec.Struct, frozen=True):
    """One arrival: `text` names the incident; `key` is by what the receiver knows a repeat, None where it cannot."""

    text: str
    key: str | None
    marked: bool


class StandIn:
    """Answers from `answers`, one a try, then `otherwise`. `cannot` are answers that this side never gives."""

    channel: Channel
    cannot: frozenset[Answer] = frozenset()
    remembers = True
    """Whether the channel, or who it tells, can know what arrived already."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.otherwise: Answer = "ok"
        self.got: list[Got] = []

    def next(self) -> Answer:
        return self.answers.pop(0) if self.answers else self.otherwise


class HttpStandIn(StandIn):
    """`read` makes the arrival of a request (None: not a message by itself); `ok` and `refused` are the answers' shapes."""

    def __init__(
        self, read: Callable[[httpx.Request], Got | None], ok: Callable[[], httpx.Response], refused: Callable[[], httpx.Response]
    ) -> None:
        super().__init__()
        self._read, self._ok, self._refused = read, ok, refused
        self.down = f"no {SECRET} today"
        self.transport = httpx.MockTransport(self._answer)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        arrived = self._read(request)
        if arrived is None and not self.answers and self.otherwise == "ok":
            return self._ok()
        match self.next():
            case "down":
                return httpx.Response(503, text=self.down)
            case "limited":
                return httpx.Response(429, headers={"retry-after": "30"})
            case "refused":
                return self._refused()
            case "lost":
                self.got += [arrived] if arrived else []
                raise httpx.ReadTimeout(f"https://hook.test/{SECRET}")
        self.got += [arrived] if arrived else []
        return self._ok()


def console() -> StandIn:
    stand = StandIn()
    stand.cannot = frozenset({"limited", "refused", "lost"})
    stand.remembers = False

    class Stream(io.StringIO):
        def write(self, text: str, /) -> int:
            if stand.next() != "ok":
                raise BrokenPipeError("gone")
            stand.got.append(Got(text, None, False))
            return len(text)

    stand.channel = Console(Stream())
    return stand


def _webhook(format_: Literal["hinoban", "cloudevents"]) -> StandIn:
    def read(request: httpx.Request) -> Got:
        return Got(request.content.decode(), request.headers["x-hinoban-delivery"], False)

    stand = HttpStandIn(read, lambda: httpx.Response(204), lambda: httpx.Response(400))
    config = Webhook(url=f"https://hook.test/{SECRET}", secret=SECRET, format=format_)
    stand.channel = WebhookChannel(config, FakeClock(), transport=stand.transport)
    return stand


def webhook() -> StandIn:
    return _webhook("hinoban")


def cloudevents() -> StandIn:
    return _webhook("cloudevents")


def slack_webhook() -> StandIn:
    def read(request: httpx.Request) -> Got:
        text = request.content.decode()
        return Got(text, None, REPEAT in text)

    stand = HttpStandIn(read, lambda: httpx.Response(200, text="ok"), lambda: httpx.Response(404, text="no_service"))
    url = f"https://hooks.slack.test/services/{SECRET}"
    stand.channel = SlackChannel(Slack(url=url), MemoryKeep(), transport=stand.transport)
    return stand


def slack() -> StandIn:
    posts: list[str] = []

    def read(request: httpx.Request) -> Got | None:
        text = request.content.decode()
        assert request.headers["authorization"] == f"Bearer {SECRET}"
        return Got(text, None, REPEAT in text) if request.url.path.endswith("chat.postMessage") else None

    def ok() -> httpx.Response:
        posts.append("")
        return httpx.Response(200, json={"ok": True, "channel": "C1", "ts": f"{len(posts)}.000"})

    stand = HttpStandIn(read, ok, lambda: httpx.Response(200, json={"ok": False, "error": "channel_not_found"}))
    stand.channel = SlackChannel(Slack(token=SECRET, channel="#batch"), MemoryKeep(), transport=stand.transport)
    return stand


def pagerduty() -> StandIn:
    def read(request: httpx.Request) -> Got:
        event = msgspec.json.decode(request.content)
        return Got(request.content.decode(), f"{event['event_action']} {event['dedup_key']}", False)

    refused = httpx.Response(400, json={"status": "invalid event", "errors": [f"{SECRET} is no key"]})
    stand = HttpStandIn(read, lambda: httpx.Response(202, json={"status": "success"}), lambda: refused)
    stand.channel = PagerDutyChannel(PagerDuty(routing_key=SECRET), MemoryKeep(), transport=stand.transport)
    return stand


def _sns(topic: str) -> StandIn:
    def read(request: httpx.Request) -> Got:
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        assert form["Action"] == "Publish"
        return Got(form["Message"], form.get("MessageDeduplicationId"), REPEAT in form["Message"])

    def ok() -> httpx.Response:
        return httpx.Response(200, text="<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>")

    def refused() -> httpx.Response:
        body = (
            "<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>Topic does not exist</Message></Error></ErrorResponse>"
        )
        return httpx.Response(404, text=body)

    stand = HttpStandIn(read, ok, refused)
    stand.cannot = frozenset({"limited"})
    stand.down = ""  # no secret goes to SNS, and AWS's words are told in full
    client = Client("https://sns.test", None, "us-east-1", clock=FakeClock(), transport=stand.transport)
    stand.channel = SnsChannel(Sns(topic=topic), client, MemoryKeep())
    return stand


def sns() -> StandIn:
    return _sns("arn:aws:sns:ap-northeast-1:123456789012:alarms")


def sns_fifo() -> StandIn:
    return _sns("arn:aws:sns:ap-northeast-1:123456789012:alarms.fifo")


def email() -> StandIn:
    stand = StandIn()
    stand.cannot = frozenset({"limited"})

    def send(config: Email, mail: EmailMessage, to: Sequence[str]) -> dict[str, tuple[int, bytes]]:
        text = mail.get_content()
        match stand.next():
            case "down":
                raise ConnectionRefusedError("refused")
            case "refused":
                raise smtplib.SMTPDataError(554, f"5.7.1 no mail for {SECRET}".encode())
            case "lost":
                stand.got.append(Got(text, mail["Message-ID"], REPEAT in text))
                raise smtplib.SMTPServerDisconnected("gone")
        stand.got.append(Got(text, mail["Message-ID"], REPEAT in text))
        return {}

    config = Email(to=("a@example.com",), host="smtp.test", sender="h@example.com", user="h", password=SECRET)
    stand.channel = EmailChannel(config, FakeClock(), MemoryKeep(), send=send)
    return stand


def apprise() -> StandIn:
    stand = StandIn()
    stand.cannot = frozenset({"limited", "refused"})

    class Service:
        async def async_notify(self, *, body: str, title: str, notify_type: Any, body_format: Any) -> bool:
            match stand.next():
                case "down":
                    return False
                case "lost":
                    stand.got.append(Got(body, None, REPEAT in body))
                    raise TimeoutError
            stand.got.append(Got(body, None, REPEAT in body))
            return True

    stand.channel = AppriseChannel(Apprise(urls=(f"tgram://{SECRET}/1",)), MemoryKeep(), services=(Service(),))
    return stand


STAND_INS: dict[str, Callable[[], StandIn]] = {
    "console": console,
    "webhook": webhook,
    "webhook: cloudevents": cloudevents,
    "slack: webhook": slack_webhook,
    "slack": slack,
    "pagerduty": pagerduty,
    "sns": sns,
    "sns: fifo": sns_fifo,
    "email": email,
    "apprise": apprise,
}

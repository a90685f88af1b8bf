"""An SNS topic as a channel (facts/cloudtrail_sns_lambda.md §2.1): the message as text for people, or the webhook's JSON for programs."""

from collections.abc import Callable
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from hinoban.aws import arns
from hinoban.aws.client import Client, EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.watch.config import Link, Sns
from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.channels.channel import DeliveryFailed
from hinoban.watch.notify.channels.http import IN_DOUBT, NEVER_LEFT
from hinoban.watch.notify.channels.keep import REPEAT, Keep, once
from hinoban.watch.notify.daily_words import daily_payload
from hinoban.watch.notify.links import links_of
from hinoban.watch.notify.message import webhook_payload
from hinoban.watch.notify.plain import body, daily_body, daily_subject, subject

SUBJECT_MOST = 99
MESSAGE_MOST = 250_000
"""Bytes; SNS takes 262,144, attributes included."""
_PASSES = ("Throttl", "KMSThrottl", "RequestLimitExceeded", "InternalError", "InternalFailure", "ServiceUnavailable", "ExpiredToken")


class SnsChannel:
    """A FIFO topic drops a repeat by itself; on a standard one a try that may be a repeat says so."""

    def __init__(self, config: Sns, client: Client, keep: Keep, *, tz: str = "UTC", links: tuple[Link, ...] = ()) -> None:
        self.name = config.name
        self._config = config
        self._client = client.in_region(arns.parse(config.topic).region)
        self._keep = keep
        self._zone = ZoneInfo(tz)
        self._links = links

    async def send(self, message: Message, delivery_id: str) -> None:
        about = {"incident": message.incident.id, "change": message.change}
        said = partial(self._text, message)
        await once(
            self._keep,
            self.name,
            delivery_id,
            partial(self._publish, subject(message, self._zone, SUBJECT_MOST), said, about, delivery_id),
        )

    async def report(self, daily: Daily, delivery_id: str) -> None:
        title, about = daily_subject(daily, self._zone, SUBJECT_MOST), {"report": "daily"}
        await once(self._keep, self.name, delivery_id, partial(self._publish, title, partial(self._daily_text, daily), about, delivery_id))

    async def close(self) -> None:
        """The client is not ours to close."""

    async def _publish(self, title: str, said: Callable[[bool], str], about: dict[str, str], delivery_id: str, repeat: bool) -> None:
        try:
            await self._client.call("sns", "Publish", self._request(title, said, about, delivery_id, repeat))
        except AwsError as error:
            passes = error.status >= 500 or error.code.startswith(_PASSES)
            raise DeliveryFailed(f"{error.code}: {error.message}", permanent=not passes, in_doubt=error.status in IN_DOUBT) from None
        except EndpointUnreachable as error:
            raise DeliveryFailed(error.why, in_doubt=not isinstance(error.__cause__, NEVER_LEFT)) from None

    def _request(self, title: str, said: Callable[[bool], str], about: dict[str, str], delivery_id: str, repeat: bool) -> dict[str, Any]:
        fifo = self._config.topic.endswith(".fifo")
        marked = repeat and not fifo
        attributes = {"delivery": delivery_id, **about}
        if marked:
            attributes["repeat"] = "true"
        request: dict[str, Any] = {
            "TopicArn": self._config.topic,
            "Subject": title,
            "Message": said(marked),
            "MessageAttributes": {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
        }
        # One group, so that the topic keeps our order.
        return request | ({"MessageGroupId": "hinoban", "MessageDeduplicationId": delivery_id} if fifo else {})

    def _text(self, message: Message, marked: bool) -> str:
        if self._config.format == "text":
            return _fit(body(message, self._zone, links=links_of(message.incident, self._links), repeat=REPEAT if marked else ""))
        payload = webhook_payload(message.incident, message.change)
        whole = msgspec.json.encode(payload)
        if len(whole) > MESSAGE_MOST:
            whole = msgspec.json.encode(payload | {"said": [], "attempts": []})
        return whole.decode()

    def _daily_text(self, daily: Daily, marked: bool) -> str:
        if self._config.format == "text":
            return _fit(daily_body(daily, self._zone, repeat=REPEAT if marked else ""))
        return msgspec.json.encode(daily_payload(daily)).decode()


def _fit(text: str) -> str:
    spelt = text.encode()
    return text if len(spelt) <= MESSAGE_MOST else spelt[:MESSAGE_MOST].decode(errors="ignore") + "…"

"""A webhook as a channel: POSTs JSON, signed, as our own object or as a CloudEvent. `X-Hinoban-Signature: sha256=<hex>` is the
HMAC-SHA256 of `<timestamp>.<body>`, where the timestamp stands in `X-Hinoban-Timestamp`; `X-Hinoban-Delivery` names the delivery, the
same at every try."""

import hashlib
import hmac
from typing import Any

import httpx
import msgspec

from hinoban.base.clock import Clock
from hinoban.watch.config import Webhook
from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.channels.http import TIMEOUT, client, post, refusal
from hinoban.watch.notify.cloudevent import cloud_event, daily_event
from hinoban.watch.notify.daily_words import daily_payload
from hinoban.watch.notify.message import webhook_payload

__all__ = ["TIMEOUT", "WebhookChannel", "signature"]
_TYPES = {"hinoban": "application/json", "cloudevents": "application/cloudevents+json"}


class WebhookChannel:
    """Posts to one URL. Network errors, 5xx, 408 and 429 are tried again; any other refusal is permanent."""

    def __init__(self, config: Webhook, clock: Clock, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.name = config.name
        self._config = config
        self._clock = clock
        self._http = client(transport)

    async def send(self, message: Message, delivery_id: str) -> None:
        payload = webhook_payload(message.incident, message.change)
        await self._deliver(cloud_event(payload) if self._config.format == "cloudevents" else payload, delivery_id)

    async def report(self, daily: Daily, delivery_id: str) -> None:
        payload = daily_payload(daily)
        await self._deliver(daily_event(payload) if self._config.format == "cloudevents" else payload, delivery_id)

    async def _deliver(self, payload: dict[str, Any], delivery_id: str) -> None:
        body = msgspec.json.encode(payload)
        timestamp = str(int(self._clock.now()))
        headers = {
            "content-type": _TYPES[self._config.format],
            "x-hinoban-delivery": delivery_id,
            "x-hinoban-timestamp": timestamp,
            "x-hinoban-signature": f"sha256={signature(self._config.secret, timestamp, body)}",
        }
        answer = await post(self._http, self._config.url, body, headers)
        if not answer.is_success:
            raise refusal(answer)

    async def close(self) -> None:
        await self._http.aclose()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the receiver computes too, and compares."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()

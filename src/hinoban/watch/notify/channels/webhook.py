"""A webhook as a channel: POSTs JSON, signed. `X-Hinoban-Signature: sha256=<hex>` is the HMAC-SHA256 of `<timestamp>.<body>`,
where the timestamp stands in `X-Hinoban-Timestamp`; `X-Hinoban-Delivery` names the delivery, the same at every try."""

import hashlib
import hmac

import httpx
import msgspec

from hinoban.base.clock import SECONDS, Clock
from hinoban.watch.config import Webhook
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.channels.channel import DeliveryFailed
from hinoban.watch.notify.message import webhook_payload

TIMEOUT = 10 * SECONDS


class WebhookChannel:
    """Posts to one URL. Network errors, 5xx, 408 and 429 are tried again; any other refusal is permanent."""

    def __init__(self, config: Webhook, clock: Clock, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self.name = config.name
        self._config = config
        self._clock = clock
        self._http = httpx.AsyncClient(transport=transport, timeout=TIMEOUT, follow_redirects=False)

    async def send(self, message: Message, delivery_id: str) -> None:
        body = msgspec.json.encode(webhook_payload(message.incident, message.change))
        timestamp = str(int(self._clock.now()))
        headers = {
            "content-type": "application/json",
            "user-agent": "hinoban",
            "x-hinoban-delivery": delivery_id,
            "x-hinoban-timestamp": timestamp,
            "x-hinoban-signature": f"sha256={signature(self._config.secret, timestamp, body)}",
        }
        try:
            answer = await self._http.post(self._config.url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # The error's own text may hold the URL, and a URL may hold a secret.
            raise DeliveryFailed(type(error).__name__, permanent=isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol)) from None
        if answer.is_success:
            return
        again = answer.status_code >= 500 or answer.status_code in (408, 429)
        raise DeliveryFailed(f"HTTP {answer.status_code}", permanent=not again, retry_after=_seconds(answer.headers.get("retry-after")))

    async def close(self) -> None:
        await self._http.aclose()


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the receiver computes too, and compares."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _seconds(text: str | None) -> float | None:
    return float(text) if text is not None and text.isdigit() else None

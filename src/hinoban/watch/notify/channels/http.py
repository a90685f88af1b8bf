"""What channels over HTTP share: one bounded POST, and which failure passes, is for good, or leaves the delivery in doubt."""

from collections.abc import Mapping

import httpx

from hinoban.base.clock import SECONDS
from hinoban.base.text import one_line
from hinoban.watch.notify.channels.channel import DeliveryFailed

TIMEOUT = 10 * SECONDS
NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL, httpx.UnsupportedProtocol)
IN_DOUBT = (500, 502, 504)
"""Answers of servers and gateways that failed somewhere on the way; 503 says that nothing was done."""
_SAID = 200


def client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """For one channel: bounded waits, and a redirect is an answer, not an order."""
    return httpx.AsyncClient(transport=transport, timeout=TIMEOUT, follow_redirects=False)


async def post(http: httpx.AsyncClient, url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
    """The answer, of whatever status; DeliveryFailed without one."""
    try:
        return await http.post(url, content=body, headers={"user-agent": "hinoban", **headers})
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The error's own text may hold the URL, and a URL may hold a secret.
        permanent = isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol)
        raise DeliveryFailed(type(error).__name__, permanent=permanent, in_doubt=not isinstance(error, NEVER_LEFT)) from None


def refusal(answer: httpx.Response, said: str = "", *, wait: float | None = None) -> DeliveryFailed:
    """What an answer that is no success means: 5xx, 408 and 429 pass, any other refusal is for good.

    `wait`: seconds to wait after a 429 that names none. `said` is the answer's own word, without secrets.
    """
    status = answer.status_code
    after = seconds(answer.headers.get("retry-after"))
    if after is None and status == 429:
        after = wait
    words = f"HTTP {status}" + (f" {shortened(said)}" if said else "")
    return DeliveryFailed(words, permanent=not (status >= 500 or status in (408, 429)), retry_after=after, in_doubt=status in IN_DOUBT)


def without(text: str, *secrets: str) -> str:
    """`text` with each secret taken out: the other side may have quoted what it was sent."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text


def shortened(text: str) -> str:
    """An answer's words on one line, fit for an error."""
    line = one_line(text.strip())
    return line if len(line) <= _SAID else line[: _SAID - 1] + "…"


def seconds(text: str | None) -> float | None:
    """A Retry-After in seconds; None for a date or nothing."""
    return float(text) if text is not None and text.isascii() and text.isdigit() else None

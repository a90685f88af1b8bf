"""Whatever Apprise knows as a channel. Apprise is imported when one is configured: it brings a hundred services and takes its time."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from hinoban.base.clock import SECONDS
from hinoban.watch.config import Apprise, Link
from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message
from hinoban.watch.notify.channels.channel import DeliveryFailed
from hinoban.watch.notify.channels.keep import REPEAT, Keep, Takers, once
from hinoban.watch.notify.links import links_of
from hinoban.watch.notify.message import alert
from hinoban.watch.notify.plain import body, daily_body, daily_subject, subject

WITHIN = 30 * SECONDS
TITLE_MOST = 250
_TYPES = {"critical": "failure", "warning": "warning", "info": "info"}


class Service(Protocol):
    """One of Apprise's services, made of a URL."""

    async def async_notify(self, *, body: str, title: str, notify_type: Any, body_format: Any) -> bool:
        """Whether it was taken; it does not say why not."""
        ...


class AppriseChannel:
    """Tells each service; a try after a partial failure goes to those that failed. No service is named by its URL, which is a secret."""

    def __init__(
        self,
        config: Apprise,
        keep: Keep,
        *,
        tz: str = "UTC",
        links: tuple[Link, ...] = (),
        services: tuple[Service | None, ...] | None = None,
    ) -> None:
        self.name = config.name
        self._keep = keep
        self._takers = Takers(keep, config.name)
        self._zone = ZoneInfo(tz)
        self._links = links
        made = services_of(config.urls) if services is None else services
        self._services = {str(number): service for number, service in enumerate(made, start=1)}

    async def send(self, message: Message, delivery_id: str) -> None:
        kind = "success" if message.change == "resolved" else _TYPES[alert(message.incident, message.change).severity]
        text = partial(body, message, self._zone, links=links_of(message.incident, self._links))
        told = partial(self._notify, subject(message, self._zone, TITLE_MOST), text, kind, delivery_id)
        await once(self._keep, self.name, delivery_id, told)

    async def report(self, daily: Daily, delivery_id: str) -> None:
        title, text = daily_subject(daily, self._zone, TITLE_MOST), partial(daily_body, daily, self._zone)
        await once(self._keep, self.name, delivery_id, partial(self._notify, title, text, "info", delivery_id))

    async def close(self) -> None:
        """Apprise opens a connection for each message."""

    async def _notify(self, title: str, text: Callable[..., str], kind: str, delivery_id: str, repeat: bool) -> None:
        said = {
            "title": title,
            "body": text(repeat=REPEAT if repeat else ""),
            "notify_type": kind,
            "body_format": "text",
        }
        failed, broken, late = [], [], False
        for place in self._takers.left(delivery_id, list(self._services)):
            service = self._services[place]
            if service is None:
                broken.append(place)
                continue
            try:
                taken = await asyncio.wait_for(service.async_notify(**said), WITHIN)
            except TimeoutError:
                taken, late = False, True
            except Exception:
                taken = False
            if taken:
                self._takers.took(delivery_id, [place])
            else:
                failed.append(place)
        if failed or broken:
            where = ", ".join(f"urls[{int(place) - 1}]" for place in (*failed, *broken))
            why = "no URL that Apprise knows" if not failed else "Apprise could not deliver it"
            raise DeliveryFailed(f"{where}: {why}", permanent=not failed, in_doubt=late)


def services_of(urls: tuple[str, ...]) -> tuple[Service | None, ...]:
    """The service of each URL; None where Apprise knows none."""
    import apprise

    # Its log lines quote answers and URLs; what matters is in our own error.
    logging.getLogger("apprise").setLevel(logging.CRITICAL)
    return tuple(apprise.Apprise.instantiate(url) for url in urls)

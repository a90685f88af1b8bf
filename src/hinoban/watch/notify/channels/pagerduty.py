"""PagerDuty as a channel: Events API v2 (facts/monitoring.md §5.1). The incident's id is the dedup_key, so a repeat updates the same alert.

An acknowledged alert stays silent under new triggers. What is told again after that is resolved first, so that its trigger wakes somebody.
"""

from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec

from hinoban.base.clock import MINUTES
from hinoban.base.units import iso
from hinoban.watch.config import Link, PagerDuty
from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message
from hinoban.watch.incident_states import QUIET
from hinoban.watch.notify.channels.channel import DeliveryFailed
from hinoban.watch.notify.channels.http import client, post, refusal, without
from hinoban.watch.notify.channels.keep import Keep
from hinoban.watch.notify.links import links_of
from hinoban.watch.notify.message import alert, webhook_payload

SUMMARY_MOST = 1024
BODY_MOST = 400_000
"""PagerDuty takes 512 KB."""
PAUSE = 1 * MINUTES
"""After a 429 that names no time: PagerDuty's own advice is minutes."""
_DETAILS = ("verdict", "cause", "said", "done", "next", "detector", "code", "task", "started_by", "attempts", "why")


class PagerDutyChannel:
    """Opened, changed and escalated trigger, acknowledged and snoozed acknowledge, resolved resolves; what healed unseen (`quiet`) is nobody's page."""

    def __init__(
        self,
        config: PagerDuty,
        keep: Keep,
        *,
        tz: str = "UTC",
        links: tuple[Link, ...] = (),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = config.name
        self._config = config
        self._keep = keep
        self._zone = ZoneInfo(tz)
        self._links = links
        self._http = client(transport)

    async def send(self, message: Message, delivery_id: str) -> None:
        key, about = self._config.routing_key, f"acknowledged {message.incident.id}"
        for event in events(message, key, self._zone, links_of(message.incident, self._links)):
            if event["event_action"] == "trigger" and self._keep.get(self.name, about):
                await self._enqueue(named(message, key) | {"event_action": "resolve"})
                # Noted before the trigger: if that one's answer is lost, it is sent again as a repeat of the same alert.
                self._keep.put(self.name, about, "")
            await self._enqueue(event)
            if event["event_action"] == "acknowledge":
                self._keep.put(self.name, about, "yes")

    async def report(self, daily: Daily, delivery_id: str) -> None:
        """A report is nobody's page: it is taken and told to nobody. The configuration names no PagerDuty for it."""

    async def close(self) -> None:
        await self._http.aclose()

    async def _enqueue(self, event: dict[str, Any]) -> None:
        body = msgspec.json.encode(event)
        answer = await post(self._http, f"{self._config.url}/v2/enqueue", body, {"content-type": "application/json"})
        if answer.status_code == 202:
            return
        if answer.is_success:
            # Something between us and PagerDuty answered: only 202 says that the event was taken.
            raise DeliveryFailed(f"HTTP {answer.status_code} instead of 202", in_doubt=True)
        raise refusal(answer, without(answer.text, self._config.routing_key), wait=PAUSE)


def events(message: Message, routing_key: str, zone: ZoneInfo, links: tuple[tuple[str, str], ...] = ()) -> list[dict[str, Any]]:
    """What is sent for a message. A matter that was over as it was told (`opened`, state resolved) is triggered and resolved at once."""
    incident, change, alert_of = message.incident, message.change, named(message, routing_key)
    if change == "quiet":
        return []
    if change == "resolved":
        return [alert_of | {"event_action": "resolve"}]
    if incident.state in QUIET:
        return [alert_of | {"event_action": "acknowledge"}]
    trigger: dict[str, Any] = alert_of | {"event_action": "trigger", "client": "Hinoban", "payload": _payload(message, zone)}
    if links:
        trigger["links"] = [{"href": url, "text": text} for text, url in links]
    if incident.state == "resolved":
        return [trigger, alert_of | {"event_action": "resolve"}]
    return [trigger]


def named(message: Message, routing_key: str) -> dict[str, Any]:
    """The alert that a message is about."""
    return {"routing_key": routing_key, "dedup_key": message.incident.id}


def _payload(message: Message, zone: ZoneInfo) -> dict[str, Any]:
    told, finding = alert(message.incident, message.change, zone), message.incident.finding
    payload = webhook_payload(message.incident, message.change)
    details = {name: payload[name] for name in _DETAILS} | ({"log": list(message.log)} if message.log else {})
    if len(msgspec.json.encode(details)) > BODY_MOST:
        # A refusal of thousands of tasks lists each of them; `hinoban why` has them all.
        details |= {"said": [], "attempts": [], "log": [], "cut": "too long for PagerDuty; see `why`"}
    return {
        "summary": told.title[:SUMMARY_MOST],
        "source": finding.task_arn or "/".join(part for part in (finding.account, finding.region, finding.cluster) if part) or "hinoban",
        "severity": told.severity,
        "timestamp": iso(told.at),
        "component": finding.family,
        "group": finding.cluster,
        "class": finding.explanation.code,
        "custom_details": details,
    }

"""Slack as a channel: an incoming webhook posts each message by itself; a bot posts one message an incident, answers it in a thread
and rewrites it as the incident goes on (facts/monitoring.md §5.2). Where the answer of a post was lost, the next try says so."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import msgspec

from hinoban.base.clock import SECONDS
from hinoban.watch.config import Level, Link, Slack
from hinoban.watch.history.daily import Daily
from hinoban.watch.history.ledger import Message
from hinoban.watch.incident_states import QUIET
from hinoban.watch.notify.channels.channel import DeliveryFailed
from hinoban.watch.notify.channels.http import client, post, refusal, seconds, shortened, without
from hinoban.watch.notify.channels.keep import REPEAT, Keep, once
from hinoban.watch.notify.levels import level_of
from hinoban.watch.notify.links import links_of
from hinoban.watch.notify.slack_blocks import current, daily_blocks, payload, reply

PAUSE = 30 * SECONDS
"""After a 429 without a Retry-After: Slack counts posts by the minute."""

_PASSES = ("internal_error", "fatal_error", "service_unavailable", "request_timeout", "ratelimited", "rate_limited", "rollup_error")
_IN_DOUBT = ("internal_error", "fatal_error", "request_timeout")
"""Of these Slack says that a part may have been done."""
_BLOCKS = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long")
"""Refusals of our layout: the same words go out as plain text then, for a message must not be lost to its looks."""
_WORD = re.compile(r"[a-z_]{1,60}")
_GONE = ("message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed", "cannot_reply_to_message")
"""Somebody deleted the first message, or it may not be changed any more."""


class _Refused(Exception):
    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


class _Thread(msgspec.Struct, frozen=True):
    channel: str
    ts: str


class SlackChannel:
    """`keep` holds the first message of each incident. What Slack refuses for good is permanent, what passes is tried again."""

    def __init__(
        self,
        config: Slack,
        keep: Keep,
        *,
        tz: str = "UTC",
        links: tuple[Link, ...] = (),
        severity: Mapping[str, Level] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.name = config.name
        self._config = config
        self._keep = keep
        self._zone = ZoneInfo(tz)
        self._links = links
        self._severity = severity or {}
        self._http = client(transport)

    async def send(self, message: Message, delivery_id: str) -> None:
        tell = self._by_webhook if self._config.url is not None else self._by_bot
        await once(self._keep, self.name, delivery_id, partial(tell, message))

    async def report(self, daily: Daily, delivery_id: str) -> None:
        await once(self._keep, self.name, delivery_id, partial(self._report, daily))

    async def _report(self, daily: Daily, repeat: bool) -> None:
        said = daily_blocks(daily, self._zone, repeat=REPEAT if repeat else "")
        if self._config.url is not None:
            await self._hook_or_plain(said)
        else:
            await self._post_or_plain({"channel": self._config.channel} | said)

    async def close(self) -> None:
        await self._http.aclose()

    async def _by_webhook(self, message: Message, repeat: bool) -> None:
        await self._hook_or_plain(self._whole(message, repeat))

    async def _hook_or_plain(self, said: dict[str, Any]) -> None:
        try:
            await self._hook(said)
        except _Refused:
            await self._hook({"text": said["text"]})

    async def _hook(self, said: dict[str, Any]) -> None:
        answer = await post(self._http, self._config.url or "", msgspec.json.encode(said), {"content-type": "application/json"})
        if answer.is_success:
            return
        word = answer.text.strip()
        if word in _BLOCKS and "blocks" in said:
            raise _Refused(word)
        # Slack's errors are single words; anything else comes from somebody on the way, who may quote the URL.
        raise refusal(answer, word if _WORD.fullmatch(word) else "", wait=PAUSE)

    async def _by_bot(self, message: Message, repeat: bool) -> None:
        thread = self._thread(message.incident.id)
        if thread is not None:
            # First what may be done twice without harm; the reply is what the delivery stands for.
            await self._rewrite(thread, message)
            said = reply(message, self._zone, repeat=REPEAT if repeat else "")
            # Worse news is seen in the channel too; good news turns the first message green and needs no alert.
            where = {"channel": thread.channel, "thread_ts": thread.ts, "reply_broadcast": _bad_news(message)}
            if await self._call("chat.postMessage", where | said, may_be_gone=True) is not None:
                return
        answer = await self._post_or_plain({"channel": self._config.channel} | self._whole(message, repeat))
        if message.change != "quiet":
            first = _Thread(str(answer.get("channel") or self._config.channel), str(answer.get("ts") or ""))
            self._keep.put(self.name, message.incident.id, msgspec.json.encode(first).decode())

    async def _rewrite(self, thread: _Thread, message: Message) -> None:
        links = links_of(message.incident, self._links)
        said = current(message.incident, self._zone, log=message.log, links=links)
        await self._call("chat.update", {"channel": thread.channel, "ts": thread.ts} | said, may_be_gone=True)

    async def _post_or_plain(self, said: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = await self._call("chat.postMessage", said)
        except _Refused:
            answer = await self._call("chat.postMessage", {name: value for name, value in said.items() if name != "blocks"})
        return answer or {}

    async def _call(self, method: str, said: dict[str, Any], *, may_be_gone: bool = False) -> dict[str, Any] | None:
        """Slack's answer; None where the message it is about is gone (if that may be)."""
        token = self._config.token or ""
        headers = {"content-type": "application/json; charset=utf-8", "authorization": f"Bearer {token}"}
        body = said | {"unfurl_links": False, "unfurl_media": False} if method == "chat.postMessage" else said
        answer = await post(self._http, f"{self._config.api}/{method}", msgspec.json.encode(body), headers)
        if not answer.is_success:
            raise refusal(answer, wait=PAUSE)
        try:
            content = msgspec.json.decode(answer.content, type=dict[str, Any])
        except msgspec.DecodeError:
            raise DeliveryFailed(f"{method}: the answer is not Slack's", in_doubt=True) from None
        if content.get("ok") is True:
            return content
        error = str(content.get("error") or "an answer without `ok` or `error`")
        if may_be_gone and (error in _GONE or (error in _BLOCKS and method == "chat.update")):
            return None
        if error in _BLOCKS and "blocks" in said:
            raise _Refused(error)
        after = seconds(answer.headers.get("retry-after")) or (PAUSE if error in ("ratelimited", "rate_limited") else None)
        why = f"Slack answered {without(shortened(error), token)} to {method}"
        raise DeliveryFailed(why, permanent=error not in _PASSES, retry_after=after, in_doubt=error in _IN_DOUBT)

    def _thread(self, incident_id: str) -> _Thread | None:
        kept = self._keep.get(self.name, incident_id)
        return None if kept is None else msgspec.json.decode(kept, type=_Thread)

    def _whole(self, message: Message, repeat: bool) -> dict[str, Any]:
        links = links_of(message.incident, self._links)
        page = level_of(message.incident, message.change, self._severity) == "page"
        mention = self._config.mention if page and _bad_news(message) else ""
        return payload(message, self._zone, links=links, mention=mention, repeat=REPEAT if repeat else "")


def _bad_news(message: Message) -> bool:
    """Whether somebody should look now: not of an end, nor once somebody has it."""
    return message.change in ("opened", "changed", "escalated") and message.incident.state not in QUIET

"""EventBridge -> SQS as a source: messages are received by long polling, and deleted only after the watch has remembered them.

Their bodies are EventBridge envelopes, also inside an SNS notification. What is none is set aside and holds up nothing.
Rules: facts/cloudtrail_sns_lambda.md §5.2. Who may send to the queue may tell us events: its policy is the door (docs/on-aws.md).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hinoban.aws.client import Client, EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS, Clock
from hinoban.watch.history.aside import Aside, AsideBook
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.normalise import Envelope
from hinoban.watch.places import ANYWHERE, Place
from hinoban.watch.schedules.model import Problem
from hinoban.watch.sources.source import Batch, was_over

WAIT = 20 * SECONDS
VISIBILITY = 120 * SECONDS
"""So long a received message stays hidden from other readers; at half of it what is still held is hidden anew."""
AT_ONCE = 10
"""The most messages of one ReceiveMessage, DeleteMessageBatch or ChangeMessageVisibilityBatch."""
MOST = 200
"""The most messages of one batch of ours."""
MOST_RECEIVES = 20
"""A message that came so often and was never remembered may be what ends us each time, or its neighbour may: it is tried alone."""
log = logging.getLogger(__name__)

_envelope = msgspec.json.Decoder(Envelope).decode


class _Notification(msgspec.Struct, frozen=True, rename="pascal"):
    """An SNS notification, as SNS writes it into a queue without raw message delivery (facts/cloudtrail_sns_lambda.md §3)."""

    type: str
    message: str
    topic_arn: str


_notification = msgspec.json.Decoder(_Notification).decode


class _Held(msgspec.Struct):
    """A message that is ours until its visibility ends. `over`: it tells of what was over before the first attach."""

    handle: str
    hidden_at: float
    event: bytes | None
    over: bool = False
    suspect: bool = False


class Poison(ValueError):
    """Why a message is no event."""


class Sqs:
    """One queue. `aside` keeps what cannot be read."""

    problems: Mapping[str, Problem] = {}

    def __init__(
        self,
        client: Client,
        clock: Clock,
        queue_url: str,
        *,
        aside: AsideBook,
        wait: float = WAIT,
        visibility: float = VISIBILITY,
        most: int = MOST,
        of: Place = ANYWHERE,
    ) -> None:
        self._client = client
        self._clock = clock
        self._url = queue_url
        self._aside = aside
        self._wait = wait
        self._visibility = visibility
        self._most = most
        self._attached_at: float | None = None
        self._held: dict[str, _Held] = {}
        self._given: tuple[str, ...] = ()
        self._done: dict[str, str] = {}
        account, _, queue = urlsplit(queue_url).path.strip("/").rpartition("/")
        self.name = f"sqs:{account.rpartition('/')[2]}/{client.region}/{queue}"
        self.of = of
        self.pushed = True
        self.problems: dict[str, Problem] = {}

    async def poll(self, cursor: Cursor | None) -> Batch:
        """What waits in the queue, up to `most` messages; a batch that was not committed comes again."""
        if self._attached_at is None:
            _, _, attached = cursor.feed.partition(" ") if cursor is not None else ("", "", "")
            self._attached_at = float(attached) if attached else self._clock.now()
        await self._delete()
        if self._held:
            await self.step(self._clock.now())
            return self._batch(cursor, more=True)
        wait, full = self._wait, True
        while full and len(self._held) < self._most:
            received = await self._receive(wait)
            full, wait = received == AT_ONCE, 0.0
            await self.step(self._clock.now())
        return self._batch(cursor, more=full)

    async def committed(self) -> None:
        """Delete what was remembered; what cannot be deleted now is deleted before the next poll."""
        for message_id in self._given:
            if (one := self._held.get(message_id)) is not None and one.suspect:
                self._aside.take_back(self.name, message_id)
            if (one := self._held.pop(message_id, None)) is not None:
                self._done[message_id] = one.handle
        self._given = ()
        try:
            await self._delete()
        except (EndpointUnreachable, AwsError) as error:
            log.info("%s: %s messages are not deleted yet: %s", self.name, len(self._done), error)

    async def step(self, now: float) -> float | None:
        """Hide anew what is held at half its time; when to come again. Also for a loop beside a slow commit."""
        half = self._visibility / 2
        late = {message_id: one for message_id, one in self._held.items() if now >= one.hidden_at + half}
        for some in _tens(late):
            entries = [
                {"Id": str(place), "ReceiptHandle": late[message_id].handle, "VisibilityTimeout": int(self._visibility)}
                for place, message_id in enumerate(some)
            ]
            # Where a handle is refused the message is already visible again: it comes twice, which is harmless.
            await self._call("ChangeMessageVisibilityBatch", {"Entries": entries})
            for message_id in some:
                late[message_id].hidden_at = now
        return min((one.hidden_at + half for one in self._held.values()), default=None)

    async def _receive(self, wait: float) -> int:
        asked = {
            "MaxNumberOfMessages": AT_ONCE,
            "WaitTimeSeconds": int(wait),
            "VisibilityTimeout": int(self._visibility),
            "MessageSystemAttributeNames": ["ApproximateReceiveCount"],
        }
        messages = (await self._call("ReceiveMessage", asked)).get("Messages") or ()
        now = self._clock.now()
        for message in messages:
            message_id = message["MessageId"]
            self._done.pop(message_id, None)  # its newest handle is the one to delete by
            event, suspect = self._read(message, now)
            self._held[message_id] = _Held(message["ReceiptHandle"], now, event, self._is_over(event), suspect)
        return len(messages)

    def _read(self, message: Mapping[str, Any], now: float) -> tuple[bytes | None, bool]:
        """Its event, and whether it is to be tried alone."""
        body = str(message.get("Body", ""))
        times = int((message.get("Attributes") or {}).get("ApproximateReceiveCount") or 1)
        try:
            event, suspect = event_of(body), times > MOST_RECEIVES
            if suspect and self._aside.holds(self.name, message["MessageId"]):
                return None, False  # it was tried alone
            return event, suspect
        except Poison as poison:
            self._set_aside(message["MessageId"], str(poison), body, now)
            return None, False

    def _set_aside(self, message_id: str, reason: str, body: str, now: float) -> None:
        self._aside.put(Aside(source=self.name, message_id=message_id, at=now, reason=reason, body=body))

    def _is_over(self, event: bytes | None) -> bool:
        return event is not None and was_over(event, self._attached_at or 0.0)

    def _batch(self, cursor: Cursor | None, *, more: bool) -> Batch:
        """What is held: first, in silence, what was over before the first attach; suspects at last, each alone. A suspect is set aside
        before it is tried, and taken back once it is remembered."""
        held = {message_id: one for message_id, one in self._held.items() if not one.suspect}
        if not held and self._held:
            message_id, alone = next(iter(self._held.items()))
            held = {message_id: alone}
            reason = f"received more than {MOST_RECEIVES} times and never remembered, at last alone"
            self._set_aside(message_id, reason, (alone.event or b"").decode(), self._clock.now())
        silent = any(one.over for one in held.values())
        given = {message_id: one for message_id, one in held.items() if one.over or not silent}
        self._given = tuple(given)
        events = [one.event for one in given.values() if one.event is not None]
        seq = (cursor.seq if cursor is not None else 0) + len(given)
        # How many more there are nobody says exactly; after a full answer there is at least one, and we are behind.
        newest = seq + (more or len(given) < len(self._held))
        after = Cursor(f"{self._url} {self._attached_at}", seq, newest, self._clock.now(), cursor.gap_at if cursor else None)
        return Batch(events=events, cursor=after, silent=silent)

    async def _delete(self) -> None:
        for some in _tens(self._done):
            entries = [{"Id": str(place), "ReceiptHandle": self._done[message_id]} for place, message_id in enumerate(some)]
            failed = (await self._call("DeleteMessageBatch", {"Entries": entries})).get("Failed") or ()
            # A handle that is refused for good is one that a newer receive replaced: that one will be deleted.
            kept = {some[int(one["Id"])] for one in failed if not one.get("SenderFault")}
            for message_id in some:
                if message_id not in kept:
                    del self._done[message_id]

    async def _call(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        return await self._client.call("sqs", operation, {"QueueUrl": self._url, **params})


def event_of(body: str) -> bytes:
    """The EventBridge envelope in a message's body, also inside an SNS notification; Poison says why there is none. Pure."""
    try:
        raw = body.encode()
        value = msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:  # DecodeError is a ValueError, as is a lone surrogate's
        raise Poison(f"not JSON: {error}") from None
    if isinstance(value, dict) and "TopicArn" in value and "detail-type" not in value:
        try:
            notification = _notification(raw)
        except msgspec.DecodeError as error:
            raise Poison(f"not an event, and no notification of SNS: {error}") from None
        if notification.type != "Notification":
            raise Poison(f"SNS sent a {notification.type}, not a notification")
        return event_of(notification.message)
    try:
        envelope = _envelope(raw)
    except msgspec.DecodeError as error:
        raise Poison(f"not an EventBridge event: {error}") from None
    if not bytes(envelope.detail).startswith(b"{"):
        raise Poison("not an EventBridge event: its detail is no object")
    return raw


def _tens(ids: Iterable[str]) -> list[Sequence[str]]:
    listed = list(ids)
    return [listed[start : start + AT_ONCE] for start in range(0, len(listed), AT_ONCE)]

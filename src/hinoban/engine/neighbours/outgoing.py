"""What moto would send to the world: only SNS's notifications to HTTP subscribers go out, after their Publish is kept, and never at a replay.

Mails are told to the daemon, which sends them. Everything else that opens a connection in this process is refused: a neighbour calls nobody.
"""

import contextlib
import http.client
import logging
import queue
import socket
import ssl
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import msgspec

from hinoban.engine.neighbours.patch import put
from hinoban.engine.neighbours.wire import Mail

_log = logging.getLogger(__name__)
# As SNS's default delivery policy begins: three tries, a second apart, then it goes on less patiently than AWS (which tries 50 times).
TRIES = 3
APART = 1.0
WITHIN = 15.0
MOST_WAITING = 10_000


class Notification(msgspec.Struct, frozen=True):
    """One message for one HTTP subscriber."""

    url: str
    headers: dict[str, str]
    body: bytes


class Outgoing:
    """Collects what a write sends; a thread of its own delivers it once told."""

    def __init__(self) -> None:
        self._collected: list[Notification] = []
        self._mails: list[Mail] = []
        self._waiting: queue.Queue[Notification] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self._mine = threading.local()

    def post(self, url: str, envelope: dict[str, Any], *, subscription: str, raw: bool) -> None:
        """A message for an HTTP subscriber; `raw` sends the message alone (facts/cloudtrail_sns_lambda.md §2.2)."""
        headers = {
            "content-type": "text/plain; charset=UTF-8",
            "accept-encoding": "gzip,deflate",
            "user-agent": "Amazon Simple Notification Service Agent",
            "x-amz-sns-message-type": str(envelope["Type"]),
            "x-amz-sns-message-id": str(envelope["MessageId"]),
            "x-amz-sns-topic-arn": str(envelope["TopicArn"]),
            "x-amz-sns-subscription-arn": subscription,
        }
        if raw:
            headers["x-amz-sns-rawdelivery"] = "true"
        body = str(envelope["Message"]).encode("utf-8", "replace") if raw else msgspec.json.encode(envelope)
        self._collected.append(Notification(url, headers, body))

    def mail(self, mail: Mail) -> None:
        """A message for somebody who reads mails."""
        self._mails.append(mail)

    def take(self) -> tuple[list[Notification], list[Mail]]:
        """What the write that just ran sends."""
        collected, mails = self._collected, self._mails
        self._collected, self._mails = [], []
        return collected, mails

    def deliver(self, notifications: list[Notification]) -> None:
        """Send them, in the background."""
        for one in notifications:
            try:
                self._waiting.put_nowait(one)
            except queue.Full:
                _log.error("Too many notifications wait; one for %s is dropped", one.url)
        if notifications and self._thread is None:
            self._thread = threading.Thread(target=self._work, name="notifications", daemon=True)
            self._thread.start()

    def close_the_door(self) -> None:
        """From now on no connection leaves this process but a notification's."""
        connect = socket.socket.connect

        def guarded(this: socket.socket, address: Any) -> None:
            if this.family != socket.AF_UNIX and not getattr(self._mine, "delivering", False):
                raise ConnectionRefusedError(f"Hinoban's neighbours call nobody, not {address!r} either")
            connect(this, address)

        put(socket.socket, "connect", guarded)

    def _work(self) -> None:
        self._mine.delivering = True
        while True:
            self._send(self._waiting.get())

    def _send(self, one: Notification) -> None:
        problem: object = None
        for attempt in range(TRIES):
            if attempt:
                time.sleep(APART)
            try:
                status = _post(one)
            except (OSError, http.client.HTTPException, ValueError) as error:
                problem = error
                continue
            if status < 300:
                return
            problem = f"HTTP {status}"
        _log.error("The notification for %s was not taken: %s", one.url, problem)


def _post(one: Notification) -> int:
    parts = urlsplit(one.url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, timeout=WITHIN, context=ssl.create_default_context())
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=WITHIN)
    )
    with contextlib.closing(connection):
        connection.request("POST", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""), one.body, one.headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

"""The neighbours' process: replays the log, then answers one request after the other until its standard input ends.

One thread and one order: a write's moment and dice are its own, so nothing may run beside it. A receive that finds no message waits at the
side and is tried again after each write.
"""

import contextlib
import gc
import logging
import os
import select
import signal
import sys
import time
import traceback
import zlib
from pathlib import Path

import msgspec
import zstandard

from hinoban.engine.neighbours import classify, wire
from hinoban.engine.neighbours.keys import DamagedEntry, Keys
from hinoban.engine.neighbours.ledger import Ledger
from hinoban.engine.neighbours.moto_street import OurService, Request, Street, UnknownService
from hinoban.engine.neighbours.outgoing import Outgoing
from hinoban.engine.neighbours.replayable import Replayable

_log = logging.getLogger("hinoban.neighbours")
_LOOK_AGAIN = 0.1
# The messages' own calls; all others are in the log for good.
_MESSAGES = frozenset(
    {
        *("SendMessage", "SendMessageBatch", "ReceiveMessage", "DeleteMessage", "DeleteMessageBatch"),
        *("ChangeMessageVisibility", "ChangeMessageVisibilityBatch", "Publish", "PublishBatch"),
    }
)
_TOPIC_CALLS = frozenset({"Publish", "PublishBatch"})
# Takes messages away, so that a full log can become less full.
_MAKES_ROOM = frozenset({"DeleteMessage", "DeleteMessageBatch"})
# A role's keys live twelve hours at the most (STS); later their write is needed no more.
_ASSUMED_FOR = 12 * 3600.0
_ASSUMES = frozenset({"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"})
# Not moto's business: the signature is checked, the account is said by us.
_OUT_OF_SIGHT = frozenset({"authorization", "x-amz-security-token", "x-moto-account-id", "content-length", "transfer-encoding", "expect"})
_SIGNING_QUERY = ("X-Amz-Algorithm=", "X-Amz-Credential=", "X-Amz-Date=", "X-Amz-Expires=", "X-Amz-SignedHeaders=", "X-Amz-Signature=",
                  "X-Amz-Security-Token=")  # fmt: skip


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """A write as the log holds it: when, what, the keys it made, and the checksum of its answer."""

    moment: float
    request: Request
    tape: list[bytes]
    answered: int


class _Waiting(msgspec.Struct):
    """A receive that found nothing, and until when it waits."""

    ask: wire.Ask
    until: float


class Child:
    """Everything in this process."""

    def __init__(self, settings: wire.Settings, out: int) -> None:
        self._out = out
        gc.disable()
        self._keys = Keys(Path(settings.key_file), time.time())
        self._replayable = Replayable(self._keys.derive)
        self._replayable.install()
        self._ledger = Ledger()
        self._outgoing = Outgoing()
        self._outgoing.close_the_door()
        self._street = Street(self._keys, self._replayable, self._ledger, self._outgoing)
        self._pack = zstandard.ZstdCompressor(level=3)
        self._unpack = zstandard.ZstdDecompressor()
        self._last = 0
        self._waiting: list[_Waiting] = []
        self._replayed = 0
        self._seconds = 0.0
        self._damaged: list[int] = []
        self._different: list[str] = []
        self._drop: list[int] = []

    # The log ---------------------------------------------------------------------------------------------------------------------------

    def replay(self, entries: list[wire.Entry]) -> None:
        """Do again what was done, each write at its own moment and with its own dice."""
        began = time.monotonic()
        for entry in entries:
            try:
                kept = msgspec.msgpack.decode(self._unpack.decompress(self._keys.open(entry.number, entry.sealed)), type=_Kept)
            except (DamagedEntry, zstandard.ZstdError, msgspec.MsgspecError):
                self._damaged.append(entry.number)
                continue
            self._replay_one(entry.number, kept)
        self._seconds += time.monotonic() - began

    def _replay_one(self, number: int, kept: _Kept) -> None:
        operation = _operation(kept.request)
        if operation in _ASSUMES and kept.moment + _ASSUMED_FOR < self._replayable.now():
            self._drop.append(number)
            return
        try:
            _, status, _, body = self._write(number, kept.moment, kept.request, kept.tape)
        except Exception as error:
            self._different.append(f"{number} {kept.request.service}:{operation} {type(error).__name__}: {error}")
            return
        if zlib.crc32(body) != kept.answered or status >= 400:
            self._different.append(f"{number} {kept.request.service}:{operation} {status}")
        self._replayed += 1
        self._outgoing.take()
        self._drop += self._ledger.settle()

    def begin(self, last: int) -> None:
        """The log is through."""
        self._last = last
        # What was replayed stays: no collection needs to walk it.
        gc.collect()
        gc.freeze()
        gc.enable()
        self._send(wire.Ready(self._replayed, self._seconds, self._damaged, self._different, self._drop))

    def _write(
        self, number: int, moment: float, request: Request, tape: list[bytes]
    ) -> tuple[list[bytes], int, list[tuple[str, str]], bytes]:
        """Tape, status, headers and body of a write."""
        operation = _operation(request)
        self._ledger.current = number
        try:
            with self._replayable.write(number, moment, tape):
                status, headers, body = self._street.call(request)
            if request.service not in ("sqs", "sns") or operation not in _MESSAGES:
                self._ledger.pin()
            return self._replayable.tape, status, headers, body
        finally:
            self._ledger.current = None

    # Requests --------------------------------------------------------------------------------------------------------------------------

    def ask(self, ask: wire.Ask) -> None:
        """Answer it, or let it wait for a message."""
        self._answer(ask, None)

    def _answer(self, ask: wire.Ask, until: float | None) -> bool:
        """Whether it is answered; a receive whose time is not up yet is not. `until` is None at the first try."""
        request = _request(ask)
        operation = _operation(request)
        try:
            if not classify.writes(request.service, operation, request.method, request.path):
                status, headers, body = self._street.call(request)
                self._outgoing.take()
                self._send(wire.Answer(ask.id, status, headers, body))
                return True
            if not ask.room and operation not in _MAKES_ROOM:
                self._send(wire.Answer(ask.id, refused="full"))
                return True
            number, moment = self._last + 1, round(self._replayable.now(), 6)
            tape, status, headers, body = self._write(number, moment, request, [])
        except OurService:
            self._send(wire.Answer(ask.id, refused="ours"))
            return True
        except UnknownService:
            self._send(wire.Answer(ask.id, refused="unknown_service"))
            return True
        except Exception:
            _log.error("moto failed at %s:%s\n%s", request.service, operation or f"{request.method} {request.path}", traceback.format_exc())
            self._last += 1
            self._outgoing.take()
            self._send(wire.Answer(ask.id, refused="failed"))
            return True
        if waits := self._street.waits:
            # A receive without a message has changed nothing.
            self._ledger.forget(number)
            now = time.monotonic()
            if until is None and waits > 0:
                self._waiting.append(_Waiting(ask, now + waits))
                return False
            if until is not None and now < until:
                return False
            self._send(wire.Answer(ask.id, status, headers, body))
            return True
        self._last = number
        notifications, mails = self._outgoing.take()
        keep = status < 400 and classify.kept(request.service, operation, request.path)
        if keep and operation in _TOPIC_CALLS and b"TopicArn=" in request.body and not self._ledger.touched(number):
            # Nothing but HTTP subscribers and readers of mail, who have it now.
            keep = False
        drop: list[int] = []
        entry = None
        if keep:
            drop = self._ledger.settle()
            if number in drop:
                drop.remove(number)
            else:
                plain = msgspec.msgpack.encode(_Kept(moment, request, tape, zlib.crc32(body)))
                entry = wire.Entry(number, self._keys.seal(number, self._pack.compress(plain)))
        else:
            self._ledger.forget(number)
        self._send(wire.Answer(ask.id, status, headers, body, entry, drop))
        for mail in mails:
            self._send(mail)
        self._outgoing.deliver(notifications)
        return True

    def look_again(self) -> None:
        """Try the waiting receives once more."""
        waiting, self._waiting = self._waiting, []
        self._waiting = [one for one in waiting if not self._answer(one.ask, one.until)]

    def whose_key(self, ask: wire.WhoseKey) -> None:
        """Tell the secret of a key that IAM or STS made."""
        found = self._street.secret_of(ask.access_key_id, ask.account)
        self._send(wire.Key(ask.id, *found) if found else wire.Key(ask.id))

    @property
    def patience(self) -> float | None:
        """How long to sleep at the most when nobody asks."""
        return _LOOK_AGAIN if self._waiting else None

    def _send(self, message: wire.FromChild) -> None:
        left = memoryview(wire.frame(message))
        while left:
            left = left[os.write(self._out, left) :]


def _request(ask: wire.Ask) -> Request:
    headers = {name: value for name, value in ask.headers.items() if name not in _OUT_OF_SIGHT}
    query = ask.query
    if "X-Amz-Signature=" in query:
        query = "&".join(part for part in query.split("&") if not part.startswith(_SIGNING_QUERY))
    return Request(
        ask.method, ask.path, query, headers, ask.body, ask.client, ask.account, ask.region, ask.service, ask.access_key_id
    )  # fmt: skip


def _operation(request: Request) -> str:
    form = request.query
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = request.body[:4096].decode("latin-1") + "&" + form
    return classify.operation_of(request.method, request.path, request.headers.get("x-amz-target", ""), form)


class _Pipe:
    """The daemon's messages, as they come over standard input."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._held = bytearray()

    def next(self, patience: float | None = None) -> wire.ToChild | None:
        """The next message; None when none came within `patience` seconds. EOFError at the end."""
        while True:
            if len(self._held) >= wire.LENGTH:
                size = wire.LENGTH + int.from_bytes(self._held[: wire.LENGTH], "big")
                if len(self._held) >= size:
                    message: wire.ToChild = wire.to_child.decode(bytes(self._held[wire.LENGTH : size]))
                    del self._held[:size]
                    return message
            if patience is not None and not select.select([self._source], [], [], patience)[0]:
                return None
            read = os.read(self._source, 1 << 20)
            if not read:
                raise EOFError
            self._held += read


def main() -> None:
    """Serve until standard input ends: the daemon is gone then, or wants us to go."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="hinoban: %(levelname)s %(name)s: %(message)s")
    # What moto prints must not come between our frames.
    out = os.dup(1)
    os.dup2(2, 1)
    pipe = _Pipe(0)
    child: Child | None = None
    with contextlib.suppress(EOFError):
        while True:
            match pipe.next(child.patience if child else None):
                case wire.Settings() as settings:
                    child = Child(settings, out)
                case _ if child is None:
                    raise RuntimeError("the first message must be the settings")
                case wire.Entries(entries):
                    child.replay(entries)
                case wire.Begin(last):
                    child.begin(last)
                case wire.Ask() as ask:
                    child.ask(ask)
                    child.look_again()
                case wire.WhoseKey() as ask:
                    child.whose_key(ask)
                case None:
                    child.look_again()
    # Without waiting for threads of moto's.
    os._exit(0)


if __name__ == "__main__":
    main()

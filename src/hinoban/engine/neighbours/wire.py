"""What the daemon and its neighbours' process say to each other: msgpack frames over the child's standard input and output.

A frame is its length (4 bytes, big-endian) and one message. The daemon says Settings, then Entries, then Begin; the child says Ready;
from then on each Ask gets one Answer, not always in the order of the asks (a long poll waits). The mails that an answer sends follow it.
"""

import msgspec
from msgspec import Struct

LENGTH = 4
# Services that moto has too: they are ours, also what we do not have of them yet, and moto's are never reached from outside.
OURS = frozenset({"ecs", "events", "eventbridge", "scheduler", "logs", "cloudtrail"})


class Settings(Struct, frozen=True, tag="settings"):
    """Where the state directory's key lies."""

    key_file: str


class Entry(Struct, frozen=True, array_like=True):
    """One write of the log, sealed; `number` is the write's own for good."""

    number: int
    sealed: bytes


class Entries(Struct, frozen=True, tag="entries"):
    """Some of the log, in its order."""

    entries: list[Entry]


class Begin(Struct, frozen=True, tag="begin"):
    """The log is complete; the next write's number is the one after `last`."""

    last: int


class Ask(Struct, frozen=True, tag="ask"):
    """One request whose signature is good. `service` is the credential scope's; `room` says whether the log takes another write."""

    id: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    client: str
    account: str
    region: str
    service: str
    access_key_id: str
    room: bool


class WhoseKey(Struct, frozen=True, tag="whose_key"):
    """Asks for the secret of an access key that IAM or STS made."""

    id: int
    access_key_id: str
    account: str


class Ready(Struct, frozen=True, tag="ready"):
    """The log is replayed: how many writes, how long it took, which entries were damaged, which answered otherwise than at first, and
    which are needed no more."""

    replayed: int
    seconds: float
    damaged: list[int]
    different: list[str]
    drop: list[int]


class Answer(Struct, frozen=True, tag="answer"):
    """What moto answered. `write` is to be kept before the client hears of it, `drop` may be forgotten with it.

    `refused` is a reason in place of an answer: `unknown_service`, `ours`, `full` or `failed`.
    """

    id: int
    status: int = 0
    headers: list[tuple[str, str]] = []
    body: bytes = b""
    write: Entry | None = None
    drop: list[int] = []
    refused: str = ""


class Key(Struct, frozen=True, tag="key"):
    """The secret of an access key, whose it is (an ARN), its session token; an empty secret when there is no such key."""

    id: int
    secret: str = ""
    arn: str = ""
    kind: str = "IAMUser"
    session_token: str = ""


class Mail(Struct, frozen=True, tag="mail"):
    """A mail that a topic sends; only of live requests, behind the answer whose write it belongs to."""

    topic: str
    to: str
    subject: str
    body: str


ToChild = Settings | Entries | Begin | Ask | WhoseKey
FromChild = Ready | Answer | Key | Mail

_encoder = msgspec.msgpack.Encoder()
to_child = msgspec.msgpack.Decoder(ToChild)
from_child = msgspec.msgpack.Decoder(FromChild)


def frame(message: ToChild | FromChild) -> bytes:
    """A message as it goes over the pipe."""
    body = _encoder.encode(message)
    return len(body).to_bytes(LENGTH, "big") + body

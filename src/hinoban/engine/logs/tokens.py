"""The paging tokens: where a page ended, written so that nobody needs to remember anything.

GetLogEvents' tokens look like `f/<56 digits>/s` and `b/<56 digits>/s` (facts/logs.md §3). Both name a gap between two events: forward
reading goes on behind it, backward reading before it.
"""

import base64
import re
from typing import NamedTuple

import msgspec

from hinoban.aws.call import Params
from hinoban.engine.logs import errors
from hinoban.engine.logs.merge import Key

_TOKEN = re.compile(r"([fb])/(\d{28})(\d{28})/s")
FILTER_TOKEN_MS = 24 * 3600 * 1000


class Gap(NamedTuple):
    """Between the events before and those at or behind (timestamp, seq)."""

    timestamp: int
    seq: int


def forward_token(gap: Gap) -> str:
    return f"f/{gap.timestamp:028d}{gap.seq:028d}/s"


def backward_token(gap: Gap) -> str:
    return f"b/{gap.timestamp:028d}{gap.seq:028d}/s"


def parse_token(token: str) -> tuple[bool, Gap] | None:
    """Whether the token goes forward, and its gap; None where it is not one of ours."""
    found = _TOKEN.fullmatch(token)
    return (found[1] == "f", Gap(int(found[2]), int(found[3]))) if found else None


def filter_token(last: Key, issued_ms: int) -> str:
    """FilterLogEvents' token: behind which event to go on; it is good for 24 hours."""
    return _pack((issued_ms, last))


def parse_filter_token(token: str, now_ms: int) -> Key | None:
    """The event to go on behind; None where the token is not ours or too old."""
    try:
        issued, last = msgspec.json.decode(base64.urlsafe_b64decode(token), type=tuple[int, Key])
    except (ValueError, msgspec.DecodeError):
        return None
    return last if now_ms - issued <= FILTER_TOKEN_MS else None


def name_token(*last: int | str) -> str:
    """A Describe operation's token: the sort key of the last item given."""
    return _pack(last)


def parse_name_token(token: str) -> tuple[int | str, ...] | None:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token), type=tuple[int | str, ...])
    except (ValueError, msgspec.DecodeError):
        return None


def parse_after(params: Params) -> str | None:
    """The name behind which a Describe goes on, by its `nextToken`; None without one. AwsError where the token is not ours."""
    if "nextToken" not in params:
        return None
    parts = parse_name_token(params["nextToken"])
    if parts is None or len(parts) != 1 or not isinstance(parts[0], str):
        raise errors.invalid_token()
    return parts[0]


def _pack(value: object) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode()

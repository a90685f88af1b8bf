"""LookupEvents (facts/cloudtrail_sns_lambda.md §1.5) over the journal and the ring of reads, newest first.

A call looks at a bounded number of lines, so that a long journal holds nobody up: a page may hold fewer events than asked for, or none,
and have a NextToken. Differs from AWS: records are found for as long as the journal keeps them (7 days, not 90), reads until a restart
and the newest 10,000 of them; two calls a second are no limit. Which resources AWS tells of a call is UNCONFIRMED.
"""

import base64
import math
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.base.ids import derived_id
from hinoban.base.units import parse_iso
from hinoban.engine.journal import Journal
from hinoban.engine.trail import errors
from hinoban.engine.trail.identity import user_name
from hinoban.engine.trail.publish import DELAY
from hinoban.engine.trail.records import is_read, of_read, outgoing
from hinoban.engine.trail.resources import resources
from hinoban.engine.trail.ring import Read, Ring
from hinoban.store.database import Database

_PAGE = 50
# Records, lines and reads looked at within one call.
_RECORDS = 1000
_LINES = 5000
_NAMED = "SELECT seq, at, event FROM journal WHERE name = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
_ANY = "SELECT seq, at, event FROM journal NOT INDEXED WHERE seq < ? AND seq >= ? AND name IS NOT NULL ORDER BY seq DESC LIMIT ?"
_BEFORE = "SELECT seq FROM journal WHERE at <= ? ORDER BY at DESC LIMIT 1"
_AT = "SELECT at FROM journal WHERE seq >= ? ORDER BY seq LIMIT 1"
_encode = msgspec.json.Encoder().encode

Hit = tuple[float, float, dict[str, Any]]
"""When it was, its number in the journal or the ring, its envelope."""


class Position(Struct, frozen=True, array_like=True):
    """Where a page ended: what lies below these numbers is still to be shown. `of` says which parameters it belongs to."""

    of: str
    line: float
    read: float


class Scan(Struct, frozen=True):
    """Hits, newest first; `floor` is the moment down to which was looked (None: to the end) and `next` where to go on below it."""

    hits: list[Hit]
    floor: float | None
    next: float


class Lookup:
    """The operation; `delay` seconds pass before a record can be found."""

    def __init__(self, database: Database, journal: Journal, ring: Ring, *, delay: float = DELAY) -> None:
        self._database = database
        self._journal = journal
        self._ring = ring
        self._delay = delay

    def operations(self) -> dict[str, Handler]:
        return {"LookupEvents": self.lookup_events}

    def lookup_events(self, call: Call, params: Params) -> Result:
        """One page. Insights events, the only other category, are never there."""
        wanted = _Wanted(call, params, call.now - self._delay)
        at = _position(params, call.region)
        if "EventCategory" in params:
            return {"Events": []}
        lines, reads = self._lines(wanted, at.line), self._reads(wanted, at.read)
        page, line, read = _merged(lines, reads, params.get("MaxResults", _PAGE))
        answer: Result = {"Events": [_event(made) for made in page]}
        if line > 0 or read > 0:
            answer["NextToken"] = base64.urlsafe_b64encode(_encode(Position(at.of, line, read))).decode()
        return answer

    def _lines(self, wanted: "_Wanted", below: float) -> Scan:
        """The journal's. Its moments grow with its numbers: after a clock was set back, a range of time may leave some records out."""
        top = self._database.query(_BEFORE, (min(wanted.end + 1, wanted.horizon),))
        bound = int(min(below, top[0][0] + 1 if top else 0))
        if wanted.key == "EventName":
            lowest = 0
            rows = self._database.query(_NAMED, (wanted.value, bound, _RECORDS))
        else:
            lowest = max(0, bound - _LINES)
            rows = self._database.query(_ANY, (bound, lowest, _RECORDS))
        hits: list[Hit] = []
        for seq, at, event in rows:
            if at < wanted.start:
                return Scan(hits, None, 0)
            if all(needle in event for needle in wanted.needles) and wanted.takes(made := msgspec.json.decode(event)):
                hits.append((at, seq, made))
        if len(rows) == _RECORDS:
            return Scan(hits, rows[-1][1], rows[-1][0])
        floor = self._database.query(_AT, (lowest,)) if lowest > 1 else []
        return Scan(hits, floor[0][0], lowest) if floor and floor[0][0] >= wanted.start else Scan(hits, None, 0)

    def _reads(self, wanted: "_Wanted", below: float) -> Scan:
        """The ring's; records are made only for those that may match."""
        hits: list[Hit] = []
        made = 0
        for read in self._ring.newest_first():
            if read.number >= below or read.at > wanted.horizon or not wanted.may_take(read):
                continue
            if read.at < wanted.start:
                break
            if made == _RECORDS:
                return Scan(hits, read.at, read.number + 1)
            made += 1
            if wanted.takes(envelope := of_read(read, self._ring)):
                hits.append((read.at, read.number, envelope))
        return Scan(hits, None, 0)


class _Wanted:
    """What a call asks for, checked."""

    def __init__(self, call: Call, params: Params, horizon: float) -> None:
        attributes = params.get("LookupAttributes", [])
        if len(attributes) > 1:
            raise errors.bad_lookup("You can specify only one lookup attribute.")
        self.key: str | None = attributes[0]["AttributeKey"] if attributes else None
        self.value: str = attributes[0]["AttributeValue"] if attributes else ""
        self.start: float = params.get("StartTime", -math.inf)
        self.end: float = params.get("EndTime", math.inf)
        if self.start > self.end:
            raise errors.bad_range()
        self.horizon = horizon
        self._region = call.region
        self.needles = [b'"awsRegion":' + _encode(call.region)]
        literal = _encode(self.value)
        match self.key:
            case "EventId" | "EventSource" | "AccessKeyId":
                member = {"EventId": "eventID", "EventSource": "eventSource", "AccessKeyId": "accessKeyId"}[self.key]
                self.needles.append(_encode(member) + b":" + literal)
            case "Username" | "ResourceName":
                self.needles.append(literal[1:-1])

    def may_take(self, read: Read) -> bool:
        """Whether it is worth making the read's record."""
        call = read.call
        known = {
            "EventName": call.operation,
            "EventSource": f"{call.service}.amazonaws.com",
            "AccessKeyId": call.caller.access_key_id,
            "ReadOnly": str(is_read(call.operation)).lower(),
        }
        return call.region == self._region and known.get(self.key or "", self.value) == self.value

    def takes(self, made: dict[str, Any]) -> bool:
        detail = made["detail"]
        if detail["awsRegion"] != self._region or not self.start <= parse_iso(detail["eventTime"]) <= self.end:
            return False
        return self.key is None or self.value in _ATTRIBUTES[self.key](detail)


_ATTRIBUTES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "EventId": lambda detail: [detail["eventID"]],
    "EventName": lambda detail: [detail["eventName"]],
    "ReadOnly": lambda detail: [str(detail["readOnly"]).lower()],
    "Username": lambda detail: [user_name(detail["userIdentity"])],
    "ResourceType": lambda detail: [one["ResourceType"] for one in resources(detail)],
    "ResourceName": lambda detail: [one["ResourceName"] for one in resources(detail)],
    "EventSource": lambda detail: [detail["eventSource"]],
    "AccessKeyId": lambda detail: [detail["userIdentity"]["accessKeyId"]],
}


def _position(params: Params, region: str) -> Position:
    """Where to begin; a token goes with the parameters that it was made for, all but the size of a page."""
    rest = {name: value for name, value in params.items() if name not in ("NextToken", "MaxResults")}
    of = derived_id("lookup", region, msgspec.json.encode(rest, order="sorted").decode())
    if "NextToken" not in params:
        return Position(of, math.inf, math.inf)
    try:
        found = msgspec.json.decode(base64.urlsafe_b64decode(params["NextToken"]), type=Position)
    except (ValueError, msgspec.DecodeError):
        raise errors.bad_next_token() from None
    if found.of != of:
        raise errors.bad_next_token()
    return found


def _merged(lines: Scan, reads: Scan, most: int) -> tuple[list[dict[str, Any]], float, float]:
    """Up to `most` of both, newest first, as far down as both were looked at; and where each goes on (0: it is at its end)."""
    page: list[dict[str, Any]] = []
    line = read = 0
    while len(page) < most:
        line_at, read_at = _at(lines, line), _at(reads, read)
        if line_at == read_at == -math.inf:
            break
        scan, index = (lines, line) if line_at >= read_at else (reads, read)
        if index == len(scan.hits):
            break
        page.append(scan.hits[index][2])
        line, read = (line + 1, read) if scan is lines else (line, read + 1)
    return page, _below(lines, line), _below(reads, read)


def _at(scan: Scan, index: int) -> float:
    if index < len(scan.hits):
        return scan.hits[index][0]
    return -math.inf if scan.floor is None else scan.floor


def _below(scan: Scan, index: int) -> float:
    return scan.hits[index][1] + 1 if index < len(scan.hits) else scan.next


def _event(made: dict[str, Any]) -> Result:
    detail = outgoing(made)["detail"]
    identity = detail["userIdentity"]
    return {
        "EventId": detail["eventID"],
        "EventName": detail["eventName"],
        "ReadOnly": str(detail["readOnly"]).lower(),
        "AccessKeyId": identity["accessKeyId"],
        "EventTime": parse_iso(detail["eventTime"]),
        "EventSource": detail["eventSource"],
        "Username": user_name(identity),
        "Resources": resources(detail),
        "CloudTrailEvent": _encode(detail).decode(),
    }

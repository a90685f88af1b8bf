"""What CloudTrail's records become while a trail logs: events on the default bus, lines in the trail's log group, a delay after the call.

The journal is the outbox (docs/decisions/0003): a durable cursor goes over it, in the transaction of what was queued, so that after a
crash each record is published at least once and none is lost. Reads come from memory and are best effort, as all are on AWS.
"""

import math
from typing import Any, Protocol

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Params
from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS, Clock
from hinoban.base.supervise import Loop
from hinoban.base.units import parse_iso
from hinoban.engine.journal import Journal
from hinoban.engine.trail.model import Key, Span
from hinoban.engine.trail.records import of_read, outgoing
from hinoban.engine.trail.ring import Ring
from hinoban.engine.trail.state import TrailState
from hinoban.store.database import Database

DELAY = 5 * SECONDS
# Bytes; a bigger record goes to S3 alone on AWS (facts/cloudtrail_sns_lambda.md §1.1).
LARGEST = 256 * 1024
# Records published, and lines of the journal looked at, within one turn of the event loop.
_BATCH = 100
_RANGE = 2000
# By number, not by the index of names: its rows would have to be sorted.
_NEXT = "SELECT seq, at, event FROM journal NOT INDEXED WHERE seq > ? AND seq <= ? AND name IS NOT NULL ORDER BY seq LIMIT ?"
_encode = msgspec.json.Encoder().encode


class Bus(Protocol):
    """engine.events.router.Router, as far as it is needed here."""

    def publish(self, region: str, bus: str, event: Params, *, read: bool = False) -> int: ...


class Groups(Protocol):
    """engine.logs.service.Logs, as far as it is needed here."""

    def put_event(self, region: str, group: str, stream: str, timestamp_ms: int, message: str) -> None: ...


class Publisher:
    """`loop` publishes; `told` is to be called after every record (records.Trail does)."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        state: TrailState,
        ring: Ring,
        bus: Bus,
        groups: Groups,
        clock: Clock,
        *,
        delay: float = DELAY,
    ) -> None:
        self._database = database
        self._journal = journal
        self._state = state
        self._ring = ring
        self._bus = bus
        self._groups = groups
        self._delay = delay
        self._read = ring.last
        self._clock = clock
        self._due = math.inf
        self._outcomes: dict[Key, str | None] = {}
        self.loop = Loop("cloudtrail", self.step, clock)
        state.listen(self.told)

    def told(self) -> None:
        """There is something new; costs nothing while no trail logs, and little while the loop comes back early enough by itself."""
        # Too late it comes where the clock was set back while it slept.
        if self._state.spans and self._clock.now() + self._delay < self._due:
            self._due = -math.inf
            self.loop.wake()

    async def step(self, now: float) -> float | None:
        """Publish what is due; answers when the next record is."""
        await self._database.committed()
        due = self._reads(now)
        if due != now:
            due = _earlier(due, self._records(now))
        for key, error in self._outcomes.items():
            self._state.delivered(key, now, error)
        self._outcomes.clear()
        self._due = math.inf if due is None else due
        return due

    # Reads ---------------------------------------------------------------------------------------------------------------------------

    def _reads(self, now: float) -> float | None:
        """Publish the reads that are due, before the records behind them: when the span's last record is done, it is forgotten."""
        if not self._state.spans:
            self._read = self._ring.last
        reads = self._ring.after(self._read, _BATCH)
        for read in reads:
            if self._waits(read.at, now):
                return read.at + self._delay
            self._read = read.number
            region, source = read.call.region, f"{read.call.service}.amazonaws.com"
            # The record that would have come next in the journal: a read has no number of its own there.
            if spans := self._spans(read.behind + 1, region, source, True):
                self._publish(of_read(read, self._ring), spans)
        return now if len(reads) == _BATCH else None

    # The journal ---------------------------------------------------------------------------------------------------------------------

    def _records(self, now: float) -> float | None:
        """Publish a run of the journal; the cursor goes with it."""
        if not self._state.spans:
            return None
        cursor, newest = self._state.cursor, self._journal.newest
        rows = self._database.query(_NEXT, (cursor, cursor + _RANGE, _BATCH))
        for seq, at, event in rows:
            if self._waits(at, now):
                self._state.advance(cursor)
                return float(at) + self._delay
            made = msgspec.json.decode(event)
            detail = made["detail"]
            if spans := self._spans(seq, made["region"], detail["eventSource"], detail["readOnly"]):
                self._publish(made, spans)
            cursor = seq
        if len(rows) < _BATCH:
            cursor = max(cursor, min(self._state.cursor + _RANGE, newest))
        self._state.advance(cursor)
        if cursor < newest:
            return now
        # What is written and not committed yet is due a delay from now at the earliest.
        return now + self._delay if self._state.spans and self._journal.written > newest else None

    def _waits(self, at: float, now: float) -> bool:
        # A record from the future was written before the clock was set back: it does not wait for it.
        return 0 < at + self._delay - now <= self._delay

    def _spans(self, number: int, region: str, source: str, read: bool) -> list[Span]:
        return [span for span in self._state.spans.values() if span.covers(number, region) and span.selection.takes(source, read)]

    def _publish(self, made: dict[str, Any], spans: list[Span]) -> None:
        sent = outgoing(made)
        detail = sent["detail"]
        message = _encode(detail)
        if len(message) > LARGEST:
            return
        self._bus.publish(sent["region"], "default", sent, read=detail["readOnly"])
        stream = f"{sent['account']}_CloudTrail_{sent['region']}"
        written = set()
        for span in spans:
            if span.group_arn is not None and (span.trail, span.group_arn) not in written:
                written.add((span.trail, span.group_arn))
                self._write(span.trail, span.group_arn, stream, detail["eventTime"], message.decode())

    def _write(self, key: Key, group_arn: str, stream: str, time: str, message: str) -> None:
        """One line in the trail's log group (facts/cloudtrail_sns_lambda.md §1.4); a failure is GetTrailStatus's to tell."""
        region, group = group_of(group_arn)
        try:
            self._groups.put_event(region, group, stream, round(parse_iso(time) * 1000), message)
        except AwsError as error:
            self._outcomes[key] = error.message
        except OSError as error:
            self._outcomes[key] = error.strerror
        else:
            self._outcomes.setdefault(key, None)


def group_of(group_arn: str) -> tuple[str, str]:
    """Region and name of `arn:aws:logs:REGION:ACCOUNT:log-group:NAME:*`; ValueError if it is no log group's."""
    parsed = arns.parse(group_arn)
    kind, _, rest = parsed.resource.partition(":")
    name = rest.removesuffix(":*")
    if parsed.service != "logs" or kind != "log-group" or not name or ":" in name:
        raise ValueError(f"{group_arn!r} is not a log group's ARN")
    return (parsed.region, name)


def _earlier(one: float | None, other: float | None) -> float | None:
    return min((moment for moment in (one, other) if moment is not None), default=None)

"""Every trail and every span of logging, in memory with a row each; which of the journal's records are some trail's is decided here.

A span ends behind the record of the call that ended it: StopLogging and DeleteTrail are a trail's last records, StartLogging its first.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec
from msgspec import structs

from hinoban.engine.journal import Journal
from hinoban.engine.trail.model import Key, Span, TrailConfig, selection
from hinoban.store.database import Database, Table

MIGRATION = """
CREATE TABLE trails (region TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (region, name)) WITHOUT ROWID;
CREATE TABLE trail_spans (number INTEGER PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE trail_cursor (what TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""
TRAILS = Table("trails", "region", "name")
SPANS = Table("trail_spans", "number")
CURSOR = Table("trail_cursor", "what")
_ROW = ("published",)


class TrailState:
    """`trails` by home region and name; `spans` by number. `listen`'s hearer is called after spans have changed."""

    def __init__(self, database: Database, journal: Journal, account: str) -> None:
        self._database = database
        self._journal = journal
        self.account = account
        self._trails: dict[Key, TrailConfig] = {}
        self._spans: dict[int, Span] = {}
        self._cursor = 0
        self._hear: Callable[[], None] | None = None
        self.trails: Mapping[Key, TrailConfig] = MappingProxyType(self._trails)
        self.spans: Mapping[int, Span] = MappingProxyType(self._spans)
        self._load()

    def _load(self) -> None:
        for _, _, value in self._database.rows(TRAILS):
            trail = msgspec.json.decode(value, type=TrailConfig)
            self._trails[trail.key] = trail
        for _, value in self._database.rows(SPANS):
            span = msgspec.json.decode(value, type=Span)
            self._spans[span.number] = span
        for _, value in self._database.rows(CURSOR):
            self._cursor = msgspec.json.decode(value, type=int)

    def listen(self, hear: Callable[[], None]) -> None:
        self._hear = hear

    # Trails --------------------------------------------------------------------------------------------------------------------------

    def put(self, trail: TrailConfig) -> None:
        """Keep this trail in place of the one of its name; what it logs from now on goes where it now says."""
        before = self._trails.get(trail.key)
        self._keep(trail)
        if before is not None and before.logging and trail.logging and _road(before) != _road(trail):
            self._end_span(trail.key)
            # The call's own record went with the old span.
            self._begin_span(trail, self._journal.written + 1)

    def delete(self, key: Key) -> None:
        """Forget a trail; its logging ends with the call's own record."""
        self._end_span(key)
        del self._trails[key]
        self._database.put(TRAILS, key, None)

    def start(self, key: Key, now: float) -> None:
        """Begin to log; a trail that logs goes on."""
        trail = self._trails[key]
        self._keep(structs.replace(trail, logging=True, started_at=now))
        if not trail.logging:
            self._begin_span(trail, self._journal.written)

    def stop(self, key: Key, now: float) -> None:
        """Log no more; a trail that does not log stays as it is."""
        trail = self._trails[key]
        if trail.logging:
            self._keep(structs.replace(trail, logging=False, stopped_at=now))
            self._end_span(key)

    def delivered(self, key: Key, now: float, error: str | None) -> None:
        """Remember how the last delivery to the trail's log group went; a trail that is gone needs no memory."""
        trail = self._trails.get(key)
        if trail is not None:
            at = now if error is None else trail.delivered_at
            self._keep(structs.replace(trail, delivered_at=at, delivery_error=error))

    def seen_in(self, region: str, *, shadows: bool = True) -> list[TrailConfig]:
        """The trails of a region, and the multi-region ones of other regions, by name."""
        found = (trail for trail in self._trails.values() if trail.seen_in(region) and (shadows or trail.region == region))
        return sorted(found, key=lambda trail: (trail.name, trail.region))

    def clear(self) -> None:
        """Forget every trail and what it still had to publish."""
        for key in list(self._trails):
            del self._trails[key]
            self._database.put(TRAILS, key, None)
        for number in list(self._spans):
            self._forget(number)

    # Spans ---------------------------------------------------------------------------------------------------------------------------

    @property
    def cursor(self) -> int:
        """The number of the last record that needs no publishing any more."""
        first = min((span.start for span in self._spans.values()), default=self._cursor)
        return max(self._cursor, first)

    def advance(self, number: int) -> None:
        """Everything up to `number` is published, in the transaction of this turn; spans that lie behind are forgotten."""
        if number > self._cursor:
            self._cursor = number
            self._database.put(CURSOR, _ROW, number)
        for span in list(self._spans.values()):
            if span.stop is not None and span.stop <= number:
                self._forget(span.number)

    def _begin_span(self, trail: TrailConfig, start: int) -> None:
        number = max(self._spans, default=0) + 1
        region = None if trail.multi_region else trail.region
        self._keep_span(
            Span(
                number=number,
                trail=trail.key,
                region=region,
                group_arn=trail.group_arn,
                selection=selection(trail),
                start=start,
            )
        )

    def _end_span(self, key: Key) -> None:
        for span in list(self._spans.values()):
            if span.trail == key and span.stop is None:
                # One more: the record of the call under way, which is written right after it.
                self._keep_span(structs.replace(span, stop=self._journal.written + 1))

    def _keep(self, trail: TrailConfig) -> None:
        self._trails[trail.key] = trail
        self._database.put(TRAILS, trail.key, trail)

    def _keep_span(self, span: Span) -> None:
        self._spans[span.number] = span
        self._database.put(SPANS, (span.number,), span)
        if self._hear is not None:
            self._hear()

    def _forget(self, number: int) -> None:
        del self._spans[number]
        self._database.put(SPANS, (number,), None)


def _road(trail: TrailConfig) -> tuple[object, ...]:
    return (trail.multi_region, trail.group_arn, selection(trail))

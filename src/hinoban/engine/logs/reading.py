"""GetLogEvents and FilterLogEvents: pages of at most 10,000 events or 1 MB, loading only the blocks they need (facts/logs.md §3)."""

import functools
import itertools
from collections.abc import Iterable, Iterator

from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.engine.logs import errors
from hinoban.engine.logs.groups import group_of
from hinoban.engine.logs.merge import Key, Source, ascending, descending
from hinoban.engine.logs.records import Record
from hinoban.engine.logs.segments import StreamFiles
from hinoban.engine.logs.state import State, Stream
from hinoban.engine.logs.streams import EVENT_OVERHEAD_BYTES, find_stream
from hinoban.engine.logs.tokens import Gap, backward_token, filter_token, forward_token, parse_filter_token, parse_token

PAGE_EVENTS = 10_000
PAGE_BYTES = 1_048_576
FOREVER = 10**27


class ReadOperations:
    """The operations that read events."""

    def __init__(self, state: State, account: str) -> None:
        self._state = state
        self._account = account

    def operations(self) -> dict[str, Handler]:
        return {"GetLogEvents": self.get_log_events, "FilterLogEvents": self.filter_log_events}

    def get_log_events(self, call: Call, params: Params) -> Result:
        """One stream's page. A token says the direction by itself; without one `startFromHead` (default false) does.

        At the end of a direction its token is the one that was sent, so a reader stops, or asks again later for what is new.
        """
        stream = find_stream(self._state, call.region, group_of(params), params["logStreamName"])
        files = self._state.files(stream)
        start, end = params.get("startTime", 0), params.get("endTime", FOREVER)
        limit = params.get("limit", PAGE_EVENTS)
        if "nextToken" in params:
            parsed = parse_token(params["nextToken"])
            if parsed is None:
                raise errors.invalid_token()
            forward, gap = parsed
        else:
            forward = params.get("startFromHead", False)
            gap = Gap(start, 0) if forward else Gap(end, 0)
        if forward:
            page = _page(_behind(files, max(gap, Gap(start, 0)), end), limit)
        else:
            page = _page(_before(files, min(gap, Gap(end, 0)), start), limit)
            page.reverse()
        if page:
            first, last = page[0], page[-1]
            before, behind = Gap(first.timestamp, first.seq), Gap(last.timestamp, last.seq + 1)
        else:
            # Nothing there yet: what is written later lies behind this gap, also where the reader began at the end.
            before = behind = gap if forward or "nextToken" in params else Gap(start, 0)
        return {
            "events": [{"timestamp": record.timestamp, "message": record.message, "ingestionTime": record.ingestion} for record in page],
            "nextForwardToken": forward_token(behind),
            "nextBackwardToken": backward_token(before),
        }

    def filter_log_events(self, call: Call, params: Params) -> Result:
        """The group's events of all or some streams, interleaved; `endTime` is inclusive here (facts/logs.md §0.6)."""
        if params.get("filterPattern", "").strip(" "):
            # Differs from AWS: patterns are not understood yet, and ignoring one would answer something else than was asked.
            raise errors.invalid("Hinoban does not understand filterPattern yet; leave it out and filter the events yourself.")
        streams = self._chosen(call.region, group_of(params), params)
        start, end = params.get("startTime", 0), params.get("endTime", FOREVER)
        after: Key | None = None
        if "nextToken" in params:
            after = parse_filter_token(params["nextToken"], round(call.now * 1000))
            if after is None:
                raise errors.invalid_token()
            start = max(start, after[0])
        sources = itertools.chain.from_iterable(_sources(name, self._state.files(stream), start, end) for name, stream in streams.items())
        limit = params.get("limit", PAGE_EVENTS)
        wanted = (
            (key, record) for key, record in ascending(sources) if start <= record.timestamp <= end and (after is None or key > after)
        )
        page, more = _page_and_more(wanted, limit)
        result: Result = {"events": [_filtered(key[2], streams[key[2]], record) for key, record in page], "searchedLogStreams": []}
        if more:
            result["nextToken"] = filter_token(page[-1][0], round(call.now * 1000))
        return result

    def _chosen(self, region: str, group: str, params: Params) -> dict[str, Stream]:
        if "logStreamNames" in params and "logStreamNamePrefix" in params:
            raise errors.invalid("LogStreamNames and LogStreamNamePrefix are mutually exclusive parameters.")
        if group not in self._state.groups(region):
            raise errors.no_such_group()
        if "logStreamNames" in params:
            return {name: find_stream(self._state, region, group, name) for name in params["logStreamNames"]}
        prefix = params.get("logStreamNamePrefix", "")
        return {name: stream for name, stream in self._state.streams(region, group).items() if name.startswith(prefix)}


def _sources(name: str, files: StreamFiles, start: int, end: int) -> Iterator[Source]:
    """The blocks that may hold an event from `start` to `end`, both inclusive."""
    for segment in files.segments:
        for block in segment.blocks:
            if block.newest >= start and block.oldest <= end:
                yield Source(name, block.oldest, block.newest, functools.partial(segment.load, block))


def _behind(files: StreamFiles, gap: Gap, end: int) -> Iterator[Record]:
    for _, record in ascending(_sources("", files, gap.timestamp, end)):
        if record.timestamp >= end:
            return
        if (record.timestamp, record.seq) >= gap:
            yield record


def _before(files: StreamFiles, gap: Gap, start: int) -> Iterator[Record]:
    for record in descending(_sources("", files, start, gap.timestamp)):
        if record.timestamp < start:
            return
        if (record.timestamp, record.seq) < gap:
            yield record


def _page(records: Iterable[Record], limit: int) -> list[Record]:
    page: list[Record] = []
    room = PAGE_BYTES
    for record in records:
        room -= _size(record)
        if page and room < 0:
            break
        page.append(record)
        if len(page) == limit:
            break
    return page


def _page_and_more(records: Iterable[tuple[Key, Record]], limit: int) -> tuple[list[tuple[Key, Record]], bool]:
    page: list[tuple[Key, Record]] = []
    room = PAGE_BYTES
    for key, record in records:
        room -= _size(record)
        if page and (room < 0 or len(page) == limit):
            return page, True
        page.append((key, record))
    return page, False


def _size(record: Record) -> int:
    return len(record.message.encode()) + EVENT_OVERHEAD_BYTES


def _filtered(name: str, stream: Stream, record: Record) -> Result:
    return {
        "logStreamName": name,
        "timestamp": record.timestamp,
        "message": record.message,
        "ingestionTime": record.ingestion,
        "eventId": f"{record.timestamp:020d}{int(stream.directory[:10], 16):016d}{record.seq:020d}",
    }

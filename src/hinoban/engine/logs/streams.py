"""CreateLogStream, DescribeLogStreams, PutLogEvents (facts/logs.md §§1, 2)."""

import itertools

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.base.clock import DAYS, HOURS
from hinoban.engine.logs import errors
from hinoban.engine.logs.groups import group_of
from hinoban.engine.logs.segments import StreamFiles
from hinoban.engine.logs.state import State, Stream
from hinoban.engine.logs.tokens import name_token, parse_name_token

PAGE = 50
BATCH_BYTES = 1_048_576
EVENT_OVERHEAD_BYTES = 26
OLDEST_MS = round(14 * DAYS * 1000)
NEWEST_MS = round(2 * HOURS * 1000)
SPAN_MS = round(24 * HOURS * 1000)


class StreamOperations:
    """The operations on log streams."""

    def __init__(self, state: State) -> None:
        self._state = state

    def operations(self) -> dict[str, Handler]:
        return {
            "CreateLogStream": self.create_log_stream,
            "DescribeLogStreams": self.describe_log_streams,
            "PutLogEvents": self.put_log_events,
        }

    def create_log_stream(self, call: Call, params: Params) -> Result:
        group, name = params["logGroupName"], params["logStreamName"]
        if group not in self._state.groups(call.region):
            raise errors.no_such_group()
        if name in self._state.streams(call.region, group):
            raise errors.stream_exists()
        self._state.create_stream(call.region, group, name)
        return {}

    def put_log_events(self, call: Call, params: Params) -> Result:
        """Events too old or too new are dropped and told by index; all else that is wrong fails the call (facts/logs.md §2)."""
        stream = find_stream(self._state, call.region, params["logGroupName"], params["logStreamName"])
        events = [(event["timestamp"], event["message"]) for event in params["logEvents"]]
        _check_size(events)
        if any(later[0] < earlier[0] for earlier, later in itertools.pairwise(events)):
            raise errors.invalid("Log events in a single PutLogEvents request must be in chronological order.")
        now = round(call.now * 1000)
        old = sum(moment < now - OLDEST_MS for moment, _ in events)
        good = sum(moment <= now + NEWEST_MS for moment, _ in events)
        taken = events[old:good]
        if taken and taken[-1][0] - taken[0][0] > SPAN_MS:
            raise errors.invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.")
        if taken:
            self._state.append(stream, taken, None)
        result: Result = {"nextSequenceToken": _sequence_token(self._state.files(stream))}
        rejected: Result = {}
        if old:
            rejected["tooOldLogEventEndIndex"] = old
        if good < len(events):
            rejected["tooNewLogEventStartIndex"] = good
        if rejected:
            result["rejectedLogEventsInfo"] = rejected
        return result

    def describe_log_streams(self, call: Call, params: Params) -> Result:
        """Streams by name, or by the time of their last event (those without one first)."""
        group = group_of(params)
        if group not in self._state.groups(call.region):
            raise errors.no_such_group()
        by_time = params.get("orderBy", "LogStreamName") == "LastEventTime"
        prefix = params.get("logStreamNamePrefix", "")
        if by_time and prefix:
            raise errors.invalid("Cannot order by LastEventTime with a logStreamNamePrefix.")
        streams = self._state.streams(call.region, group)
        keys: list[tuple[int, str]] = [
            (self._state.files(stream).newest if by_time else 0, name) for name, stream in streams.items() if name.startswith(prefix)
        ]
        descending = params.get("descending", False)
        keys.sort(reverse=descending)
        if "nextToken" in params:
            last = _last_key(params["nextToken"])
            keys = [key for key in keys if (key < last if descending else key > last)]
        limit = params.get("limit", PAGE)
        page = keys[:limit]
        result: Result = {"logStreams": [self._described(call, group, name, streams[name]) for _, name in page]}
        if len(keys) > limit:
            result["nextToken"] = name_token(*page[-1])
        return result

    def _described(self, call: Call, group: str, name: str, stream: Stream) -> Result:
        files = self._state.files(stream)
        item: Result = {"logStreamName": name, "creationTime": stream.created}
        if (span := files.span()) is not None:
            item["firstEventTimestamp"], item["lastEventTimestamp"] = span
            item["lastIngestionTime"] = files.last_ingestion
            item["uploadSequenceToken"] = _sequence_token(files)
        item["arn"] = arns.log_stream_arn(call.region, call.account, group, name)
        # AWS has reported 0 for every stream since 2019 (facts/logs.md §1).
        item["storedBytes"] = 0
        return item


def find_stream(state: State, region: str, group: str, name: str) -> Stream:
    """The stream, or the ResourceNotFoundException that says which of the two is missing."""
    if group not in state.groups(region):
        raise errors.no_such_group()
    stream = state.streams(region, group).get(name)
    if stream is None:
        raise errors.no_such_stream()
    return stream


def _check_size(events: list[tuple[int, str]]) -> None:
    sizes = [len(message.encode("utf-8", "replace")) + EVENT_OVERHEAD_BYTES for _, message in events]
    if max(sizes) - EVENT_OVERHEAD_BYTES > BATCH_BYTES:
        raise errors.invalid(f"Log event too large: {max(sizes) - EVENT_OVERHEAD_BYTES} bytes exceeds limit of {BATCH_BYTES}")
    if sum(sizes) > BATCH_BYTES:
        raise errors.invalid(f"Upload too large: {sum(sizes)} bytes exceeds limit of {BATCH_BYTES}")


def _sequence_token(files: StreamFiles) -> str:
    """Always given, never asked for again (facts/logs.md §0.3)."""
    return f"{files.next_seq:056d}"


def _last_key(token: str) -> tuple[int, str]:
    parts = parse_name_token(token)
    if parts is None or len(parts) != 2 or not isinstance(parts[0], int) or not isinstance(parts[1], str):
        raise errors.invalid_token()
    return parts[0], parts[1]

"""StartReplay, DescribeReplay, ListReplays, CancelReplay (facts/eventbridge.md §9); the replaying itself is the Replayer's."""

from collections.abc import Callable

import msgspec

from hinoban.aws import arns
from hinoban.aws.call import Call, Handler, Params, Result
from hinoban.aws.errors import AwsError
from hinoban.engine.events import errors
from hinoban.engine.events.api.names import find_bus
from hinoban.engine.events.model import Archive, Replay, replay_arn
from hinoban.engine.events.pages import one_filter, page
from hinoban.engine.events.state import EventsState

MOST_REPLAYS = 10
"""Under way at once."""


class ReplayOperations:
    """The operations on replays; `wake` tells the Replayer that there is something to do."""

    def __init__(self, state: EventsState, wake: Callable[[], None]) -> None:
        self._state = state
        self._archives = state.archives
        self._wake = wake

    def operations(self) -> dict[str, Handler]:
        return {"StartReplay": self.start, "DescribeReplay": self.describe, "ListReplays": self.list, "CancelReplay": self.cancel}

    def start(self, call: Call, params: Params) -> Result:
        """Which of two bad parameters AWS tells first is UNCONFIRMED."""
        name, destination = params["ReplayName"], params["Destination"]
        if (call.region, name) in self._archives.replays:
            raise errors.replay_exists(name)
        archive = self._archive(call, params["EventSourceArn"], destination["Arn"])
        if params["EventStartTime"] >= params["EventEndTime"]:
            raise errors.invalid("Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.")
        if sum(replay.under_way for replay in self._archives.replays.values() if replay.region == call.region) >= MOST_REPLAYS:
            raise errors.limit_exceeded()
        replay = Replay(
            region=call.region,
            name=name,
            arn=replay_arn(call.region, self._state.account, name),
            archive_arn=archive.arn,
            archive=archive.name,
            bus=archive.bus,
            destination=destination,
            start=params["EventStartTime"],
            end=params["EventEndTime"],
            description=params.get("Description"),
            started_at=call.now,
        )
        self._archives.put_replay(replay)
        self._wake()
        return {"ReplayArn": replay.arn, "State": replay.state, "ReplayStartTime": replay.started_at}

    def _archive(self, call: Call, source: str, destination: str) -> Archive:
        """The archive that is replayed to its own bus."""
        if not _is_bus(destination):
            raise errors.invalid("Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.")
        kind, _, name = arns.parse(source).resource.partition("/")
        if kind != "archive":
            raise errors.invalid("Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN.")
        bus = find_bus(self._state, call.region, destination)
        archive = self._archives.archives.get((call.region, name))
        if archive is None or archive.arn != source:
            raise errors.invalid(f"Parameter EventSourceArn is not valid. Reason: Archive {name} does not exist.")
        if archive.source_arn != bus.arn:
            raise errors.invalid("Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.")
        return archive

    def describe(self, call: Call, params: Params) -> Result:
        replay = self._find(call, params)
        found = {"ReplayArn": replay.arn, "Destination": replay.destination, **_summary(replay)}
        if replay.description is not None:
            found["Description"] = replay.description
        return found

    def list(self, call: Call, params: Params) -> Result:
        one_filter("ListReplays", params)
        state, source = params.get("State"), params.get("EventSourceArn")
        found = {
            replay.name: replay
            for replay in self._archives.replays.values()
            if replay.region == call.region and state in (None, replay.state) and source in (None, replay.archive_arn)
        }
        names, more = page(found, params)
        return {"Replays": [_summary(found[name]) for name in names], **more}

    def cancel(self, call: Call, params: Params) -> Result:
        replay = self._find(call, params)
        if replay.state not in ("STARTING", "RUNNING"):
            raise AwsError("IllegalStatusException", f"Replay {replay.name} is not in a valid state for this operation.")
        replay = msgspec.structs.replace(replay, state="CANCELLING")
        self._archives.put_replay(replay)
        self._wake()
        return {"ReplayArn": replay.arn, "State": replay.state}

    def _find(self, call: Call, params: Params) -> Replay:
        found = self._archives.replays.get((call.region, params["ReplayName"]))
        if found is None:
            raise errors.no_such_replay(params["ReplayName"])
        return found


def _is_bus(destination: str) -> bool:
    try:
        return arns.parse(destination).resource.startswith("event-bus/")
    except ValueError:
        return False


def _summary(replay: Replay) -> Result:
    found: Result = {
        "ReplayName": replay.name,
        "EventSourceArn": replay.archive_arn,
        "State": replay.state,
        "EventStartTime": replay.start,
        "EventEndTime": replay.end,
        "ReplayStartTime": replay.started_at,
    }
    for member, value in (("StateReason", replay.state_reason), ("EventLastReplayedTime", replay.at), ("ReplayEndTime", replay.ended_at)):
        if value is not None:
            found[member] = value
    return found

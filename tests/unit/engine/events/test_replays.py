"""Archives and replays (facts/eventbridge.md §9)."""

from typing import Any

import pytest

from hinoban.base.clock import DAYS
from hinoban.base.units import iso_seconds
from hinoban.engine.events.archives import Archives
from hinoban.engine.events.replayer import BEGINNING
from tests.support.events import ARN, QUEUE, REGION, Hall

BUS = f"{ARN}:event-bus/default"
ARCHIVE = f"{ARN}:archive/a"


@pytest.fixture
async def archive(hall: Hall) -> None:
    hall.ask("CreateArchive", ArchiveName="a", EventSourceArn=BUS, EventPattern='{"source": [{"prefix": "my."}]}', RetentionDays=1)
    for name in ("r", "s"):
        hall.ask("PutRule", Name=name, EventPattern='{"detail-type": ["T"]}')
        hall.ask("PutTargets", Rule=name, Targets=[{"Id": "1", "Arn": QUEUE}])


def start(hall: Hall, name: str = "again", *, source: str = ARCHIVE, destination: str = BUS, **params: Any) -> dict[str, Any]:
    filters = params.pop("FilterArns", [])
    around = {"EventStartTime": hall.clock.now() - 3600, "EventEndTime": hall.clock.now() + 3600} | params
    where = {"Arn": destination, "FilterArns": filters}
    return hall.ask("StartReplay", ReplayName=name, EventSourceArn=source, Destination=where, **around)


def refused(hall: Hall, **params: Any) -> tuple[str, str]:
    where = {"ReplayName": "again", "EventSourceArn": ARCHIVE, "Destination": {"Arn": BUS}, "EventStartTime": 1, "EventEndTime": 2}
    return hall.refused("StartReplay", **(where | params))


async def run(hall: Hall) -> int:
    """Steps until no replay is under way; answers how many it took."""
    for steps in range(1, 100):
        await hall.replayer.step(hall.clock.now() + BEGINNING)
        if not any(replay.under_way for replay in hall.state.archives.replays.values()):
            return steps
    raise AssertionError("the replay does not end")


async def test_an_archive_is_made_described_changed_and_deleted(hall: Hall) -> None:
    now = hall.clock.now()
    answer = hall.ask("CreateArchive", ArchiveName="a", EventSourceArn=BUS, Description="d")
    assert answer == {"ArchiveArn": ARCHIVE, "State": "ENABLED", "CreationTime": now}
    assert hall.ask("UpdateArchive", ArchiveName="a", RetentionDays=3, EventPattern='{"source": ["x"]}') == answer
    summary = {
        "ArchiveName": "a",
        "EventSourceArn": BUS,
        "State": "ENABLED",
        "RetentionDays": 3,
        "SizeBytes": 0,
        "EventCount": 0,
        "CreationTime": now,
    }
    for narrowed in ({}, {"NamePrefix": "a"}, {"EventSourceArn": BUS}, {"State": "ENABLED"}):
        assert hall.ask("ListArchives", **narrowed) == {"Archives": [summary]}
    assert hall.ask("ListArchives", NamePrefix="b") == {"Archives": []}
    assert hall.ask("ListArchives", State="DISABLED") == {"Archives": []}
    described = summary | {"ArchiveArn": ARCHIVE, "Description": "d", "EventPattern": '{"source": ["x"]}'}
    assert hall.ask("DescribeArchive", ArchiveName="a") == described
    hall.ask("DeleteArchive", ArchiveName="a")
    assert hall.ask("ListArchives") == {"Archives": []}


@pytest.mark.parametrize(
    ("operation", "params", "error"),
    [
        ("CreateArchive", {"EventSourceArn": BUS}, ("ResourceAlreadyExistsException", "Archive a already exists.")),
        (
            "CreateArchive",
            {"ArchiveName": "b", "EventSourceArn": f"{BUS}x"},
            ("ResourceNotFoundException", "Event bus defaultx does not exist."),
        ),
        (
            "CreateArchive",
            {"ArchiveName": "b", "EventSourceArn": f"{ARN}:rule/x"},
            ("ValidationException", "Parameter EventSourceArn is not valid. Reason: Must contain an event bus ARN."),
        ),
        ("DescribeArchive", {"ArchiveName": "b"}, ("ResourceNotFoundException", "Archive b does not exist.")),
        ("UpdateArchive", {"ArchiveName": "b"}, ("ResourceNotFoundException", "Archive b does not exist.")),
        ("DeleteArchive", {"ArchiveName": "b"}, ("ResourceNotFoundException", "Archive b does not exist.")),
        (
            "ListArchives",
            {"NamePrefix": "a", "State": "ENABLED"},
            (
                "ValidationException",
                "At most one filter is allowed for ListArchives. Use either : State, EventSourceArn, or NamePrefix.",
            ),
        ),
        ("ListArchives", {"EventSourceArn": f"{BUS}x"}, ("ResourceNotFoundException", "Event bus defaultx does not exist.")),
        (
            "ListReplays",
            {"NamePrefix": "a", "EventSourceArn": ARCHIVE},
            ("ValidationException", "At most one filter is allowed for ListReplays. Use either : State, EventSourceArn, or NamePrefix."),
        ),
        ("DescribeReplay", {"ReplayName": "b"}, ("ResourceNotFoundException", "Replay b does not exist.")),
        ("CancelReplay", {"ReplayName": "b"}, ("ResourceNotFoundException", "Replay b does not exist.")),
    ],
)
async def test_what_is_refused_of_archives(
    hall: Hall, archive: None, operation: str, params: dict[str, str], error: tuple[str, str]
) -> None:
    named = {} if "Replay" in operation else {"ArchiveName": "a"}
    assert hall.refused(operation, **(named | params)) == error
    assert hall.refused("CreateArchive", ArchiveName="b", EventSourceArn=BUS, EventPattern="{")[0] == "InvalidEventPatternException"


async def test_an_archive_keeps_what_its_pattern_matches(hall: Hall, archive: None) -> None:
    hall.put_events({}, {"Source": "your.app"}, {})
    hall.put_events({"EventBusName": "nope"})
    found = hall.ask("DescribeArchive", ArchiveName="a")
    await hall.database.committed()
    assert (found["EventCount"], found["SizeBytes"]) == (2, hall.database.query("SELECT SUM(LENGTH(event)) FROM archived_events")[0][0])
    hall.reopen()
    assert hall.ask("DescribeArchive", ArchiveName="a") == found


async def test_events_go_when_they_are_older_than_the_retention(hall: Hall, archive: None) -> None:
    hall.put_events({})
    await hall.clock.advance(0.6 * DAYS)
    hall.put_events({"Detail": '{"late": 1}'})
    await hall.replayer.step(hall.clock.now())
    assert hall.ask("DescribeArchive", ArchiveName="a")["EventCount"] == 2
    await hall.clock.advance(0.6 * DAYS)
    await hall.replayer.step(hall.clock.now())
    await hall.database.committed()
    found = hall.ask("DescribeArchive", ArchiveName="a")
    assert found["EventCount"] == 1
    assert hall.database.query("SELECT SUM(LENGTH(event)) FROM archived_events")[0][0] == found["SizeBytes"]


async def test_an_archive_has_a_bound(hall: Hall, archive: None) -> None:
    archives = Archives(hall.database, hall.clock, most_events=10)
    woken: list[None] = []
    archives.on_full(lambda: woken.append(None))
    for number in range(11):
        archives.keep(REGION, "default", {"source": "my.app", "time": f"2026-11-26T00:00:{number:02}Z"})
    assert len(woken) == 1
    archives.trim(hall.clock.now())
    assert archives.size((REGION, "a"))[0] == 10
    await hall.database.committed()
    (oldest,) = hall.database.query("SELECT event FROM archived_events ORDER BY at LIMIT 1")[0]
    assert b"00:00:01Z" in oldest


async def test_a_replay_brings_events_to_the_bus_again(hall: Hall, archive: None) -> None:
    hall.put_events(*({"Detail": f'{{"n": {number}}}', "Time": hall.clock.now() - number} for number in range(3)))
    hall.put_events({"Time": hall.clock.now() - 7200, "Detail": '{"too": "old"}'})
    first, ids = hall.queue.deliveries[:], {event["id"] for event in hall.queue.events}
    hall.queue.deliveries.clear()
    answer = start(hall, Description="d")
    assert answer == {"ReplayArn": f"{ARN}:replay/again", "State": "STARTING", "ReplayStartTime": hall.clock.now()}
    assert hall.woken == 1
    await run(hall)
    again = hall.queue.deliveries
    events = hall.queue.events
    assert [event["detail"] for event in events] == [{"n": n} for n in (2, 2, 1, 1, 0, 0)]
    assert {event["replay-name"] for event in events} == {"again"}
    assert list(events[0])[6:9] == ["region", "replay-name", "resources"]
    # The same events, which are to have their effect again.
    assert {event["id"] for event in events} < ids
    assert not {one.token for one in again} & {one.token for one in first}
    found = hall.ask("DescribeReplay", ReplayName="again")
    assert (found["State"], found["EventLastReplayedTime"]) == ("COMPLETED", int(hall.clock.now()))
    assert found["Destination"] == {"Arn": BUS, "FilterArns": []}
    assert hall.ask("DescribeArchive", ArchiveName="a")["EventCount"] == 4
    for narrowed in ({"State": "COMPLETED"}, {"EventSourceArn": ARCHIVE}, {"NamePrefix": "ag"}):
        assert [replay["ReplayName"] for replay in hall.ask("ListReplays", **narrowed)["Replays"]] == ["again"]
    assert hall.ask("ListReplays", State="FAILED") == {"Replays": []}


async def test_a_replay_begins_with_the_second_of_its_start(hall: Hall, archive: None) -> None:
    await hall.clock.advance(0.7)
    hall.put_events({"DetailType": "T", "Time": hall.clock.now() - 1}, {}, {"Time": hall.clock.now() + 1})
    hall.queue.deliveries.clear()
    start(hall, EventStartTime=hall.clock.now() - 0.1, EventEndTime=hall.clock.now() + 0.1, FilterArns=[f"{ARN}:rule/r"])
    await run(hall)
    assert [event["time"] for event in hall.queue.events] == [iso_seconds(hall.clock.now())]


async def test_a_replay_is_for_the_rules_it_names(hall: Hall, archive: None) -> None:
    hall.put_events({})
    hall.queue.deliveries.clear()
    start(hall, FilterArns=[f"{ARN}:rule/s"])
    await run(hall)
    assert [one.owner_name for one in hall.queue.deliveries] == ["s"]


async def test_a_crash_in_a_replay_neither_doubles_nor_loses_an_event(hall: Hall, archive: None) -> None:
    hall.ask("RemoveTargets", Rule="s", Ids=["1"])
    for batch in range(12):
        hall.put_events(*({"Detail": f'{{"n": {batch * 10 + one}}}'} for one in range(10)))
    hall.queue.deliveries.clear()
    start(hall)
    for step in range(8):
        before = len(hall.queue.deliveries)
        await hall.replayer.step(hall.clock.now() + BEGINNING)
        if step % 2:
            # What is not committed is lost, the deliveries with it.
            del hall.queue.deliveries[before:]
            hall.reopen()
        else:
            await hall.database.committed()
    assert [event["detail"]["n"] for event in hall.queue.events] == list(range(120))
    assert hall.ask("DescribeReplay", ReplayName="again")["State"] == "COMPLETED"


async def test_a_replay_is_cancelled(hall: Hall, archive: None) -> None:
    hall.put_events({})
    hall.queue.deliveries.clear()
    start(hall)
    assert hall.ask("CancelReplay", ReplayName="again") == {"ReplayArn": f"{ARN}:replay/again", "State": "CANCELLING"}
    assert hall.woken == 2
    assert hall.ask("DescribeReplay", ReplayName="again")["State"] == "CANCELLING"
    await run(hall)
    assert hall.ask("DescribeReplay", ReplayName="again")["State"] == "CANCELLED"
    assert hall.queue.deliveries == []
    told = ("IllegalStatusException", "Replay again is not in a valid state for this operation.")
    assert hall.refused("CancelReplay", ReplayName="again") == told


async def test_a_replay_takes_a_while_to_begin(hall: Hall, archive: None) -> None:
    hall.put_events({})
    hall.queue.deliveries.clear()
    start(hall)
    begins = hall.clock.now() + BEGINNING
    assert await hall.replayer.step(hall.clock.now()) == begins
    assert hall.ask("DescribeReplay", ReplayName="again")["State"] == "STARTING"
    assert await hall.replayer.step(begins) == begins
    assert hall.ask("DescribeReplay", ReplayName="again")["State"] == "COMPLETED"
    assert len(hall.queue.deliveries) == 2


async def test_a_clock_set_back_does_not_hold_a_replay_up(hall: Hall, archive: None) -> None:
    start(hall)
    await hall.replayer.step(hall.clock.now() - 3600)
    assert hall.ask("DescribeReplay", ReplayName="again")["State"] == "COMPLETED"


async def test_a_replay_to_a_bus_that_went_fails(hall: Hall) -> None:
    hall.ask("CreateEventBus", Name="b")
    bus = f"{ARN}:event-bus/b"
    hall.ask("CreateArchive", ArchiveName="a", EventSourceArn=bus)
    start(hall, destination=bus)
    hall.ask("DeleteEventBus", Name="b")
    await run(hall)
    found = hall.ask("DescribeReplay", ReplayName="again")
    assert (found["State"], found["StateReason"]) == ("FAILED", "Event bus b does not exist.")


async def test_what_is_refused_of_replays(hall: Hall, archive: None) -> None:
    invalid = "ValidationException"
    end = (invalid, "Parameter EventEndTime is not valid. Reason: EventStartTime must be before EventEndTime.")
    assert refused(hall, EventStartTime=2) == end
    assert refused(hall, EventStartTime=3) == end
    no_archive = (invalid, "Parameter EventSourceArn is not valid. Reason: Archive nope does not exist.")
    assert refused(hall, EventSourceArn=f"{ARN}:archive/nope") == no_archive
    assert refused(hall, EventSourceArn=BUS) == (invalid, "Parameter EventSourceArn is not valid. Reason: Must contain an archive ARN.")
    for destination in ("arn:x:event-bus/default", f"{ARN}:rule/r"):
        assert refused(hall, Destination={"Arn": destination})[1].endswith("Must contain an event bus ARN.")
    assert refused(hall, Destination={"Arn": "x"}) == (
        invalid,
        "Parameter Destination.Arn is not valid. Reason: Must contain an event bus ARN.",
    )
    nowhere = {"Arn": f"{ARN}:event-bus/nope"}
    assert refused(hall, Destination=nowhere) == ("ResourceNotFoundException", "Event bus nope does not exist.")
    hall.ask("CreateEventBus", Name="b")
    cross = (invalid, "Parameter Destination.Arn is not valid. Reason: Cross event bus replay is not permitted.")
    assert refused(hall, Destination={"Arn": f"{ARN}:event-bus/b"}) == cross
    for number in range(10):
        start(hall, f"again{number}")
    full = ("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
    assert refused(hall) == full
    assert refused(hall, ReplayName="again0") == ("ResourceAlreadyExistsException", "Replay again0 already exists.")
    await run(hall)
    start(hall)


async def test_replays_are_forgotten_after_90_days(hall: Hall, archive: None) -> None:
    start(hall)
    await run(hall)
    await hall.clock.advance(91 * DAYS)
    await hall.replayer.step(hall.clock.now())
    assert hall.ask("ListReplays") == {"Replays": []}


async def test_without_archives_the_loop_sleeps(hall: Hall) -> None:
    assert await hall.replayer.step(hall.clock.now()) is None

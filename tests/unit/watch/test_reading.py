"""Several sources behind their own cursors, and the first attach of one: what ended before fills the history, and nothing follows."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from sqlalchemy.exc import OperationalError

from hinoban.aws.errors import AwsError
from hinoban.base.clock import Clock
from hinoban.base.ids import SeededIds
from hinoban.watch import detect
from hinoban.watch.history.aside import AsideBook
from hinoban.watch.history.database import open_file
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.model import Finding, Observation
from hinoban.watch.notify.channels import Console
from hinoban.watch.places import ANYWHERE, Clients
from hinoban.watch.schedules.model import Problem
from hinoban.watch.service import Watch
from hinoban.watch.sources.source import Batch
from tests.unit.watch.samples import ACCOUNT, NO_ROOM, REGION, life, run_task
from tests.unit.watch.worlds import World


class Given:
    """A source that brings what is put into it, and counts what it may forget."""

    def __init__(self, name: str, clock: Clock) -> None:
        self.name = name
        self.problems: dict[str, Problem] = {}
        self.queue: list[tuple[list[bytes], bool]] = []
        self.asked_from: list[int] = []
        self.forgotten = 0
        self.down = False
        self.late = 0.0
        self.of, self.pushed = ANYWHERE, True
        self.problems: dict[str, Problem] = {}
        self._clock = clock

    def bring(self, events: Sequence[bytes], *, silent: bool = False) -> None:
        self.queue.append((list(events), silent))

    async def poll(self, cursor: Cursor | None) -> Batch:
        if self.down:
            raise AwsError("AccessDeniedException", "no")
        events, silent = self.queue[0] if self.queue else ([], False)
        after = cursor.seq if cursor else 0
        self.asked_from.append(after)
        seq = after + len(events)
        here = Cursor("f", seq, seq + (len(self.queue) > 1), self._clock.now())
        return Batch(events=events, cursor=here, silent=silent, late=self.late)

    async def committed(self) -> None:
        if self.queue:
            self.forgotten += len(self.queue.pop(0)[0])


class Several(World):
    """A watch of two sources."""

    places = (ANYWHERE, ANYWHERE)

    def _open(self) -> Watch:
        self.engine = open_file(self.path)
        self.one, self.two = Given("one", self.clock), Given("two", self.clock)
        self.one.of, self.two.of = self.places
        self.lines: list[str] = []
        channels = [Console(self.console, "UTC")]
        client, both = self.aws.client(), [self.one, self.two]
        return Watch(
            self.config, self.engine, Clients(client), both, self.clock, SeededIds(7), channels, say=self.lines.append, allow=self.allow
        )


async def test_what_ended_before_a_first_attach_is_remembered_and_nothing_follows(tmp_path: Path) -> None:
    world = Several(tmp_path)
    at = world.clock.now() - 600
    world.one.bring([*life(1, at=at, exit_code=3), run_task(1, at=at, failures=(NO_ROOM,), startedBy="events-rule/job")], silent=True)
    world.one.bring(life(2, at=world.clock.now(), exit_code=0))
    await world.turns(900, step=60)
    assert sorted(row["verdict"] or "" for row in world.watch.history({})["tasks"]) == ["", "EXIT 3"]
    assert (world.told(), world.watch.incidents()["incidents"], world.aws.run_task_calls) == ([], [], [])
    assert world.lines == ["one: 6 things are remembered of the time before it was watched, and not told."]
    world.one.bring(life(3, at=at, exit_code=3), silent=True)
    await world.turns(60, step=20)
    assert len(world.lines) == 1, "what is found later still"


async def test_what_fails_after_the_attach_is_told_also_where_a_silent_batch_holds_its_beginning(tmp_path: Path) -> None:
    world = Several(tmp_path)
    events = life(1, at=world.clock.now(), exit_code=3)
    world.one.bring(events[:2], silent=True)
    world.one.bring(events[2:])
    await world.turns(10)
    assert len(world.told()) == 1 and "EXIT 3" in world.told()[0]


async def test_two_sources_that_bring_the_same_tell_it_once(tmp_path: Path) -> None:
    world = Several(tmp_path)
    events = [*life(1, at=world.clock.now(), exit_code=3), run_task(1, at=world.clock.now(), failures=(NO_ROOM,), startedBy="x")]
    world.one.bring(events)
    world.two.bring(list(reversed(events)))
    world.two.bring(events)
    await world.turns(900, step=30)
    assert sorted(incident["verdict"] for incident in world.watch.incidents()["incidents"])[0] == "EXIT 3"
    assert len(world.watch.incidents()["incidents"]) == 2
    assert sum("EXIT 3" in line for line in world.told()) == 1
    assert len({call["clientToken"] for call in world.aws.run_task_calls}) == len(world.aws.launched) <= 1
    assert (world.one.forgotten, world.two.forgotten) == (len(events), 2 * len(events))


async def test_each_source_goes_on_from_its_own_cursor(tmp_path: Path) -> None:
    world = Several(tmp_path)
    world.one.bring(life(1, at=world.clock.now()))
    world.two.bring(life(2, at=world.clock.now())[:2])
    await world.turns()
    world.crash()
    await world.turns()
    assert (world.one.asked_from, world.two.asked_from) == ([len(life(1))], [2])


async def test_one_source_that_fails_keeps_what_must_be_complete_waiting_and_the_other_goes_on(tmp_path: Path) -> None:
    world = Several(tmp_path)
    world.two.down = True
    world.one.bring(life(1, at=world.clock.now(), exit_code=3))
    await world.turns(40)
    assert "EXIT 3" in world.told()[0]
    assert world.watch.behind(ACCOUNT, REGION) == "two: the feed has not answered"
    status = world.watch.status()
    assert [(one["source"], one["behind"]) for one in status["sources"]] == [("one", None), ("two", "the feed has not answered")]
    world.two.down = False
    await world.turns(40)
    assert world.watch.behind(ACCOUNT, REGION) is None and world.watch.unproven(ACCOUNT, REGION) is None


async def test_who_was_told_of_an_incident_is_told_that_somebody_has_it(tmp_path: Path) -> None:
    world = Several(tmp_path)
    world.one.bring(life(1, at=world.clock.now(), exit_code=3))
    await world.turns(2)
    [incident] = world.watch.incidents()["incidents"]
    world.watch.ack(incident["id"], None, "s.tanaka")
    await world.turns(2)
    assert len(world.told()) == 2 and "acknowledged by s.tanaka" in world.told()[1]


async def test_an_acknowledgement_of_what_nobody_was_told_yet_is_not_told(tmp_path: Path) -> None:
    world = Several(tmp_path)
    world.one.bring([run_task(1, at=world.clock.now(), failures=(NO_ROOM,), startedBy="events-rule/job")])
    await world.turns()
    [incident] = world.watch.incidents()["incidents"]
    assert world.told() == []
    world.watch.ack(incident["id"], None, "s.tanaka")
    await world.turns(1)
    assert world.told() == []


class Stumbling:
    """Detectors with a fault that one family brings out."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def findings(self, observation: Observation, now: float) -> tuple[Finding, ...]:
        if observation.family == "odd":
            raise self.error
        return detect.findings(observation, now)


def nulled(raw: bytes, **fields: object) -> bytes:
    event = msgspec.json.decode(raw)
    event["detail"] |= fields
    return msgspec.json.encode(event)


async def test_an_event_that_cannot_be_digested_is_set_aside_alone_and_its_neighbours_are_told(tmp_path: Path) -> None:
    world = Several(tmp_path)
    world.watch.pipeline._detect = Stumbling(ZeroDivisionError("division by zero"))
    at = world.clock.now()
    odd = life(2, at=at, family="odd", exit_code=3)[-1]
    world.one.bring([*life(1, at=at, exit_code=3), odd, *life(3, at=at, exit_code=4)])
    await world.turns(10)
    assert sorted(line.split(" · ")[-2] for line in world.told()) == ["EXIT 3 after 4 s", "EXIT 4 after 4 s"]
    assert world.one.forgotten == 11 and world.watch.readings[0].cursor == Cursor("f", 11, 11, world.clock.now())
    [aside] = AsideBook(world.engine).listed()
    assert (aside.source, aside.reason, aside.body) == ("one", "ZeroDivisionError: division by zero", odd.decode())
    status = world.watch.status()
    assert (status["aside"]["count"], status["aside"]["latest"][0]["reason"]) == (1, aside.reason)
    assert any(line.startswith("SET ASIDE  1 event could not be read") for line in status["lines"])
    world.crash()
    await world.turns(5)
    assert len(world.told()) == 2


async def test_what_fails_before_the_first_attach_is_through_keeps_the_rest_silent(tmp_path: Path) -> None:
    world = Several(tmp_path)
    world.watch.pipeline._detect = Stumbling(ZeroDivisionError())
    at = world.clock.now() - 600
    world.one.bring([*life(1, at=at, exit_code=3), life(2, at=at, family="odd", exit_code=3)[-1]], silent=True)
    await world.turns(10)
    assert world.told() == [] and len(AsideBook(world.engine).listed()) == 1


@pytest.mark.parametrize(
    "error", [OperationalError("INSERT", {}, Exception("database or disk is full")), OSError(28, "No space left on device"), MemoryError()]
)
async def test_a_full_disk_is_no_fault_of_an_event(tmp_path: Path, error: Exception) -> None:
    world = Several(tmp_path)
    world.watch.pipeline._detect = Stumbling(error)
    world.one.bring([*life(1, at=world.clock.now(), exit_code=3), *life(2, at=world.clock.now(), family="odd")])
    with pytest.raises(type(error)):
        await world.turns(1)
    assert (world.one.forgotten, AsideBook(world.engine).listed()) == (0, [])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"taskDefinitionArn": None}, "Expected `str`, got `null` - at `$.taskDefinitionArn`"),
        ({"version": 10**30}, "Expected `int` <= 100000 - at `$.version`"),
        ({"version": 100_001}, "Expected `int` <= 100000 - at `$.version`"),
        ({"version": -1}, "Expected `int` >= 1 - at `$.version`"),
        ({"stoppedAt": "garbage"}, "Invalid isoformat string: 'garbage'"),
        ({"containers": [{"exitCode": "three"}]}, "Expected `int | null`, got `str` - at `$.containers[0].exitCode`"),
        ({"startedBy": {}}, "Expected `str | null`, got `object` - at `$.startedBy`"),
    ],
)
async def test_a_task_event_of_another_shape_is_set_aside_with_the_reason(tmp_path: Path, fields: dict[str, object], reason: str) -> None:
    world = Several(tmp_path)
    at = world.clock.now()
    world.one.bring([*life(1, at=at, exit_code=3), nulled(life(2, at=at, exit_code=3)[-1], **fields)])
    await world.turns(5)
    assert len(world.told()) == 1 and "EXIT 3" in world.told()[0]
    [aside] = AsideBook(world.engine).listed()
    assert reason in aside.reason


async def test_a_launch_of_another_shape_is_set_aside_with_the_reason(tmp_path: Path) -> None:
    world = Several(tmp_path)
    at = world.clock.now()
    world.one.bring([run_task(1, at=at, failures=(NO_ROOM,), count=10**30), run_task(2, at=at, failures=(NO_ROOM,), count=2)])
    await world.turns(5)
    assert [incident["verdict"] for incident in world.watch.incidents()["incidents"]] == ["NOT STARTED"]
    assert len(AsideBook(world.engine).listed()) == 1

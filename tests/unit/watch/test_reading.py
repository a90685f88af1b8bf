"""Several sources behind their own cursors, and the first attach of one: what ended before fills the history, and nothing follows."""

from collections.abc import Sequence
from pathlib import Path

from hinoban.aws.errors import AwsError
from hinoban.base.clock import Clock
from hinoban.base.ids import SeededIds
from hinoban.watch.history.database import open_file
from hinoban.watch.history.ledger import Cursor
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
        return Batch(events=events, cursor=Cursor("f", seq, seq + (len(self.queue) > 1), self._clock.now()), silent=silent)

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

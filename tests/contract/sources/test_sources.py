"""What every source keeps: nothing is lost by a crash before the commit, nothing is deleted before it, the cursor goes forward, and
duplicates in any order change nothing of what is remembered."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds
from hinoban.base.supervise import Group
from hinoban.watch import detect
from hinoban.watch.config import WatchConfig
from hinoban.watch.history.aside import AsideBook
from hinoban.watch.history.database import open_database
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.model import TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.sources import SOURCES
from hinoban.watch.sources.http import Http
from hinoban.watch.sources.journal import Journal
from hinoban.watch.sources.poll import Poll
from hinoban.watch.sources.source import Batch, Source
from hinoban.watch.sources.sqs import Sqs
from tests.support.fake_sqs import QUEUE, FakeSqs
from tests.support.polled import PolledAws, passing


class World:
    """AWS, in which tasks run; what a source brings of them is remembered, or forgotten by a crash."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.aws = PolledAws(self.clock)
        self.engine: Engine = open_database("sqlite://")
        self.pipeline = Pipeline(self.engine, WatchConfig(), detectors=detect, channels=(), ids=SeededIds(1))
        self.cursor: Cursor | None = None
        self.gone: Callable[[], int] = lambda: 0

    def source(self) -> Source:
        """A new one, as after a crash."""
        raise NotImplementedError

    def happen(self, count: int = 3) -> set[str]:
        """Tasks run and end; their ARNs."""
        arns = {self.aws.start("job", "somebody") for _ in range(count)}
        for arn in arns:
            self.aws.finish(arn, 3)
        return arns

    async def poll(self, source: Source) -> Batch:
        return await passing(self.clock, source.poll(self.cursor))

    def remember(self, source: Source, batch: Batch) -> None:
        self.pipeline.take(source.name, batch, self.clock.now())
        with self.engine.connect() as connection:
            self.cursor = self.pipeline.ledger.cursor(connection, source.name)

    async def read(self, source: Source, turns: int = 6) -> set[str]:
        """Poll and remember for a while: the tasks whose end was told."""
        ended: set[str] = set()
        for _ in range(turns):
            batch = await self.poll(source)
            ended |= ends(batch)
            self.remember(source, batch)
            await source.committed()
        return ended


class ByJournal(World):
    def source(self) -> Source:
        return Journal(self.aws.client(), self.clock, wait=0.0)


class ByPoll(World):
    def source(self) -> Source:
        return Poll(self.aws.client(), self.clock, account="123456789012")


class BySqs(World):
    def __init__(self) -> None:
        super().__init__()
        self.sqs = FakeSqs(self.clock)
        self.gone = lambda: len(self.sqs.deleted)

    def source(self) -> Source:
        return Sqs(self.sqs.client(), self.clock, QUEUE, aside=AsideBook(self.engine))

    def happen(self, count: int = 3) -> set[str]:
        before = len(self.aws.events)
        arns = super().happen(count)
        for raw in self.aws.events[before:]:
            self.sqs.send(raw)
        return arns


class ByHttp(World):
    """Who posts and gets no answer posts again: to whatever listens then."""

    def __init__(self) -> None:
        super().__init__()
        self.unanswered: list[bytes] = []
        self.here: Http | None = None
        self.posts = Group(lambda error: None)

    def source(self) -> Source:
        made = self.here = Http("events", self.clock, wait=1.0)
        for raw in self.unanswered:
            self._post(made, raw)
        return made

    def happen(self, count: int = 3) -> set[str]:
        before = len(self.aws.events)
        arns = super().happen(count)
        for raw in self.aws.events[before:]:
            self.unanswered.append(raw)
            if self.here is not None:
                self._post(self.here, raw)
        return arns

    def _post(self, source: Http, raw: bytes) -> None:
        async def post() -> None:
            await source.post([raw])
            self.unanswered = [one for one in self.unanswered if one is not raw]

        self.posts.start(post(), "post")


WORLDS: dict[str, type[World]] = {"journal": ByJournal, "sqs": BySqs, "http": ByHttp, "poll": ByPoll}
every = pytest.mark.parametrize("kind", WORLDS.values(), ids=WORLDS)


def ends(batch: Batch) -> set[str]:
    seen = [observation(raw) for raw in batch.events]
    return {one.task_arn for one in seen if isinstance(one, TaskChange) and one.finished}


def test_every_source_is_under_this_contract() -> None:
    assert WORLDS.keys() == SOURCES


@every
async def test_it_brings_what_happened_and_its_cursor_is_kept(kind: type[World]) -> None:
    world = kind()
    source = world.source()
    wanted = world.happen()
    assert wanted <= await world.read(source)
    first = world.cursor
    assert first is not None
    later = world.happen()
    assert later <= await world.read(source)
    assert world.cursor is not None and world.cursor.seq > first.seq
    assert world.cursor.newest >= world.cursor.seq


@every
async def test_a_crash_between_poll_and_commit_loses_nothing(kind: type[World]) -> None:
    world = kind()
    await world.read(world.source())
    wanted = world.happen()
    source = world.source()
    for _ in range(8):
        if ends(await world.poll(source)) & wanted:
            break
        await source.committed()
    else:
        raise AssertionError("it never brought them")
    assert world.gone() == 0
    await world.clock.advance(600)
    assert wanted <= await world.read(world.source())


@every
async def test_a_batch_that_was_not_committed_comes_again(kind: type[World]) -> None:
    world = kind()
    source = world.source()
    await world.read(source)
    wanted = world.happen()
    for _ in range(8):
        if ends(await world.poll(source)) & wanted:
            break
        await source.committed()
    gone = world.gone()
    assert ends(await world.poll(source)) >= wanted
    assert world.gone() == gone


@every
async def test_committing_twice_or_before_any_poll_does_no_harm(kind: type[World]) -> None:
    world = kind()
    source = world.source()
    await source.committed()
    wanted = world.happen()
    assert wanted <= await world.read(source)
    await source.committed()
    await source.committed()
    assert world.happen() <= await world.read(source)


@every
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_duplicates_and_any_order_are_harmless(kind: type[World], data: st.DataObject) -> None:
    """Whatever a source brought, dealt again in any order and number, leaves the same history and incidents."""
    world = kind()
    source = world.source()
    await world.read(source, 4)
    world.happen(2)
    brought: list[bytes] = []
    for _ in range(6):
        batch = await world.poll(source)
        brought += batch.events
        world.remember(source, batch)
        await source.committed()
    assert brought
    told = remembered(world.pipeline, world.engine)
    dealt = data.draw(st.permutations(brought + brought[: data.draw(st.integers(0, len(brought)))]))
    other = open_database("sqlite://")
    again = Pipeline(other, WatchConfig(), detectors=detect, channels=(), ids=SeededIds(1))
    cut = data.draw(st.integers(0, len(dealt)))
    for part in (dealt[:cut], dealt[cut:]):
        again.take(source.name, Batch(events=part, cursor=Cursor("", 1, 1, 0.0)), world.clock.now())
    assert remembered(again, other) == told


def remembered(pipeline: Pipeline, engine: Engine) -> tuple[list[tuple[object, ...]], list[str]]:
    with engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT arn, version, open, exit_code FROM tasks ORDER BY arn").all()
        return [tuple(row) for row in rows], sorted(pipeline.ledger.open_incidents(connection))


def test_the_path_of_the_page_is_right() -> None:
    page = Path(__file__).resolve().parents[3] / "docs/checklists/source.md"
    assert "tests/contract/sources" in page.read_text()


@pytest.mark.parametrize("kind", [ByPoll, BySqs, ByHttp])
async def test_what_ended_before_a_first_attach_comes_in_silence_and_the_rest_does_not(kind: type[World]) -> None:
    """The journal is the engine's own: it begins with it."""
    world = kind()
    before = world.happen()
    await world.clock.advance(300)
    source = world.source()
    silent, aloud = set[str](), set[str]()
    after = set[str]()
    for turn in range(12):
        batch = await world.poll(source)
        (silent if batch.silent else aloud).update(ends(batch))
        world.remember(source, batch)
        await source.committed()
        if turn == 3:
            await world.clock.advance(1)
            after = world.happen()
    assert (silent, aloud) == (before, after)
    with world.engine.connect() as connection:
        assert {one.finding.task_arn for one in world.pipeline.ledger.open_incidents(connection).values()} == after


@every
def test_it_says_whose_events_it_brings_and_whether_they_are_pushed(kind: type[World]) -> None:
    source = kind().source()
    assert source.of.holds("123456789012", "ap-northeast-1")
    assert isinstance(source.pushed, bool) and dict(source.problems) == {}

"""The journal as a feed: numbered without a gap, read from a cursor, trimmed by age, told only once it is on disk."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hinoban.base.clock import DAYS, FakeClock, settle
from hinoban.base.ids import SeededIds
from hinoban.engine.journal import MIGRATION, TRAIL_MIGRATION, FeedGone, Journal
from hinoban.store.database import Database


class Desk:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = FakeClock()
        self.lives = 0
        self.open()

    def open(self) -> None:
        self.lives += 1
        self.database = Database(self.path / "engine.db", [MIGRATION, TRAIL_MIGRATION])
        self.journal = Journal(self.database, self.clock, SeededIds(self.lives), keep=7 * DAYS)

    def reopen(self) -> None:
        self.database.close()
        self.open()

    def kill(self) -> None:
        """Without the commit of the turn."""
        self.database._turn = asyncio.get_running_loop().create_future()
        self.database._connection.close()
        self.open()

    async def write(self, *names: str) -> None:
        for name in names:
            self.journal.write({"id": name})
        await self.database.committed()

    def read(self, after: int = 0, limit: int = 1000) -> list[tuple[int, str]]:
        lines = [msgspec.json.decode(line, type=dict[str, Any]) for line in self.journal.read(after, limit)]
        return [(line["seq"], line["event"]["id"]) for line in lines]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.database.close()


async def test_lines_are_numbered_from_one_and_read_behind_a_cursor(desk: Desk) -> None:
    await desk.write("a", "b")
    await desk.write("c")
    assert desk.read() == [(1, "a"), (2, "b"), (3, "c")]
    assert desk.read(1, 1) == [(2, "b")]
    assert desk.read(3) == []
    assert desk.journal.read(0, 1) == [b'{"seq":1,"event":{"id":"a"}}\n']


async def test_nothing_is_read_before_it_is_committed(desk: Desk) -> None:
    desk.journal.write({"id": "a"})
    assert (desk.journal.newest, desk.read()) == (0, [])
    await desk.database.committed()
    assert (desk.journal.newest, desk.read()) == (1, [(1, "a")])


async def test_a_kill_before_the_commit_loses_nothing_that_was_told(desk: Desk) -> None:
    await desk.write("a")
    desk.journal.write({"id": "lost"})
    desk.kill()
    assert desk.read() == [(1, "a")]
    await desk.write("b")
    assert desk.read() == [(1, "a"), (2, "b")]


async def test_the_feed_is_the_same_one_over_a_restart_and_another_one_elsewhere(desk: Desk, tmp_path: Path) -> None:
    feed = desk.journal.feed_id
    await desk.write("a")
    desk.reopen()
    assert (desk.journal.feed_id, desk.read()) == (feed, [(1, "a")])
    desk.kill()
    assert desk.journal.feed_id == feed
    (tmp_path / "other").mkdir()
    other = Desk(tmp_path / "other")
    other.lives = 7
    other.path = tmp_path / "other"
    other.database.close()
    (tmp_path / "other" / "engine.db").unlink()
    other.open()
    assert other.journal.feed_id != feed
    other.database.close()


@pytest.mark.parametrize("after", [-1, 4, 99])
async def test_a_cursor_that_the_feed_does_not_reach_is_gone(desk: Desk, after: int) -> None:
    await desk.write("a", "b", "c")
    with pytest.raises(FeedGone) as caught:
        desk.read(after)
    assert (caught.value.oldest, caught.value.newest) == (1, 3)


async def test_trimming_keeps_the_numbers(desk: Desk) -> None:
    await desk.write("a", "b")
    await desk.clock.advance(6 * DAYS)
    await desk.write("c")
    await desk.clock.advance(1 * DAYS + 1)
    due = desk.journal.trim(desk.clock.now())
    assert due > desk.clock.now()
    await desk.database.committed()
    for _ in range(2):
        assert desk.read(2) == [(3, "c")]
        with pytest.raises(FeedGone) as caught:
            desk.read(1)
        assert (caught.value.oldest, caught.value.newest) == (3, 3)
        desk.reopen()


async def test_a_feed_trimmed_to_nothing_goes_on_at_its_number(desk: Desk) -> None:
    await desk.write("a", "b")
    await desk.clock.advance(8 * DAYS)
    desk.journal.trim(desk.clock.now())
    await desk.database.committed()
    assert desk.read(2) == []
    with pytest.raises(FeedGone):
        desk.read(0)
    desk.reopen()
    assert desk.read(2) == []
    with pytest.raises(FeedGone):
        desk.read(1)
    await desk.write("c")
    assert desk.read(2) == [(3, "c")]


async def test_what_left_memory_is_read_from_disk(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hinoban.engine.journal._RECENT", 3)
    desk.reopen()
    await desk.write(*"abcdef")
    assert [name for _, name in desk.read(0, 4)] == list("abcd")
    assert [name for _, name in desk.read(3)] == list("def")
    assert [name for _, name in desk.read(4, 1)] == ["e"]


async def test_who_waits_is_woken_by_the_commit(desk: Desk) -> None:
    await desk.write("a")
    await desk.journal.wait_beyond(0)
    waiting = [asyncio.ensure_future(desk.journal.wait_beyond(1)) for _ in range(2)]
    await settle()
    assert not any(each.done() for each in waiting)
    await desk.write("b")
    await asyncio.wait_for(asyncio.gather(*waiting), 5)

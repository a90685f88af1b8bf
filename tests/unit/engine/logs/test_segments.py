"""Events on disk: nothing doubled, nothing lost, and never more than the bounds."""

import asyncio
import os
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hinoban.engine.logs.state import Limits
from tests.unit.engine.logs.conftest import REGION, Desk


def texts(answer):
    return [event["message"] for event in answer["events"]]


def all_texts(desk, group="/g", stream="s"):
    return texts(desk.ask("GetLogEvents", logGroupName=group, logStreamName=stream, startFromHead=True))


def test_output_makes_its_group_and_stream_and_its_cursor_is_read_back(tmp_path):
    async def journey():
        desk = Desk(tmp_path)
        assert desk.logs.cursor(REGION, "/hinoban/default", "f/app/1") == 0
        desk.logs.append(REGION, "/hinoban/default", "f/app/1", [(desk.now, "one"), (desk.now, "two")], 17)
        assert desk.logs.group_exists(REGION, "/hinoban/default") and not desk.logs.group_exists("us-east-1", "/hinoban/default")
        desk.reopen()
        assert desk.logs.cursor(REGION, "/hinoban/default", "f/app/1") == 17
        assert all_texts(desk, "/hinoban/default", "f/app/1") == ["one", "two"]
        desk.close()

    asyncio.run(journey())


async def test_a_batch_torn_by_a_crash_is_cut_off_as_a_whole(desk):
    desk.logs.append(REGION, "/g", "s", [(desk.now, "kept")], 5)
    desk.logs.append(REGION, "/g", "s", [(desk.now, "lost 1"), (desk.now, "lost 2")], 9)
    [path] = (desk.root / "logs").glob("*/*.log")
    os.truncate(path, path.stat().st_size - 3)
    desk.reopen()
    assert desk.logs.cursor(REGION, "/g", "s") == 5
    assert all_texts(desk) == ["kept"]
    desk.logs.append(REGION, "/g", "s", [(desk.now, "lost 1"), (desk.now, "lost 2")], 9)
    assert all_texts(desk) == ["kept", "lost 1", "lost 2"]


async def test_events_of_a_stream_whose_row_a_crash_lost_are_removed_and_written_again(desk):
    desk.logs.append(REGION, "/g", "new", [(desk.now, "a")], 3)
    desk.database._puts.clear()
    desk.reopen()
    assert desk.logs.cursor(REGION, "/g", "new") == 0
    desk.logs.append(REGION, "/g", "new", [(desk.now, "a")], 3)
    assert all_texts(desk, "/g", "new") == ["a"]


def test_streams_have_a_bound_and_those_written_to_longest_ago_go(tmp_path):
    async def journey():
        desk = Desk(tmp_path, Limits(streams=200))
        for number in range(200):
            desk.logs.append(REGION, "/g", f"s{number}", [(desk.now, "a")], 1)
            desk.tick(0.001)
        [first] = (desk.root / "logs").glob(f"{directory_of(desk, 's0')}/*.log")
        os.utime(first, (4e9, 4e9))
        for number in range(200, 203):
            desk.logs.append(REGION, "/g", f"s{number}", [(desk.now, "a")], 1)
        await desk.database.committed()
        kept = set(desk.logs._state.streams(REGION, "/g"))
        assert kept == {f"s{number}" for number in range(203)} - {"s1", "s2", "s3", "s4"}
        assert len(list((desk.root / "logs").iterdir())) == len(kept)
        desk.reopen()
        assert set(desk.logs._state.streams(REGION, "/g")) == kept
        desk.close()

    asyncio.run(journey())


def directory_of(desk, stream):
    return desk.logs._state.streams(REGION, "/g")[stream].directory


async def test_a_put_by_api_leaves_the_cursor_as_it_is(desk):
    desk.logs.append(REGION, "/g", "s", [(desk.now, "a")], 5)
    desk.put((desk.now, "b"))
    desk.reopen()
    assert desk.logs.cursor(REGION, "/g", "s") == 5


async def test_lines_dated_a_little_back_are_still_met_by_a_follower(desk):
    desk.logs.append(REGION, "/g", "s", [(desk.now, "out")], 1)
    token = desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s")["nextForwardToken"]
    desk.logs.append(REGION, "/g", "s", [(desk.now - 40, "err")], 2)
    assert texts(desk.ask("GetLogEvents", logGroupName="/g", logStreamName="s", nextToken=token)) == ["err"]


async def test_a_stream_keeps_its_newest_events_within_its_bound(tmp_path):
    desk = Desk(tmp_path, Limits(stream_bytes=5_000, segment_bytes=1_000))
    for index in range(300):
        desk.logs.append(REGION, "/g", "s", [(desk.now + index, f"line {index}")], index)
    kept = all_texts(desk)
    assert kept[-1] == "line 299" and 20 < len(kept) < 150
    assert kept == [f"line {index}" for index in range(300 - len(kept), 300)]
    assert desk.ask("DescribeLogGroups")["logGroups"][0]["storedBytes"] <= 5_000
    desk.reopen()
    assert all_texts(desk) == kept and desk.logs.cursor(REGION, "/g", "s") == 299
    desk.close()


async def test_all_streams_together_keep_to_the_total_and_none_loses_its_cursor(tmp_path):
    desk = Desk(tmp_path, Limits(total_bytes=20_000, segment_bytes=1_000))
    for index in range(100):
        desk.logs.append(REGION, "/g", f"s{index}", [(desk.now, "x" * 300)], index + 1)
    assert sum(path.stat().st_size for path in (tmp_path / "logs").glob("*/*.log")) <= 20_000
    desk.reopen()
    assert [desk.logs.cursor(REGION, "/g", f"s{index}") for index in range(100)] == list(range(1, 101))
    desk.logs.append(REGION, "/g", "s0", [(desk.now, "again")], 2)
    assert all_texts(desk, "/g", "s0") == ["again"]
    [s0, *_] = desk.ask("DescribeLogStreams", logGroupName="/g")["logStreams"]
    assert s0["firstEventTimestamp"] == desk.now
    desk.close()


async def test_a_text_that_is_no_utf8_is_kept_as_far_as_it_goes(desk):
    desk.logs.append(REGION, "/g", "s", [(desk.now, "a\udcffb\r\nc")], 1)
    assert all_texts(desk) == ["a?b\r\nc"]


class LogsMachine(RuleBasedStateMachine):
    """Any order of writes, crashes and reads, against plain lists."""

    @initialize()
    def start(self):
        self.folder = tempfile.TemporaryDirectory()
        self.loop = asyncio.new_event_loop()
        self.desk = self.run(lambda: Desk(Path(self.folder.name), Limits(segment_bytes=600)))
        self.model: dict[str, list[tuple[int, int, str]]] = {"a": [], "b": []}
        self.cursors = {"a": 0, "b": 0}
        self.count = 0

        def prepare():
            self.desk.ask("CreateLogGroup", logGroupName="/g")
            for name in self.model:
                self.desk.ask("CreateLogStream", logGroupName="/g", logStreamName=name)

        self.run(prepare)
        self.run(lambda: self.desk.database.commit())

    def run(self, act):
        async def inside():
            return act()

        return self.loop.run_until_complete(inside())

    @rule(stream=st.sampled_from("ab"), moments=st.lists(st.integers(0, 20_000), min_size=1, max_size=12))
    def put(self, stream, moments):
        events = []
        for moment in sorted(moments):
            self.count += 1
            events.append((self.desk.now - 20_000 + moment, f"m{self.count}"))
        self.run(lambda: self.desk.put(*events, stream=stream))
        self.remember(stream, events)

    @rule(stream=st.sampled_from("ab"), number=st.integers(1, 5))
    def output(self, stream, number):
        self.cursors[stream] += number
        newest = max((moment for moment, _, _ in self.model[stream]), default=0)
        moment = max(self.desk.now, newest)
        lines = [(moment, f"o{self.count + index}") for index in range(number)]
        self.count += number
        self.run(lambda: self.desk.logs.append(REGION, "/g", stream, lines, self.cursors[stream]))
        self.remember(stream, lines)

    @rule()
    def crash(self):
        self.run(self.desk.reopen)

    @rule(stream=st.sampled_from("ab"), cut=st.integers(1, 60))
    def crash_with_a_torn_batch(self, stream, cut):
        torn = [(self.desk.now, "torn"), (self.desk.now, "torn too")]
        self.run(lambda: self.desk.logs.append(REGION, "/g", stream, torn, 10**6))
        state = self.desk.logs._state
        segment = state.files(state.streams(REGION, "/g")[stream]).segments[-1]
        os.truncate(segment.path, segment.size - cut)
        self.run(self.desk.reopen)

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds):
        self.desk.tick(seconds)

    @rule(
        stream=st.sampled_from("ab"),
        limit=st.integers(1, 7),
        forward=st.booleans(),
        low=st.integers(0, 20_000),
        high=st.integers(0, 20_000),
    )
    def read_pages(self, stream, limit, forward, low, high):
        window = {"startTime": self.desk.now - 20_000 + low, "endTime": self.desk.now - 20_000 + high}
        got, token = [], {}
        while True:
            page = self.desk.ask(
                "GetLogEvents", logGroupName="/g", logStreamName=stream, limit=limit, startFromHead=forward, **window, **token
            )
            assert len(page["events"]) <= limit
            got = got + texts(page) if forward else texts(page) + got
            following = page["nextForwardToken" if forward else "nextBackwardToken"]
            if token.get("nextToken") == following:
                break
            token = {"nextToken": following}
        expected = [text for moment, _, text in sorted(self.model[stream]) if window["startTime"] <= moment < window["endTime"]]
        assert got == expected

    @rule(limit=st.integers(1, 9))
    def filter_pages(self, limit):
        got, token = [], {}
        while True:
            page = self.desk.ask("FilterLogEvents", logGroupName="/g", limit=limit, **token)
            got += page["events"]
            if "nextToken" not in page:
                break
            token = {"nextToken": page["nextToken"]}
        order = [(event["timestamp"], event["ingestionTime"]) for event in got]
        assert order == sorted(order)
        for name, events in self.model.items():
            assert [event["message"] for event in got if event["logStreamName"] == name] == [text for _, _, text in sorted(events)]

    @invariant()
    def the_cursor_is_the_last_one(self):
        if hasattr(self, "desk"):
            assert {name: self.desk.logs.cursor(REGION, "/g", name) for name in self.model} == self.cursors

    def remember(self, stream, events):
        known = self.model[stream]
        known += [(moment, len(known) + index, text) for index, (moment, text) in enumerate(events)]

    def teardown(self):
        if hasattr(self, "desk"):
            self.desk.close()
            self.loop.close()
            self.folder.cleanup()


LogsMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestLogsMachine = LogsMachine.TestCase

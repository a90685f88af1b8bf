"""Docker's log stream: however it is cut, broken and begun again, every line comes once, in order, behind a cursor that grows."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hinoban.engine.runtime.docker.logs import LONGEST_LINE, LogReader, since

EPOCH = 1_795_300_663


def stamp(ns: int) -> str:
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{ns % 10**9:09d}Z"


def frame(ns: int, text: str, stream: int = 1) -> bytes:
    message = f"{stamp(ns)} {text}".encode()
    return bytes((stream, 0, 0, 0)) + len(message).to_bytes(4, "big") + message


def docker(log: list[tuple[int, str]], asked: str) -> bytes:
    whole, _, part = asked.partition(".")
    start = int(whole) * 10**9 + int(part)
    return b"".join(frame(ns, text) for ns, text in log if ns >= start)


def test_lines_of_both_streams_come_with_their_milliseconds():
    reader = LogReader()
    assert reader.feed(frame(EPOCH * 10**9 + 1_999_999, "out\n") + frame(EPOCH * 10**9 + 2_000_000, "err\n", 2)) == (
        (EPOCH * 1000 + 1, "out"),
        (EPOCH * 1000 + 2, "err"),
    )
    assert reader.cursor == EPOCH * 10**9 + 2_000_000


def test_parts_of_a_long_line_are_joined_and_the_other_stream_waits():
    reader, now = LogReader(), EPOCH * 10**9
    assert reader.feed(frame(now, "a" * 10)) == ()
    assert reader.feed(frame(now + 5, "other\n", 2)) == ()
    assert [text for _, text in reader.feed(frame(now, "b\n"))] == ["other", "a" * 10 + "b"]


def test_a_last_line_without_line_feed_is_told_at_the_end():
    reader = LogReader()
    assert reader.feed(frame(EPOCH * 10**9, "no end")) == ()
    assert reader.end() == ((EPOCH * 1000, "no end"),)


def test_a_line_without_end_is_cut():
    reader = LogReader()
    lines = ()
    for _ in range(LONGEST_LINE // 16384):
        lines += reader.feed(frame(EPOCH * 10**9, "x" * 16384))
    assert [len(text) for _, text in lines] == [LONGEST_LINE]


def test_bytes_that_are_no_utf8_do_not_stop_the_log():
    message = stamp(EPOCH * 10**9).encode() + b" \xff\n"
    assert LogReader().feed(bytes((1, 0, 0, 0)) + len(message).to_bytes(4, "big") + message)[0][1] == "\ufffd"


def test_since_is_exact_to_the_nanosecond():
    assert since(0) == "0.000000000"
    assert since(1795300663_897269950) == "1795300663.896269950"


@given(
    gaps=st.lists(st.sampled_from([0, 0, 1, 2, 1000, 2_000_000]), min_size=1, max_size=30),
    cuts=st.lists(st.integers(0, 3000), max_size=6),
    step=st.integers(1, 400),
)
def test_no_line_is_lost_or_doubled_over_broken_connections(gaps, cuts, step):
    log, now = [], EPOCH * 10**9
    for number, gap in enumerate(gaps):
        now += gap
        log.append((now, f"{number}\n"))
    got, cursors = [], [0]
    for cut in [*cuts, None]:
        # Each life of the engine has a reader of its own that begins at the cursor of the one before.
        reader = LogReader(cursors[-1])
        stream = docker(log, since(reader.cursor))[:cut]
        for at in range(0, len(stream), step):
            if lines := reader.feed(stream[at : at + step]):
                got += [text for _, text in lines]
                assert reader.cursor > cursors[-1]
                cursors.append(reader.cursor)
    assert got == [str(number) for number in range(len(gaps))]

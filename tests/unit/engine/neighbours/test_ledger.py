"""Which writes may be forgotten: never one whose message still is there, always the last of a group."""

from hypothesis import given
from hypothesis import strategies as st

from hinoban.engine.neighbours.ledger import Ledger

# What each write does: messages it sends or receives, messages it deletes, and whether it does more than that.
works = st.lists(
    st.tuples(st.sets(st.sampled_from("abcdefgh"), max_size=3), st.sets(st.sampled_from("abcdefgh"), max_size=2), st.booleans()),
    max_size=25,
)


@given(works)
def test_only_groups_that_are_gone_as_a_whole_are_dropped(steps: list[tuple[set[str], set[str], bool]]) -> None:
    ledger = Ledger()
    touched: dict[int, set[str]] = {}
    dead: set[str] = set()
    pinned: set[int] = set()
    dropped: set[int] = set()
    for number, (messages, deleted, pin) in enumerate(steps):
        alive = {message for message in messages if message not in dead}
        gone = {message for message in deleted if message not in dead and any(message in one for one in touched.values())}
        ledger.current = number
        for message in sorted(alive):
            ledger.touch(message)
        if pin:
            ledger.pin()
            pinned.add(number)
        for message in sorted(gone):
            ledger.died(message)
        ledger.current = None
        dead |= gone
        if alive | gone:
            touched[number] = alive | gone
        dropped |= set(ledger.settle())
        kept = {one: what for one, what in touched.items() if one not in dropped}
        lost = {one: what for one, what in touched.items() if one in dropped}
        # Nothing that is dropped is tied to anything that is kept.
        assert all(not (mine & other) for mine in lost.values() for other in kept.values())
        assert all(what <= dead for what in lost.values())
        assert not pinned & dropped


def test_a_message_sent_received_and_deleted_leaves_nothing() -> None:
    ledger = Ledger()
    for number in (1, 2):
        ledger.current = number
        ledger.touch("m")
    ledger.current = 3
    ledger.died("m")
    ledger.current = None
    assert ledger.settle() == [1, 2, 3]
    assert not ledger.touched(1)


def test_a_receive_of_two_waits_for_both() -> None:
    ledger = Ledger()
    for number, messages in ((1, "a"), (2, "b"), (3, "ab")):
        ledger.current = number
        for message in messages:
            ledger.touch(message)
    ledger.current = 4
    ledger.died("a")
    assert ledger.settle() == []
    ledger.current = 5
    ledger.died("b")
    assert ledger.settle() == [1, 2, 3, 4, 5]

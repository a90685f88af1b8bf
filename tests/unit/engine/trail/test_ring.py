"""The ring of reads: bounded, in order, and each with ids of its own that stay."""

from hinoban.base.ids import SeededIds
from hinoban.engine.trail.ring import Ring
from tests.unit.engine.trail.conftest import REGION, USER, made_call


def filled(count: int, most: int) -> Ring:
    ring = Ring(SeededIds(), most)
    for number in range(count):
        ring.add(made_call(f"List{number + 1}", "ecs", REGION, USER, float(number)), None, number)
    return ring


def names(ring: Ring, after: int, limit: int = 100) -> list[str]:
    return [read.call.operation for read in ring.after(after, limit)]


def test_an_older_read_makes_room() -> None:
    ring = filled(5, 3)
    assert [read.number for read in ring.newest_first()] == [5, 4, 3]
    assert names(ring, 0) == ["List3", "List4", "List5"]
    assert names(ring, 4) == ["List5"]
    assert names(ring, 3, 1) == ["List4"]
    assert names(ring, 5) == []


def test_a_reads_ids_stay() -> None:
    ring = filled(2, 3)
    first, second = (ring.envelope_ids(read) for read in ring.newest_first())
    assert len({*first, *second}) == 4
    assert [ring.envelope_ids(read) for read in ring.newest_first()] == [first, second]


def test_numbers_go_on_after_clear() -> None:
    ring = filled(2, 3)
    ring.clear()
    assert (names(ring, 0), ring.last) == ([], 2)


def test_long_parameters_are_not_kept() -> None:
    """Ten thousand events of 8 MiB to be tested would be 80 GB."""
    ring = Ring(SeededIds())
    for event in ("x" * 100, "x" * 10_000):
        ring.add(made_call("TestEventPattern", "events", REGION, USER, 1.0), {"Event": event, "EventPattern": "{}"}, 1)
    assert [read.params for read in ring.newest_first()] == [None, {"Event": "x" * 100, "EventPattern": "{}"}]

"""A general failure: seen when most families are refused for one reason, over when a retry was accepted."""

from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch.retry import general
from hinoban.watch.retry.general import LEAST, PROBE_EVERY, WINDOW, Outcome, Seen, note, walls

HERE, THERE = ("123456789012", "ap-northeast-1"), ("123456789012", "us-east-1")
NOW = 10_000.0


def outcome(
    family: str, code: str | None = "no_capacity", *, at: float = NOW, ours: bool = False, place: tuple[str, str] = HERE
) -> Outcome:
    return Outcome(at=at, place=place, family=family, code=code, ours=ours)


def seen(*several: Outcome) -> Seen:
    found = Seen({}, {}, {})
    for one in several:
        note(found, one)
    return found


def refused(count: int, code: str = "no_capacity", at: float = NOW) -> list[Outcome]:
    return [outcome(f"{code}-{number}", code, at=at) for number in range(count)]


def accepted(count: int) -> list[Outcome]:
    return [outcome(f"good-{number}", None) for number in range(count)]


def test_ten_families_refused_for_one_reason_are_a_wall_in_their_region_alone() -> None:
    found = walls(seen(*refused(LEAST)), NOW)
    assert list(found) == [HERE]
    assert found[HERE].code == "no_capacity" and found[HERE].next_probe <= NOW
    assert walls(seen(*refused(LEAST - 1)), NOW) == {}
    assert walls(seen(*refused(5), *[outcome(f"f{n}", place=THERE) for n in range(5)]), NOW) == {}


def test_half_is_not_most_and_several_reasons_are_not_one() -> None:
    assert walls(seen(*refused(10), *accepted(10)), NOW) == {}
    assert HERE in walls(seen(*refused(11), *accepted(10)), NOW)
    assert walls(seen(*refused(6, "no_capacity"), *refused(6, "throttled")), NOW) == {}


def test_a_family_counts_once_by_its_newest_launch_in_whatever_order_they_come() -> None:
    many = [outcome("job", at=NOW + number) for number in range(50)]
    assert walls(seen(*many), NOW + 50) == {}
    healed = [outcome(one.family, None, at=NOW + 1) for one in refused(6)]
    assert walls(seen(*healed, *refused(10)), NOW + 2) == walls(seen(*refused(10), *healed), NOW + 2) == {}


def test_what_is_older_than_the_window_counts_no_more() -> None:
    assert walls(seen(*refused(20, at=NOW - WINDOW)), NOW) == {}


def test_one_retry_at_a_time_tries_until_one_is_accepted() -> None:
    wall = seen(*refused(20))
    note(wall, outcome("job", at=NOW + 5, ours=True))
    assert walls(wall, NOW + 6)[HERE].next_probe == NOW + 5 + PROBE_EVERY
    note(wall, outcome("job", None, at=NOW + 40, ours=True))
    assert walls(wall, NOW + 41) == {}
    # The wall still stands for most: seen again as soon as ten have been refused anew.
    for one in refused(LEAST, at=NOW + 42):
        note(wall, one)
    assert HERE in walls(wall, NOW + 43)


def test_a_launch_by_somebody_else_opens_nothing() -> None:
    wall = seen(*refused(20))
    note(wall, outcome("job", None, at=NOW + 5))
    assert HERE in walls(wall, NOW + 6)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([None, "no_capacity", "throttled"]), st.booleans()), max_size=80))
def test_there_is_a_wall_only_where_most_families_stand_before_it(events: list[tuple[int, str | None, bool]]) -> None:
    found = seen(*[outcome(f"f{family}", code, at=NOW + place, ours=ours) for place, (family, code, ours) in enumerate(events)])
    for wall in walls(found, NOW + 100).values():
        newest = {family: code for family, code, _ in events}
        assert sum(code == wall.code for code in newest.values()) > LEAST / 2


def test_memory_is_bounded_by_what_is_launched_within_the_window() -> None:
    found = seen(*[outcome(f"f{number}", at=NOW + number) for number in range(3000)])
    general.forget_old(found, NOW + 3000)
    assert len(found.newest) == WINDOW - 1

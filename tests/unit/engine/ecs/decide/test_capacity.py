"""Room for tasks, in words and in numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.engine.ecs.decide.capacity import Room, fits, parse_room

rooms = st.builds(Room, st.integers(0, 10**6), st.integers(0, 10**6))


@pytest.mark.parametrize(
    "text, room",
    [
        ("4vcpu:8GB", Room(4096, 8192)),
        ("4 vCPU : 8 GiB", Room(4096, 8192)),
        ("0.25vcpu:512MiB", Room(256, 512)),
        ("1vcpu:1.5gb", Room(1024, 1536)),
    ],
)
def test_a_room_in_words(text: str, room: Room) -> None:
    assert parse_room(text) == room


@pytest.mark.parametrize(
    "text", ["", "4", "4vcpu", "4vcpu:", ":8GB", "4:8", "xvcpu:8GB", "4vcpu:xGB", "0vcpu:8GB", "4vcpu:0GB", "-1vcpu:8GB", "4vcpu:8TB"]
)
def test_what_is_no_room(text: str) -> None:
    with pytest.raises(ValueError, match=r"write e\.g\. 4vcpu:8GB"):
        parse_room(text)


@pytest.mark.parametrize("text", ["nanvcpu:8GB", "infvcpu:8GB", "4vcpu:infGB", "4vcpu:nanGB"])
def test_what_python_calls_a_number_and_nobody_else(text: str) -> None:
    with pytest.raises(ValueError, match="is no capacity"):
        parse_room(text)


@given(total=rooms, used=rooms, wanted=rooms)
def test_what_fits_never_goes_above_the_room(total: Room, used: Room, wanted: Room) -> None:
    both = used.plus(wanted)
    assert fits(total, used, wanted) is (both.cpu_units <= total.cpu_units and both.memory_mib <= total.memory_mib)
    assert both.minus(wanted) == used

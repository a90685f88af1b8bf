"""Durations as people read them."""

import pytest

from hinoban.base.units import format_duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.04, "40 ms"), (0.24, "0.2 s"), (1.96, "2 s"), (2.0, "2 s"), (2.04, "2 s"), (9.96, "10 s"), (372, "6 m 12 s")],
)
def test_a_duration_is_spelt_in_one_way(seconds: float, words: str) -> None:
    assert format_duration(seconds) == words

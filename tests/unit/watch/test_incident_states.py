"""The table of an incident's states."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch.incident_states import QUIET, TABLE, Event, IllegalMove, follow
from hinoban.watch.model import IncidentState


def test_every_state_has_a_row_and_a_way_back_to_open() -> None:
    assert set(TABLE) == set(get_args(IncidentState))
    assert all(row["evidence"] == "open" for row in TABLE.values()), "something new is always told"
    assert all("time is up" in TABLE[state] for state in QUIET)


@given(st.sampled_from(get_args(IncidentState)), st.sampled_from(get_args(Event)))
def test_a_move_that_is_in_no_row_names_state_and_event(state: IncidentState, event: Event) -> None:
    if event in TABLE[state]:
        assert follow(state, event) in TABLE
        return
    with pytest.raises(IllegalMove, match=f"'{event}'.*'{state}'"):
        follow(state, event)

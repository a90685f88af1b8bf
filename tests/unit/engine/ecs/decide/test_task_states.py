"""The table of a task's states: every state has a row, a task goes forward only, and an illegal way is named."""

from typing import get_args

import pytest

from hinoban.engine.ecs.decide.task_states import TABLE, Event, IllegalTransition, State, follow

ORDER: tuple[State, ...] = get_args(State)
EVENTS: tuple[Event, ...] = get_args(Event)


def test_every_state_has_a_row() -> None:
    assert tuple(TABLE) == ORDER


def test_every_way_leads_forward() -> None:
    for state, ways in TABLE.items():
        for event, target in ways.items():
            assert event in EVENTS
            assert ORDER.index(target) > ORDER.index(state), (state, event)


def test_stopped_is_the_only_end_and_reached_from_everywhere() -> None:
    assert [state for state, ways in TABLE.items() if not ways] == ["STOPPED"]
    for state in ORDER:
        reached = {state}
        for each in ORDER:
            if each in reached:
                reached |= set(TABLE[each].values())
        assert "STOPPED" in reached


@pytest.mark.parametrize("state, event", [(state, event) for state in ORDER for event in EVENTS])
def test_follow_walks_the_table_and_names_what_is_illegal(state: State, event: Event) -> None:
    if event in TABLE[state]:
        assert follow(state, event) == TABLE[state][event]
    else:
        with pytest.raises(IllegalTransition, match=f"task: '{event}' cannot happen in {state}") as caught:
            follow(state, event)
        assert (caught.value.state, caught.value.event) == (state, event)


def test_a_state_that_nobody_knows_is_illegal() -> None:
    with pytest.raises(IllegalTransition, match="SLEEPING"):
        follow("SLEEPING", "stop")

"""Deadlines against the plainest model of them: a dict."""

from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch.deadlines import Deadlines, Kind, Name, name_of

NAMES: list[Name] = [(f"task-{number}", "r", "a") for number in range(4)]
KINDS: tuple[Kind, ...] = get_args(Kind)
steps: Any = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(NAMES), st.sampled_from(KINDS), st.none() | st.integers(0, 50)),
        st.tuples(st.just("drop"), st.sampled_from(NAMES)),
        st.tuples(st.just("due"), st.sampled_from(KINDS), st.integers(0, 50)),
    )
)


@given(steps)
def test_each_deadline_is_told_once_when_it_has_come_and_kinds_do_not_touch_each_other(script: list[tuple[Any, ...]]) -> None:
    deadlines, model = Deadlines(), dict[tuple[Name, Kind], float]()
    for step in script:
        match step:
            case ("put", name, kind, at):
                deadlines.put(name, {kind: at})
                model.pop((name, kind), None)
                if at is not None:
                    model[(name, kind)] = at
            case ("drop", name):
                deadlines.drop(name)
                model = {key: at for key, at in model.items() if key[0] != name}
            case ("due", kind, now):
                reached = {key[0] for key, at in model.items() if key[1] == kind and at <= now}
                found = deadlines.due(kind, now)
                assert set(found) == reached and len(found) == len(reached)
                model = {key: at for key, at in model.items() if not (key[1] == kind and key[0] in reached)}
        for kind in KINDS:
            assert deadlines.next(kind) == min((at for key, at in model.items() if key[1] == kind), default=None)


def test_a_tasks_name_is_read_from_its_arn() -> None:
    assert name_of("arn:aws:ecs:ap-northeast-1:123456789012:task/batch/91d0") == ("91d0", "ap-northeast-1", "123456789012")

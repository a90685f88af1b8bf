"""Budgets: of one family and in all; what was asked for by hand neither needs one nor uses one up."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch.config import RetryBudget
from hinoban.watch.retry.budget import spent
from hinoban.watch.retry_row import Retry
from tests.unit.watch.retry.test_policy import retry as made

BUDGET = RetryBudget(per_family=3, in_all=5)


def retry(family: str, region: str = "r", *, by_hand: bool = False) -> Retry:
    return msgspec.structs.replace(made(taskDefinition=family), region=region, beside_own=by_hand)


def test_a_family_s_budget_is_its_own() -> None:
    launched = [retry("job:1"), retry("job:2"), retry("job")]
    assert spent(retry("job"), launched, BUDGET) == "the budget of 3 retries of job in 1 h is spent"
    assert spent(retry("other"), launched, BUDGET) is None
    assert spent(retry("job", "elsewhere"), launched, BUDGET) is None


def test_the_budget_in_all_is_everybody_s() -> None:
    launched = [retry(f"job-{number}") for number in range(5)]
    assert spent(retry("other"), launched, BUDGET) == "the budget of 5 retries in all in 1 h is spent"


def test_what_was_asked_for_by_hand_is_outside() -> None:
    assert spent(retry("job", by_hand=True), [retry("job")] * 9, BUDGET) is None
    assert spent(retry("job"), [retry("job", by_hand=True)] * 9, BUDGET) is None


@given(st.lists(st.sampled_from(["a", "b", "c"]), max_size=40))
def test_however_many_ask_no_more_are_launched(asking: list[str]) -> None:
    launched: list[Retry] = []
    for family in asking:
        if spent(retry(family), launched, BUDGET) is None:
            launched.append(retry(family))
    assert len(launched) <= 5
    assert all(sum(one.family == family for one in launched) <= 3 for family in "abc")

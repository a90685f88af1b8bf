"""What an attempt asks for otherwise than the launch that it repeats: a subnet in turn, FARGATE instead of FARGATE_SPOT, nothing else."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch.config import RetryRule
from hinoban.watch.retry.changes import changed

NETWORK = {"awsvpcConfiguration": {"subnets": ["subnet-0a", "subnet-0c"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED"}}
SPOT = [{"capacityProvider": "FARGATE_SPOT", "weight": 4}, {"capacityProvider": "FARGATE", "weight": 1, "base": 1}]
REQUEST: dict[str, Any] = {"taskDefinition": "job:3", "count": 1, "networkConfiguration": NETWORK, "overrides": {"cpu": "256"}}


def subnets(request: dict[str, Any]) -> list[str]:
    found: list[str] = request["networkConfiguration"]["awsvpcConfiguration"]["subnets"]
    return found


def test_nothing_is_changed_unless_the_rule_says_so() -> None:
    found = changed(REQUEST | {"capacityProviderStrategy": SPOT}, RetryRule(), 2, off_spot=True)
    assert (found.request, found.words) == (REQUEST | {"capacityProviderStrategy": SPOT}, "")


def test_each_attempt_uses_one_of_the_requests_subnets_in_turn_beginning_with_the_second() -> None:
    several = [changed(REQUEST, RetryRule(rotate=True), number, off_spot=False) for number in (2, 3, 4)]
    assert [subnets(one.request) for one in several] == [["subnet-0c"], ["subnet-0a"], ["subnet-0c"]]
    assert several[0].words == "subnet-0c only"
    assert several[0].request["networkConfiguration"]["awsvpcConfiguration"]["securityGroups"] == ["sg-1"]
    assert subnets(REQUEST) == ["subnet-0a", "subnet-0c"]


def test_the_subnets_of_the_rule_go_before_the_requests() -> None:
    rule = RetryRule(rotate=("subnet-1", "subnet-2", "subnet-3"))
    assert [subnets(changed(REQUEST, rule, number, off_spot=False).request)[0] for number in (2, 3, 4)] == [
        "subnet-2",
        "subnet-3",
        "subnet-1",
    ]


def test_a_request_without_a_network_of_its_own_gets_none() -> None:
    assert changed({"taskDefinition": "job"}, RetryRule(rotate=("subnet-1",)), 2, off_spot=False).request == {"taskDefinition": "job"}


def test_once_spot_failed_it_asks_for_fargate_by_launch_type_alone() -> None:
    asked = REQUEST | {"capacityProviderStrategy": SPOT}
    rule = RetryRule(fargate_spot_to_fargate=True)
    found = changed(asked, rule, 2, off_spot=True)
    assert found.request == REQUEST | {"launchType": "FARGATE"}
    assert found.words == "FARGATE instead of FARGATE_SPOT"
    assert changed(asked, rule, 2, off_spot=False).request == asked
    # The cluster's own strategy was Spot: the request names none.
    assert changed(REQUEST, rule, 2, off_spot=True).request["launchType"] == "FARGATE"


@given(st.booleans(), st.booleans(), st.booleans(), st.integers(2, 20))
def test_no_other_member_changes_and_the_same_attempt_is_always_the_same(rotate: bool, on: bool, off_spot: bool, number: int) -> None:
    asked = REQUEST | {"capacityProviderStrategy": SPOT}
    rule = RetryRule(rotate=rotate, fargate_spot_to_fargate=on)
    found = changed(asked, rule, number, off_spot=off_spot)
    free = {"networkConfiguration", "capacityProviderStrategy", "launchType"}
    assert {key: value for key, value in found.request.items() if key not in free} == {k: v for k, v in asked.items() if k not in free}
    assert found == changed(asked, rule, number, off_spot=off_spot)
    assert not {"launchType", "capacityProviderStrategy"} <= set(found.request)

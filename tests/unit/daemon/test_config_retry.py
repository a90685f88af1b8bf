"""How failures are retried, as hinoban.toml says it; an error names the path, the rule and the way out."""

from typing import Any

import pytest

from hinoban.base.errors import ConfigError
from hinoban.daemon import config
from hinoban.watch.config import ExitRule, OnCrashLoop, RetryBudget, RetryRule


def policy(**words: Any) -> Any:
    [found] = config.parse({"policy": [words]}).watch.policies
    return found


def rule(**words: Any) -> RetryRule:
    found: RetryRule = policy(retry=words).retry
    return found


def test_what_is_left_out_is_the_default() -> None:
    assert rule() == RetryRule()
    assert policy().on_crash_loop is None
    assert config.load(None).watch.retry_budget == RetryBudget(per_family=10, in_all=100, window=3600.0)


def test_rules_of_ended_tasks_in_their_order() -> None:
    found = rule(on_exit=[{"exit_code": ["75", "1*"], "container": "app", "action": "RETRY"}, {"reason": "Host*", "action": "exit"}])
    assert found.on_exit == (
        ExitRule(action="RETRY", exit_code=("75", "1*"), container="app"),
        ExitRule(action="EXIT", reason="Host*"),
    )
    assert rule(on_exit=[{"exit_code": "3", "action": "RETRY"}]).on_exit[0].exit_code == ("3",)


def test_the_other_keys() -> None:
    found = rule(rotate=["subnet-1"], fargate_spot_to_fargate=True, on_start_failure=False, deadline="1h")
    assert (found.rotate, found.fargate_spot_to_fargate, found.on_start_failure, found.deadline) == (("subnet-1",), True, False, 3600.0)
    assert rule(rotate=True).rotate is True
    assert policy(on_crash_loop={"after": 3, "action": "rollback"}).on_crash_loop == OnCrashLoop(after=3, action="rollback")
    budget = config.parse({"watch": {"retry_budget": {"per_family": 2, "window": "10m"}}}).watch.retry_budget
    assert budget == RetryBudget(per_family=2, in_all=100, window=600.0)


@pytest.mark.parametrize(
    ("retry", "path"),
    [
        ({"on_exit": [{"exit_code": "x", "action": "RETRY"}]}, "policy[0].retry.on_exit[0].exit_code"),
        ({"on_exit": [{"exit_code": ["3", "1*2"], "action": "RETRY"}]}, "policy[0].retry.on_exit[0].exit_code[1]"),
        ({"on_exit": [{"reason": "*Memory", "action": "RETRY"}]}, "policy[0].retry.on_exit[0].reason"),
        ({"on_exit": [{"container": "", "action": "RETRY"}]}, "policy[0].retry.on_exit[0].container"),
        ({"on_exit": [{"action": "AGAIN"}]}, "policy[0].retry.on_exit[0].action"),
        ({"on_exit": [{"exit": "3", "action": "RETRY"}]}, "policy[0].retry.on_exit[0].exit"),
        ({"rotate": []}, "policy[0].retry.rotate"),
        ({"deadline": "soon"}, "policy[0].retry.deadline"),
    ],
)
def test_a_bad_value_names_its_path(retry: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        rule(**retry)
    assert caught.value.what == path


@pytest.mark.parametrize(
    ("content", "path"),
    [
        ({"policy": [{"on_crash_loop": {"action": "reboot"}}]}, "policy[0].on_crash_loop.action"),
        ({"policy": [{"on_crash_loop": {"after": 1}}]}, "policy[0].on_crash_loop.after"),
        ({"watch": {"retry_budget": {"in_al": 1}}}, "watch.retry_budget.in_al"),
        ({"watch": {"retry_budget": {"window": "x"}}}, "watch.retry_budget.window"),
    ],
)
def test_so_do_the_others(content: dict[str, Any], path: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(content)
    assert caught.value.what == path

"""Which ended tasks are run again: the first rule that fits decides, and nothing is retried that no rule names."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch import detect
from hinoban.watch.config import ExitRule
from hinoban.watch.model import Finding, TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.retry import exits
from tests.unit.watch.samples import task_event

OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"


def ended(*containers: tuple[str, int], **words: Any) -> tuple[Finding, dict[str, Any]]:
    """A STOPPED task with these containers, and what was found of it."""
    envelope = msgspec.json.decode(task_event(1, "STOPPED", **words))
    one = envelope["detail"]["containers"][0]
    if containers:
        envelope["detail"]["containers"] = [one | {"name": name, "exitCode": code} for name, code in containers]
    change = observation(msgspec.json.encode(envelope))
    assert isinstance(change, TaskChange)
    return detect.findings(change, 0.0)[0], change.detail


def retry(**conditions: Any) -> ExitRule:
    return ExitRule(action="RETRY", **conditions)


def said(*rules: ExitRule, of: tuple[Finding, dict[str, Any]]) -> str:
    return exits.action(*of, rules)


def test_nothing_is_retried_without_a_rule() -> None:
    assert said(of=ended(("app", 75))) == "EXIT"


@pytest.mark.parametrize(
    ("rule", "fits"),
    [
        (retry(), True),
        (retry(exit_code=("75",)), True),
        (retry(exit_code=("7*",)), True),
        (retry(exit_code=("*",)), True),
        (retry(exit_code=("7",)), False),
        (retry(exit_code=("3", "75")), True),
        (retry(reason="Essential container*"), True),
        (retry(reason="essential CONTAINER in task exited"), True),
        (retry(reason="Essential"), False),
        (retry(reason="EssentialContainerExited"), True),
        (retry(reason="cannot reach*"), True),
        (retry(container="app"), True),
        (retry(container="web"), False),
        (retry(container="a*", exit_code=("75",), reason="cannot*"), True),
        (retry(container="a*", exit_code=("75",), reason="elsewhere*"), False),
    ],
)
def test_every_named_condition_must_hold(rule: ExitRule, fits: bool) -> None:
    assert said(rule, of=ended(("app", 75), container_reason="Cannot reach the database")) == ("RETRY" if fits else "EXIT")


def test_the_first_rule_that_fits_decides() -> None:
    never = ExitRule(action="EXIT", exit_code=("7*",))
    assert said(never, retry(), of=ended(("app", 75))) == "EXIT"
    assert said(retry(exit_code=("75",)), never, of=ended(("app", 75))) == "RETRY"
    assert said(never, retry(), of=ended(("app", 3))) == "RETRY"


def test_conditions_hold_for_one_container_and_a_sidecar_that_was_told_to_stop_is_not_to_blame() -> None:
    both = ended(("app", 3), ("log-router", 143))
    assert said(retry(exit_code=("143",)), of=both) == "EXIT"
    assert said(retry(exit_code=("143",), container="log-router"), of=both) == "RETRY"
    assert said(retry(exit_code=("143",), container="app"), of=both) == "EXIT"


@pytest.mark.parametrize(
    ("rule", "retried"),
    [
        (retry(), False),
        (retry(exit_code=("*",)), False),
        (retry(exit_code=("1*",)), False),
        (retry(exit_code=("137",)), True),
        (retry(reason="OutOfMemory*"), True),
        (retry(reason="Essential*"), False),
    ],
)
def test_out_of_memory_is_retried_only_where_a_rule_names_it(rule: ExitRule, retried: bool) -> None:
    assert said(rule, of=ended(("app", 137), container_reason=OUT_OF_MEMORY)) == ("RETRY" if retried else "EXIT")


def test_a_spot_interruption_is_retried_by_its_reason_or_its_code() -> None:
    taken = ended(("app", 0), reason="Your Spot Task was interrupted.", code="SpotInterruption")
    assert taken[0].detector == "spot_interrupted"
    assert said(retry(reason="Your Spot Task*"), of=taken) == said(retry(reason="SpotInterruption"), of=taken) == "RETRY"


def test_a_service_replaces_its_tasks_itself() -> None:
    assert not exits.is_exit(ended(("app", 3), group="service:web")[0])
    assert exits.is_exit(ended(("app", 3))[0])


@given(st.lists(st.builds(ExitRule, action=st.just("EXIT"), exit_code=st.tuples(st.sampled_from(["*", "3", "7*"])))), st.integers(1, 255))
def test_rules_that_say_exit_never_retry(rules: list[ExitRule], code: int) -> None:
    assert said(*rules, of=ended(("app", code))) == "EXIT"

"""Which policy speaks for what: a later one wins, and many cost one look."""

from hypothesis import given
from hypothesis import strategies as st

from hinoban.aws.event_patterns import compile_pattern
from hinoban.watch.config import Policy, WatchConfig
from hinoban.watch.model import TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.policies import Limits, Policies, task_view
from tests.unit.watch.samples import task_event


def change(family: str = "job") -> TaskChange:
    seen = observation(task_event(1, "RUNNING", family=family))
    assert isinstance(seen, TaskChange)
    return seen


def test_a_later_policy_wins_where_it_says_something() -> None:
    first = Policy(match={"hinoban": {"family": ["job"]}}, max_runtime=60.0, stop_after=90.0)
    later = Policy(match={"detail": {"group": [{"prefix": "family:j"}]}}, max_runtime=120.0)
    other = Policy(match={"hinoban": {"cluster": ["elsewhere"]}}, max_runtime=1.0)
    assert Policies(WatchConfig(policies=(first, later, other))).limits(change()) == Limits(120.0, 90.0, by_policy=True)


MATCHES = st.sampled_from(
    [
        {},
        {"hinoban": {"family": ["job"]}},
        {"hinoban": {"family": ["close", "report"]}},
        {"detail": {"group": ["family:job"], "lastStatus": ["RUNNING"]}},
        {"detail": {"group": [{"anything-but": "family:job"}]}},
        {"$or": [{"hinoban": {"cluster": ["default"]}}, {"detail": {"cpu": ["256"]}}]},
    ]
)


@given(matches=st.lists(MATCHES, max_size=12), family=st.sampled_from(["job", "close", "other"]))
def test_one_look_finds_what_asking_each_policy_finds(matches: list[dict[str, object]], family: str) -> None:
    policies = tuple(Policy(match=match, max_runtime=60.0 + place) for place, match in enumerate(matches))
    view = task_view(change(family))
    asked = [policy for policy in policies if compile_pattern(policy.match, "policy")(view)]
    assert Policies(WatchConfig(policies=policies)).matching(view) == asked

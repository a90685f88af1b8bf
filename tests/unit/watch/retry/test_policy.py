"""Who is retried, when, and with what request."""

from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch import detect
from hinoban.watch.config import Policy, RetryRule, WatchConfig
from hinoban.watch.incidents import incident_id
from hinoban.watch.model import Finding, Launch
from hinoban.watch.normalise import observation
from hinoban.watch.policies import Policies
from hinoban.watch.retry import policy
from hinoban.watch.retry_row import Retry
from tests.unit.watch.samples import NO_ROOM, run_task

RULE = RetryRule()


def launch(**request: object) -> Launch:
    seen = observation(run_task(1, failures=(NO_ROOM,), **request))  # type: ignore[arg-type]  # members of the request
    assert isinstance(seen, Launch)
    return seen


def finding() -> Finding:
    [found] = detect.findings(launch(startedBy="events-rule/x"), 0.0)
    return found


def retry(number: int = 2, **request: object) -> Retry:
    return Retry(
        incident_id=incident_id("launch:x"),
        number=number,
        state="waiting",
        due_at=0,
        failed_at=0,
        deadline_at=1200,
        rule=RULE,
        missing=2,
        region="r",
        account="a",
        request=dict(request),
    )


def test_schedules_and_those_who_asked_are_retried_others_only_by_policy() -> None:
    policies = Policies(WatchConfig())
    assert policies.retry_rule(launch(startedBy="events-rule/x")) == RULE
    assert policies.retry_rule(launch(startedBy="chronos-schedule/x")) == RULE
    assert policies.retry_rule(launch(tags=[{"key": "hinoban:retry", "value": "on-start-failure"}])) == RULE
    assert policies.retry_rule(launch(startedBy="alice")) is None
    mine = Policies(WatchConfig(policies=(Policy(match={"hinoban": {"family": ["job"]}}, retry=RetryRule(attempts=3)),)))
    assert mine.retry_rule(launch(startedBy="alice")) == RetryRule(attempts=3)


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True))
def test_a_delay_lies_below_the_exponential_bound_and_the_cap(number: int, dice: float) -> None:
    assert 0 <= policy.delay(number, RULE, dice) <= min(RULE.cap, RULE.base * 2 ** (number - 1))


def test_attempts_and_the_deadline_end_it() -> None:
    assert policy.next_retry(retry(6), 1, 0, 0.5) is None
    assert policy.next_retry(retry(3), 1, 1199, 0.9) is None
    following = policy.next_retry(retry(3), 1, 0, 0.5)
    assert following is not None
    assert (following.number, following.missing) == (4, 1)


def test_the_request_is_the_original_with_our_marks_and_only_what_is_missing() -> None:
    original = {"taskDefinition": "job:3", "clientToken": "theirs", "startedBy": "events-rule/x", "count": 5, "overrides": {"cpu": "256"}}
    asked = policy.request(retry(**original))
    assert asked["count"] == 2
    assert asked["overrides"] == {"cpu": "256"}
    assert asked["startedBy"] == retry().started_by
    assert len(asked["startedBy"]) <= 36
    assert asked["clientToken"] == retry().token
    assert asked["tags"] == [{"key": "hinoban:started-by", "value": "events-rule/x"}]


def test_the_first_attempt_comes_before_the_schedule_s_next_run_and_no_attempt_begins_after_it() -> None:
    found = finding()
    first = policy.first_retry(found, launch(startedBy="events-rule/x"), "inc-1", RULE, 100.0, 0.5, next_slot=110.0)
    assert first is not None
    assert (first.due_at, first.deadline_at) == (105.0, 110.0)
    far = policy.first_retry(found, launch(startedBy="events-rule/x"), "inc-1", RULE, 100.0, 0.5, next_slot=90_000.0)
    assert far is not None
    assert (far.due_at, far.deadline_at) == (115.0, 1300.0)


def test_off_spot_is_kept_from_attempt_to_attempt() -> None:
    following = policy.next_retry(retry(2), 1, 0, 0.5, off_spot=True)
    assert following is not None and following.off_spot
    last = policy.next_retry(following, 1, 0, 0.5)
    assert last is not None and last.off_spot


def test_spot_is_to_blame_only_where_the_request_named_it() -> None:
    spot = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}
    assert policy.no_spot("no_capacity", spot)
    assert not policy.no_spot("no_capacity", {"launchType": "FARGATE"})
    assert not policy.no_spot("throttled", spot)

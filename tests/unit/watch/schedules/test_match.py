"""Which slot a run is of: by name cut to 36 characters, family, cluster and time; two that may be meant are both named."""

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.watch.model import Launch, TaskChange
from hinoban.watch.schedules.expected import GRACE
from hinoban.watch.schedules.match import Index, Run, run_of_launch, run_of_task
from hinoban.watch.schedules.model import Schedule
from tests.unit.watch.schedules.samples import ACCOUNT, MIDNIGHT, REGION, definition_arn, role_arn, rule, schedule

LONG = "gold-coast-data-lake"
CLOSE = rule()
REPORT = schedule(FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15})


def run(schedule: Schedule, at: float, **members: object) -> Run:
    words = {"region": schedule.region, "at": at, "started_by": schedule.started_by, "family": schedule.family, "cluster": schedule.cluster}
    return msgspec.convert(words | members, Run)


def slots_of(run: Run, schedules: list[Schedule], phases: dict[str, float] | None = None) -> list[tuple[str, float]]:
    return Index(schedules, phases or {}).slots_of(run)


def test_a_run_soon_after_a_slot_is_of_that_slot() -> None:
    assert slots_of(run(CLOSE, MIDNIGHT + 7), [CLOSE, REPORT]) == [(CLOSE.key, MIDNIGHT)]


def test_a_run_may_use_up_window_and_grace_and_no_more() -> None:
    slot = MIDNIGHT + 9 * HOURS
    last = slot + 15 * MINUTES + GRACE
    assert slots_of(run(REPORT, last), [REPORT]) == [(REPORT.key, slot)]
    assert slots_of(run(REPORT, last + 1), [REPORT]) == []


def test_a_record_of_whole_seconds_may_seem_to_come_before_its_slot() -> None:
    slot = MIDNIGHT + 0.4
    found = schedule(expression="rate(1 hour)", StartDate=slot)
    assert slots_of(run(found, MIDNIGHT), [found], {found.key: slot}) == [(found.key, slot)]
    assert slots_of(run(CLOSE, MIDNIGHT - 2), [CLOSE]) == []


def test_a_run_between_two_slots_is_of_the_earlier() -> None:
    found = rule(expression="cron(* * * * ? *)")
    assert slots_of(run(found, MIDNIGHT + 119), [found]) == [(found.key, MIDNIGHT + 60)]


def test_a_rate_without_a_phase_matches_nothing() -> None:
    found = rule(expression="rate(1 hour)")
    assert slots_of(run(found, MIDNIGHT), [found]) == []
    assert slots_of(run(found, MIDNIGHT + 5), [found], {found.key: MIDNIGHT - DAYS}) == [(found.key, MIDNIGHT)]
    # A phase learned from runs that were late is late itself.
    assert slots_of(run(found, MIDNIGHT - 30), [found], {found.key: MIDNIGHT}) == [(found.key, MIDNIGHT)]


@pytest.mark.parametrize(
    "members",
    [
        {"started_by": "ci"},
        {"started_by": None},
        {"family": "other"},
        {"cluster": "other"},
        {"region": "us-east-1"},
        {"started_by": "events-rule/daily"},
    ],
)
def test_a_run_that_differs_in_anything_is_not_of_the_schedule(members: dict[str, object]) -> None:
    assert slots_of(run(CLOSE, MIDNIGHT, **members), [CLOSE]) == []


def test_a_disabled_or_repinned_schedules_earlier_run_is_still_its_own() -> None:
    after = rule(State="DISABLED", target={"job": "daily-close:18"})
    assert slots_of(run(CLOSE, MIDNIGHT + 1), [after]) == [(CLOSE.key, MIDNIGHT)]


def test_names_that_are_alike_in_36_characters_are_told_as_ambiguous() -> None:
    one, two = schedule(f"{LONG}-a"), schedule(f"{LONG}-b")
    assert one.started_by == two.started_by
    nine = MIDNIGHT + 9 * HOURS
    assert slots_of(run(one, nine + 3), [one, two]) == [(one.key, nine), (two.key, nine)]


def test_names_that_are_alike_but_due_at_other_times_are_told_apart() -> None:
    one, two = schedule(f"{LONG}-a"), schedule(f"{LONG}-b", expression="cron(0 21 * * ? *)")
    assert slots_of(run(one, MIDNIGHT + 21 * HOURS + 3), [one, two]) == [(two.key, MIDNIGHT + 21 * HOURS)]


def test_two_targets_of_one_rule_with_one_family_are_ambiguous() -> None:
    one, two = rule(), rule(target={"Id": "2"})
    assert slots_of(run(one, MIDNIGHT), [two, one]) == [(one.key, MIDNIGHT), (two.key, MIDNIGHT)]


def test_schedules_of_two_groups_with_one_name_are_ambiguous_in_the_same_window_only() -> None:
    one, two = schedule(), schedule(GroupName="other", expression="cron(2 9 * * ? *)")
    nine = MIDNIGHT + 9 * HOURS
    assert slots_of(run(one, nine + 3 * MINUTES), [one, two]) == [(two.key, nine + 2 * MINUTES), (one.key, nine)]
    assert slots_of(run(one, nine + MINUTES), [one, two]) == [(one.key, nine)]


def launch(**members: object) -> Launch:
    words = {"event_id": "e", "launch_id": "l", "at": MIDNIGHT, "account": ACCOUNT, "region": REGION}
    return msgspec.convert(words | members, Launch)


def test_a_launch_is_known_by_its_request() -> None:
    request = {"taskDefinition": definition_arn("daily-close:17"), "cluster": "arn:x:cluster/batch", "startedBy": "events-rule/daily-close"}
    assert slots_of(run_of_launch(launch(request=request)), [CLOSE]) == [(CLOSE.key, MIDNIGHT)]


def test_a_refused_launch_whose_parameters_are_left_out_is_known_by_its_role() -> None:
    caller = f"arn:aws:sts::{ACCOUNT}:assumed-role/ecsEventsRole/0123456789abcdef0123456789abcdef"
    refused = run_of_launch(launch(caller_arn=caller, invoked_by="events.amazonaws.com", error_code="InvalidParameterException"))
    other = rule("other", target={"RoleArn": role_arn("another")})
    assert slots_of(refused, [CLOSE, other]) == [(CLOSE.key, MIDNIGHT)]
    twin = rule("twin")
    assert slots_of(refused, [CLOSE, twin]) == [(CLOSE.key, MIDNIGHT), (twin.key, MIDNIGHT)]
    assert slots_of(refused, [schedule(expression="cron(0 0 * * ? *)")]) == []
    assert slots_of(run_of_launch(launch(caller_arn=f"arn:aws:iam::{ACCOUNT}:user/me")), [CLOSE]) == []


def test_a_task_is_known_by_when_it_was_created() -> None:
    detail = {
        "createdAt": "2026-11-27T00:00:09.5Z",
        "startedBy": "events-rule/daily-close",
        "taskDefinitionArn": definition_arn("daily-close:17"),
        "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/batch",
    }
    change = TaskChange(event_id="e", at=MIDNIGHT + HOURS, account=ACCOUNT, region=REGION, task_arn="t", version=3, detail=detail)
    assert slots_of(run_of_task(change), [CLOSE]) == [(CLOSE.key, MIDNIGHT)]


NAMES = st.sampled_from(["a", "b", f"{LONG}-a", f"{LONG}-b", f"{LONG}-c"])
CRONS = st.sampled_from(["cron(0 0 * * ? *)", "cron(3 0 * * ? *)", "cron(*/10 * * * ? *)", "cron(0 12 * * ? *)"])
SCHEDULES = st.lists(
    st.builds(
        lambda name, group, expression, job, window: schedule(
            name,
            expression,
            GroupName=group,
            target={"job": job},
            FlexibleTimeWindow={"Mode": "FLEXIBLE", "MaximumWindowInMinutes": window} if window else {"Mode": "OFF"},
        ),
        NAMES,
        st.sampled_from(["default", "other"]),
        CRONS,
        st.sampled_from(["report", "report:3", "close"]),
        st.sampled_from([0, 1, 30]),
    ),
    unique_by=lambda one: one.key,
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=50)
@given(schedules=SCHEDULES, which=st.integers(0, 5), day=st.integers(0, 3), share=st.floats(0, 1))
def test_a_schedules_own_run_within_its_window_is_never_lost_nor_given_away_unsaid(
    schedules: list[Schedule], which: int, day: int, share: float
) -> None:
    own = schedules[which % len(schedules)]
    slots = {"0 0": 0.0, "3 0": 3 * MINUTES, "*/10 *": 20 * MINUTES, "0 12": 12 * HOURS}
    offset = next(offset for text, offset in slots.items() if own.expression.startswith(f"cron({text} "))
    slot = MIDNIGHT + day * DAYS + offset
    at = round(slot + share * (own.window_seconds + GRACE), 3)
    found = dict(slots_of(run(own, at), schedules))
    # The nearest slot at or before it: its own one, or a later one of the same schedule.
    assert slot <= found[own.key] <= at


@settings(deadline=None, max_examples=50)
@given(schedules=SCHEDULES, minutes=st.floats(0, 2880))
def test_a_match_never_lies_outside_the_window_and_only_lookalikes_are_named_beside_it(schedules: list[Schedule], minutes: float) -> None:
    own, at = schedules[0], round(MIDNIGHT + minutes * 60, 3)
    found = slots_of(run(own, at), schedules)
    assume(found)
    by_key = {one.key: one for one in schedules}
    assert [key for key, slot in found] == sorted((key for key, _ in found), key=lambda key: (abs(at - dict(found)[key]), key))
    for key, slot in found:
        assert -1 <= at - slot <= by_key[key].window_seconds + GRACE + 0.001
        assert (by_key[key].started_by, by_key[key].family) == (own.started_by, own.family)
    assert slots_of(run(own, at), list(reversed(schedules))) == found

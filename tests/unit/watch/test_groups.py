"""Which incidents have one cause, and how they are counted and told."""

from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.watch import groups
from hinoban.watch.config import Level
from hinoban.watch.explain.language import speaking
from hinoban.watch.incidents import Incident
from hinoban.watch.model import Attempt, Explanation, Finding
from hinoban.watch.notify.message import alert, webhook_payload
from hinoban.watch.notify.slack_blocks import current
from tests.unit.watch.notify.samples import AT, finding, incident, over

ROUTE = ("slack",)
TOKYO = ZoneInfo("Asia/Tokyo")


def because(code: str, *said: str, **words: Any) -> Finding:
    explanation = Explanation(code=code, cause="c", next="n", said=said, retryable=True)
    return finding(**{"explanation": explanation, "detector": "did_not_start", "verdict": "NOT STARTED"} | words)


def key(one: Finding, route: tuple[str, ...] = ROUTE, mute: str | None = None) -> str | None:
    return groups.key_of(one, route, mute)


@pytest.mark.parametrize("code", ["no_capacity", "throttled", "server_error", "spot_interruption", "quota_reached"])
def test_what_lies_with_aws_is_one_cause_in_the_account_and_region(code: str) -> None:
    one = because(code)
    assert key(one) == key(because(code, "other words", family="other", cluster="web", task_arn=None))
    assert key(one) != key(because(code, account="999999999999"))
    assert key(one) != key(because(code, region="us-east-1"))
    assert key(one) != key(because("no_evidence"))


def test_what_is_short_in_one_cluster_is_a_cause_of_that_cluster() -> None:
    assert key(because("resource_short")) == key(because("resource_short", family="other"))
    assert key(because("resource_short")) != key(because("resource_short", cluster="web"))


def test_missed_runs_of_any_schedule_have_one_cause() -> None:
    one = because("missed_run", detector="missed_run", family="a")
    assert key(one) == key(because("missed_run", detector="missed_run", family="b", cluster="web"))


def test_everything_else_is_a_cause_of_its_family() -> None:
    pull = "CannotPullContainerError: failed to resolve ref 123456789012.dkr.ecr.ap-northeast-1.amazonaws.com/web-api:v1.8.3: not found"
    one = because("image_missing", pull, detector="cannot_pull")
    assert key(one) == key(because("image_missing", pull, detector="cannot_pull", revision=9, task_arn="arn:other"))
    assert key(one) != key(because("image_missing", pull.replace("v1.8.3", "v1.8.4"), detector="cannot_pull"))
    assert key(one) != key(because("image_missing", pull, detector="cannot_pull", family="other"))
    assert key(one) != key(because("image_missing", pull, detector="cannot_pull", cluster="other"))


def test_what_differs_from_task_to_task_is_no_difference() -> None:
    said = "task 0123456789abcdef0123456789abcdef (arn:aws:ecs:eu-west-1:123456789012:task/c/0123) on i-0a1b2c3d4 at 10.0.4.12:5432"
    other = "task ffff456789abcdef0123456789abcd00 (arn:aws:ecs:eu-west-1:123456789012:task/c/4567) on i-0ffb2c3d4 at 10.0.9.9:5432"
    assert groups.without_ids(said) == groups.without_ids(other) == "task <id> (<arn>) on <id> at <address>"
    assert groups.without_ids("image web-api:v1.8.3 is missing") == "image web-api:v1.8.3 is missing"


@pytest.mark.parametrize("detector", ["crash_loop", "dead_schedule", "delivery_failed", "overlap", "mute_ended", "zero_running"])
def test_what_is_about_no_run_is_told_by_itself(detector: str) -> None:
    assert key(because("no_capacity", detector=detector)) is None


def test_other_people_and_another_mute_are_another_group() -> None:
    one = because("no_capacity")
    assert len({key(one), key(one, ("team-a",)), key(one, ("slack", "team-a")), key(one, mute="move")}) == 4


def test_growth_is_told_after_30_seconds_then_ever_more_rarely() -> None:
    group, waits = groups.founded("k", AT), []
    for _ in range(8):
        grown = groups.growing(groups.joined(group, is_open=True, now=AT), AT)
        assert groups.growing(grown, AT + 5) == grown, "what is to be told already is not put off"
        assert grown.grow_at is not None
        waits.append(grown.grow_at - AT)
        group = groups.told(grown)
    assert waits == [30, 60, 120, 240, 480, 900, 900, 900]


def test_a_group_takes_what_comes_within_ten_minutes_of_the_last() -> None:
    group = groups.joined(groups.founded("k", AT), is_open=True, now=AT + 500)
    assert groups.takes(group, AT + 1100) and not groups.takes(group, AT + 1101)
    assert not groups.takes(msgspec.structs.replace(group, open=0), AT + 501)


def wall(*members: Incident, level: Level = "page", **lead: Any) -> Incident:
    """The first speaks for all."""
    first, *others = members
    still = sum(1 for one in members if one.state != "resolved")
    group = msgspec.structs.replace(groups.founded("k", AT), size=len(members), open=still, told_open=2, **lead)
    return groups.face_of(msgspec.structs.replace(first, group=group), others, lambda one: level, AT + 1260)


def lost(family: str, *, attempts: int = 6, outcome: str = "refused") -> Incident:
    facts = {"due_at": AT, "schedule_kind": "rule", "expression": "cron(0 15 * * ? *)", "timezone": "UTC"}
    found = because("no_capacity", "Capacity is unavailable", family=family, facts=facts, task_arn=None, subject=family)
    tries = tuple(Attempt(number=n + 1, at=AT, started_by=None, outcome="refused") for n in range(attempts - 1))
    last = Attempt(number=attempts, at=AT, started_by=None, outcome=outcome)
    opened = incident(**{name: getattr(found, name) for name in found.__struct_fields__})
    return msgspec.structs.replace(opened, attempts=(*tries, last), changed_at=AT + 1200)


def test_the_title_and_the_lost_of_transcripts() -> None:
    face = wall(over(lost("batch-1")), lost("nightly-billing"), lost("point-expire"), over(lost("batch-2")))
    told = alert(face, "changed", TOKYO)
    assert told.title == f"2 batches did not run, 2 recovered by retry (no Fargate capacity, due 00:00 JST) · {face.id}"
    assert told.labels == (
        ("Lost", "nightly-billing:31 · point-expire:31  (6 attempts each, gave up 00:20 JST)"),
        ("Said", "Capacity is unavailable"),
        ("Cause", "c"),
        ("Next", f"Run the 2 that are lost: hinoban retry {face.id} (starts nothing that runs already)"),
    )
    assert (face.id, face.state, told.severity) == (over(lost("batch-1")).id, "open", "critical")
    group = webhook_payload(face, "changed")["group"]
    assert (group["size"], group["lost"], group["recovered"], group["names"]) == (4, 2, 2, ["nightly-billing:31", "point-expire:31"])


def test_one_that_is_being_retried_is_not_lost_and_does_not_speak_for_the_others() -> None:
    face = wall(lost("a", outcome="waiting"), lost("b"))
    assert alert(face, "changed", TOKYO).title.startswith("1 batch did not run, 1 being retried (b:31, no Fargate capacity")
    assert face.finding.family == "b"


@pytest.mark.parametrize(
    ("lang", "title"),
    [
        ("en", "Recovered: both ran at 00:10 JST (3 in all, one cause)"),
        ("ja", "復旧: 2件とも 00:10 JST までに実行 (同じ原因で全3件)"),
    ],
)
def test_the_end_is_told_once_for_all(lang: Any, title: str) -> None:
    face = wall(over(lost("a")), over(lost("b")), over(lost("c")))
    with speaking(lang):
        assert alert(face, "resolved", TOKYO).title == f"{title} · {face.id}"
        assert current(face, TOKYO)["text"].splitlines()[0].startswith(title[:6])


def test_ends_that_lie_apart_are_told_by_the_last() -> None:
    later = msgspec.structs.replace(over(lost("b")), resolved_at=AT + 1200)
    face = wall(over(lost("a")), later)
    assert alert(face, "resolved", TOKYO).title == f"Recovered: both ran by 00:20 JST · {face.id}"


def test_several_fates_stand_side_by_side() -> None:
    failed = incident(subject="task:9", verdict="EXIT 3", family="a")
    assert alert(wall(lost("a"), failed, lost("b")), "changed", TOKYO).title.startswith("2 batches did not run, 1 EXIT 3") is False
    # One of them was started by hand: they are tasks, not batches.
    assert alert(wall(lost("a"), failed, lost("b")), "changed", TOKYO).title.startswith("2 tasks did not start, 1 EXIT 3")


@given(st.permutations([lost("a"), lost("b"), over(lost("c")), lost("d", outcome="running"), lost("e", attempts=2)]))
def test_members_are_counted_alike_in_any_order(members: list[Incident]) -> None:
    lead = msgspec.structs.replace(lost("z"), group=groups.founded("k", AT))
    assert lead.group is not None
    first, second = groups.shown(lead.group, [lead, *members], lead.id), groups.shown(lead.group, [*members[::-1], lead], lead.id)
    assert first == second and (first.lost, first.trying, first.recovered) == (4, 1, 1)

"""Until when a task may run: policies, and over them what its own tags ask for."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hinoban.base.clock import HOURS, MINUTES
from hinoban.base.units import LAST_MOMENT, iso
from hinoban.watch.policies import Limits
from hinoban.watch.task_tags import TaskTags, wishes
from hinoban.watch.terms import Terms, terms_of
from tests.unit.watch.detect.world import NOW, task

CHANGE = task(lastStatus="RUNNING", desiredStatus="RUNNING", startedAt=iso(NOW), stopCode=None, stoppedAt=None)


def terms(limits: Limits, **tags: str) -> Terms:
    return terms_of(CHANGE, limits, TaskTags(tags={f"hinoban:{name.replace('_', '-')}": value for name, value in tags.items()}))


def test_without_tags_the_policy_speaks() -> None:
    found = terms(Limits(2 * HOURS, 4 * HOURS, by_policy=True))
    assert (found.warn_at, found.stop_at, found.limit_from) == (NOW + 2 * HOURS, NOW + 4 * HOURS, "policy")
    assert found.remind_after == 2 * HOURS


def test_the_tag_goes_before_the_policy_and_a_longer_one_moves_the_stop() -> None:
    longer = terms(Limits(2 * HOURS, 4 * HOURS), max_runtime="6h")
    assert (longer.warn_at, longer.stop_at, longer.limit_from) == (NOW + 6 * HOURS, NOW + 8 * HOURS, "tag")
    shorter = terms(Limits(2 * HOURS, 4 * HOURS), max_runtime="1h")
    assert (shorter.warn_at, shorter.stop_at) == (NOW + 1 * HOURS, NOW + 4 * HOURS)


def test_a_task_is_warned_about_when_it_is_stopped_at_the_latest() -> None:
    found = terms(Limits(24 * HOURS, 4 * HOURS))
    assert (found.warn_at, found.stop_at, found.limit, found.limit_from) == (NOW + 4 * HOURS, NOW + 4 * HOURS, 4 * HOURS, "policy")


def test_keep_holds_warning_and_stop_back_until_its_moment_and_true_for_ever() -> None:
    held = terms(Limits(2 * HOURS, 4 * HOURS), keep=iso(NOW + 10 * HOURS))
    assert (held.warn_at, held.stop_at) == (NOW + 10 * HOURS, NOW + 12 * HOURS)
    kept = terms(Limits(2 * HOURS, 4 * HOURS, stop_orphans=True), keep="True", lease="5m")
    assert (kept.warn_at, kept.stop_at, kept.orphan_at) == (None, None, None)


def test_a_lease_is_a_moment_or_a_duration_from_the_start_and_stops_only_where_a_policy_says_so() -> None:
    for lease in ("30m", iso(NOW + 30 * MINUTES)):
        found = terms(Limits(24 * HOURS, None), lease=lease)
        assert (found.orphan_at, found.stop_at) == (NOW + 30 * MINUTES, None)
        assert terms(Limits(24 * HOURS, None, stop_orphans=True), lease=lease).stop_at == NOW + 30 * MINUTES


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_runtime", "long", "hinoban:max-runtime = 'long' is no duration"),
        ("keep", "yes", "hinoban:keep = 'yes' is neither a moment nor true"),
        ("keep", "2026-12-01T00:00:00", "hinoban:keep = '2026-12-01T00:00:00' is neither a moment nor true"),
        ("lease", "tomorrow", "hinoban:lease = 'tomorrow' is neither a moment nor a duration"),
    ],
)
def test_a_tag_that_cannot_be_read_is_not_heeded_and_said(name: str, value: str, words: str) -> None:
    limits = Limits(2 * HOURS, None)
    found, plain = terms(limits, **{name: value}), terms(limits)
    assert found.wishes.ignored == (words,)
    assert (found.warn_at, found.stop_at, found.orphan_at) == (plain.warn_at, plain.stop_at, plain.orphan_at)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_runtime", "99999999d"),
        ("lease", "99999999d"),
        ("lease", "9" * 400 + "d"),
        ("lease", "9999-12-31T23:59:59Z"),
        ("keep", "9999-12-31T23:59:59-12:00"),
    ],
)
def test_what_is_further_off_than_calendars_go_ends_with_them(name: str, value: str) -> None:
    found = terms(Limits(2 * HOURS, None), **{name: value})
    assert found.wishes.ignored == ()
    assert LAST_MOMENT in (found.warn_at, found.orphan_at)


def test_an_empty_tag_asks_for_nothing() -> None:
    assert wishes({"hinoban:keep": " ", "hinoban:owner": ""}, NOW) == wishes({}, NOW)


seconds = st.floats(1, 1e6).map(round)
tag_values: Any = st.dictionaries(
    st.sampled_from(["max_runtime", "keep", "lease"]),
    st.one_of(seconds.map(lambda one: f"{one}s"), seconds.map(lambda one: iso(NOW + one)), st.sampled_from(["true", "nonsense", ""])),
)


@given(seconds, st.none() | seconds, st.booleans(), tag_values)
def test_nothing_is_stopped_before_it_can_have_been_told_nor_before_its_keep(
    limit: float, stop: float | None, orphans: bool, tags: dict[str, str]
) -> None:
    found = terms(Limits(limit, stop, stop_orphans=orphans), **tags)
    told = [at for at in (found.warn_at, found.orphan_at) if at is not None]
    if found.stop_at is not None:
        assert told and found.stop_at >= min(told)
        assert stop is not None or orphans
    keep = found.wishes.keep_until
    if keep is not None:
        assert all(at >= keep for at in (*told, *([found.stop_at] if found.stop_at is not None else [])))


def test_a_services_task_has_no_wishes() -> None:
    owned = task(owned=True, lastStatus="RUNNING", desiredStatus="RUNNING")
    found = terms_of(owned, Limits(None, None), TaskTags(tags={"hinoban:max-runtime": "1s"}))
    assert (found.warn_at, found.stop_at) == (None, None)

"""Detectors that time makes speak: tasks that are stuck on their way, and those that run past their limit or their lease."""

import pytest

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.base.units import iso
from hinoban.watch.detect.overdue import Spelt, overdue
from hinoban.watch.detect.stuck import moved_on, stuck, stuck_at
from hinoban.watch.explain.language import speaking
from hinoban.watch.model import TaskChange
from hinoban.watch.policies import Limits
from hinoban.watch.task_tags import TaskTags
from hinoban.watch.terms import Terms, terms_of
from tests.unit.watch.detect.world import NOW, task


def on_the_way(status: str, **fields: object) -> TaskChange:
    return task(
        lastStatus=status, **{"desiredStatus": "RUNNING", "createdAt": iso(NOW), "stoppedAt": None, "executionStoppedAt": None, **fields}
    )


@pytest.mark.parametrize(
    ("status", "code"),
    [("PROVISIONING", "stuck_provisioning"), ("PENDING", "stuck_pending"), ("ACTIVATING", "stuck_pending")],
)
@pytest.mark.parametrize("owned", [False, True])
def test_a_task_that_does_not_get_to_run_is_stuck_from_its_creation_on(status: str, code: str, owned: bool) -> None:
    change = on_the_way(status, owned=owned)
    moment = stuck_at(change, 10 * MINUTES)
    assert moment == NOW + 10 * MINUTES and stuck(change, moment - 1, 10 * MINUTES) is None
    finding = stuck(change, moment + 60, 10 * MINUTES)
    assert finding is not None
    assert (finding.verdict, finding.subject, finding.explanation.code) == ("STUCK", f"task:{change.task_arn}", code)
    assert (finding.at, finding.facts["last_status"]) == (moment, status) and "11 m" in finding.explanation.cause


@pytest.mark.parametrize(
    ("status", "desired"), [("STOPPING", "STOPPED"), ("RUNNING", "STOPPED"), ("PENDING", "STOPPED"), ("DEACTIVATING", "STOPPED")]
)
def test_a_task_that_does_not_get_to_its_end_is_stuck_from_its_stop_on(status: str, desired: str) -> None:
    change = on_the_way(status, desiredStatus=desired, stoppingAt=iso(NOW + 100))
    moment = stuck_at(change, 60.0)
    assert moment == NOW + 100 + 10 * MINUTES
    finding = stuck(change, moment, 60.0)
    assert finding is not None and finding.explanation.code == "stuck_stopping"


def test_containers_that_may_take_long_to_end_are_waited_for() -> None:
    change = on_the_way("STOPPING", desiredStatus="STOPPED", stoppingAt=iso(NOW))
    assert stuck_at(change, 60.0, 20 * MINUTES) == NOW + 25 * MINUTES
    assert stuck_at(change, 60.0, 30.0) == NOW + 10 * MINUTES


def test_a_deprovisioning_task_is_counted_from_its_programs_end() -> None:
    change = on_the_way("DEPROVISIONING", desiredStatus="STOPPED", stoppingAt=iso(NOW), executionStoppedAt=iso(NOW + 60))
    assert stuck_at(change, 60.0) == NOW + 60 + 10 * MINUTES


@pytest.mark.parametrize("status", ["RUNNING", "STOPPED", "DELETED", "SOMETHING_NEW"])
def test_other_statuses_may_last_for_ever(status: str) -> None:
    change = on_the_way(status)
    assert stuck_at(change, 60.0) is None and stuck(change, NOW + 30 * DAYS, 60.0) is None


def test_a_task_moves_on_when_it_leaves_its_way_and_not_from_one_part_of_it_to_the_next() -> None:
    finding = stuck(on_the_way("PROVISIONING"), NOW + DAYS, 60.0)
    assert finding is not None
    assert moved_on(finding, on_the_way("PENDING")) is None
    assert moved_on(finding, on_the_way("RUNNING")) == "The task moved on: it is RUNNING."
    assert moved_on(finding, on_the_way("PENDING", desiredStatus="STOPPED")) is not None


def running(**fields: object) -> TaskChange:
    return task(lastStatus="RUNNING", **{"desiredStatus": "RUNNING", "startedAt": iso(NOW), "stopCode": None, "stoppedAt": None, **fields})


def terms(change: TaskChange, tags: dict[str, str] | None = None, **limits: object) -> Terms:
    return terms_of(change, Limits(**{"max_runtime": 10.0, "stop_after": None, **limits}), TaskTags(tags=tags or {}))  # type: ignore[arg-type]


def test_a_task_is_overdue_from_its_limit_on_and_not_before() -> None:
    change = running()
    assert overdue(change, NOW + 9.9, terms(change)) is None
    finding = overdue(change, NOW + 10, terms(change))
    assert finding is not None
    assert (finding.at, finding.verdict, finding.facts["ran_seconds"]) == (NOW + 10, "OVERDUE", 10)
    assert finding.explanation.next == 'Stop it: hinoban stop 00000000 --reason "overdue"'
    assert finding.facts["limit_from"] == "default"


def test_a_task_that_never_ran_is_overdue_from_its_creation() -> None:
    change = on_the_way("PENDING", startedAt=None)
    assert overdue(change, NOW + 11, terms(change)) is not None


@pytest.mark.parametrize("owner", [{"group": "service:web"}, {"startedBy": "ecs-svc/123"}, {"desiredStatus": "STOPPED"}])
def test_what_a_service_owns_or_somebody_stops_is_never_overdue(owner: dict[str, str]) -> None:
    change = running(**owner)
    assert overdue(change, NOW + 1e6, terms(change)) is None


def test_a_task_whose_lease_ran_out_names_it_and_its_owner() -> None:
    change = running()
    leased = {"hinoban:lease": iso(NOW + 5), "hinoban:owner": "https://ci.example.com/8790"}
    known = terms(change, leased, max_runtime=HOURS)
    assert overdue(change, NOW + 4, known) is None
    finding = overdue(change, NOW + 5, known, spelt=Spelt(lease_until="00:00:05", session="run-8790"))
    assert finding is not None and finding.explanation.code == "orphan"
    assert finding.explanation.cause == (
        "Its lease ran out at 00:00:05; its owner https://ci.example.com/8790 does not renew it. Nothing will end it."
    )
    assert finding.explanation.next.endswith('--reason "orphan of run-8790"')
    assert finding.facts["orphan"] is True


def test_a_task_with_a_lease_that_is_past_its_limit_is_overdue_and_no_orphan() -> None:
    change = running()
    finding = overdue(change, NOW + 20, terms(change, {"hinoban:lease": iso(NOW + 60)}), spelt=Spelt(lease_until="00:01:00"))
    assert finding is not None and "orphan" not in finding.facts
    assert finding.explanation.cause == "It ran past its limit, and its lease is held until 00:01:00 by (nobody is named)."


def test_what_is_told_again_says_how_long_it_runs_by_now_in_both_languages() -> None:
    change = running()
    finding = overdue(change, NOW + 26 * HOURS, terms(change), again=True)
    assert finding is not None and finding.explanation.cause.startswith("Still running after 26 h. Nothing will end it")
    with speaking("ja"):
        finding = overdue(change, NOW + 26 * HOURS, terms(change), again=True)
    assert finding is not None and finding.explanation.cause.startswith("26 h 経過後も実行中。")


def test_one_that_is_going_to_be_stopped_says_when() -> None:
    change = running()
    finding = overdue(change, NOW + 10, terms(change, stop_after=20.0), spelt=Spelt(stop_at="00:00:20"))
    assert finding is not None and finding.explanation.next == "Nothing now: Hinoban stops it at 00:00:20."
    assert finding.facts["stop_at"] == NOW + 20

"""Faults: checked when they are put in, counted as they strike, kept over a restart."""

from pathlib import Path
from typing import Any

import pytest

from hinoban.base.clock import FakeClock
from hinoban.base.errors import HinobanError
from hinoban.base.ids import SeededIds
from hinoban.engine.ecs.model.views import fault_subject
from hinoban.engine.faults.events import DETAIL_TYPES, EventMaker
from hinoban.engine.faults.table import _KNOWN, MIGRATION, Faults
from hinoban.store.database import Database
from tests.support.tasks import a_task

ACCOUNT, REGION = "123456789012", "ap-northeast-1"
ABOUT = {"family": "job", "cluster": "default", "region": "ap-northeast-1"}


class Desk:
    def __init__(self, path: Path) -> None:
        self.path = path / "x.db"
        self.open()

    def open(self) -> None:
        self.database = Database(self.path, [MIGRATION])
        self.told: list[dict[str, Any]] = []
        self.faults = Faults(self.database, SeededIds(), EventMaker(ACCOUNT, REGION, FakeClock(), SeededIds()), self.told.append)

    def reopen(self) -> None:
        self.database.close()
        self.open()


async def test_a_fault_strikes_what_it_matches_as_often_as_it_says(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.faults.add([{"what": "capacity", "match": {"family": ["job"]}, "times": 2, "reason": "because"}])
    assert desk.faults.strike("capacity", ABOUT | {"family": "other"}) is None
    assert desk.faults.strike("start_error", ABOUT) is None
    assert desk.faults.strike("capacity", ABOUT) == "because"
    desk.reopen()
    assert desk.faults.strike("capacity", ABOUT) == "because"
    assert desk.faults.strike("capacity", ABOUT) is None
    assert [(fault.struck, fault.left) for fault in desk.faults.list()] == [(2, 0)]
    desk.reopen()
    assert desk.faults.strike("capacity", ABOUT) is None
    desk.database.close()


async def test_without_match_times_and_reason_it_strikes_always_in_awss_words(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.faults.add([{"what": "capacity"}, {"what": "start_error"}])
    for _ in range(3):
        assert (desk.faults.strike("capacity", ABOUT) or "").startswith("Capacity is unavailable at this time.")
        assert (desk.faults.strike("start_error", ABOUT) or "").startswith("ResourceInitializationError: ")
    desk.faults.clear()
    desk.reopen()
    assert (desk.faults.list(), desk.faults.strike("capacity", ABOUT)) == ([], None)
    desk.database.close()


@pytest.mark.parametrize(
    "body", [7, {}, {"what": "earthquake"}, {"what": "capacity", "tiems": 1}, {"what": "capacity", "match": {"family": "job"}}]
)
async def test_a_bad_one_is_refused_with_all_the_others(tmp_path: Path, body: Any) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(HinobanError) as caught:
        desk.faults.add([{"what": "capacity"}, body])
    assert "faults[1]" in caught.value.what + caught.value.why
    assert desk.faults.list() == []
    desk.database.close()


@pytest.mark.parametrize(
    "what, match, path, todo",
    [
        ("capacity", {"famly": ["job"]}, "faults[1].match.famly", "Did you mean 'family'?"),
        ("start_error", {"started_by": ["x"]}, "faults[1].match.started_by", "Did you mean 'startedBy'?"),
        ("start_error", {"detail": {"group": ["x"]}}, "faults[1].match.detail", "Write one of them."),
        ("capacity", {"$or": [{"family": ["a"]}, {"imagee": ["b"]}]}, "faults[1].match.$or[1].imagee", "Write one of them."),
        ("start_error", {"$or": [{"family": ["a"]}, {"imagee": ["b"]}]}, "faults[1].match.$or[1].imagee", "Did you mean 'image'?"),
        ("capacity", {"container": ["app"]}, "faults[1].match.container", "Write one of them."),
    ],
)
async def test_a_match_that_could_never_strike_is_refused(tmp_path: Path, what: str, match: dict[str, Any], path: str, todo: str) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(HinobanError) as caught:
        desk.faults.add([{"what": "capacity"}, {"what": what, "match": match}])
    assert (caught.value.what.split(" ")[0], caught.value.todo) == (path, todo)
    assert "region, cluster, family, revision, startedBy, group" in caught.value.why
    assert desk.faults.list() == []
    desk.database.close()


def test_every_field_that_a_fault_may_name_is_there_to_be_matched() -> None:
    assert set(_KNOWN["capacity"]) == set(fault_subject(a_task()))
    assert set(_KNOWN["start_error"]) == {*fault_subject(a_task()), "container", "image"}


ACTION = {
    "what": "event",
    "detail-type": "ECS Service Action",
    "detail": {"eventType": "ERROR", "eventName": "SERVICE_TASK_PLACEMENT_FAILURE"},
}
SERVICE = f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/batch/web"


async def test_an_event_happens_once_as_aws_would_send_it_and_is_in_no_list(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (answer,) = desk.faults.add([ACTION | {"resources": [SERVICE]}])
    (told,) = desk.told
    assert told == {
        "version": "0",
        "id": answer.id,
        "detail-type": "ECS Service Action",
        "source": "aws.ecs",
        "account": ACCOUNT,
        "time": "2026-11-26T15:00:00Z",
        "region": REGION,
        "resources": [SERVICE],
        "detail": {
            "clusterArn": f"arn:aws:ecs:{REGION}:{ACCOUNT}:cluster/batch",
            "eventType": "ERROR",
            "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
            "createdAt": told["detail"]["createdAt"],
        },
    }
    assert told["detail"]["createdAt"].startswith("2026-11-26T15:00:00")
    assert desk.faults.list() == []
    desk.database.close()


async def test_what_an_event_says_itself_stays(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    said = {"eventType": "WARN", "eventName": "X", "clusterArn": "arn:c", "createdAt": "2020-01-01T00:00:00Z", "reason": "r"}
    desk.faults.add([ACTION | {"detail": said, "region": "us-east-1"}, {"what": "capacity"}])
    (told,) = desk.told
    assert (told["detail"], told["region"], told["resources"]) == (said, "us-east-1", [])
    assert [fault.what for fault in desk.faults.list()] == ["capacity"]
    desk.database.close()


async def test_every_kind_of_event_but_a_tasks_can_be_put_in(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    for detail_type in DETAIL_TYPES:
        desk.faults.add([{"what": "event", "detail-type": detail_type, "detail": {"eventType": "ERROR", "eventName": "X"}}])
    assert [told["detail-type"] for told in desk.told] == list(DETAIL_TYPES)
    desk.database.close()


@pytest.mark.parametrize(
    "body, words",
    [
        ({"what": "event"}, "faults[1] is not an event"),
        (ACTION | {"times": 2}, "faults[1] is not an event"),
        (ACTION | {"resources": "x"}, "faults[1] is not an event"),
        (ACTION | {"region": "tokyo"}, "faults[1] is not an event"),
        (ACTION | {"resources": ["web"]}, "faults[1].resources: 'web' is not an ARN"),
        (ACTION | {"detail": {"eventName": "X"}}, "faults[1].detail has no eventType"),
        (ACTION | {"detail": {"eventType": "ERROR"}}, "faults[1].detail has no eventName"),
        (ACTION | {"detail": {"eventType": "FATAL", "eventName": "X"}}, "faults[1].detail.eventType must be one of INFO, WARN, ERROR, not 'FATAL'"),
        (ACTION | {"detail": {"eventType": [1], "eventName": "X"}}, "faults[1].detail has no eventType"),
        (ACTION | {"detail-type": "ECS Service Acton"}, "faults[1].detail-type: ECS has no event 'ECS Service Acton'"),
        (ACTION | {"detail-type": "ECS Task State Change"}, "faults[1].detail-type: an event about a task cannot be put in"),
    ],
)  # fmt: skip
async def test_an_event_that_aws_would_never_send_is_refused_with_all_the_others(tmp_path: Path, body: Any, words: str) -> None:
    desk = Desk(tmp_path)
    with pytest.raises(HinobanError) as caught:
        desk.faults.add([ACTION, body, {"what": "capacity"}])
    assert (caught.value.what, bool(caught.value.why), bool(caught.value.todo)) == (words, True, True)
    assert (desk.told, desk.faults.list()) == ([], [])
    desk.database.close()

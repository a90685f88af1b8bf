"""Polling an account where nothing may be set up: what it sees in time, how gently it asks, and what it keeps silent about."""

import itertools
from collections import Counter
from typing import Any

import msgspec
import pytest

from hinoban.aws.client import EndpointUnreachable
from hinoban.base.clock import FakeClock
from hinoban.base.ids import SeededIds
from hinoban.watch import detect
from hinoban.watch.config import WatchConfig
from hinoban.watch.due_slots import due_slots
from hinoban.watch.history.book import Book
from hinoban.watch.history.database import open_database
from hinoban.watch.history.ledger import Cursor
from hinoban.watch.model import Doing, Launch, Stop, TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.pipeline import Pipeline
from hinoban.watch.schedules.slot import Slot
from hinoban.watch.service_model import DeploymentChange, ServiceAction, ServiceReading
from hinoban.watch.sources.lookup import looked_up
from hinoban.watch.sources.poll import AWAY, Due, DueSlots, Poll, no_slots
from hinoban.watch.sources.source import Batch
from tests.support.polled import PolledAws, passing
from tests.unit.watch.samples import NO_ROOM, call_record, run_task, task_arn


class Desk:
    def __init__(self, due: DueSlots = no_slots) -> None:
        self.clock = FakeClock()
        self.aws = PolledAws(self.clock)
        self.due = due
        self.cursor: Cursor | None = None
        self.source = self.fresh()

    def fresh(self) -> Poll:
        return Poll(self.aws.client(), self.clock, account="123456789012", due=self.due)

    async def turn(self) -> Batch:
        batch = await passing(self.clock, self.source.poll(self.cursor), step=0.25)
        self.cursor = batch.cursor
        await self.source.committed()
        return batch

    async def during(self, seconds: float) -> list[Batch]:
        end, batches = self.clock.now() + seconds, []
        while self.clock.now() < end:
            batches.append(await self.turn())
        return batches


def told(batches: list[Batch], *, silent: bool = False) -> Counter[tuple[str, Any]]:
    seen = [observation(raw) for batch in batches if batch.silent is silent for raw in batch.events]
    names = [(one.task_arn, one.detail["lastStatus"]) for one in seen if isinstance(one, TaskChange)]
    return Counter(names + [(one.event_id, one.error_code) for one in seen if isinstance(one, Launch)])


async def test_what_ended_before_the_first_attach_is_silent_and_the_rest_is_not() -> None:
    desk = Desk()
    before = desk.aws.start("job", None)
    desk.aws.finish(before, 3)
    desk.aws.emit(run_task(1, at=desk.clock.now() - 60, failures=(NO_ROOM,)))
    running = desk.aws.start("job", None)
    await desk.clock.advance(10)
    batches = await desk.during(60)
    assert told(batches, silent=True) == {(before, "STOPPED"): 1, ("call-1", None): 1}
    assert told(batches) == {(running, "RUNNING"): 1}
    assert desk.source.filled == 2
    desk.aws.finish(running, 3)
    desk.aws.emit(run_task(2, at=desk.clock.now(), failures=(NO_ROOM,)))
    batches = await desk.during(130)
    assert told(batches) == {(running, "STOPPED"): 1, ("call-2", None): 1}
    assert told(batches, silent=True) == {}


async def test_a_record_of_before_the_attach_that_comes_late_is_silent_too() -> None:
    desk = Desk()
    desk.aws.late = 300
    desk.aws.emit(run_task(1, at=desk.clock.now() - 10, failures=(NO_ROOM,)), run_task(2, at=desk.clock.now() + 10, failures=(NO_ROOM,)))
    batches = await desk.during(900)
    assert told(batches, silent=True) == {("call-1", None): 1}
    assert told(batches) == {("call-2", None): 1}


async def test_a_first_attach_that_is_cut_short_stays_silent_about_what_was_before() -> None:
    desk = Desk()
    before = desk.aws.start("job", None)
    desk.aws.finish(before, 3)
    await desk.clock.advance(1)
    await passing(desk.clock, desk.source.poll(None))
    desk.cursor = Cursor(f"attach {desk.clock.now()}", int(desk.clock.now()), int(desk.clock.now()) + 1, desk.clock.now())
    desk.source = desk.fresh()
    batches = await desk.during(90)
    assert told(batches, silent=True) == {(before, "STOPPED"): 1}
    assert told(batches) == {}


async def test_no_stopped_task_escapes_its_hour_and_none_comes_twice() -> None:
    desk = Desk()
    await desk.during(40)
    wanted = []
    for _ in range(30):
        arn = desk.aws.start("job", None)
        desk.aws.finish(arn, 1)
        wanted.append(arn)
        await desk.clock.advance(7)
    batches = await desk.during(120)
    assert told(batches) == {(arn, "STOPPED"): 1 for arn in wanted}


async def test_it_reads_at_most_twice_a_second_and_event_history_once_in_five() -> None:
    desk = Desk()
    for _ in range(350):
        desk.aws.start("job", None)
    for number in range(400):
        desk.aws.emit(run_task(number, at=desk.clock.now() - number, failures=(NO_ROOM,)))
    await desk.during(400)
    moments = [at for at, _ in desk.aws.reads]
    assert all(later - first >= 0.49 for first, later in itertools.pairwise(moments))
    lookups = [at for at, operation in desk.aws.reads if operation == "LookupEvents"]
    assert len(lookups) >= 9, "all pages were read"
    assert all(later - first >= 4.9 for first, later in itertools.pairwise(lookups))


async def test_it_yields_when_aws_throttles_and_comes_back() -> None:
    desk = Desk()
    await desk.during(40)
    arn = desk.aws.start("job", None)
    desk.aws.refusals["DescribeTasks"] = ["ThrottlingException"] * 4 + [""]
    first = len(desk.aws.reads)
    batches = await desk.during(120)
    assert told(batches) == {(arn, "RUNNING"): 1}
    during = [at for at, operation in desk.aws.reads[first:] if operation == "DescribeTasks"][:5]
    pauses = [later - earlier for earlier, later in itertools.pairwise(during)]
    assert pauses == sorted(pauses) and pauses[-1] >= 8.0


async def test_a_missing_right_is_a_problem_and_the_rest_goes_on() -> None:
    desk = Desk()
    desk.aws.refusals["LookupEvents"] = ["AccessDeniedException"]
    arn = desk.aws.start("job", None)
    batches = await desk.during(60)
    assert told(batches) == {(arn, "RUNNING"): 1}
    [problem] = desk.source.problems.values()
    assert problem.words == "cloudtrail:LookupEvents denied in ap-northeast-1"
    desk.aws.refusals.clear()
    await desk.during(130)
    assert desk.source.problems == {}


async def test_an_endpoint_that_tells_no_versions_is_followed_by_states() -> None:
    desk = Desk()
    plain = desk.aws.DescribeTasks

    def DescribeTasks(params: dict[str, Any]) -> dict[str, Any]:
        answer = plain(params)
        return {"tasks": [{name: value for name, value in task.items() if name != "version"} for task in answer["tasks"]]}

    desk.aws.DescribeTasks = DescribeTasks  # type: ignore[method-assign]  # as moto answers
    await desk.during(40)
    arn = desk.aws.start("job", None)
    first = await desk.during(60)
    desk.aws.finish(arn, 3)
    assert told(first + await desk.during(60)) == {(arn, "RUNNING"): 1, (arn, "STOPPED"): 1}


async def test_nobody_there_is_raised_and_nothing_is_lost() -> None:
    desk = Desk()
    arn = desk.aws.start("job", None)
    desk.aws.down = True
    with pytest.raises(EndpointUnreachable):
        await passing(desk.clock, desk.source.poll(None))
    desk.aws.down = False
    assert told(await desk.during(60)) == {(arn, "RUNNING"): 1}


async def test_a_minute_and_two_after_a_slot_its_run_is_looked_for() -> None:
    slot: list[Due] = []
    desk = Desk(lambda since, until: [one for one in slot if since < one.at <= until])
    await desk.during(45)
    asked: list[tuple[float, Any]] = []
    plain = desk.aws.ListTasks

    def ListTasks(params: dict[str, Any]) -> dict[str, Any]:
        if "family" in params:
            asked.append((desk.clock.now(), (params["family"], params["desiredStatus"])))
        return plain(params)

    desk.aws.ListTasks = ListTasks  # type: ignore[method-assign]  # heard, not changed
    slot.append(Due(cluster="default", family="job", at=desk.clock.now()))
    at = desk.clock.now()
    await desk.during(180)
    offsets = [round(moment - at) for moment, _ in asked]
    assert [status for _, status in asked] == [("job", "RUNNING"), ("job", "STOPPED")] * 2
    assert 60 <= offsets[0] <= 85 and 120 <= offsets[2] <= 145


async def test_after_a_long_absence_it_says_what_there_still_is_and_where_the_gap_is() -> None:
    desk = Desk()
    arn = desk.aws.start("job", None)
    await desk.during(60)
    assert desk.cursor is not None and desk.cursor.gap_at is None
    await desk.clock.advance(AWAY + 60)
    desk.source = desk.fresh()
    batches = await desk.during(60)
    assert [batch.listed for batch in batches if batch.listed is not None] == [frozenset({arn})]
    assert desk.cursor.gap_at is not None
    assert (await desk.turn()).listed is None


async def test_until_everything_was_looked_at_once_it_is_behind() -> None:
    desk = Desk()
    for _ in range(2000):
        desk.aws.start("job", None)
    first = await desk.turn()
    assert first.cursor.newest > first.cursor.seq
    await desk.during(60)
    assert desk.cursor is not None and desk.cursor.newest == desk.cursor.seq


async def test_a_first_attach_tells_nothing_of_before_once_the_pipeline_keeps_it_silent() -> None:
    """The two batches can be told apart: the pipeline needs no more than `silent`."""
    desk = Desk()
    before = desk.aws.start("job", None)
    desk.aws.finish(before, 3)
    await desk.clock.advance(1)
    engine = open_database("sqlite://")
    pipeline = Pipeline(engine, WatchConfig(), detectors=detect, channels=(), ids=SeededIds(1))
    for batch in await desk.during(60):
        if not batch.silent:
            pipeline.take(desk.source.name, batch, desk.clock.now())
    with engine.connect() as connection:
        assert pipeline.ledger.open_incidents(connection) == {}


def test_what_is_no_record_of_ecs_is_left_out() -> None:
    record = msgspec.json.decode(run_task(1, tasks=(task_arn(1),)))["detail"]
    good = {"EventId": "call-1", "CloudTrailEvent": msgspec.json.encode(record).decode()}
    raw = looked_up(good)
    assert raw is not None
    seen = observation(raw)
    assert isinstance(seen, Launch) and seen.task_arns == (task_arn(1),) and seen.region == "ap-northeast-1"
    other = msgspec.json.encode({**record, "eventSource": "batch.amazonaws.com"}).decode()
    assert looked_up({"CloudTrailEvent": other}) is None
    assert looked_up({"CloudTrailEvent": "no json"}) is None
    assert looked_up({"CloudTrailEvent": '{"eventSource": "ecs.amazonaws.com"}'}) is None
    assert looked_up({}) is None


def test_the_slots_that_wait_are_told_by_the_history() -> None:
    engine = open_database("sqlite://")
    book = Book()
    words = {"kind": "rule", "arn": "a", "account": "1", "cluster": "batch", "region": "ap-northeast-1"}
    with engine.begin() as connection:
        several = [
            Slot(key="a#1", at=100.0, name="one", family="job", due_by=400.0, **words),  # type: ignore[arg-type]  # words of a Slot
            Slot(key="b#1", at=100.0, name="two", family="job", due_by=400.0, state="launched", **words),  # type: ignore[arg-type]
            Slot(key="c#1", at=200.0, name="three", family="job", due_by=400.0, **words),  # type: ignore[arg-type]
            Slot(key="d#1", at=100.0, name="four", family="", due_by=400.0, **words),  # type: ignore[arg-type]
        ]
        book.put_slots(connection, several)
        book.flush(connection)
    due = due_slots(engine, "1", "ap-northeast-1")
    assert list(due(0.0, 150.0)) == [Due(cluster="batch", family="job", at=100.0)]
    assert list(due(150.0, 150.0)) == []
    assert list(due_slots(engine, "1", "us-east-1")(0.0, 300.0)) == []


SERVICE = "arn:aws:ecs:ap-northeast-1:123456789012:service/default/web"


def service(at: float, *, running: int = 2, rollout: str = "COMPLETED", messages: tuple[tuple[float, str], ...] = ()) -> dict[str, Any]:
    """DescribeServices' answer, in epoch seconds (facts/ecs.md §5.1)."""
    deployment = {
        "id": "ecs-svc/1",
        "status": "PRIMARY",
        "rolloutState": rollout,
        "rolloutStateReason": "",
        "createdAt": at,
        "updatedAt": at,
    }
    counts = {"desiredCount": 2, "runningCount": running, "pendingCount": 0, "status": "ACTIVE", "createdAt": at}
    events = [{"id": f"message-{when}", "createdAt": when, "message": text} for when, text in messages]
    return {"serviceArn": SERVICE, "clusterArn": SERVICE.replace("service/default/web", "cluster/default"), **counts} | {
        "deployments": [deployment | {"taskDefinition": "web:1"}],
        "events": events,
    }


def said_of_services(batches: list[Batch], *, silent: bool = False) -> list[str]:
    seen = [observation(raw) for batch in batches if batch.silent is silent for raw in batch.events]
    named = [(one.at, one.name) for one in seen if isinstance(one, ServiceAction)]
    named += [(one.at, f"deployment {one.state}") for one in seen if isinstance(one, DeploymentChange)]
    named += [(one.at, f"{one.running} of {one.desired}") for one in seen if isinstance(one, ServiceReading)]
    return [name for _, name in sorted(named)]


async def test_a_service_is_read_with_its_messages_and_deployments_and_what_was_before_is_silent() -> None:
    desk = Desk()
    before = desk.clock.now() - 1000
    impaired = "(service web) is unable to consistently start tasks successfully."
    desk.aws.services[SERVICE] = service(before, rollout="FAILED", messages=((before, impaired),))
    batches = await desk.during(100)
    assert said_of_services(batches) == ["2 of 2"] and said_of_services(batches, silent=True) == ["deployment failed"]
    at = desk.clock.now()
    desk.aws.services[SERVICE] = service(at, running=0, rollout="FAILED", messages=((at, impaired), (before, impaired)))
    assert said_of_services(await desk.during(100)) == ["SERVICE_TASK_START_IMPAIRED", "deployment failed", "0 of 2"]


async def test_who_stopped_a_task_and_who_disabled_a_rule_is_asked_of_event_history() -> None:
    desk = Desk()
    await desk.during(60)
    now = desk.clock.now()
    desk.aws.emit(call_record("StopTask", now, service="ecs", answer={"task": {"taskArn": task_arn(1)}}))
    desk.aws.emit(call_record("DisableRule", now, Name="nightly"))
    batches = await desk.during(16 * 60)
    seen = [observation(raw) for batch in batches for raw in batch.events]
    assert [one.caller for one in seen if isinstance(one, Stop)] == ["arn:aws:iam::123456789012:user/s.tanaka"]
    assert [one.subject for one in seen if isinstance(one, Doing)] == ["rule/nightly"]


async def test_an_endpoint_that_has_no_services_is_no_problem() -> None:
    desk = Desk()
    desk.aws.refusals["ListServices"] = ["UnknownOperationException"]
    arn = desk.aws.start("job", None)
    assert told(await desk.during(60)) == {(arn, "RUNNING"): 1}
    assert desk.source.problems == {}

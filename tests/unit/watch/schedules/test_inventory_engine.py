"""The same reading through the real client, off the real EventBridge, Scheduler and ECS of the engine, signed and on AWS's protocols."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from hinoban.aws.client import Client
from hinoban.aws.http import HttpRequest
from hinoban.base.clock import DAYS, HOURS
from hinoban.watch.model import TaskChange
from hinoban.watch.normalise import observation
from hinoban.watch.schedules.compare import changes
from hinoban.watch.schedules.dead import why_dead
from hinoban.watch.schedules.expected import expected
from hinoban.watch.schedules.inventory import Inventory
from hinoban.watch.schedules.match import Index, run_of_task
from hinoban.watch.schedules.requests import request_at
from tests.support.engine import CREDENTIALS, REGION, Bench
from tests.unit.watch.schedules.samples import definition_arn, target_body


class Street:
    """The engine's endpoint. `client` is what the watch has."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        transport = httpx.MockTransport(self._answer)
        self.client = Client("http://127.0.0.1:4566", CREDENTIALS, REGION, clock=bench.clock, transport=transport)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        path, _, query = request.url.raw_path.decode().partition("?")
        answer = await self.bench.engine.endpoint.handle(
            HttpRequest(request.method, path, query, dict(request.headers), request.content, "127.0.0.1")
        )
        return httpx.Response(answer.status, headers=answer.headers, content=answer.body)

    def inventory(self) -> Inventory:
        return Inventory(self.client, self.bench.clock, roles=False, secrets=False)

    async def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        return await self.client.call(service, operation, params)

    async def put_rule(self, name: str = "daily-close", **members: Any) -> None:
        await self.call("events", "PutRule", **({"Name": name, "ScheduleExpression": "cron(0 0 * * ? *)"} | members))

    async def create(self, operation: str = "CreateSchedule", **members: Any) -> None:
        target = target_body("report")
        del target["Id"]
        whole = {"Name": "report", "ScheduleExpression": "cron(0 9 * * ? *)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}
        await self.call("scheduler", operation, **(whole | members))


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    bench = await Bench(tmp_path).open()
    street = Street(bench)
    yield street
    await street.client.close()
    await bench.close()


async def test_rules_and_schedules_are_read_off_the_engine(street: Street) -> None:
    await street.put_rule()
    await street.call("events", "PutTargets", Rule="daily-close", Targets=[target_body(Input='{"containerOverrides":[{"name":"app"}]}')])
    await street.put_rule("listens", EventPattern='{"source":["aws.ecs"]}', ScheduleExpression="rate(1 hour)")
    start = street.bench.clock.now() + 2 * DAYS
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    await street.create(ScheduleExpressionTimezone="Asia/Tokyo", StartDate=start, FlexibleTimeWindow=window)
    for number in range(120):
        await street.create(Name=f"many-{number}", State="DISABLED")
    found = await street.inventory().full([REGION])
    assert found.complete
    assert found.problems == ()
    assert found.not_watched == {"no target": 1}
    assert len(found.schedules) == 122
    by_name = {one.name: one for one in found.schedules}
    rule, report = by_name["daily-close"], by_name["report"]
    assert request_at(rule, 0.0) == {
        "cluster": target_body()["Arn"],
        "taskDefinition": definition_arn("daily-close:17"),
        "count": 1,
        "overrides": {"containerOverrides": [{"name": "app"}]},
    }
    assert (report.timezone, report.start, report.window_seconds) == ("Asia/Tokyo", start, 900.0)
    assert report.created_at == pytest.approx(street.bench.clock.now(), abs=1)
    first = expected(report, street.bench.clock.now(), start + 2 * DAYS)[0]
    assert first >= start
    assert (first + 9 * HOURS) % DAYS == 9 * HOURS
    assert {one.state for name, one in by_name.items() if name.startswith("many-")} == {"DISABLED"}


async def test_a_deregistered_pin_and_a_missing_cluster_are_found_dead(street: Street) -> None:
    pinned = await street.bench.define("daily-close")
    await street.put_rule()
    body = target_body("daily-close:1", "nowhere")
    await street.call("events", "PutTargets", Rule="daily-close", Targets=[body])
    reader = street.inventory()
    found = await reader.full([REGION])
    assert [dead.why for dead in why_dead(found.schedules[0], found.around)] == ["cluster nowhere does not exist"]
    await street.bench.call("CreateCluster", clusterName="nowhere")
    await street.bench.call("DeregisterTaskDefinition", taskDefinition=pinned)
    found = await reader.full([REGION])
    (dead,) = why_dead(found.schedules[0], found.around)
    assert dead.why == "pinned to daily-close:1, which is INACTIVE, and family daily-close has no ACTIVE revision"
    await street.bench.define("daily-close")
    found = await reader.full([REGION])
    (dead,) = why_dead(found.schedules[0], found.around)
    assert dead.why == "pinned to daily-close:1, which is INACTIVE (the newest ACTIVE one is :2)"


async def test_named_ones_are_read_again_and_their_changes_told(street: Street) -> None:
    await street.put_rule()
    await street.call("events", "PutTargets", Rule="daily-close", Targets=[target_body()])
    await street.create()
    reader = street.inventory()
    before = {one.name: one for one in (await reader.full([REGION])).schedules}
    await street.call("events", "DisableRule", Name="daily-close")
    await street.call("scheduler", "DeleteSchedule", Name="report")
    found = await reader.some(REGION, {"daily-close"}, {("default", "report")})
    assert found.complete
    (rule,) = found.schedules
    change = changes(before["daily-close"], rule)
    assert change is not None
    assert change.what == ("disabled",)
    assert found.covers(before["report"])


async def test_an_update_within_the_same_second_is_not_hidden_by_what_was_read_before(street: Street) -> None:
    await street.create()
    reader = street.inventory()
    await reader.full([REGION])
    await street.create("UpdateSchedule", ScheduleExpression="rate(1 hour)")
    (found,) = (await reader.full([REGION])).schedules
    assert found.expression == "rate(1 hour)"


async def test_a_task_that_a_rule_started_is_matched_to_its_slot(street: Street) -> None:
    bench = street.bench
    await bench.define("daily-close")
    await street.put_rule(ScheduleExpression="cron(* * * * ? *)")
    fargate = {"LaunchType": "FARGATE", "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"]}}}
    await street.call("events", "PutTargets", Rule="daily-close", Targets=[target_body("daily-close", "default", ecs=fargate)])
    (rule,) = (await street.inventory().full([REGION])).schedules
    began = bench.clock.now()
    for _ in range(30):
        await bench.clock.advance(5)
    launched = {
        line["event"]["detail"]["taskArn"]: line["event"] for line in bench.feed() if line["event"]["detail-type"].startswith("ECS Task")
    }
    runs = [observation(msgspec.json.encode(event)) for event in launched.values()]
    index = Index([rule], {})
    found = {at for change in runs if isinstance(change, TaskChange) for _, at in index.slots_of(run_of_task(change))}
    assert found == set(expected(rule, began, bench.clock.now()))
    assert len(found) >= 2

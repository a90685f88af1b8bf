"""A reading of rules and schedules: every page, only what is asked for, and one part's failure loses nothing else."""

import asyncio

import pytest

from hinoban.aws.client import EndpointUnreachable
from hinoban.aws.errors import AwsError
from hinoban.base.clock import DAYS, FakeClock, settle
from hinoban.watch.schedules.inventory import Inventory
from hinoban.watch.schedules.model import Definition, Snapshot
from tests.unit.watch.schedules.samples import ACCOUNT, MIDNIGHT, REGION, Answers, rule_body, schedule_body, target_body

DENIED = AwsError("AccessDeniedException", "User: x is not authorized to perform: that")


def world() -> Answers:
    """Three scheduled rules, one that listens to events, three schedules; some of them do not start ECS tasks."""
    aws = Answers()
    aws.add_rule(rule_body(), target_body())
    aws.add_rule(
        rule_body("twice"), target_body("a", Id="a"), target_body("b", Id="b"), {"Id": "f", "Arn": f"arn:aws:lambda:{REGION}:1:function:f"}
    )
    aws.add_rule(rule_body("idle"))
    events = rule_body("events", EventPattern="{}")
    del events["ScheduleExpression"]
    aws.add_rule(events, target_body())
    aws.add_schedule(schedule_body())
    aws.add_schedule(schedule_body("report", GroupName="other", State="DISABLED"))
    flow = schedule_body("flow")
    flow["Target"] = {"Arn": f"arn:aws:states:{REGION}:1:stateMachine:m", "RoleArn": "r"}
    aws.add_schedule(flow)
    return aws


def inventory(aws: Answers, clock: FakeClock | None = None) -> Inventory:
    return Inventory(aws, clock or FakeClock(MIDNIGHT))


async def read(aws: Answers) -> Snapshot:
    return await inventory(aws).full([REGION])


async def test_every_ecs_target_of_every_page_is_a_schedule_and_others_are_counted() -> None:
    found = await read(world())
    assert sorted((one.kind, one.group, one.name, one.target_id, one.job) for one in found.schedules if one.kind == "rule") == [
        ("rule", None, "daily-close", "1", "daily-close:17"),
        ("rule", None, "twice", "a", "a"),
        ("rule", None, "twice", "b", "b"),
    ]
    assert sorted((one.group, one.state) for one in found.schedules if one.kind == "schedule") == [
        ("default", "ENABLED"),
        ("other", "DISABLED"),
    ]
    assert found.not_watched == {"Lambda": 1, "Step Functions": 1, "no target": 1}
    assert found.complete
    assert found.problems == ()


async def test_a_rule_without_an_expression_is_not_asked_for_its_targets() -> None:
    aws = world()
    await read(aws)
    assert {params["Rule"] for params in aws.asked("ListTargetsByRule")} == {"daily-close", "twice", "idle"}


async def test_only_schedules_that_start_tasks_are_asked_for_and_again_only_when_modified() -> None:
    aws, clock = world(), FakeClock(MIDNIGHT)
    reader = inventory(aws, clock)
    await reader.full([REGION])
    assert len(aws.asked("GetSchedule")) == 2
    await reader.full([REGION])
    assert len(aws.asked("GetSchedule")) == 2
    changed = schedule_body(expression="rate(1 hour)", LastModificationDate=MIDNIGHT - 1)
    aws.add_schedule(changed)
    found = await reader.full([REGION])
    assert len(aws.asked("GetSchedule")) == 3
    assert "rate(1 hour)" in {one.expression for one in found.schedules}
    # Modified a second ago: it may have been modified once more in that second.
    await reader.full([REGION])
    assert len(aws.asked("GetSchedule")) == 4


async def test_a_denied_part_is_a_problem_that_names_the_right_and_the_rest_is_read() -> None:
    aws = world()
    aws.fail["ListSchedules"] = DENIED
    aws.fail["ListTargetsByRule", "twice"] = DENIED
    found = await read(aws)
    assert [one.name for one in found.schedules] == ["daily-close"]
    assert not found.complete
    assert sorted(problem.words for problem in found.problems) == [
        f"events:ListTargetsByRule of twice denied in {REGION}",
        f"scheduler:ListSchedules denied in {REGION}",
    ]


async def test_what_was_not_read_is_not_taken_for_gone() -> None:
    aws = world()
    before = {one.name: one for one in (await read(aws)).schedules}
    aws.fail["ListSchedules"] = DENIED
    aws.fail["ListTargetsByRule", "twice"] = DENIED
    del aws.rules["daily-close"]
    found = await read(aws)
    assert found.covers(before["daily-close"])
    assert not found.covers(before["twice"])
    assert not found.covers(before["report"])


async def test_a_list_that_breaks_off_keeps_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    aws = world()
    calls = 0
    original = aws._ListRules

    def second_page_fails(params: dict[str, object]) -> dict[str, object]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise DENIED
        return original(params)

    monkeypatch.setattr(aws, "_ListRules", second_page_fails)
    found = await read(aws)
    assert "daily-close" in {one.name for one in found.schedules}
    assert not found.complete


async def test_a_region_without_an_endpoint_does_not_cost_the_others() -> None:
    aws = world()
    aws.fail["ListSchedules"] = EndpointUnreachable("https://scheduler.nowhere", "no such host")
    found = await read(aws)
    assert len(found.schedules) == 3
    assert [(problem.code, problem.denied) for problem in found.problems] == [("EndpointUnreachable", False)]


async def test_one_denied_right_is_told_once_however_many_it_concerns() -> None:
    aws = Answers()
    for number in range(6):
        aws.add_rule(rule_body(f"rule-{number}"), target_body())
    aws.fail["ListTargetsByRule"] = DENIED
    (problem,) = (await read(aws)).problems
    assert problem.subject.endswith(" and 3 more")


async def test_a_throttled_question_is_asked_again_later() -> None:
    aws, clock = world(), FakeClock(MIDNIGHT)
    aws.fail["ListRules"] = [AwsError("ThrottlingException", "Rate exceeded")] * 2
    reading = asyncio.ensure_future(inventory(aws, clock).full([REGION]))
    await settle()
    assert len(aws.asked("ListRules")) == 1
    await clock.advance(1)
    await clock.advance(2)
    await clock.advance(0)
    found = await asyncio.wait_for(reading, 5)
    assert found.complete


async def test_a_question_that_stays_throttled_becomes_a_problem() -> None:
    aws, clock = world(), FakeClock(MIDNIGHT)
    aws.fail["ListRules"] = AwsError("ThrottlingException", "Rate exceeded")
    reading = asyncio.ensure_future(inventory(aws, clock).full([REGION]))
    for _ in range(10):
        await clock.advance(4)
    found = await asyncio.wait_for(reading, 5)
    assert [(problem.right, problem.denied) for problem in found.problems] == [("events:ListRules", False)]
    assert len(aws.asked("ListRules")) == 4


async def test_every_call_is_paced_and_at_most_four_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    aws, under_way, most, paced = Answers(), 0, 0, 0
    for number in range(20):
        aws.add_rule(rule_body(f"rule-{number}"), target_body())
    call = aws.call

    async def slow(service: str, operation: str, params: dict[str, object]) -> dict[str, object]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        return await call(service, operation, params)

    async def pace() -> None:
        nonlocal paced
        paced += 1

    monkeypatch.setattr(aws, "call", slow)
    await Inventory(aws, FakeClock(MIDNIGHT), pace=pace).full([REGION])
    assert most == 4
    assert paced == len(aws.calls)


async def test_named_ones_alone_are_read_again_and_one_that_is_gone_is_read_as_gone() -> None:
    aws = world()
    reader = inventory(aws)
    before = {one.name: one for one in (await reader.full([REGION])).schedules}
    del aws.rules["daily-close"]
    aws.calls.clear()
    found = await reader.some(REGION, {"daily-close", "twice"}, {("default", "report"), ("default", "none")})
    assert sorted(one.name for one in found.schedules) == ["report", "twice", "twice"]
    assert found.complete
    assert found.covers(before["daily-close"])
    assert aws.asked("ListRules") == aws.asked("ListSchedules") == []
    untouched = next(one for one in (await reader.full([REGION])).schedules if one.group == "other")
    assert not found.covers(untouched)


async def test_some_that_is_denied_is_not_gone() -> None:
    aws = world()
    reader = inventory(aws)
    before = {one.name: one for one in (await reader.full([REGION])).schedules}
    aws.fail["DescribeRule"] = DENIED
    found = await reader.some(REGION, {"daily-close"}, set())
    assert not found.complete
    assert not found.covers(before["daily-close"])


async def test_what_a_run_needs_is_asked_once_each_and_only_for_enabled_ones() -> None:
    aws = world()
    aws.add_rule(rule_body("off", State="DISABLED"), target_body("off:1", "nowhere"))
    aws.add_rule(rule_body("again"), target_body())
    aws.definitions["daily-close:17"] = {"status": "INACTIVE", "revision": 17}
    aws.definitions["daily-close"] = {"status": "ACTIVE", "revision": 18}
    aws.definitions["a"] = {"status": "ACTIVE", "revision": 1}
    found = await read(aws)
    assert found.around.definitions == {
        (REGION, "daily-close:17"): Definition(status="INACTIVE", revision=17),
        (REGION, "daily-close"): Definition(status="ACTIVE", revision=18),
        (REGION, "a"): Definition(status="ACTIVE", revision=1),
        (REGION, "b"): Definition(status=None),
        (REGION, "report"): Definition(status=None),
    }
    assert found.around.clusters == {(REGION, "batch"): "ACTIVE"}
    names = [params["taskDefinition"] for params in aws.asked("DescribeTaskDefinition")]
    assert len(names) == len(set(names))


async def test_an_error_that_is_not_about_the_definition_leaves_it_unknown() -> None:
    aws = world()
    aws.fail["DescribeTaskDefinition"] = AwsError("ClientException", "Account is blocked")
    found = await read(aws)
    assert found.around.definitions == {}
    assert [problem.right for problem in found.problems] == ["ecs:DescribeTaskDefinition"]


async def test_clusters_are_asked_a_hundred_at_a_time_and_missing_ones_known_as_such() -> None:
    aws = Answers()
    for number in range(150):
        aws.add_rule(rule_body(f"rule-{number}"), target_body(cluster=f"c{number}"))
    found = await read(aws)
    assert sorted(len(params["clusters"]) for params in aws.asked("DescribeClusters")) == [50, 100]
    assert set(found.around.clusters.values()) == {None}


async def test_roles_are_judged_only_where_roles_were_ever_made() -> None:
    aws = world()
    aws.roles = {"another"}
    assert set((await read(aws)).around.roles.values()) == {"missing"}
    aws.roles = set()
    assert (await read(aws)).around.roles == {}
    aws.fail["ListRoles"] = DENIED
    found = await read(aws)
    assert found.around.roles == {}
    assert [problem.right for problem in found.problems] == ["iam:ListRoles"]


async def test_secrets_and_parameters_are_looked_for_without_their_values() -> None:
    aws = Answers()
    prefix = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
    values = [
        f"{prefix}db-AbCdEf:password::",
        f"{prefix}gone-AbCdEf",
        f"{prefix}old-AbCdEf",
        "/plain",
        f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/a",
    ]
    values.append("/lost")
    secrets = [{"name": str(number), "valueFrom": value} for number, value in enumerate(values)]
    aws.definitions["daily-close:17"] = {"status": "ACTIVE", "revision": 17, "containerDefinitions": [{"name": "app", "secrets": secrets}]}
    aws.secrets = {f"{prefix}db-AbCdEf": {"Name": "db"}, f"{prefix}old-AbCdEf": {"Name": "old", "DeletedDate": MIDNIGHT - DAYS}}
    aws.parameters = {"/plain", "a"}
    aws.add_rule(rule_body(), target_body())
    found = await read(aws)
    assert found.around.secrets == dict(
        zip([(REGION, value) for value in values], ["there", "missing", "deleted", "there", "there", "missing"], strict=True)
    )
    assert {operation for _, operation, _ in aws.calls}.isdisjoint({"GetSecretValue", "GetParameter", "GetParameters"})


async def test_roles_and_secrets_are_not_asked_for_where_it_was_not_wanted() -> None:
    aws = world()
    await Inventory(aws, FakeClock(MIDNIGHT), roles=False, secrets=False).full([REGION])
    assert {service for service, _, _ in aws.calls} == {"events", "scheduler", "ecs"}

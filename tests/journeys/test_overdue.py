"""Tasks that nothing will end: warned about, told again, stopped where a policy says so, kept where a tag says so. On a fake clock."""

from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.base.units import iso, local_time
from hinoban.watch.allow import NOTHING
from hinoban.watch.answers import Answers
from hinoban.watch.config import NotifyConfig, Policy, Route, WatchConfig, Webhook
from hinoban.watch.notify.channels import WebhookChannel
from tests.unit.watch.samples import REGION, run_task, task_arn, task_event
from tests.unit.watch.worlds import World

STOPPING = WatchConfig(policies=(Policy(max_runtime=1 * HOURS, stop_after=2 * HOURS, remind_after=1 * DAYS),))


def one(world: World) -> dict[str, Any]:
    found: dict[str, Any]
    [found] = world.watch.incidents()["incidents"]
    return found


async def test_it_is_told_at_its_limit_and_again_after_once_twice_and_four_times_as_long(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.start("job", None)
    told: list[int] = []
    for hour in range(1, 24 * 9):
        await world.turns(1 * HOURS, step=1 * HOURS)
        if len(world.told()) > len(told):
            told.append(hour)
    assert [round(hour / 24) for hour in told] == [1, 2, 4, 8]
    assert len({line.rpartition(" · ")[2] for line in world.told()}) == 1
    assert "Still running after 8 d" in world.console.getvalue()
    assert one(world)["done"][-1].startswith("Reminded 3 times, last ")
    world.crash()
    await world.turns(2 * DAYS, step=1 * HOURS)
    assert len(world.told()) == 4


async def test_an_acknowledged_one_is_not_told_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.aws.start("job", None)
    await world.turns(25 * HOURS, step=1 * HOURS)
    world.watch.ack(str(one(world)["id"]), None, "s.tanaka")
    before = len(world.told())
    await world.turns(9 * DAYS, step=6 * HOURS)
    assert len(world.told()) - before <= 1  # that somebody has it


async def test_a_policy_that_matches_a_services_task_neither_tells_nor_stops(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(policies=(Policy(max_runtime=10, stop_after=20, stop_orphans=True),)))
    world.aws.emit(task_event(1, "RUNNING", at=world.clock.now(), group="service:web", started_by="ecs-svc/1"))
    world.aws.tags[task_arn(1)] = {"hinoban:max-runtime": "5s", "hinoban:lease": "5s"}
    await world.turns(120, step=10)
    assert (world.aws.stopped, world.watch.incidents()["incidents"]) == ([], [])
    assert "DescribeTasks TAGS" not in world.aws.calls


async def test_tags_are_read_for_many_tasks_in_one_call_and_once(tmp_path: Path) -> None:
    world = World(tmp_path)
    for number in range(150):
        world.aws.start(f"job-{number}", None)
    await world.turns(30)
    assert world.aws.calls.count("DescribeTasks TAGS") == 2
    world.aws.start("late", None)
    await world.turns(30)
    assert world.aws.calls.count("DescribeTasks TAGS") == 3


async def test_tags_that_a_launch_tells_are_not_asked_for(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(max_runtime=30))
    arn = world.aws.start("job", None)
    tags = [{"key": "hinoban:max-runtime", "value": "2m"}, {"key": "hinoban:owner", "value": "batch-team"}]
    world.aws.emit(run_task(1, at=world.clock.now(), tasks=(arn,), tags=tags))
    world.aws.tags[arn] = {tag["key"]: tag["value"] for tag in tags}
    await world.turns(100, step=5)
    assert (world.told(), world.aws.calls.count("DescribeTasks TAGS")) == ([], 0)
    await world.turns(30, step=5)
    assert "limit 2 m (tag) · OVERDUE" in world.told()[0]
    assert "Owner    batch-team" in world.console.getvalue()


async def test_a_task_that_asks_to_be_kept_is_left_alone_until_its_moment_also_over_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path, STOPPING)
    arn = world.aws.start("job", None)
    world.aws.tags[arn] = {"hinoban:keep": iso(world.clock.now() + 6 * HOURS)}
    await world.turns(3 * HOURS, step=5 * MINUTES)
    world.crash()
    await world.turns(2.9 * HOURS, step=5 * MINUTES)
    assert (world.told(), world.aws.stopped) == ([], [])
    await world.turns(30 * MINUTES, step=5 * MINUTES)
    assert len(world.told()) == 1 and world.aws.stopped == []
    await world.turns(1 * HOURS, step=5 * MINUTES)
    assert len(world.aws.stopped) == 1 and one(world)["state"] == "resolved"


async def test_a_keep_that_is_put_on_after_the_warning_keeps_it_from_being_stopped(tmp_path: Path) -> None:
    world = World(tmp_path, STOPPING)
    arn = world.aws.start("job", None)
    await world.turns(1.5 * HOURS, step=5 * MINUTES)
    assert len(world.told()) == 1
    world.aws.tags[arn] = {"hinoban:keep": "true"}
    await world.turns(1 * DAYS, step=1 * HOURS)
    assert world.aws.stopped == []


async def test_a_tag_that_cannot_be_read_is_said_with_the_warning(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(max_runtime=60))
    world.aws.tags[world.aws.start("job", None)] = {"hinoban:keep": "until tomorrow"}
    await world.turns(70)
    assert "Not heeded: tag hinoban:keep = 'until tomorrow' is neither a moment nor true." in one(world)["done"]


@pytest.mark.parametrize("value", ["9999-12-31T23:59:59Z", "99999999d", "999999999999999999d", "0001-01-01T00:00:00Z"])
@pytest.mark.parametrize("tz", ["Asia/Tokyo", "America/New_York"])
async def test_a_lease_beyond_all_calendars_keeps_nobody_from_being_told(tmp_path: Path, value: str, tz: str) -> None:
    world = World(tmp_path, WatchConfig(tz=tz, max_runtime=60, stop_orphans=False))
    world.aws.tags[world.aws.start("job", None)] = {"hinoban:lease": value, "hinoban:owner": "k.mori"}
    world.aws.start("other", None)
    await world.turns(70, step=2)
    assert {found["family"] for found in world.watch.incidents()["incidents"]} == {"job", "other"}
    assert ("its lease is held until 9999-12-" in world.console.getvalue()) == (not value.startswith("0001"))
    world.watch.orphans()
    world.crash()
    await world.turns(70, step=2)
    assert "Still running after 2 m" in world.console.getvalue()


async def test_tags_that_may_not_be_read_count_as_none_and_this_is_said(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(max_runtime=60))
    world.aws.tags_denied = True
    world.aws.start("job", None)
    await world.turns(70)
    assert len(world.told()) == 1 and "aws policy --observe" in world.console.getvalue()
    assert world.watch.status()["tags_denied"] == 1


async def test_while_aws_does_not_answer_for_the_tags_they_are_asked_for_again(tmp_path: Path) -> None:
    world = World(tmp_path, STOPPING)
    arn = world.aws.start("job", None)
    world.aws.tags[arn] = {"hinoban:keep": "true"}
    await world.turns(1)
    world.aws.down = True
    await world.turns(20)
    world.aws.down = False
    await world.turns(3 * HOURS, step=5 * MINUTES)
    assert (world.told(), world.aws.stopped) == ([], [])


async def test_a_protected_task_is_not_stopped_this_is_told_once_and_it_is_asked_again_at_its_end(tmp_path: Path) -> None:
    world = World(tmp_path, STOPPING)
    arn = world.aws.start("job", None)
    until = world.clock.now() + 5 * HOURS
    world.aws.protected[arn] = until
    await world.turns(4.9 * HOURS, step=5 * MINUTES)
    assert world.aws.stopped == [] and len(world.told()) == 2
    assert one(world)["done"][-1].startswith("Not stopped: the task is protected until ")
    asked = world.aws.calls.count("GetTaskProtection")
    await world.turns(20 * MINUTES, step=5 * MINUTES)
    assert len(world.aws.stopped) == 1 and world.aws.calls.count("GetTaskProtection") == asked + 1


async def test_a_matter_that_somebody_closed_is_not_stopped_any_more(tmp_path: Path) -> None:
    world = World(tmp_path, STOPPING)
    world.aws.start("job", None)
    await world.turns(1.5 * HOURS, step=5 * MINUTES)
    world.watch.resolve(str(one(world)["id"]), "s.tanaka", "it is meant to run")
    await world.turns(2 * HOURS, step=5 * MINUTES)
    assert world.aws.stopped == []


BY_HAND = f'Stop it: hinoban stop {task_arn(1).rpartition("/")[2][:8]} --reason "overdue"'


async def test_where_only_observing_is_allowed_it_says_what_would_have_been_done_and_promises_no_stop(tmp_path: Path) -> None:
    rule = Policy(max_runtime=1 * HOURS, stop_after=2 * HOURS, remind_after=3 * HOURS)
    world = World(tmp_path, WatchConfig(policies=(rule,)), allow=NOTHING)
    world.aws.start("job", None)
    await world.turns(1.5 * HOURS, step=5 * MINUTES)
    assert (one(world)["next"], one(world)["done"][-1]) == (BY_HAND, "Hinoban will not stop it: allow lacks stop_task.")
    await world.turns(4 * HOURS, step=5 * MINUTES)
    assert world.aws.stopped == []
    assert [words for words in one(world)["done"] if words.startswith("Would have stopped it")]
    assert one(world)["done"][-1].startswith("Reminded ") and len(world.told()) == 3
    assert f"Next     {BY_HAND}" in world.watch.why("job")["lines"]
    assert "Hinoban stops it" not in world.console.getvalue() and "Nothing but Hinoban" not in world.console.getvalue()


async def test_a_stop_that_is_allowed_is_promised_until_its_moment(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(policies=(Policy(max_runtime=1 * HOURS, stop_after=2 * HOURS),)), allow=frozenset({"stop_task"}))
    arn = world.aws.start("job", None)
    await world.turns(1.5 * HOURS, step=5 * MINUTES)
    assert one(world)["next"].startswith("Nothing now: Hinoban stops it at ")
    world.aws.protected[arn] = None
    await world.turns(4 * HOURS, step=5 * MINUTES)
    assert (one(world)["next"], len(world.told())) == (BY_HAND, 4)  # warned, reminded, not stopped, reminded
    del world.aws.protected[arn]
    await world.turns(10 * MINUTES, step=1 * MINUTES)
    assert len(world.aws.stopped) == 1 and one(world)["state"] == "resolved"


async def test_a_stop_that_aws_denies_is_told_once_with_the_command_and_tried_again_much_later(tmp_path: Path) -> None:
    world = World(tmp_path, STOPPING)
    arn = world.aws.start("job", None)
    denied = httpx.Response(400, json={"__type": "AccessDeniedException", "message": "not authorized to perform: ecs:StopTask"})
    world.aws.instead["StopTask"] = lambda params: denied
    await world.turns(1.9 * HOURS, step=5 * MINUTES)
    await world.turns(1.1 * HOURS, step=5)
    assert 2 <= world.aws.calls.count("StopTask") <= 6 and len(world.told()) == 2
    words = one(world)["done"][-1]
    assert words.startswith("Not stopped: AWS denies StopTask (hinoban aws policy --stop). By hand: aws ecs stop-task --region ")
    assert f"--task {arn} " in words and one(world)["next"] == BY_HAND
    del world.aws.instead["StopTask"]
    await world.turns(16 * MINUTES, step=1 * MINUTES)
    assert len(world.aws.stopped) == 1 and one(world)["done"][-1].startswith("Stopped at ")


async def test_a_policy_by_tag_that_allows_to_stop_stops(tmp_path: Path) -> None:
    of_team = {"hinoban": {"tags": {"team": ["batch"]}}}
    rule = Policy(match=of_team, max_runtime=1 * HOURS, stop_after=2 * HOURS, allow=("stop_task",))
    everyone = Policy(max_runtime=1 * HOURS, stop_after=2 * HOURS)
    world = World(tmp_path, WatchConfig(policies=(everyone, rule)), allow=NOTHING)
    world.aws.start("other", None)
    arn = world.aws.start("job", None)
    world.aws.tags[arn] = {"team": "batch"}
    await world.turns(3 * HOURS, step=5 * MINUTES)
    assert [stop["task"] for stop in world.aws.stopped] == [arn]


LEASED = {"hinoban:owner": "https://ci.example.com/8790"}


async def test_a_lease_that_is_renewed_is_left_alone_and_one_that_is_not_makes_an_orphan(tmp_path: Path) -> None:
    world = World(tmp_path)
    arn = world.aws.start("job", None)
    until = world.clock.now() + 30 * MINUTES
    for _ in range(3):
        world.aws.tags[arn] = {**LEASED, "hinoban:lease": iso(until)}
        await world.turns(20 * MINUTES, step=1 * MINUTES)
        until = world.clock.now() + 30 * MINUTES
    assert world.told() == []
    await world.turns(15 * MINUTES, step=1 * MINUTES)
    assert "lease ran out · OVERDUE" in world.told()[0]
    assert "its owner https://ci.example.com/8790 does not renew it" in str(one(world)["cause"])
    await world.turns(2 * HOURS, step=1 * MINUTES)
    assert len(world.told()) == 1 and world.aws.stopped == []
    world.aws.tags[arn] = {**LEASED, "hinoban:lease": iso(world.clock.now() + 1 * HOURS)}
    await world.turns(10 * MINUTES, step=1 * MINUTES)
    assert (one(world)["state"], one(world)["done"][-1]) == ("resolved", "Its lease was renewed.")
    await world.turns(1 * HOURS, step=1 * MINUTES)
    assert one(world)["state"] == "open"


@pytest.mark.parametrize("everywhere", [True, False])
async def test_an_orphan_is_stopped_where_this_is_said(tmp_path: Path, everywhere: bool) -> None:
    rule = Policy(match={"hinoban": {"tags": {"hinoban:owner": [{"exists": True}]}}}, stop_orphans=True)
    world = World(tmp_path, WatchConfig(stop_orphans=True) if everywhere else WatchConfig(policies=(rule,)))
    arn = world.aws.start("job", None)
    world.aws.tags[arn] = {**LEASED, "hinoban:lease": "10m"}
    await world.turns(12 * MINUTES, step=10)
    [stop] = world.aws.stopped
    assert stop["reason"] == f"hinoban: its lease ran out ({one(world)['id']})"
    assert one(world)["state"] == "resolved" and "Its lease ran out and nobody renewed it" in str(one(world)["cause"])


async def test_a_route_sees_the_tags_of_a_task_that_failed_and_its_message_names_the_owner(tmp_path: Path) -> None:
    route = Route(match={"hinoban": {"tags": {"team": ["batch"]}}}, channels=("on-call",))
    everyone = (
        Webhook(url="https://hook.test/a", secret="s" * 16, name="on-call"),
        Webhook(url="https://hook.test/b", secret="s" * 16, name="others"),
    )
    heard: dict[str, list[bytes]] = {"on-call": [], "others": []}
    world = World(tmp_path, WatchConfig(notify=NotifyConfig(webhooks=everyone, routes=(route,))))

    def listening(name: str) -> httpx.MockTransport:
        return httpx.MockTransport(lambda request: (heard[name].append(request.content), httpx.Response(204))[1])

    world.channels = [WebhookChannel(one, world.clock, transport=listening(one.name)) for one in everyone]
    world.crash()
    arn = world.aws.start("job", None)
    world.aws.tags[arn] = {"team": "batch", "hinoban:owner": "k.mori"}
    await world.turns(5)
    world.aws.finish(arn, 3)
    await world.turns(5)
    assert (len(heard["on-call"]), heard["others"]) == (1, [])
    assert b'"owner":"k.mori"' in heard["on-call"][0]


async def test_orphans_are_those_past_limit_lease_or_three_times_their_usual_length_also_without_a_daemon(tmp_path: Path) -> None:
    world = World(tmp_path, WatchConfig(max_runtime=2 * HOURS))
    for _ in range(3):
        arn = world.aws.start("quick", None)
        await world.turns(10 * MINUTES, step=5 * MINUTES)
        world.aws.finish(arn)
    names = ("quick", "long", "leased", "kept", "fresh")
    started = {name: world.aws.start(name, None) for name in names}
    world.aws.tags[started["leased"]] = {**LEASED, "hinoban:lease": "20m"}
    world.aws.tags[started["kept"]] = {"hinoban:keep": "true", "hinoban:lease": "1m"}
    world.aws.emit(task_event(99, "RUNNING", at=world.clock.now(), group="service:web", started_by="ecs-svc/1"))
    await world.turns(29 * MINUTES, step=1 * MINUTES)
    found = world.watch.orphans()["orphans"]
    assert [(one["family"], one["reasons"], one["owner"]) for one in found] == [("leased", ["lease"], LEASED["hinoban:owner"])]
    await world.turns(2 * MINUTES, step=1 * MINUTES)
    assert {one["family"]: one["reasons"] for one in world.watch.orphans()["orphans"]} == {"quick": ["usual"], "leased": ["lease"]}
    world.aws.finish(started["fresh"])
    await world.turns(2 * HOURS, step=5 * MINUTES)
    found = world.watch.orphans()["orphans"]
    assert {one["family"]: one["reasons"] for one in found} == {
        "quick": ["limit", "usual"],
        "long": ["limit"],
        "leased": ["limit", "lease"],
    }
    quick = next(one for one in found if one["family"] == "quick")
    assert (quick["usual"], quick["usual_seconds"]) == ("last 3 good runs 10 m", 600)
    assert quick["cost"].endswith("a day") and quick["stop"] == f'hinoban stop {quick["task"][-32:][:8]} --reason "orphan"'
    world.engine.dispose()
    offline = Answers.readonly(world.path).orphans()
    assert [one["family"] for one in offline["orphans"]] == [one["family"] for one in found]


async def test_why_db_migrate(tmp_path: Path) -> None:
    """The transcript: a job that hangs for a lock, started by a CI job of which nobody knows whether it lives."""
    world = World(tmp_path, WatchConfig(tz="Asia/Tokyo"))
    for number in range(5):
        arn = world.aws.start("db-migrate", None)
        await world.turns(60 + 60 * number, step=60)
        world.aws.finish(arn)
    began = world.clock.now()
    arn = world.aws.start("db-migrate", None)
    session = "arn:aws:sts::123456789012:assumed-role/gh-actions/run-8790"
    world.aws.emit(run_task(1, at=began, family="db-migrate", tasks=(arn,), caller=session))
    world.aws.log, world.aws.logged_at = ["waiting for lock on schema_migrations"], began + 14 * MINUTES
    await world.turns(158 * MINUTES, step=2 * MINUTES)
    second_at = world.clock.now()
    second = world.aws.start("db-migrate", None)
    await world.turns(4 * MINUTES, step=1 * MINUTES)
    world.aws.finish(second)
    await world.turns(began + 26 * HOURS + 3 * MINUTES - world.clock.now(), step=3 * MINUTES)
    tokyo = ZoneInfo("Asia/Tokyo")
    [running] = [found for found in world.watch.incidents()["incidents"] if found["detector"] == "overdue"]
    title, cause, done, started, usual, cost, following, *_ = world.watch.why("db-migrate")["lines"]
    assert (
        title
        == f"db-migrate:7 · task {running['task'].rpartition('/')[2][:8]} · RUNNING 26 h 03 m, limit 24 h (default) · OVERDUE · {running['id']}"
    )
    assert cause == (
        "Cause    Nothing will end it: no service owns it, no lease was taken. "
        'Last log line 25 h 49 m ago: "waiting for lock on schema_migrations"'
    )
    assert done.startswith("Done     Warned at ")
    assert started.endswith("JST by role gh-actions, session run-8790 (CloudTrail). Unknown whether that job still lives.")
    assert usual.startswith("Usual    last 6 good runs 1–5 m. A second db-migrate ran beside it ")
    assert f"{local_time(second_at, tokyo)[:5]}–{local_time(second_at + 240, tokyo)[:5]} JST." in usual
    assert cost == "Cost     $0.40 so far, $0.37 a day"
    assert following == (
        f'Next     Stop it: hinoban stop {arn[-32:][:8]} --reason "orphan of run-8790"'
        f"   or keep: hinoban incidents ack {running['id']} --for 24h      Not stopped: no stop_after."
    )
    assert REGION == "ap-northeast-1"  # whose prices these are

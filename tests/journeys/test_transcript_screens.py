"""What stands in Slack, and what `hinoban schedules` and `hinoban status` print, held against the transcripts of the specification.

The two 09:30 lines: every figure and `Disabled > 7 d` in unit/watch/notify/test_daily.py, word for word; here the night that leads to one.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hinoban.base.clock import HOURS, MINUTES
from hinoban.cli.schedule_texts import screen
from hinoban.watch.allow import NOTHING
from hinoban.watch.config import DailyReport, DeadMan, NotifyConfig, Route, Slack, WatchConfig
from hinoban.watch.dead_man import DeadMansPing
from hinoban.watch.notify.channels import MemoryKeep, SlackChannel
from tests.support.night import Night
from tests.support.street import Street
from tests.support.telling import HEALED, LOST, Story
from tests.support.transcripts import reproduces
from tests.unit.watch.ledgers import DUE, add_rule, fired, launch, task, until
from tests.unit.watch.worlds import World

TOKYO = "Asia/Tokyo"
CALM = tuple(f"calm-{number}" for number in range(5))


@pytest.fixture
async def street(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Street]:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    made = await Street(tmp_path).open()
    yield made
    await made.close()


async def test_schedules_since_24h(street: Street) -> None:
    """Ours differs: a lost run names its incident, for `hinoban why`; one that failed has its own verdict in the column; a refusal says
    whether somebody retried, of whatever cause; a schedule that cannot run any more has its own line.
    """
    night = Night(street)
    await night.schedule("nightly-billing", "run_for=60s")
    await street.put_in(what="capacity", match={"family": ["nightly-billing"]})
    await night.schedule("daily-close", "run_for=60s")
    await street.bench.define("daily-close", "run_for=60s")
    await street.bench.call("DeregisterTaskDefinition", taskDefinition="daily-close:1")
    await night.schedule("old-sums", "run_for=60s")
    await night.schedule("report-export", "run_for=200s oom", "cron(30 17 * * ? *)")
    await night.schedule("quick", "run_for=60s", "cron(40 17 * * ? *)")
    await night.schedule("long", "run_for=6000s", "cron(50 17 * * ? *)")
    function = {"Arn": "arn:aws:lambda:ap-northeast-1:123456789012:function:sums", "RoleArn": "arn:aws:iam::123456789012:role/events"}
    asked = {"Name": "sums", "ScheduleExpression": "rate(1 day)", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": function}
    await street.client.call("scheduler", "CreateSchedule", asked)
    await street.bench.clock.advance(3 * HOURS)
    answer = await night.ask(night.one_off(TOKYO), "schedules", since=24 * 3600, next=0)
    reproduces(
        screen(answer),
        """
        default 123456789012 · ap-northeast-1 · JST · 6 schedules, 6 runs due<space>exit 1
          27 Nov 01:00  daily-close      REFUSED        TaskDefinition is inactive; nobody retried · <inc1>
          27 Nov 01:00  nightly-billing  REFUSED        no Fargate capacity; nobody retried · <inc2>
          27 Nov 02:30  report-export    OUT OF MEMORY  out of memory at 02:33; AWS keeps the reason until about 03:33 · <inc3>
          3 others launched: 1 exit 0, 1 running, 1 ended over 1 h ago, result unknown (a watch would have kept it).   Not watched: 1 (Lambda 1)
          daily-close: pinned to daily-close:1, which is INACTIVE (the newest ACTIVE one is :2)
        """,
    )


async def test_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours differs: a label a line; a source is named before its account; what is remembered has a line of its own."""
    slack = Slack(url="https://hooks.slack.test/services/x", name="slack #batch")
    config = WatchConfig(tz=TOKYO, notify=NotifyConfig(slack=(slack,), dead_man=DeadMan(url="https://hc-ping.test/u")))
    well = httpx.MockTransport(lambda request: httpx.Response(200, text="ok"))
    world = World(tmp_path, config, [SlackChannel(slack, MemoryKeep(), tz=TOKYO, transport=well)], allow=NOTHING)
    world.watch.dead_man = DeadMansPing(config.notify.dead_man, world.clock, world.watch.wellness.unwell, transport=well)
    denied = httpx.Response(400, json={"__type": "AccessDeniedException", "message": "not authorized to perform: logs:GetLogEvents"})
    monkeypatch.setattr(world.aws, "GetLogEvents", lambda params: denied)
    for name in ("nightly-billing", "point-expire"):
        add_rule(world, name)
        world.aws.refused_launch(len(name), family=name)
    world.aws.finish(world.aws.start("report-export", "s.tanaka"), 1)
    await world.turns(400, step=10)
    reproduces(
        world.watch.status()["lines"],
        """
        watch      journal seen after 10 ms (p95 10 ms), CloudTrail 10 ms late (p95 10 ms) · OBSERVE ONLY: never launches, never stops
        sees       exits, OOM, pull, overdue, services, refused launches, 2 schedules
        tells      slack #batch ok <minute1> · dead-man ok <seconds> s ago
        holds      1 task, 0 of them not over · incidents: <count1> open
        BLIND      log lines of report-export: logs:GetLogEvents of report-export denied in ap-northeast-1 → hinoban aws policy --observe
        would have retried 2 (last 24 h)
        """,
    )


async def let_end(story: Story, seconds: float) -> None:
    """What is launched ends well within five seconds."""
    world, until_then = story.world, story.world.clock.now() + seconds
    while world.clock.now() < until_then:
        await world.clock.advance(5)
        for arn in [arn for _, arn in world.aws.launched if "stopped" not in world.aws.tasks[arn]]:
            world.aws.finish(arn)
        await world.watch.turn()


async def test_the_night_in_slack(tmp_path: Path) -> None:
    """Two of 28 batches did not run, 21 recovered by retry; both are run by hand; at 09:30 one line says that all happened.

    Ours differs: the words stand in the order of Slack's own transcript, `Where` in the line below; `Next` has no `run-task` where the watch
    may launch; the end does not name who asked for it.
    """
    daily = DailyReport(channels=("slack",))
    story = Story(tmp_path, tz=TOKYO, routes=(Route(match={}, channels=("slack",)),), daily=daily)
    world = story.world
    world.clock._now = DUE - 16 * HOURS
    world.crash()
    await until(world, DUE - 15 * HOURS, 290)
    for name in (*HEALED, *LOST, *CALM):
        add_rule(world, name)
    await until(world, DUE, 290)
    world.aws.no_room = {*HEALED, *LOST}
    for number, name in enumerate((*HEALED, *LOST)):
        world.aws.emit(fired(name, DUE), launch(name, DUE, 500 + number, tasks=0, refused=1))
    for number, name in enumerate(CALM, start=700):
        ended = task(name, number, "STOPPED", DUE, at=DUE + 9)
        world.aws.emit(fired(name, DUE), launch(name, DUE, number), task(name, number, "RUNNING", DUE), ended)
    await until(world, DUE + 190, 5)
    world.aws.no_room = set(LOST)
    await let_end(story, 900)
    first = next(body for _, method, body in reversed(story.slack) if method == "chat.update")
    reproduces(
        first["text"].splitlines(),
        """
        2 batches did not run, 21 recovered by retry (no Fargate capacity, due 01:00 JST) · <inc>
        Lost: nightly-billing:7 · point-expire:7  (6 attempts each, gave up <minute> JST)
        Said: RunTask failures[0]: Capacity is unavailable at this time. Please try again later or in a different availability zone
        Cause: Fargate had no capacity. Your definition is fine; the program had not started, so no data was touched.
        Next: Run the 2 that are lost: hinoban retry <inc> (starts nothing that runs already)
        """,
    )
    shown: list[dict[str, Any]] = first["blocks"]
    reproduces(
        [shown[0]["text"]["text"], shown[-1]["elements"][0]["text"]],
        """
        :red_circle: *2 batches did not run, 21 recovered by retry (no Fargate capacity, due 01:00 JST) · <inc>*
        123456789012 · ap-northeast-1 · cluster default · <inc>
        """,
    )
    assert "*Said*  `RunTask failures[0]: Capacity is unavailable" in shown[1]["text"]["text"]
    world.aws.no_room = set()
    for incident in world.watch.incidents("open")["incidents"]:
        await world.watch.retry(incident["id"], "s.tanaka")
    await let_end(story, 3 * MINUTES)
    reproduces(
        story.slack[-1][2]["text"].splitlines(),
        """
        :white_check_mark: Recovered: both ran at <minute> JST (23 in all, one cause) · <inc>
        *Done*  23 batches recovered by retry.
        """,
    )
    await until(world, DUE + 9 * HOURS, 290)
    reproduces(
        story.posted()[-1:],
        """
        28 of 28 due runs happened: 5 at once, 21 by retry, 2 by hand (<inc1>, <inc2>). 0 failed. Watch well 24 h.
        """,
    )

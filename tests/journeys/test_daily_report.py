"""One message a day, also when all is well, and a ping that stays away when something is wrong: a week before a watch, on a fake clock."""

from pathlib import Path
from typing import Any

import httpx
import msgspec

from hinoban.base.clock import DAYS, HOURS, MINUTES
from hinoban.base.units import parse_iso
from hinoban.watch.config import DailyReport, DeadMan, NotifyConfig, Slack, WatchConfig
from hinoban.watch.dead_man import DeadMansPing
from hinoban.watch.notify.channels import MemoryKeep, SlackChannel
from tests.unit.watch.ledgers import DUE, add_rule, fired, launch, missed, task, until
from tests.unit.watch.worlds import World

SLACK = Slack(url="https://hooks.slack.test/services/x")
REPORT = parse_iso("2026-11-27T00:30:00Z")
"""09:30 in Tokyo, the first after the clock's start."""


class Story:
    """A watch in Tokyo with a Slack that gets the report, and a rule `close` that is due once a day at 01:00."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.posts: list[dict[str, Any]] = []
        notify = NotifyConfig(slack=(SLACK,), daily=DailyReport(channels=("slack",)), **config)
        channel = SlackChannel(SLACK, MemoryKeep(), tz="Asia/Tokyo", transport=httpx.MockTransport(self._slack))
        self.world = World(folder, WatchConfig(tz="Asia/Tokyo", notify=notify), [channel])
        add_rule(self.world, "close")

    def _slack(self, request: httpx.Request) -> httpx.Response:
        self.posts.append(msgspec.json.decode(request.content))
        return httpx.Response(200, text="ok")

    def reports(self) -> list[str]:
        first = [post["text"].splitlines()[0] for post in self.posts]
        return [line for line in first if "Watch well" in line]

    async def runs(self, slot: float, number: int, exit_code: int = 0) -> None:
        """The run of a slot, from its rule to its exit."""
        await until(self.world, slot + 1, 230)
        ended = task("close", number, "STOPPED", slot, at=slot + 60, exit_code=exit_code)
        self.world.aws.emit(fired("close", slot), launch("close", slot, number), task("close", number, "RUNNING", slot), ended)
        await until(self.world, slot + 10 * MINUTES, 230)


async def test_a_quiet_day_is_one_message_and_a_bad_one_too(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.runs(DUE, 1)
    await until(story.world, REPORT - 1, 230)
    assert story.posts == []
    await until(story.world, REPORT + 10 * MINUTES, 230)
    assert story.reports() == ["Since Fri 27 Nov 00:00 JST: 1 of 1 due runs happened: 1 at once. 0 failed. Watch well 9 h 30 m."]
    await story.runs(DUE + DAYS, 2, exit_code=3)
    await until(story.world, REPORT + DAYS + 10 * MINUTES, 230)
    assert len(story.reports()) == 2
    assert story.reports()[1] == "1 of 1 due runs happened: 1 at once. 1 failed: close. Watch well 24 h."
    assert "Open: close EXIT 3" in story.posts[-1]["text"]


async def test_what_a_report_names_can_be_written_up_with_who_took_it(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.runs(DUE, 1, exit_code=3)
    await until(story.world, REPORT + 10 * MINUTES, 230)
    [one] = story.world.watch.incidents()["incidents"]
    assert f"Open: close EXIT 3 8 h 29 m ({one['id']})" in story.posts[-1]["text"]
    story.world.watch.ack(one["id"], None, "s.tanaka")
    await until(story.world, REPORT + 20 * MINUTES, 230)
    lines = story.world.watch.postmortem(one["id"], "en")["markdown"].splitlines()
    told = lines[lines.index("messages:") + 2 : lines.index("## Permanent fix") - 1]
    assert told == ["- 2026-11-27T01:00:01+09:00 slack: opened (sent)", "- 2026-11-27T09:40+09:00 slack: acknowledged by s.tanaka (sent)"]


async def test_killed_around_its_moment_it_is_told_once(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.runs(DUE, 1)
    for moment in (REPORT - 2, REPORT, REPORT + 2, REPORT + 60, REPORT + HOURS):
        await until(story.world, moment, 230)
        story.world.crash()
    await until(story.world, REPORT + 3 * HOURS, 230)
    assert len(story.reports()) == 1


async def test_a_report_that_was_slept_through_is_told_late_and_says_so(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.runs(DUE, 1)
    await until(story.world, REPORT - 2 * HOURS, 230)
    await story.world.clock.advance(5 * HOURS)
    story.world.crash()
    await until(story.world, REPORT + 4 * HOURS, 230)
    (told,) = story.reports()
    assert told.endswith("Watch well 7 h 30 m of 9 h 30 m: not running 07:29–09:30.")


async def test_a_report_of_yesterday_is_no_news_but_its_runs_are_told_the_next_time(tmp_path: Path) -> None:
    story = Story(tmp_path)
    await story.runs(DUE, 1)
    await until(story.world, REPORT - 2 * HOURS, 230)
    await story.world.clock.advance(15 * HOURS)
    story.world.crash()
    story.world.aws.emit(missed("close", DUE + DAYS, DUE + DAYS, 1))
    await until(story.world, REPORT + DAYS - 1, 230)
    assert story.reports() == []
    await until(story.world, REPORT + DAYS + 10 * MINUTES, 230)
    (told,) = story.reports()
    assert told.startswith(
        "Since Fri 27 Nov 00:00 JST: 1 of 2 due runs happened: 1 at once. 1 lost: close. 0 failed. Watch well 18 h 30 m of 33 h 30 m"
    )


async def test_the_ping_stays_away_while_the_feed_is_and_comes_back_with_it(tmp_path: Path) -> None:
    story = Story(tmp_path, dead_man=DeadMan(url="https://hc-ping.test/u"))
    world, pings = story.world, list[float]()

    def taken(request: httpx.Request) -> httpx.Response:
        pings.append(world.clock.now())
        return httpx.Response(200)

    config = world.config.notify.dead_man
    world.watch.dead_man = DeadMansPing(config, world.clock, world.watch.wellness.unwell, transport=httpx.MockTransport(taken))
    await world.turns(120, step=60)
    assert len(pings) == 3
    world.aws.down = True
    await world.turns(30 * MINUTES, step=60)
    assert len(pings) <= 4
    world.aws.down = False
    await world.turns(60, step=60)
    assert pings[-1] == world.clock.now()
    assert (world.watch.status()["dead_man"] or {})["words"] == "ok 0 s ago"

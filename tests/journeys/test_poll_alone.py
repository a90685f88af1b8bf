"""The watch where nobody may set anything up: by polling alone it tells what failed, finds refused launches, and launches each retry once."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hinoban.base.clock import HOURS, MINUTES
from hinoban.watch.allow import EVERYTHING
from hinoban.watch.due_slots import due_slots
from hinoban.watch.history.database import open_file
from hinoban.watch.notify.channels import Console
from hinoban.watch.places import Clients
from hinoban.watch.service import Watch
from hinoban.watch.sources.poll import Poll
from tests.support.engine import ACCOUNT, REGION
from tests.support.polled import passing
from tests.support.street import Street


class Polled(Street):
    """A street whose watch has no feed."""

    source: Poll

    def _watch(self) -> None:
        clock = self.bench.clock
        engine = open_file(self.bench.directory / "watch.db")
        self.source = Poll(self.client, clock, account=ACCOUNT, due=due_slots(engine, ACCOUNT, REGION), wait=1.0)
        channels = [Console(self.console, "UTC")]
        self.lines: list[str] = []
        self.watch = Watch(
            self.config,
            engine,
            Clients(self.client),
            [self.source],
            clock,
            self.bench.ids,
            channels,
            say=self.lines.append,
            allow=EVERYTHING,
        )

    async def look(self, seconds: float, step: float = 0.25) -> None:
        """Let the watch go on for so long."""
        end = self.bench.clock.now() + seconds
        while self.bench.clock.now() < end:
            await passing(self.bench.clock, self.watch.turn(), step=step)
            await self.bench.clock.advance(step)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Polled]:
    made = Polled(tmp_path)
    await made.open()
    yield made
    await made.close()


async def test_a_task_that_fails_is_told_once(here: Polled) -> None:
    await here.look(40)
    await here.bench.define("export", "run_for=1s exit=3")
    task = (await here.bench.run("export"))["tasks"][0]
    await here.look(3 * MINUTES)
    assert len(here.said()) == 1 and "EXIT 3" in here.said()[0]
    assert here.incident()["task"] == task["taskArn"]


async def test_a_first_attach_is_one_line_and_what_is_older_is_no_delay(here: Polled) -> None:
    await here.bench.define("export", "run_for=1s exit=3")
    await here.bench.define("server", "run_for=3h")
    await here.bench.call("PutRule", service="events", Name="nightly", ScheduleExpression="cron(0 3 * * ? *)")
    await here.bench.call("DisableRule", service="events", Name="nightly")
    await here.bench.run("export")
    await here.bench.run("server")
    await here.bench.clock.advance(7 * MINUTES)
    here._watch()
    await here.look(2 * MINUTES)
    assert here.lines == []
    assert here.watch.status()["sources"][0]["delay"] == {}
    await here.look(18 * MINUTES, step=5)
    [line] = here.lines
    assert line.startswith(f"poll:{ACCOUNT}/{REGION}: ") and line.endswith(" of the time before it was watched, and not told.")
    assert here.said() == []


async def test_a_refused_launch_is_found_and_tried_again_once(here: Polled) -> None:
    await here.look(40)
    await here.bench.define("nightly", "run_for=1s")
    await here.put_in(what="capacity", match={"family": ["nightly"]}, times=1)
    await here.bench.run("nightly", startedBy="events-rule/nightly")
    await here.look(10 * MINUTES)
    assert here.incident()["verdict"] == "RECOVERED"
    assert sum(here.bench.runs.values()) == 1


async def test_a_scheduled_run_is_followed_to_its_end(here: Polled) -> None:
    await here.look(40)
    arn = await here.bench.define("billing", "run_for=30s")
    await here.bench.call("PutRule", service="events", Name="billing", ScheduleExpression="cron(0 16 * * ? *)")
    target: dict[str, Any] = {
        "Id": "1",
        "Arn": arn.partition(":task-definition/")[0] + ":cluster/default",
        "RoleArn": "arn:aws:iam::123456789012:role/events",
        "EcsParameters": {
            "TaskDefinitionArn": arn,
            "LaunchType": "FARGATE",
            "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": ["subnet-1"]}},
        },
    }
    await here.bench.call("PutTargets", service="events", Rule="billing", Targets=[target])
    await here.bench.clock.advance(15 * MINUTES)
    await here.look(30)
    await here.bench.clock.advance(1 * HOURS - 20 * MINUTES)
    await here.look(10 * MINUTES)
    answer = here.watch.schedules_since(2 * HOURS, 0)
    assert (answer["lost"], answer["runs"]) == ([], {"exit 0": 1})
    assert here.said() == []


async def test_a_restart_tells_and_launches_nothing_twice(here: Polled) -> None:
    await here.look(40)
    await here.bench.define("export", "run_for=1s exit=3")
    await here.bench.run("export")
    await here.look(90)
    here._watch()
    await here.bench.run("export")
    await here.look(2 * MINUTES)
    assert len(here.said()) == 2
    assert len(here.watch.incidents()["incidents"]) == 2

"""A storm: ten thousand tasks, one in twenty failing in every way the fake runtime knows, launches refused, slots due, channels that fail,
and kill -9 of engine and watch amid it. Nothing is missed, told to nobody or launched twice.
"""

import asyncio
import os
import random
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from hinoban.watch.history.book import slots_between
from hinoban.watch.history.database import open_readonly
from hinoban.watch.history.schema import incidents, outbox
from hinoban.watch.incidents import incident_id
from hinoban.watch.kinds import ABOUT_NO_RUN
from tests.real.channel_receivers import Receivers, marked, receiving
from tests.real.daemon_support import NETWORK, Make, RealDaemon, is_alive, task_events, until
from tests.real.daemon_support import daemons as daemons

SEED = int(os.environ.get("HINOBAN_TEST_SEED", "1"))
TASKS = int(os.environ.get("HINOBAN_STORM_TASKS", "10000"))
AT_ONCE = 10  # tasks of one call
CALLERS = 6
ENGINE_KILLS = 3
WATCH_KILLS = 2  # in each life of the engine
REFUSED = 20  # families whose launches are refused at first
SLOTS = 10  # schedules that are due amid the storm
SLOT_COUNT = 2
AHEAD = timedelta(seconds=25)
STOPPED = 10
PATIENCE = 240.0  # for a machine that others use, too; with two cores of its own it takes a fraction of it

FAILURES = (
    "exit=1",
    "exit=3 run_for=20ms",
    "exit=137",
    "exit=139",
    "oom run_for=10ms",
    "start_error='CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref'",
    "start_error='ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed'",
    "start_error='CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task'",
    "exit=1 start_after=50ms",
    "oom output='out of room'",
)

CONFIG = """
[notify.slack]
token = "xoxb-storm"
channel = "#batch"
api = "{url}/api"
severity = ["page", "ticket", "digest"]
[notify.pagerduty]
routing_key = "0123456789abcdef0123456789abcdef"
url = "{url}"
severity = ["page", "ticket", "digest"]
[[policy]]
retry = {{ attempts = 6, deadline = "2m", base = "500ms", cap = "2s" }}
"""


def definition(family: str) -> dict[str, Any]:
    return {
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{"name": "app", "image": "none", "command": ["true"]}],
    }


def launch(family: str, count: int, token: str, script: str = "") -> dict[str, Any]:
    environment = [{"name": "HINOBAN_FAKE", "value": script}] if script else []
    return {
        "taskDefinition": family,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        "count": count,
        "clientToken": token,
        "overrides": {"containerOverrides": [{"name": "app", "environment": environment}]},
    }


class Storm:
    def __init__(self, daemon: RealDaemon, dice: random.Random) -> None:
        self.daemon = daemon
        self.dice = dice
        self.launched = 0
        self.counts: dict[str, int] = {}
        """How many tasks may reach RUNNING, of the families that are launched once."""

    async def prepare(self) -> None:
        for family in ("storm", "stopped"):
            await self.daemon.call("ecs", "RegisterTaskDefinition", definition(family))
        cluster = (await self.daemon.call("ecs", "DescribeClusters", {}))["clusters"][0]["clusterArn"]
        due = datetime.now(UTC) + AHEAD
        faults = []
        for number in range(REFUSED):
            family = f"refused-{number}"
            self.counts[family] = 1 + number % 3
            faults.append({"what": "capacity", "match": {"family": [family]}, "times": 1 + number % 2})
        for number in range(SLOTS):
            family = f"slot-{number}"
            self.counts[family] = SLOT_COUNT
            if number % 3 == 0:
                faults.append({"what": "capacity", "match": {"family": [family]}, "times": 1 + number % 2})
        for family in self.counts:
            await self.daemon.call("ecs", "RegisterTaskDefinition", definition(family))
        await self.daemon.put_in(*faults)
        for number in range(SLOTS):
            await self.daemon.call("scheduler", "CreateSchedule", self._schedule(f"slot-{number}", due, cluster))

    def _schedule(self, name: str, due: datetime, cluster: str) -> dict[str, Any]:
        target = {
            "Arn": cluster,
            "RoleArn": "arn:aws:iam::123456789012:role/scheduler",
            "EcsParameters": {
                "TaskDefinitionArn": cluster.replace("cluster/default", f"task-definition/{name}"),
                "TaskCount": SLOT_COUNT,
                "LaunchType": "FARGATE",
                "NetworkConfiguration": {"awsvpcConfiguration": {"Subnets": NETWORK["awsvpcConfiguration"]["subnets"]}},
            },
        }
        return {"Name": name, "ScheduleExpression": f"at({due:%Y-%m-%dT%H:%M:%S})", "FlexibleTimeWindow": {"Mode": "OFF"}, "Target": target}

    def calls(self) -> Iterator[dict[str, Any]]:
        """Every launch of the storm, well mixed."""
        several = []
        for number in range(TASKS // AT_ONCE):
            script = FAILURES[number // 20 % len(FAILURES)] if number % 20 == 0 else self.dice.choice(("", "", "", "run_for=50ms"))
            several.append(launch("storm", AT_ONCE, f"storm-{number}", script))
        for number in range(REFUSED):
            several.append(launch(f"refused-{number}", 1 + number % 3, f"refused-{number}", "run_for=20ms"))
        self.dice.shuffle(several)
        yield from several

    async def blow(self) -> None:
        """Launch all of it through a few callers, and kill amid it."""
        left = self.calls()

        async def caller() -> None:
            for asked in left:
                await self.daemon.call("ecs", "RunTask", asked)
                self.launched += asked["count"]

        async with asyncio.TaskGroup() as group:
            killing = group.create_task(self._kill())
            for one in [group.create_task(caller()) for _ in range(CALLERS)]:
                await one
            await killing

    async def _kill(self) -> None:
        share = TASKS / (ENGINE_KILLS + 1)
        for life in range(ENGINE_KILLS):
            wanted = share * (life + self.dice.uniform(0.6, 1.0))
            for _ in range(WATCH_KILLS):
                await self.daemon.watch_up()
                await asyncio.sleep(self.dice.uniform(0.0, 1.5))
                self._kill_watch()
            await until(lambda wanted=wanted: self.launched >= wanted, "more is launched", PATIENCE)
            await self.daemon.kill()
            await self.daemon.start()
        await self.daemon.watch_up()
        await asyncio.sleep(self.dice.uniform(0.0, 1.5))
        self._kill_watch()

    def _kill_watch(self) -> None:
        watch = self.daemon.watch_process()
        assert watch is not None
        self.daemon.watches.append(watch)
        watch.kill()

    async def stop_some(self) -> list[str]:
        """Tasks that somebody stops: no failures."""
        arns = []
        for number in range(STOPPED):
            answer = await self.daemon.call("ecs", "RunTask", launch("stopped", 1, f"stopped-{number}", "run_for=forever"))
            arns.append(answer["tasks"][0]["taskArn"])
            await self.daemon.call("ecs", "StopTask", {"task": arns[-1], "reason": "enough"})
        return arns

    async def calm(self) -> None:
        """Return when everything is read, retried and told."""

        async def still() -> bool:
            status = await self.daemon.get("status")
            undone = [status["retries"].get(state, 0) for state in ("waiting", "launching")] + [status["outbox"].get("queued", 0)]
            return status["behind"] is None and status["tasks_open"] == 0 and not any(undone)

        def slots_are_over() -> bool:
            with open_readonly(self.daemon.state / "watch.db").connect() as connection:
                found = slots_between(connection, 0, float("inf"))
            return len(found) == SLOTS and not any(slot.open for slot in found)

        await until(slots_are_over, "every slot is over", PATIENCE)
        await until(still, "all is told", PATIENCE)


def failed(event: dict[str, Any]) -> bool:
    """By the engine's own word on its end."""
    codes = [container.get("exitCode") for container in event["detail"]["containers"]]
    return event["detail"]["stopCode"] == "TaskFailedToStart" or (event["detail"]["stopCode"] != "UserInitiated" and codes != [0])


class Told:
    """What watch.db holds at the end: incidents as they are, messages with who got them."""

    def __init__(self, path: Path) -> None:
        with open_readonly(path / "watch.db").connect() as connection:
            values = connection.execute(select(incidents.c.value)).scalars().all()
            rows = connection.execute(select(outbox.c.channel, outbox.c.state, outbox.c.value)).all()
        self.incidents: dict[str, dict[str, Any]] = {one["id"]: one for one in map(msgspec.json.decode, values)}
        self.states = Counter(state for _, state, _ in rows)
        self.messages: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for channel, _, value in rows:
            message = msgspec.json.decode(value)
            self.messages[channel, message["incident"]["id"]].append(message["change"])
        self.of_task: defaultdict[str, set[str]] = defaultdict(set)
        for one in self.incidents.values():
            if one["finding"]["detector"] not in ABOUT_NO_RUN:
                for arn in {one["finding"].get("task_arn"), *(attempt.get("task_arn") for attempt in one.get("attempts", ()))}:
                    self.of_task[arn or ""].add(one["id"])

    def teller(self, one: dict[str, Any]) -> str:
        """Whose messages tell of an incident: its own, or those of the incident that leads its group."""
        while (lead := one.get("lead")) is not None and lead != one["id"]:
            one = self.incidents[lead]
        return str(one["id"])


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_nothing_is_missed_or_done_twice_in_a_storm(daemons: Make) -> None:
    dice = random.Random(SEED)
    async with receiving(Receivers(dice, share=0.01, most=12)) as receivers:
        with tempfile.TemporaryDirectory(prefix="hb-") as folder:
            config = Path(folder, "hinoban.toml")
            config.write_text(CONFIG.format(url=receivers.url))
            daemon = daemons("--runtime", "fake", "--capacity", "100000vcpu:400000GB", "--config", str(config))
            await daemon.start()
            storm = Storm(daemon, dice)
            began = asyncio.get_running_loop().time()
            await storm.prepare()
            await storm.blow()
            stopped = await storm.stop_some()
            blown = asyncio.get_running_loop().time()
            await storm.calm()
            print(f"launched in {blown - began:.0f} s, calm {asyncio.get_running_loop().time() - blown:.0f} s later")
            _, envelopes = await daemon.feed()
            told = Told(daemon.state)
            await until(lambda: not any(map(is_alive, daemon.watches)), "the killed watches are gone")
    check_engine(storm, envelopes, stopped)
    check_incidents(told, envelopes, stopped)
    check_messages(told, receivers)
    kinds = Counter(one["finding"]["detector"] for one in told.incidents.values())
    print(f"{len(envelopes)} events, incidents {dict(kinds)}, {sum(map(len, told.messages.values()))} messages, {dict(receivers.troubles)}")


def check_engine(storm: Storm, envelopes: list[dict[str, Any]], stopped: list[str]) -> None:
    """By the engine's journal: no attempt launched twice, no slot and no launch ran more often than it was asked for."""
    events = task_events(envelopes)
    assert len(events) >= TASKS + len(stopped)
    running: Counter[str] = Counter()
    retried: defaultdict[str, set[str]] = defaultdict(set)
    for arn, told in events.items():
        assert told[-1]["detail"]["lastStatus"] == "STOPPED"
        detail = told[-1]["detail"]
        family = detail["taskDefinitionArn"].rpartition("/")[2].partition(":")[0]
        running[family] += any(event["detail"]["lastStatus"] == "RUNNING" for event in told)
        if detail.get("startedBy", "").startswith("hinoban/"):
            retried[detail["startedBy"]].add(arn)
    asked: dict[str, int] = {}
    for envelope in envelopes:
        request = envelope["detail"].get("requestParameters") or {}
        if envelope["detail"].get("eventName") == "RunTask" and request.get("startedBy", "").startswith("hinoban/"):
            asked[request["startedBy"]] = request["count"]
    assert retried
    for attempt, arns in retried.items():
        assert len(arns) <= asked[attempt], attempt
    for family, count in storm.counts.items():
        assert running[family] <= count, family
    # Capacity came back, so that what was refused ran in the end; a kill of the engine may have ended one of them.
    assert sum(running[family] for family in storm.counts) >= 0.8 * sum(storm.counts.values())


def check_incidents(told: Told, envelopes: list[dict[str, Any]], stopped: list[str]) -> None:
    """Every task that failed is in exactly one incident, no other task is; every launch that was refused is one incident."""
    ends = {arn: events[-1] for arn, events in task_events(envelopes).items()}
    failing = {arn for arn, event in ends.items() if failed(event)}
    assert len(failing) >= TASKS / 20
    wrong = {arn: told.of_task[arn] for arn in failing if len(told.of_task[arn]) != 1}
    assert wrong == {}
    assert not any(told.of_task[arn] for arn in stopped)
    well = [arn for arn in ends if arn not in failing and told.of_task[arn]]
    recovered = {arn for one in told.incidents.values() for arn in (attempt.get("task_arn") for attempt in one.get("attempts", ()))}
    assert set(well) <= recovered
    for envelope in envelopes:
        record = envelope["detail"]
        if record.get("eventName") == "RunTask" and (record.get("responseElements") or {}).get("failures"):
            starter = record["requestParameters"].get("startedBy") or ""
            if not starter.startswith(("hinoban/", "chronos-schedule/")):
                assert incident_id(f"launch:{record['eventID']}") in told.incidents
    slots = Counter(
        one["finding"]["family"] for one in told.incidents.values() if one["finding"]["family"].startswith(("slot-", "refused-"))
    )
    assert max(slots.values()) == 1, slots


def check_messages(told: Told, receivers: Receivers) -> None:
    """Every change reached both channels; a repeat updates its alert, or says that it is one."""
    assert set(told.states) == {"sent"}
    assert {trouble for _, trouble in receivers.troubles} == {"limited", "down", "failed", "lost", "silent"}
    for one in told.incidents.values():
        teller = told.teller(one)
        for channel in ("slack", "pagerduty"):
            assert told.messages[channel, teller], one
        if one["state"] == "resolved" and teller == one["id"]:
            assert {"resolved", "quiet"} & set(told.messages["slack", teller]) or one["told"] == 1
    for (channel, teller), changes in told.messages.items():
        if channel == "slack":
            posts = receivers.posts[teller]
            assert len([post for post in posts if not marked(post)]) <= len(changes) <= len(posts), teller
        if channel == "pagerduty":
            wanted = {"resolve" if change == "resolved" else "trigger" for change in changes if change != "quiet"}
            assert wanted <= set(receivers.events[teller]), teller
            if "resolved" in changes:
                assert receivers.events[teller][-1] == "resolve", teller

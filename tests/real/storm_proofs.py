"""Judges a storm when it is over: by the engine's journal, the watch's database and what the channels got."""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import select

from hinoban.watch.history.database import open_readonly
from hinoban.watch.history.schema import incidents, outbox
from hinoban.watch.incidents import incident_id
from hinoban.watch.kinds import ABOUT_NO_RUN
from tests.real.channel_receivers import Receivers, marked
from tests.real.daemon_support import task_events
from tests.real.storm_support import FAILING, Storm


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


def check_engine(storm: Storm, envelopes: list[dict[str, Any]], stopped: list[str]) -> None:
    """By the engine's journal: no attempt launched twice, no slot and no launch ran more often than it was asked for."""
    events = task_events(envelopes)
    assert len(events) >= storm.size.tasks + len(stopped)
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


def check_incidents(storm: Storm, told: Told, envelopes: list[dict[str, Any]], stopped: list[str]) -> None:
    """Every task that failed is in exactly one incident, no other task is; every launch that was refused is one incident."""
    ends = {arn: events[-1] for arn, events in task_events(envelopes).items()}
    failing = {arn for arn, event in ends.items() if failed(event)}
    assert len(failing) >= storm.size.tasks / FAILING
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
    # What is told together is over once all of it is: runs with another input do not make up for each other.
    going_on = {told.teller(one) for one in told.incidents.values() if one["state"] != "resolved"}
    for one in told.incidents.values():
        teller = told.teller(one)
        for channel in ("slack", "pagerduty"):
            assert told.messages[channel, teller], one
        if teller == one["id"] and teller not in going_on:
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

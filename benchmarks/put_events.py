"""PutEvents with 1, 100 and 1,000 rules on four buses, one of which matches: what holding an event against rules costs."""

import asyncio
import json
from collections.abc import Iterator

import boto3

from benchmarks.figures import Figure
from benchmarks.hinoban_server import Hinoban, hinoban_server
from benchmarks.moto_server import moto_server
from benchmarks.wrk import Answers, Target, replay, signed

RULES = (1, 100, 1000)
BUSES = ("default", "orders", "payments", "audit")
MATCHED = "order-0"
SECONDS = 4
TURNS = 3
CONNECTIONS = 8
PUT_EVENTS = "AWSEvents.PutEvents"
NONE_FAILED = '"FailedEntryCount": ?0'


def measure() -> list[Figure]:
    """For each number of rules ours, then moto's; then what a thousand rules cost us beside one, turn about."""
    figures = []
    for rules in RULES:
        ours = _ours(rules)
        with moto_server() as moto:
            theirs = _put_events(moto.target, rules)
        note = f"{len(BUSES)} entries a call, one for each bus; p99 {ours.p99 * 1000:.1f} ms, moto {theirs.p99 * 1000:.1f} ms"
        figures.append(
            Figure(f"PutEvents, {rules:,} rules", f"{ours.rate:,.0f}/s", f"moto {theirs.rate:,.0f}/s", ours.rate / theirs.rate, note=note)
        )
    turns = [(_ours(RULES[0]).rate, _ours(RULES[-1]).rate) for _ in range(TURNS)]
    few, many = sorted(turns, key=lambda turn: turn[0] / turn[1])[TURNS // 2]
    name, beside = f"PutEvents, a call with {RULES[-1]:,} rules", f"with {RULES[0]}: {1e6 / few:,.0f} µs"
    return [*figures, Figure(name, f"{1e6 / many:,.0f} µs", beside, few / many, ("<=", 1.2))]


def _ours(rules: int) -> Answers:
    with hinoban_server() as hinoban:
        answers = _put_events(hinoban.target, rules)
        asyncio.run(_check(hinoban, answers))
    return answers


def rules_of(count: int) -> Iterator[tuple[str, str, str]]:
    """Bus, name and pattern: as people write them, and the first one alone matches."""
    for number in range(count):
        pattern = {
            "source": ["shop.orders"],
            "detail-type": ["Order Changed"],
            "detail": {"id": [f"order-{number}"], "state": [{"prefix": "ship"}], "amount": [{"numeric": [">", 10]}]},
        }
        yield BUSES[number % len(BUSES)], f"rule-{number}", json.dumps(pattern)


def entries() -> list[dict[str, str]]:
    """One event for each bus; the default bus has the rule that matches."""
    detail = json.dumps({"id": MATCHED, "state": "shipped", "amount": 12.5, "customer": {"name": "x" * 40, "tags": ["a", "b", "c"]}})
    return [{"Source": "shop.orders", "DetailType": "Order Changed", "Detail": detail, "EventBusName": bus} for bus in BUSES]


def _put_events(target: Target, rules: int) -> Answers:
    events = boto3.client(
        "events",
        endpoint_url=target.endpoint,
        region_name=target.region,
        aws_access_key_id=target.access_key_id,
        aws_secret_access_key=target.secret_access_key,
    )
    for bus in BUSES[1:]:
        events.create_event_bus(Name=bus)
    for bus, name, pattern in rules_of(rules):
        events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
    request = signed(target, "events", PUT_EVENTS, json.dumps({"Entries": entries()}).encode())
    return replay(target, [request], expect=NONE_FAILED, seconds=SECONDS, connections=CONNECTIONS, cycle=True).checked()


async def _check(hinoban: Hinoban, answers: Answers) -> None:
    """AssertionError unless just the one rule matched, once for each call that was answered or still under way at the end."""
    async with hinoban.client() as client:
        rules = (await client.get("rules"))["rules"]
    matched = {rule["name"]: rule["matched"] for rule in rules if rule["matched"]}
    if matched.keys() != {"rule-0"} or not answers.answered <= matched["rule-0"] <= answers.sent + CONNECTIONS:
        raise AssertionError(f"matched: {dict(list(matched.items())[:5])} of {answers}")

"""events:TestEventPattern through the front door (facts/eventbridge.md §4.6)."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Bench, Refused

EVENT = {
    "id": "1",
    "account": "123456789012",
    "source": "aws.ecs",
    "time": "2026-01-02T03:04:05Z",
    "region": "ap-northeast-1",
    "detail-type": "ECS Task State Change",
    "detail": {"lastStatus": "STOPPED", "group": "family:nightly"},
}


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    bench = await Bench(tmp_path).open()
    yield bench
    await bench.close()


async def ask(bench: Bench, pattern: Any, event: Any = EVENT) -> bool:
    texts = [one if isinstance(one, str) else json.dumps(one) for one in (pattern, event)]
    answer = await bench.call("TestEventPattern", service="events", EventPattern=texts[0], Event=texts[1])
    found: bool = answer["Result"]
    return found


async def refused(bench: Bench, pattern: Any, event: Any = EVENT) -> tuple[int, str, str]:
    with pytest.raises(Refused) as caught:
        await ask(bench, pattern, event)
    return caught.value.status, caught.value.code, caught.value.text


async def test_a_pattern_is_tried_against_an_event(bench: Bench) -> None:
    assert await ask(bench, {"source": ["aws.ecs"], "detail": {"group": [{"wildcard": "family:night*"}]}}) is True
    assert await ask(bench, {"source": ["aws.ec2"]}) is False


async def test_digits_beyond_a_double_are_compared(bench: Bench) -> None:
    event = json.dumps(EVENT)[:-1] + ', "n": 0.12345678901234567891}'
    assert await ask(bench, '{"n": [0.12345678901234567891]}', event) is True
    assert await ask(bench, '{"n": [0.12345678901234567892]}', event) is False
    assert await ask(bench, '{"n": [{"numeric": [">", 0]}]}', event) is False


@pytest.mark.parametrize("missing", ["id", "account", "source", "time", "region", "detail-type"])
async def test_an_event_lacks_a_mandatory_field(bench: Bench, missing: str) -> None:
    event = {name: value for name, value in EVENT.items() if name != missing}
    assert await refused(bench, {"source": ["x"]}, event) == (400, "ValidationException", "Parameter Event is not valid.")


@pytest.mark.parametrize("event", ["plain text", "[]", '"x"', "7", "{", "", "[" * 5000, '{"n": ' + "1" * 5000 + "}"])
async def test_an_event_that_is_no_object(bench: Bench, event: str) -> None:
    assert await refused(bench, {"source": ["x"]}, event) == (400, "ValidationException", "Parameter Event is not valid.")


async def test_a_bad_pattern_is_told_with_its_place(bench: Bench) -> None:
    text = '{"source": "aws.ecs"}'
    place = f' at [Source: (String)"{text}"; line: 1, column: 13]'
    assert await refused(bench, text) == (
        400,
        "InvalidEventPatternException",
        f'Event pattern is not valid. Reason: "source" must be an object or an array\n{place}',
    )
    assert (await refused(bench, {}))[2].startswith("Event pattern is not valid. Reason: Empty objects are not allowed\n")


async def test_what_is_missing_or_too_long_is_said_by_name(bench: Bench) -> None:
    with pytest.raises(Refused) as caught:
        await bench.call("TestEventPattern", service="events")
    assert caught.value.code == "ValidationException"
    assert caught.value.text.startswith("2 validation errors detected: ")
    assert (await refused(bench, '{"a": ["' + "x" * 4096 + '"]}'))[2].endswith("Member must have length less than or equal to 4096")


async def test_some_operations_are_not_there(bench: Bench) -> None:
    with pytest.raises(Refused) as caught:
        await bench.call("ListEndpoints", service="events")
    assert (caught.value.status, caught.value.code) == (400, "UnknownOperationException")
    assert (
        caught.value.text == "Hinoban does not implement events:ListEndpoints yet. docs/compatibility.md lists the operations that it has."
    )
    with pytest.raises(AssertionError):
        await bench.call("PutNothing", service="events")


async def test_a_test_is_no_write_and_leaves_no_record(bench: Bench) -> None:
    await ask(bench, {"source": ["aws.ecs"]})
    assert bench.recorded("TestEventPattern") == []
    await refused(bench, {})
    (record,) = bench.recorded("TestEventPattern")
    assert (record["readOnly"], record["errorCode"]) == (True, "InvalidEventPatternException")


async def test_a_fault_is_put_in_for_whom_a_wildcard_names(bench: Bench) -> None:
    await bench.define("nightly-billing")
    await bench.define("hello")
    bench.engine.faults.add([{"what": "capacity", "match": {"family": [{"wildcard": "nightly-*"}]}}])
    assert (await bench.run("nightly-billing"))["failures"]
    assert (await bench.run("hello"))["failures"] == []

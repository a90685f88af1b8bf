"""An AWS that nobody may set anything up in: lists, descriptions and an event history that is late; and a clock that moves for who waits."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec

from hinoban.base.clock import FakeClock
from hinoban.base.supervise import Group
from hinoban.base.units import parse_iso
from tests.unit.watch.fake_aws import FakeAws

T = TypeVar("T")


class PolledAws(FakeAws):
    """`late` is how long CloudTrail takes; `reads` are the calls with their moments; `refusals` are error answers to come, by operation."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.late = 0.0
        self.reads: list[tuple[float, str]] = []
        self.refusals: dict[str, list[str]] = {}

    def answer(self, request: Any) -> Any:
        operation = request.headers.get("x-amz-target", "").rpartition(".")[2]
        self.reads.append((self.clock.now(), operation))
        if codes := self.refusals.get(operation):
            code = codes.pop(0) if len(codes) > 1 else codes[0]
            if code:
                return self._error(code)
            codes.clear()
        return super().answer(request)

    def _error(self, code: str) -> Any:
        import httpx

        return httpx.Response(400, json={"__type": code, "message": "Rate exceeded" if "Thrott" in code else "not authorized"})

    def LookupEvents(self, params: dict[str, Any]) -> dict[str, Any]:
        [attribute] = params["LookupAttributes"]
        found = []
        for raw in self.events:
            record = msgspec.json.decode(raw)["detail"]
            if record.get("eventName") != attribute["AttributeValue"]:
                continue
            at = parse_iso(record["eventTime"])
            if params["StartTime"] <= at <= params["EndTime"] and at + self.late <= self.clock.now():
                found.append({"EventId": record["eventID"], "EventTime": at, "CloudTrailEvent": msgspec.json.encode(record).decode()})
        found.sort(key=lambda event: -float(event["EventTime"]))
        start = int(params.get("NextToken") or 0)
        end = start + params["MaxResults"]
        return {"Events": found[start:end]} | ({"NextToken": str(end)} if end < len(found) else {})


async def passing(clock: FakeClock, work: Coroutine[Any, Any, T], *, step: float = 0.5, at_most: float = 3600.0) -> T:
    """The outcome of `work`, the clock moving on until it is there."""
    found: list[T] = []
    failed: list[BaseException] = []

    async def doing() -> None:
        found.append(await work)

    group = Group(failed.append)
    running = group.start(doing(), "work")
    passed = 0.0
    await clock.advance(0)
    while not running.done():
        assert passed < at_most, "it waits for ever"
        await clock.advance(step)
        passed += step
    await group.close()
    if failed:
        raise failed[0]
    return found[0]

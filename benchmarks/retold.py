"""Task events as the engine writes them, told again of as many tasks as are wanted: a few hundred real lives are recorded, and each
telling has ids, containers, network interfaces and moments of its own.
"""

import asyncio
import random
import re
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from benchmarks.hinoban_server import NETWORK
from benchmarks.inside import call, engine_on
from hinoban.base import units
from hinoban.base.clock import SystemClock
from hinoban.engine.runtime.fake import FakeDriver

LIVES = 20  # recorded of each family
EVENTS = 5  # PROVISIONING, PENDING, RUNNING, DEPROVISIONING, STOPPED
FAMILIES = ("nightly-billing", "export-orders", "close-books", "sync-stock", "mail-digest", "resize-images", "index-search", "load-feed")
FAILING = 50  # every so many-th life ends badly
FIRST = 1_795_705_200.0  # when the first is created
_REGISTRY = "123456789012.dkr.ecr.ap-northeast-1.amazonaws.com"
_STRETCH = 397.31  # a fake container runs for a moment; told again, for some seconds or minutes
_UUID = rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_TOKENS = re.compile(
    rb"(?P<uuid>" + _UUID + rb")|(?P<task>(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f]))|(?P<runtime>(?<=[0-9a-f]{32}-)\d{10})"
    rb"|(?P<interface>(?<=eni-)[0-9a-f]{17})|(?P<mac>(?<=0a:)(?:[0-9a-f]{2}:){4}[0-9a-f]{2})|(?P<address>(?<=10\.0\.)\d{1,3}\.\d{1,3})"
    rb"|(?P<moment>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,3}Z)|(?P<second>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)"
)


class Life:
    """One recorded task: what stays of its events' bytes, and where ids and moments stand in them."""

    def __init__(self, events: list[bytes]) -> None:
        self._tokens: dict[bytes, tuple[int, str]] = {}
        self._events: list[tuple[list[bytes], list[int]]] = []
        for raw in events:
            pieces, places, end = [], [], 0
            for found in _TOKENS.finditer(raw):
                place, _ = self._tokens.setdefault(found[0], (len(self._tokens), str(found.lastgroup)))
                pieces.append(raw[end : found.start()])
                places.append(place)
                end = found.end()
            self._events.append(([*pieces, raw[end:]], places))
        moments = [units.parse_iso(text.decode()) for text, (_, kind) in self._tokens.items() if kind == "moment"]
        self._began = min(moments)

    def told(self, at: float, dice: random.Random) -> list[bytes]:
        """The events of another task that lived alike, created at `at`."""
        words = [self._another(text, kind, at, dice) for text, (_, kind) in self._tokens.items()]
        events = []
        for pieces, places in self._events:
            parts = [piece for pair in zip(pieces, (words[place] for place in places), strict=False) for piece in pair]
            events.append(b"".join([*parts, pieces[-1]]))
        return events

    def _another(self, text: bytes, kind: str, at: float, dice: random.Random) -> bytes:
        match kind:
            case "uuid":
                digits = f"{dice.getrandbits(128):032x}"
                return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}".encode()
            case "task":
                return b"%032x" % dice.getrandbits(128)
            case "runtime":
                return b"%010d" % dice.randrange(10**10)
            case "interface":
                return b"%017x" % dice.getrandbits(68)
            case "mac":
                return b":".join(b"%02x" % dice.randrange(256) for _ in range(5))
            case "address":
                return b"%d.%d" % (dice.randrange(256), dice.randrange(256))
        moment = at + max(0.0, units.parse_iso(text.decode()) - self._began) * _STRETCH
        return (units.iso(moment) if kind == "moment" else units.iso_seconds(moment)).encode()


def recorded(families: Sequence[str] = FAMILIES) -> list[Life]:
    """Real lives of these families that ended well or not, each of `EVENTS` events."""
    return asyncio.run(_record(families))


def retold(lives: list[Life], tasks: int, *, at_once: int = 1000, seed: int = 1) -> Iterator[bytes]:
    """The events of `tasks` tasks, of which about `at_once` live at the same time: no two events of one come together."""
    dice = random.Random(seed)
    step = max(1, at_once // EVENTS)
    living: deque[list[bytes]] = deque(maxlen=step * EVENTS)
    for turn in range(tasks + step * EVENTS):
        living.append(dice.choice(lives).told(FIRST + turn * 0.1, dice) if turn < tasks else [])
        for place in range(EVENTS):
            if place * step < len(living) and (events := living[-1 - place * step]):
                yield events[place]


async def _record(families: Sequence[str]) -> list[Life]:
    async with engine_on(FakeDriver(SystemClock())) as engine:
        dice = random.Random(7)
        for family in families:
            await call(engine, "RegisterTaskDefinition", _definition(family))
        for number in range(LIVES * len(families)):
            await call(engine, "RunTask", _launch(families[number % len(families)], number % FAILING == FAILING - 1, dice))
        lines: list[bytes] = []
        told: dict[str, list[bytes]] = defaultdict(list)
        ended = 0
        while ended < LIVES * len(families):
            await engine.journal.wait_beyond(len(lines))
            fresh = engine.journal.read(len(lines), 1000)
            lines += fresh
            for line in fresh:
                event = bytes(msgspec.json.decode(line, type=_Line).event)
                detail = msgspec.json.decode(event)["detail"]
                if (arn := detail.get("taskArn")) is not None:
                    told[arn].append(event)
                    ended += detail["lastStatus"] == "STOPPED"
    return [Life(events) for events in told.values() if len(events) == EVENTS]


class _Line(msgspec.Struct):
    event: msgspec.Raw


def _definition(family: str) -> dict[str, Any]:
    return {
        "family": family,
        "requiresCompatibilities": ["FARGATE"],
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/ecsTaskExecutionRole",
        "containerDefinitions": [{"name": "app", "image": f"{_REGISTRY}/{family}:1.{len(family)}"}],
    }


def _launch(family: str, fails: bool, dice: random.Random) -> dict[str, Any]:
    script = f"run_for={dice.randrange(20, 400)}ms" + (" exit=3" if fails else "")
    override = {"name": "app", "environment": [{"name": "HINOBAN_FAKE", "value": script}]}
    return {
        "taskDefinition": family,
        "launchType": "FARGATE",
        "networkConfiguration": NETWORK,
        "startedBy": f"events-rule/{family}" if len(family) % 2 else "deploy",
        "overrides": {"containerOverrides": [override]},
    }

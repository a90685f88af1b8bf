"""How fast we may ask an AWS account that others live in: a few reads a second, and fewer as soon as AWS throttles anybody.

The buckets (facts/ecs.md §11.3): ECS cluster reads refill by 20 a second, CloudTrail's LookupEvents takes 2 (facts/cloudtrail_sns_lambda.md
§1.5). We take a tenth: 2 reads a second in all, of LookupEvents one in five seconds.
"""

import copy
from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from hinoban.aws.errors import AwsError
from hinoban.base.clock import SECONDS, Clock

PER_SECOND = 2.0
LOOKUPS_PER_SECOND = 0.2
SLOWEST = 30 * SECONDS
"""The longest pause between two reads, however much AWS throttles."""
TRIES = 5
THROTTLED = frozenset(
    {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "ThrottledException", "RequestThrottled"}
)
_EASE = 0.9
LOCAL_PER_SECOND = 1000.0
"""Nobody else's bucket is drawn on at an endpoint that stands in for AWS."""


class Pace:
    """A turnstile: each `await pace()` is let through at its own moment. Throttling doubles the pause, good answers shorten it again."""

    def __init__(self, clock: Clock, per_second: float = PER_SECOND) -> None:
        self._clock = clock
        self._least = 1 / per_second
        self.pause = self._least
        self._free_at = 0.0

    @property
    def free(self) -> bool:
        """Whether a turn taken now would not have to wait."""
        return self._clock.now() >= self._free_at

    async def __call__(self) -> None:
        """Wait for the next turn; those who wait are let through in order."""
        now = self._clock.now()
        turn = max(now, self._free_at)
        self._free_at = turn + self.pause
        await self._clock.sleep_until(turn)

    def throttled(self) -> None:
        """AWS said that it is too much, to us or to others of the account: yield."""
        self.pause = min(self.pause * 2, SLOWEST)
        self._free_at = max(self._free_at, self._clock.now()) + self.pause

    def well(self) -> None:
        """An answer came: go back to the usual pace, little by little."""
        self.pause = max(self.pause * _EASE, self._least)


class Calls(Protocol):
    """The part of aws.client.Client that reads need."""

    region: str

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]: ...

    def in_region(self, region: str) -> "Calls": ...


class Paced:
    """A client whose calls keep the pace, and are asked again when AWS throttles them; the last refusal is raised."""

    def __init__(self, client: Calls, clock: Clock, pace: Pace | None = None, lookups: Pace | None = None) -> None:
        self._client = client
        self.region = client.region
        self.pace = pace or Pace(clock)
        self.lookups = lookups or Pace(clock, LOOKUPS_PER_SECOND)

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The operation's output; AwsError, EndpointUnreachable."""
        paces = (self.lookups, self.pace) if operation == "LookupEvents" else (self.pace,)
        for left in reversed(range(TRIES)):
            for pace in paces:
                await pace()
            try:
                answer = await self._client.call(service, operation, params)
            except AwsError as error:
                if error.code not in THROTTLED:
                    raise
                for pace in paces:
                    pace.throttled()
                if not left:
                    raise
                continue
            for pace in paces:
                pace.well()
            return answer
        raise AssertionError("unreachable: the last try returns or raises")

    async def items(self, service: str, operation: str, params: Mapping[str, Any], key: str) -> AsyncIterator[Any]:
        """Every item under `key` of all pages."""
        token = "NextToken" if service == "cloudtrail" else "nextToken"
        page = dict(params)
        while True:
            answer = await self.call(service, operation, page)
            for item in answer.get(key) or ():
                yield item
            if not answer.get(token):
                return
            page[token] = answer[token]

    def in_region(self, region: str) -> "Paced":
        """The same pace for another region: who asks is one."""
        other = copy.copy(self)
        other._client, other.region = self._client.in_region(region), region
        return other


def paced(client: Calls, clock: Clock, *, foreign: bool) -> Paced:
    """The client at the pace that suits where it asks; `foreign`: an endpoint that stands in for AWS."""
    return Paced(client, clock, Pace(clock, LOCAL_PER_SECOND), Pace(clock, LOCAL_PER_SECOND)) if foreign else Paced(client, clock)

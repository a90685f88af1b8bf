"""Gentle questions to AWS: four at a time, paced, throttled ones asked again, failures kept as problems that name the missing right."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from hinoban.aws.client import EndpointUnreachable
from hinoban.aws.errors import CREDENTIALS_REFUSED, AwsError
from hinoban.base.clock import SECONDS, Clock
from hinoban.watch.schedules.model import Problem

AT_ONCE = 4
_WAITS = (1 * SECONDS, 2 * SECONDS, 4 * SECONDS)
_THROTTLED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "ThrottledException"})
DENIED = CREDENTIALS_REFUSED | {
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "UnauthorizedException", "OptInRequired"),
}
"""AWS's codes where a right is missing, or the credentials are not taken (CommonErrors of its API references)."""

Item = TypeVar("Item")
Pace = Callable[[], Awaitable[None]]


class Asked(Protocol):
    """The part of aws.client.Client that is needed here."""

    async def call(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]: ...

    def in_region(self, region: str) -> "Asked": ...


class Failed(Exception):
    """The question has no answer; its problem is kept already."""


async def no_pace() -> None:
    """As fast as the answers come."""


class Asker:
    """Asks in one region for one reading. `problems` holds what failed."""

    def __init__(self, client: Asked, region: str, clock: Clock, pace: Pace, problems: list[Problem]) -> None:
        self.region = region
        self._root = client
        self._client = client.in_region(region)
        self._clock = clock
        self._pace = pace
        self._problems = problems

    def elsewhere(self, region: str) -> "Asker":
        """The same for another region."""
        return self if region == self.region else Asker(self._root, region, self._clock, self._pace, self._problems)

    async def ask(self, service: str, operation: str, params: Mapping[str, Any], *, about: str = "", expect: tuple[str, ...] = ()) -> Any:
        """The answer. AwsError only for the codes to `expect`; Failed for all others, kept as a problem of `about`."""
        try:
            return await self._asked(service, operation, params)
        except AwsError as error:
            if error.code in expect:
                raise
            self.keep(service, operation, about, error)
        except EndpointUnreachable as error:
            # A service that a region lacks has no endpoint there; the other regions go on.
            self.keep(service, operation, about, AwsError("EndpointUnreachable", str(error)))
        raise Failed

    async def pages(self, service: str, operation: str, params: Mapping[str, Any], key: str) -> AsyncIterator[Any]:
        """Every item under `key` of all pages; Failed behind the last page that came."""
        page = dict(params)
        while True:
            answer = await self.ask(service, operation, page)
            for item in answer.get(key) or ():
                yield item
            token = answer.get("NextToken")
            if not token or token == page.get("NextToken"):
                return
            page["NextToken"] = token

    def keep(self, service: str, operation: str, about: str, error: AwsError) -> None:
        """Keep the problem of a question about `about`."""
        right, denied = f"{service}:{operation}", error.code in DENIED
        self._problems.append(
            Problem(region=self.region, right=right, code=error.code, message=error.message, subject=about, denied=denied)
        )

    async def _asked(self, service: str, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        for wait in _WAITS:
            await self._pace()
            try:
                return await self._client.call(service, operation, params)
            except AwsError as error:
                if error.code not in _THROTTLED:
                    raise
            await self._clock.sleep_until(self._clock.now() + wait)
        await self._pace()
        return await self._client.call(service, operation, params)


async def each(items: Iterable[Item], work: Callable[[Item], Awaitable[None]]) -> None:
    """`work` on every item, AT_ONCE at a time; what fails with Failed is left, its problem is kept."""
    waiting = iter(items)

    async def worker() -> None:
        for item in waiting:
            try:
                await work(item)
            except Failed:
                continue

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


def merged(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """One problem per region, right and code, its subjects named, the first three and how many more."""
    groups: dict[tuple[str, str, str], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.region, problem.right, problem.code), []).append(problem)
    return tuple(_one(group) for group in groups.values())


def _one(group: list[Problem]) -> Problem:
    first, names = group[0], list(dict.fromkeys(problem.subject for problem in group if problem.subject))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return msgspec.structs.replace(first, subject=", ".join(names[:3]) + more)
